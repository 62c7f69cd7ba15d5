"""The log of the embedded store is moved into its file beside the writer."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cloud.telemetry.checkpoints import EVERY_S, Checkpoints
from cloud.telemetry.database import PAGE_BYTES, open_writer

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
