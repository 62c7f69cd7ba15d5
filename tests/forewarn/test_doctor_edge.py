"""What `forewarn doctor` finds on a device."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edge_agent import settings as edge_settings
from edge_agent.__main__ import status
from edge_agent.outbox import Outbox
from forewarn import doctor_edge, findings
from forewarn.__main__ import main
from models.contract.messages import Batch, Column
from tests.edge_agent.test_salvage import claim_too_much, filled


def _edge(tmp_path: Path, port: int) -> Path:
    path = tmp_path / "edge.toml"
    path.write_text(
        f'tenant = "acme"\ndevice = "a"\n[broker]\nport = {port}\n'
        f'[outbox]\npath = "{tmp_path / "outbox.db"}"\nmax_mb = 4\n[[machines]]\nkey = ""\n'
    )
    return path


def _examined(path: Path) -> set[str]:
    return {one.code for check in doctor_edge.checks(path, None).values() for one in check()}


def test_a_device(tmp_path: Path, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    path = _edge(tmp_path, port)
    assert main(["doctor", str(path)]) == 0
    assert "8 checks: 0 problems, 0 pieces of advice" in capsys.readouterr().out
    outbox = Outbox(tmp_path / "outbox.db", "boot0001", max_bytes=4 << 20)
    outbox.append([("live", _batch(10))])
    assert _examined(path) == {"FW207"}
    while outbox.fill < 0.9:
        outbox.append([("live", _batch(5_000))])
    assert _examined(path) == {"FW206"}
    outbox.close()
    content = bytearray((tmp_path / "outbox.db").read_bytes())
    content[4096 : 4096 * 9] = b"\x55" * 4096 * 8
    (tmp_path / "outbox.db").write_bytes(content)
    assert _examined(path) == {"FW205"}
    (tmp_path / "outbox.db.renewed").touch()
    assert _examined(path) == {"FW208"}
    (tmp_path / "outbox.db.renewed").unlink()
    Outbox(tmp_path / "outbox.db", "boot0002", max_bytes=4 << 20).close()
    assert "FW209" in _examined(path)
    (tmp_path / "outbox.db.unreadable-boot0002").rename(tmp_path / "outbox.db.lost.unreadable-b")
    assert "FW209" in _examined(path)
    (tmp_path / "outbox.db.lost.unreadable-b").rename(tmp_path / "outbox-commands.db.unreadable")
    assert "FW209" in _examined(path)
    (tmp_path / "outbox-commands.db.unreadable").unlink()
    assert "FW209" not in _examined(path)
    path.write_text("[[machines]]\nprofil = 1\n")
    assert _examined(path) == {"FW201"}
    path.unlink()
    (found,) = doctor_edge.checks(path, None)["settings"]()
    assert "cannot be read" in found.what
    assert "name the settings file" in found.fix


def test_an_outbox_that_just_begins_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, connect = _edge(tmp_path, 1), sqlite3.connect
    found: list[findings.Finding] = []

    def look(_statement: str) -> None:
        with monkeypatch.context() as usual:
            usual.setattr(sqlite3, "connect", connect)
            found.extend(doctor_edge.checks(path, None)["outbox"]())
            status(edge_settings.load(path), as_json=False)

    def watched(*arguments: Any, **named: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*arguments, **named)
        db.set_trace_callback(look)
        return db

    monkeypatch.setattr(sqlite3, "connect", watched)
    Outbox(tmp_path / "outbox.db", "boot0001", max_bytes=4 << 20).close()
    assert found == []
    out, said = capsys.readouterr()
    assert "waiting  0 samples" in out
    assert set(said.splitlines()) == {
        f"forewarn-agent: there is no outbox at {tmp_path / 'outbox.db'} yet"
    }
    assert [one.name for one in tmp_path.glob("*.new*")] == []


@pytest.mark.parametrize("content", [b"", bytes(4096), b"something else"])
def test_a_file_without_tables_is_no_outbox_that_begins(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "outbox.db").write_bytes(content)
    assert _examined(_edge(tmp_path, 1)) >= {"FW205"}


def test_a_bit_of_the_first_page_of_an_outbox(tmp_path: Path) -> None:
    path, file = _edge(tmp_path, 1), tmp_path / "outbox.db"
    with contextlib.closing(Outbox(file, "boot0001", max_bytes=4 << 20)) as outbox:
        outbox.append([("live", _batch(10))])
    content = file.read_bytes()
    names = content.index(b"batches")
    missed = []
    for at in (*range(24), *range(44, 64), *range(names, names + 7)):
        spoiled = bytearray(content)
        spoiled[at] ^= 1 << at % 8
        file.write_bytes(spoiled)
        if [one.code for one in doctor_edge.checks(path, None)["outbox"]()] != ["FW205"]:
            missed.append(at)
    assert missed == []


def test_a_row_that_claims_to_be_larger_than_memory(tmp_path: Path) -> None:
    file = tmp_path / "outbox.db"
    filled(file, "boot0001").close()
    claim_too_much(file)
    (found,) = doctor_edge.checks(_edge(tmp_path, 1), None)["outbox"]()
    assert (found.code, found.what[-37:]) == ("FW205", "a row claims to be larger than memory")


def _batch(count: int) -> Batch:
    return Batch(columns={"k": Column(type="d", data=bytes(8 * count))}, count=count, t0_ns=1,
                 offsets_ns=1)  # fmt: skip
