"""The shelf of silent streams: one line each in a SQLite file (see `cloud.sequence.Shelf`)."""

import contextlib
import sqlite3
from pathlib import Path

from cloud.errors import StoreBusy, StoreCorrupt
from cloud.sequence import Key

_TABLE = """
CREATE TABLE IF NOT EXISTS stream (
  identity TEXT NOT NULL, boot TEXT NOT NULL, stream TEXT NOT NULL, expected INTEGER NOT NULL,
  PRIMARY KEY (identity, boot, stream)
) WITHOUT ROWID
"""


class SqliteShelf:
    """A file of its own, so that late repeats of any age are recognised at a look-up's cost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            with contextlib.ExitStack() as failing:
                failing.callback(self._db.close)
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute(_TABLE)
                failing.pop_all()
        except sqlite3.DatabaseError as error:
            raise StoreCorrupt(f"{path}: {error}; restore it from a backup") from error

    def get(self, key: Key) -> int | None:
        """See `Shelf.get`."""
        try:
            row = self._db.execute(
                "SELECT expected FROM stream WHERE identity = ? AND boot = ? AND stream = ?", key
            ).fetchone()
        except sqlite3.DatabaseError as error:
            raise StoreBusy(f"{self._path}: {error}") from error
        return None if row is None else int(row[0])

    def put(self, rows: list[tuple[Key, int]]) -> None:
        """See `Shelf.put`."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT INTO stream VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET expected = max(expected, excluded.expected)",
                [(*key, expected) for key, expected in rows],
            )
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            self._db.rollback()
            raise StoreBusy(f"{self._path}: {error}") from error

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
