"""The shelf of silent streams: one line each in a SQLite file (see `cloud.sequence.Shelf`).

SQLite does not see a flipped bit, and a number too high would make repeats of readings that nobody
has: each line has a checksum. Those of earlier versions have none until they are written again.
"""

import contextlib
import sqlite3
import zlib
from pathlib import Path
from typing import Final

from cloud.errors import StoreBusy, StoreCorrupt, StoreError
from cloud.sequence import Key

_COLUMNS: Final = 5
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS stream (
  identity TEXT NOT NULL, boot TEXT NOT NULL, stream TEXT NOT NULL, expected INTEGER NOT NULL,
  crc INTEGER, PRIMARY KEY (identity, boot, stream)
) WITHOUT ROWID
"""


def _crc(key: Key, expected: object) -> int:
    return zlib.crc32("\0".join([*key, str(expected)]).encode())


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
                if len(self._db.execute("PRAGMA table_info(stream)").fetchall()) < _COLUMNS:
                    self._db.execute("ALTER TABLE stream ADD COLUMN crc INTEGER")
                failing.pop_all()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise StoreCorrupt(f"{path}: {error}; restore it from a backup") from error

    def get(self, key: Key) -> int | None:
        """See `Shelf.get`."""
        try:
            row = self._db.execute(
                "SELECT expected, crc FROM stream WHERE identity = ? AND boot = ? AND stream = ?",
                key,
            ).fetchone()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self._in_our_words(error) from error
        if row is None:
            return None
        if row[1] not in {None, _crc(key, row[0])}:
            raise StoreCorrupt(
                f"{self._path}: the line of {key} contradicts its checksum. Restore the file from "
                "a backup, or move it away: late repeats of silent streams are then stored twice"
            )
        return int(row[0])

    def put(self, rows: list[tuple[Key, int]]) -> None:
        """See `Shelf.put`."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT INTO stream VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET expected = excluded.expected, crc = excluded.crc "
                "WHERE excluded.expected >= expected",
                [(*key, expected, _crc(key, expected)) for key, expected in rows],
            )
            self._db.execute("COMMIT")
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            self._db.rollback()
            raise self._in_our_words(error) from error

    def _in_our_words(self, error: Exception) -> StoreError:
        if isinstance(error, sqlite3.OperationalError):
            return StoreBusy(f"{self._path}: {error}")
        return StoreCorrupt(f"{self._path}: {error}; restore it from a backup")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
