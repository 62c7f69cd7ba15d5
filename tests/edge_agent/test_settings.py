import tomllib
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from cloud.accounts import certificates
from edge_agent import settings as module
from edge_agent.errors import SettingsError
from edge_agent.settings import Settings, check, load
from tests.edge_agent.made import T0_NS

SAMPLE = Path("deploy/edge.toml")


def test_the_sample_holds_the_defaults_and_every_setting() -> None:
    text = SAMPLE.read_text("utf-8")
    assert msgspec.convert(tomllib.loads(text), Settings) == Settings()
    assert check(SAMPLE) == []
    for kind in (
        Settings,
        module.BrokerSettings,
        module.OutboxSettings,
        module.PolicySettings,
        module.MachineSettings,
        module.SourceSettings,
        module.SignalSettings,
    ):
        for field in kind.__struct_fields__:
            assert field in text, f"{field} is not in the sample"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('tenant = "Acme"\n', ":1: tenant", "[a-z0-9]"),
        ("devise = 1\n", ":1: devise", "no such setting; did you mean 'device'?"),
        ("\n[broker]\nprot = 1\n", ":3: broker.prot", "did you mean 'port'?"),
        (
            "[[machines]]\n[[machines]]\nlocation = 1\n",
            ":3: machines[1].location",
            "no such setting; there are key, name, profile",
        ),
        ("[broker]\nport = 0\n", ":2: broker.port", ">= 1"),
        ('[broker]\ncert_file = "a"\nca_file = "b"\n', ":2: broker.cert_file", "key_file"),
        ("[outbox]\nmax_mb = 1\n", ":2: outbox.max_mb", ">= 4"),
        ('[outbox.policy]\nlive = "keep"\n', ":2: outbox.policy.live", "keep"),
        (
            '[[machines]]\nkey="a"\n[[machines]]\nkey="a"\n[[sources]]\nmachine="a"\n',
            ":4: machines[1].key",
            "already used",
        ),
        (
            '[[machines]]\nkey="a"\n[[machines]]\nprofile="x"\n',
            ":3: machines[1].key",
            "give every machine a key",
        ),
        ('[[sources]]\ndriver = "modem"\n', ":2: sources[0].driver", "host, program, replay"),
        ('[[sources]]\nmachine = "x"\n', ":2: sources[0].machine", "not a machine"),
        (
            '[[sources]]\ndriver="host"\n[[sources]]\ndriver = "program"\n'
            '[sources.options]\ncomand = ["a"]\n',
            ":6: sources[1].options.comand",
            "use command, folder",
        ),
        (
            '[[sources]]\ndriver = "program"\n[sources.options]\ncommand = []\n',
            ":4: sources[0].options.command",
            "length >= 1",
        ),
        (
            '[[sources]]\ndriver = "replay"\n[sources.options]\nfile = "x"\nspeed = -1\n',
            ":5: sources[0].options.speed",
            ">= 0",
        ),
        ('[[sources]]\n[[sources.signals]]\nname = ""\n', ":3: sources[0].signals[0].name", "120"),
        (
            '[[sources]]\n[[sources.signals]]\nname = "a"\n[[sources.signals]]\nname = "b"\n'
            '[[sources]]\n[[sources.signals]]\nname = "a"\nunit = "度"\n',
            ":9: sources[1].signals[0].unit",
            "{1,32}",
        ),
        (
            f'[[machines]]\nkey="{"k" * 31}"\n[[sources]]\nmachine="{"k" * 31}"\n'
            f'[[sources.signals]]\nname = "{"a" * 89}"\n',
            ":6: sources[0].signals[0].name",
            "with its machine's key",
        ),
        ('[[machines]]\nprofile = "Pump"\n', ":2: machines[0].profile", "[a-z0-9]"),
        ('[[machines]]\nname = "a\\u0007"\n', ":2: machines[0].name", "printable"),
        (
            '[[sources]]\ndriver = "replay"\n[sources.options]\nfile = "x"\nzone = "+99:99"\n',
            ":5: sources[0].options.zone",
            "[0-5]",
        ),
        ("[broker\n", ":1", "Expected"),
    ],
)
def test_what_is_wrong_is_named_by_line_and_key(
    tmp_path: Path, text: str, place: str, words: str
) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(text)
    (problem,) = check(path)
    assert problem.startswith(f"{path}{place}"), problem
    assert words in problem
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert str(caught.value) == problem


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('[[sources]]\ndriver = "modem"\nmachine = "x"\n')
    assert len(check(path)) == 2


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    (problem,) = check(tmp_path / "nowhere.toml")
    assert "cannot be read" in problem
    (tmp_path / "bad.toml").write_bytes(b"tenant = '\xff'")
    assert "not UTF-8" in check(tmp_path / "bad.toml")[0]


def test_a_password_comes_from_where_the_settings_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('[broker]\npassword_env = "FOREWARN_TEST_SECRET"\n')
    with pytest.raises(SettingsError, match="FOREWARN_TEST_SECRET is not set"):
        load(path).broker.password()
    monkeypatch.setenv("FOREWARN_TEST_SECRET", "swordfish")
    assert load(path).broker.password() == "swordfish"
    (tmp_path / "secret").write_text("tuna\n")
    path.write_text(f'[broker]\npassword_file = "{tmp_path}/secret"\n')
    assert load(path).broker.password() == "tuna"


def test_the_client_id_avoids_the_dot_where_the_broker_refuses_it() -> None:
    made = Settings(broker=module.BrokerSettings(client_id="underscore"))
    assert (made.identity, made.client_id) == ("acme.host", "acme_host")
    assert Settings().client_id == "acme.host"


def test_here_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(f'[broker]\nca_file = "{path}"\npassword_file = "{tmp_path}/gone"\n')
    assert check(path) == []
    (problem,) = check(path, here=True)
    assert problem.startswith(f"{path}:3: broker.password_file: cannot read {tmp_path}/gone: No")


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, a certificate with its key, the same key with a pass phrase, and another's key."""
    folder = tmp_path_factory.mktemp("pems")
    ca = certificates.authority(T0_NS)
    own, other = (certificates.broker(ca, ["localhost"], T0_NS) for _ in range(2))
    locked = own.key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass")
    )
    files = {"ca": ca.pem(), "own": own.pem(), "key": own.key_pem(), "locked": locked}
    for name, content in (files | {"other": other.key_pem(), "none": b"hello"}).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("ca", "pair", "said"),
    [
        ("ca", ("own", "key"), None),
        ("none", None, ":2: broker.ca_file: {}/none: "),
        ("key", None, ":2: broker.ca_file: {}/key: "),
        ("ca", ("own", "other"), ":3: broker.cert_file: {}/own, {}/other: "),
        ("ca", ("own", "locked"), ":3: broker.cert_file: {}/own, {}/locked: "),
    ],
)
def test_here_a_certificate_that_does_not_do_is_named(
    pems: Path, tmp_path: Path, ca: str, pair: tuple[str, str] | None, said: str | None
) -> None:
    path = tmp_path / "edge.toml"
    text = f'[broker]\nca_file = "{pems}/{ca}"\n'
    if pair:
        text += f'cert_file = "{pems}/{pair[0]}"\nkey_file = "{pems}/{pair[1]}"\n'
    path.write_text(text)
    assert check(path) == []
    found = check(path, here=True)
    assert len(found) == (said is not None)
    assert all(one.startswith(f"{path}{(said or '').format(pems, pems)}") for one in found), found
