"""`forewarn setup influx` on a real server that is quite new."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.settings import load
from cloud.telemetry.influx import setup as influx_setup
from cloud.telemetry.influx.http import Server
from cloud.telemetry.influx.server import find, running
from cloud.telemetry.opening import open_telemetry
from forewarn.setup import main


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    if find() is None:
        reason = "no influxd; `make influxd` builds it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with running(tmp_path / "influxd", owned=False) as influxd:
        yield influxd.server.url


def settings(folder: Path, address: str, **more: str) -> Path:
    path = folder / "cloud.toml"
    lines = [f'store = "influx"\nurl = "{address}"\ntoken_file = "{folder}/token"\n']
    lines += [f"{key} = {value}\n" for key, value in more.items()]
    path.write_text(f'data = "{folder}/data"\n[telemetry]\n' + "".join(lines))
    return path


def test_a_new_server_is_set_up_and_the_store_opens(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = settings(tmp_path, "http://127.0.0.1:1")
    assert main(["influx", str(away), "--first-use"]) == 1
    assert "telemetry.url: http://127.0.0.1:1: no answer" in capsys.readouterr().err
    path = settings(tmp_path, address)
    assert main(["influx", str(path), "--first-use"]) == 0
    said = capsys.readouterr().out
    token = (tmp_path / "token").read_text()
    assert token not in said
    assert (tmp_path / "token").stat().st_mode & 0o077 == 0
    assert "bucket forewarn_raw: made, kept 90 days" in said
    assert "bucket forewarn: made, kept for ever" in said
    assert "task forewarn-hours" in said

    again = settings(tmp_path, address, raw_days="30")
    assert main(["influx", str(again)]) == 0
    assert "bucket forewarn_raw: is there, kept 30 days" in capsys.readouterr().out
    server = Server(url=address, org="forewarn", token=token)
    assert influx_setup.missing_buckets(server, influx_setup.Buckets.of("forewarn")) == []
    store = open_telemetry(load(again).telemetry, tmp_path, lambda: 0, lambda _: None)
    assert store.position() == -1
    assert store.trouble() is None
    store.close()


def test_a_server_that_has_an_owner_is_left_alone(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = settings(tmp_path, address)
    assert main(["influx", str(path), "--first-use"]) == 0
    (tmp_path / "token").unlink()
    assert main(["influx", str(path), "--first-use"]) == 1
    assert "ask its owner" in capsys.readouterr().err
    assert not (tmp_path / "token").exists()
    assert main(["influx", str(path)]) == 1
    assert "token_file: cannot read" in capsys.readouterr().err


def test_what_would_send_the_token_in_the_clear_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["influx", str(settings(tmp_path, "http://influx.example.org:8086"))]) == 1
    assert "use https" in capsys.readouterr().err
    assert main(["influx", str(settings(tmp_path, "ftp://127.0.0.1"))]) == 1
    assert "not an http or https address" in capsys.readouterr().err
