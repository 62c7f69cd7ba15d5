"""The shelf of silent streams: one line each in a SQLite file (see `cloud.sequence.Shelf`).

SQLite does not see a flipped bit, and a number too high would make repeats of readings that nobody
has: each line has a checksum. A line that contradicts it, or that SQLite finds malformed, is as
none: what its device has no receipt for is taken, and the stream's next line replaces it.
"""

import contextlib
import logging
import sqlite3
import zlib
from pathlib import Path
from typing import Final

from cloud.errors import StoreBusy, StoreCorrupt, StoreError
from cloud.sequence import Key

_VERSION: Final = 1  #: 0 had no checksums, or not for each line
_COLUMNS: Final = 5
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS stream (
  identity TEXT NOT NULL, boot TEXT NOT NULL, stream TEXT NOT NULL, expected INTEGER NOT NULL,
  crc INTEGER, PRIMARY KEY (identity, boot, stream)
) WITHOUT ROWID
"""
_KEY: Final = "identity", "boot", "stream"
_ASKED: Final = tuple(f":{one}" for one in _KEY)
log = logging.getLogger(__name__)


def damaged(path: Path) -> int:
    """Return how many lines of a file contradict their checksum.

    Raises:
        StoreError: it cannot be read.
    """
    if not path.exists():
        return 0
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
            if _version(db) < _VERSION:
                return 0
            _with_checksum(db)
            found = db.execute(f"SELECT count(*) FROM stream WHERE NOT {_sound(*_KEY)}")  # noqa: S608
            return int(found.fetchone()[0])
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise _in_our_words(path, error) from error


class SqliteShelf:
    """A file of its own, so that late repeats of any age are recognised at a look-up's cost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damaged = 0  #: lines that were asked for and taken as none
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            with contextlib.ExitStack() as failing:
                failing.callback(self._db.close)
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                _with_checksum(self._db)
                if _version(self._db) < _VERSION:
                    _prepare(self._db)
                failing.pop_all()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise StoreCorrupt(f"{path}: {error}; restore it from a backup") from error

    def get(self, key: Key) -> int | None:
        """See `Shelf.get`."""
        try:
            row = self._db.execute(  # the key as asked: a damaged file may give another's line
                f"SELECT CASE WHEN {_sound(*_ASKED)} THEN expected END FROM stream "  # noqa: S608
                "WHERE identity = :identity AND boot = :boot AND stream = :stream",
                dict(zip(_KEY, key, strict=True)),
            ).fetchone()
        except sqlite3.OperationalError as error:
            raise _in_our_words(self._path, error) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            row = (None,)
        if row is None:
            return None
        if row[0] is None:
            self.damaged += 1
            log.error(
                "%s: the line of %s is damaged and taken as none: what its device sends again "
                "because it has no receipt is stored again",
                self._path,
                "/".join(key),
            )
            return None
        return int(row[0])

    def put(self, rows: list[tuple[Key, int]]) -> None:
        """See `Shelf.put`."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT INTO stream VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "  # noqa: S608
                "SET expected = excluded.expected, crc = excluded.crc "
                f"WHERE excluded.expected >= expected OR NOT {_sound(*_KEY)}",
                [
                    (*key, n, _checksum(*(str(one).encode() for one in (*key, n))))
                    for key, n in rows
                ],
            )
            self._db.execute("COMMIT")
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            self._db.rollback()
            raise _in_our_words(self._path, error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def _checksum(*parts: bytes) -> int:
    return zlib.crc32(b"\0".join(parts))


def _crc(*key: str) -> str:
    """Return the SQL of a line's checksum: of bytes, because damaged text may be none."""
    return f"checksum({', '.join(f'CAST({one} AS BLOB)' for one in (*key, 'expected'))})"


def _sound(*key: str) -> str:
    return f"(typeof(expected) = 'integer' AND crc IS {_crc(*key)})"


def _with_checksum(db: sqlite3.Connection) -> None:
    db.create_function("checksum", 4, _checksum, deterministic=True)


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _prepare(db: sqlite3.Connection) -> None:
    """Make a new file's table, or give the lines of an earlier version their checksums."""
    db.execute("BEGIN IMMEDIATE")
    db.execute(_TABLE)
    if len(db.execute("PRAGMA table_info(stream)").fetchall()) < _COLUMNS:
        db.execute("ALTER TABLE stream ADD COLUMN crc INTEGER")
    db.execute(f"UPDATE stream SET crc = {_crc(*_KEY)} WHERE crc IS NULL")  # noqa: S608
    db.execute(f"PRAGMA user_version = {_VERSION}")
    db.execute("COMMIT")


def _in_our_words(path: Path, error: Exception) -> StoreError:
    if isinstance(error, sqlite3.OperationalError):
        return StoreBusy(f"{path}: {error}")
    return StoreCorrupt(f"{path}: {error}; restore it from a backup")
