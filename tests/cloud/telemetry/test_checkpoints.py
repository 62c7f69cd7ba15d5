"""The log of the embedded store is moved into its file beside the writer."""

import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloud.errors import StoreBusy, StoreCorrupt
from cloud.telemetry import checkpoints, database
from cloud.telemetry.checkpoints import EVERY_S, Checkpoints
from cloud.telemetry.checks import T0, block
from cloud.telemetry.database import PAGE_BYTES, open_writer
from cloud.telemetry.sqlite import SqliteTelemetry

PAGES = 500


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(tmp_path / "t.db", None)) as db:
        yield db


def write(db: sqlite3.Connection, number: int) -> None:
    db.execute("INSERT INTO chunk VALUES (?, zeroblob(?))", (number, PAGES * PAGE_BYTES))


def test_the_log_is_moved_now_and_then(tmp_path: Path, writer: sqlite3.Connection) -> None:
    path, clock = tmp_path / "t.db", Clock()
    with closing(Checkpoints(path, clock)) as checkpoints:
        write(writer, 1)
        before = path.stat().st_size
        checkpoints.look()
        assert path.stat().st_size == before
        clock.s += EVERY_S
        checkpoints.look()
        assert path.stat().st_size - before >= PAGES * PAGE_BYTES


def test_the_next_commit_begins_a_log_that_was_moved_anew(
    tmp_path: Path, writer: sqlite3.Connection
) -> None:
    clock = Clock()
    with closing(Checkpoints(tmp_path / "t.db", clock)) as checkpoints:
        for number in range(8):
            write(writer, number)
            clock.s += EVERY_S
            checkpoints.look()
    log = tmp_path / "t.db-wal"
    assert log.stat().st_size < 2 * PAGES * PAGE_BYTES


def test_what_cannot_be_moved_is_left_to_the_writer(
    tmp_path: Path, writer: sqlite3.Connection
) -> None:
    path, clock = tmp_path / "t.db", Clock()
    write(writer, 1)
    before = path.stat().st_size
    writer.execute("PRAGMA locking_mode = EXCLUSIVE")
    writer.execute("BEGIN IMMEDIATE")
    with closing(Checkpoints(path, clock)) as checkpoints:
        clock.s = EVERY_S
        checkpoints.look()
    assert path.stat().st_size == before


def size_of_log(folder: Path) -> int:
    return (folder / "t.db-wal").stat().st_size


class Trace:
    """A connection that does something right after each time that the log was moved."""

    def __init__(self, db: sqlite3.Connection, then: Callable[[], None]) -> None:
        self._db = db
        self._then = then

    def execute(self, sql: str) -> sqlite3.Cursor:
        answer = self._db.execute(sql).fetchall()
        self._then()
        return self._db.execute(f"VALUES {answer[0]}")

    def close(self) -> None:
        self._db.close()


def test_what_is_committed_while_the_log_is_moved_is_moved_too(
    tmp_path: Path, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile = [7]

    def commit() -> None:
        if meanwhile:
            write(writer, meanwhile.pop())

    opened = checkpoints._open
    monkeypatch.setattr(checkpoints, "_open", lambda *given: Trace(opened(*given), commit))
    clock = Clock()
    write(writer, 1)
    with closing(Checkpoints(tmp_path / "t.db", clock)) as moving:
        clock.s += EVERY_S
        moving.look()
    before = size_of_log(tmp_path)
    write(writer, 2)
    assert size_of_log(tmp_path) == before, "it began anew"


def test_the_log_is_moved_when_what_was_prepared_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, looked = [], threading.Event()
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.0)
    with closing(SqliteTelemetry(tmp_path / "t.db", hold_s=1e-9)) as store:
        move = Checkpoints._move

        def moved(self: Checkpoints, db: sqlite3.Connection, how: str) -> tuple[int, int, int]:
            under_way.append(store._load)
            answer = move(self, db, how)
            looked.set()
            return answer

        monkeypatch.setattr(Checkpoints, "_move", moved)
        given = [block(T0 + np.arange(9), {"temp": np.arange(9.0)})]
        store.write(given, 0)
        store.write([], 1)
        assert store._load is not None
        assert store._load.ready.wait(60)
        store.durable_position()
        store.write([], 2)
        assert looked.wait(60)
    assert set(under_way) == {None}


def test_a_log_that_grew_long_is_moved_by_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "LOG_BYTES", 100_000)
    monkeypatch.setattr(database, "LOG_BYTES", 100_000)
    rng = np.random.default_rng(0)
    path = tmp_path / "t.db"
    with closing(SqliteTelemetry(path, background=False, hold_s=0.0)) as store:
        for n in range(100):
            times = T0 + 10**6 * n + np.arange(1_000)
            store.write([block(times, {"temp": rng.normal(size=1_000)}, seq=1_000 * n)], n)
        assert size_of_log(tmp_path) < 200_000
        assert path.stat().st_size > 500_000


class Failing(sqlite3.Connection):
    """One whose disk does not take the log."""

    def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
        if "checkpoint" in sql:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return super().execute(sql, *given)


def test_what_the_disk_did_not_take_when_the_log_was_moved_is_never_called_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.0)
    monkeypatch.setattr(
        checkpoints, "_open", lambda path, _: sqlite3.connect(path, factory=Failing)
    )
    with closing(SqliteTelemetry(tmp_path / "t.db", background=False, hold_s=0.0)) as store:
        store.write([block([T0], {"temp": np.array([1.0])})], 0)
        assert store.durable_position() == 0
        store._checkpoints.look()
        assert "disk I/O error" in (store.trouble() or "")
        with pytest.raises(StoreCorrupt, match="start again"):
            store.durable_position()


def test_a_log_that_the_disk_did_not_take_is_not_moved_at_the_end_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> None:
        raise OSError(5, "Input/output error")

    store = SqliteTelemetry(tmp_path / "t.db", background=False, hold_s=0.0)
    store.write([block(T0 + np.arange(10), {"temp": np.arange(10.0)}, n=0, seq=0)], 0)
    monkeypatch.setattr(checkpoints, "sync_log", broken)
    with pytest.raises(StoreCorrupt, match="Input/output error"):
        store.durable_position()
    before = {path.name: path.read_bytes() for path in tmp_path.glob("t.db*[!m]")}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))  # and no file can be opened any more
    try:
        store.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert {path.name: path.read_bytes() for path in tmp_path.glob("t.db*[!m]")} == before
    assert len(before["t.db-wal"]) > PAGE_BYTES


def test_what_the_disk_does_not_take_at_the_end_is_written_anew_by_the_next_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.db"
    store = SqliteTelemetry(path, background=False, hold_s=0.0)
    store.write([block(T0 + np.arange(10), {"temp": np.arange(10.0)}, n=0, seq=0)], 0)
    store._db.close()
    store._db = sqlite3.connect(path, isolation_level=None, factory=Failing)
    before, kept = size_of_log(tmp_path), path.read_bytes()
    store.close()
    assert "disk I/O error" in (store.trouble() or "")
    assert size_of_log(tmp_path) == before > PAGE_BYTES
    assert path.read_bytes() == kept
    with closing(SqliteTelemetry(path, background=False)) as again:
        assert size_of_log(tmp_path) == 0
        assert path.read_bytes() != kept
        assert again.durable_position() == 0
    assert not (tmp_path / "t.db-wal").exists(), "SQLite tidies up where nothing is left to move"


def test_an_erasure_waits_for_who_moves_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.db"
    secret = np.frombuffer(b"SECRET42" * 500, np.float64)
    with closing(SqliteTelemetry(path, background=False, hold_s=0.0)) as store:
        store.write([block(T0 + np.arange(500), {"temp": secret}, machine="a.b")], 0)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT * FROM fresh").fetchall()
            with monkeypatch.context() as patch:
                patch.setattr(checkpoints, "EMPTY_S", 0.0)
                with pytest.raises(StoreBusy, match="erase again"):
                    store.erase("a.b")
            assert size_of_log(tmp_path) > 0
            other.execute("ROLLBACK")
        store.erase("a.b")
        assert size_of_log(tmp_path) == 0
