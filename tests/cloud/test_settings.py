import tomllib
from pathlib import Path

import msgspec
import pytest

from cloud.errors import SettingsError
from cloud.places import places
from cloud.settings import CloudSettings, load

SAMPLE = Path("deploy/cloud.toml")


def test_the_sample_holds_the_defaults_and_every_default() -> None:
    values = tomllib.loads(SAMPLE.read_text("utf-8"))
    assert msgspec.convert(values, CloudSettings) == CloudSettings()
    text = SAMPLE.read_text("utf-8")
    for struct in (CloudSettings, type(CloudSettings().broker), type(CloudSettings().api)):
        for field in struct.__struct_fields__:
            assert field in text, f"{field} is not in the sample"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('data = "x"\n[broker]\nprot = 1\n', ":3: broker.prot", "did you mean 'port'?"),
        ('[broker]\nhost = "a"\nport = "x"\n', ":3: broker.port", "Expected `int`"),
        ("[broker]\nversion = 3\n", ":2: broker.version", "3"),
        ('[api]\n\nhost = "0.0.0.0"\n', ":1: api", "reachable from other machines"),
        ("[api\n", ":1", "Expected"),
        (
            '[[notify.channels]]\nname="a"\nurl_env="A"\n[[notify.channels]]\nname="b"\n',
            ":4: notify.channels[1]",
            "url_env or url_file",
        ),
    ],
)
def test_what_is_wrong_is_named_by_line_and_key(
    tmp_path: Path, text: str, place: str, words: str
) -> None:
    path = tmp_path / "cloud.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert f"{path}{place}" in str(caught.value)
    assert words in str(caught.value)


def test_bytes_that_are_no_text_are_said_so(tmp_path: Path) -> None:
    path = tmp_path / "cloud.toml"
    path.write_bytes(b'data = "\xff"')
    with pytest.raises(SettingsError, match="not UTF-8"):
        load(path)


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "nowhere.toml")


def test_a_password_comes_from_where_the_settings_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cloud.toml"
    path.write_text('[broker]\npassword_env = "FOREWARN_TEST_SECRET"\n')
    with pytest.raises(SettingsError, match="FOREWARN_TEST_SECRET is not set"):
        load(path).broker.password()
    monkeypatch.setenv("FOREWARN_TEST_SECRET", "swordfish")
    assert load(path).broker.password() == "swordfish"


def test_the_ledgers_password_is_never_in_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "cloud.toml"
    path.write_text('[ledger]\nurl = "postgresql://me:swordfish@host/name"\n')
    with pytest.raises(SettingsError, match=r"cloud\.toml.*password_file") as raised:
        load(path)
    assert "swordfish" not in str(raised.value)
    (tmp_path / "secret").write_text("swordfish\n")
    path.write_text(
        f'[ledger]\nurl = "postgresql://me@host/name"\npassword_file = "{tmp_path / "secret"}"\n'
    )
    assert load(path).ledger.password() == "swordfish"
    assert "swordfish" not in repr(places(load(path)))
