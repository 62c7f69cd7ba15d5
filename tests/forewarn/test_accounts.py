"""The commands in the how-to pages, run as they stand there, and what they leave behind."""

import json
import re
import shlex
from pathlib import Path

import pytest

from cloud.accounts.desk import Desk
from cloud.ledger import open_ledger
from forewarn.__main__ import main

PAGES = Path(__file__).parents[2] / "docs/how-to"
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
T0 = 1_700_000_000_000_000_000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with settings, as whoever reads the page has one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var/cloud").mkdir(parents=True)
    (tmp_path / "cloud.toml").write_text('data = "var/cloud"\n')
    return tmp_path


def commands(page: str) -> list[list[str]]:
    """Return the commands of ours on a page, with the broker's folder here."""
    text = (PAGES / page).read_text("utf-8")
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    mine = [shlex.split(line.replace("/etc/forewarn/broker", "broker")) for line in lines]
    return [words[1:] for words in mine if words and words[0] == "forewarn"]


def run(*words: str) -> None:
    assert main(list(words)) == 0


def test_the_page_on_accounts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = commands("accounts.md")
    assert len(found) == 8
    for words in found:
        run(*words)
    said = capsys.readouterr().out
    assert len(re.findall(r"http://127\.0\.0\.1:8470/password/[\w-]{43}", said)) == 4
    (secret,) = re.findall(r"fw_[\w-]{43}", said)
    ledger = open_ledger("sqlite:///var/cloud/ledger.db", lambda: T0)
    try:
        people = {one.name: one for one in ledger.accounts()[0]}
        assert {name: one.role.value for name, one in people.items()} == {
            "chen": "administrator",
            "wang": "planner",
            "li": "customer",
        }
        assert (people["li"].customer, people["li"].active) == ("acme", False)
        kept = (folder / "var/cloud/ledger.db").read_bytes()
        assert secret.encode() not in kept
        assert Desk(ledger, lambda: T0).principal(None, secret).name == "wang"
        (token,) = ledger.tokens()[0]
    finally:
        ledger.close()
    run("token", "revoke", token.id, "--settings", "cloud.toml")


def test_the_page_on_a_second_computer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = commands("second-computer.md")
    assert [words[1] for words in found] == ["setup", "add", "remove"]
    for words in found[:2]:
        run(*words)
    said = capsys.readouterr().out
    (password,) = re.findall(r"^  ([\w-]{43})$", said, re.MULTILINE)
    files = {path.name: path for path in (folder / "broker").iterdir()}
    assert not [n for n, path in files.items() if password in path.read_text("utf-8")]
    assert files["devices.passwd"].read_text().startswith("acme.pump1:$7$101$")
    for name in ("ca.key", "broker.key", "devices.passwd", "service.password", "service.passwd"):
        assert files[name].stat().st_mode & 0o077 == 0, name
    run("device", "list", "--broker", "broker", "--settings", "cloud.toml", "--json")
    assert json.loads(capsys.readouterr().out) == [
        {"device": "acme.pump1", "time": "wall", "password": True}
    ]
    run(*found[2])
    assert files["devices.passwd"].read_text() == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["device", "add", "pump1"], "write tenant.device"),
        (["device", "add", "acme.p"], "forewarn device setup"),
        (["device", "remove", "acme.p"], "no registered device 'acme.p'"),
        (["user", "add", "li", "--role", "customer"], "--customer belongs to"),
        (["user", "invite", "nobody"], "nobody named 'nobody'"),
        (["token", "add", "nobody", "--name", "x"], "nobody named 'nobody'"),
        (["token", "revoke", "none"], "no token 'none'"),
        (["user", "add", "triage", "--role", "planner"], "the service itself is called"),
    ],
)
def test_what_goes_wrong_says_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    more = ["--broker", "broker"] if words[0] == "device" else []
    assert main([*words, *more, "--settings", "cloud.toml"]) == 1
    assert said in capsys.readouterr().err


def test_without_a_service_nothing_is_made(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "cloud.toml").write_text('data = "elsewhere"\n')
    assert main(["user", "list", "--settings", "cloud.toml"]) == 1
    said = capsys.readouterr().err
    assert f"no folder {folder / 'elsewhere'} (`data` in" in said
    assert "start the service once" in said
    assert not (folder / "elsewhere").exists()


def test_without_the_brokers_files_no_device_is_registered(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--broker", "broker", "--settings", "cloud.toml")
    assert main(["device", "add", "acme.p", *more]) == 1
    run("device", "list", *more)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("host", ["bad host", "broker:8883", "mqtt://broker", "10.0.0.300", ""])
def test_a_brokers_host_is_a_name_or_an_address(
    folder: Path, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    assert main(["device", "setup", "--host", host, "--broker", "broker"]) == 1
    assert f"'{host}' is no name or address" in capsys.readouterr().err
    assert not (folder / "broker").exists()


def test_a_token_goes_over_no_network_in_the_clear(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOREWARN_TOKEN", "fw_" + "A" * 43)
    assert main(["machines", "--url", "http://example.org"]) == 1
    assert "use https" in capsys.readouterr().err


def test_a_wrong_word_is_named_with_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["device", "add", "acme.p", "--time", "moon"]) == 2
    said = capsys.readouterr().err
    assert "'--time'" in said
    assert "'moon'" in said
