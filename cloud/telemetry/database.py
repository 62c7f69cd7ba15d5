"""The SQLite file of the embedded telemetry store: tables, connections, errors.

Ids carry their owner, so that no index is needed beside the tables: a fresh row is
`machine << 40 | number of its first sample`, a chunk is `frame << 12 | column`, a roll-up page is
`signal << 21 | level << 20 | page`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from cloud.durable import sync
from cloud.errors import StoreBusy, StoreCorrupt, StoreError, StoreFull
from cloud.telemetry import reached

#: 1 had no packed columns in `fresh`, 2 no checksum of the position; such files are gone on with
VERSION: Final = 3
_OLDER: Final = (1, 2)
APPLICATION: Final = 0x46577431  #: "FWt1" in the file's header
BUSY_MS: Final = 5_000
PAGE_BYTES: Final = 4_096
LOG_BYTES: Final = 64 << 20  #: the write-ahead log is cut to this when it begins anew; where it is
#: longer a commit moves it (`checkpoints`)
READ_CACHE_KIB: Final = 8_192
MACHINE_BITS: Final = 40
COLUMN_BITS: Final = 12
PAGE_BITS: Final = 20

SCHEMA: Final = """
CREATE TABLE position (id INTEGER PRIMARY KEY CHECK (id = 0), n INTEGER NOT NULL, crc INTEGER);
INSERT INTO position VALUES (0, -1, 808273962);
CREATE TABLE machine (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
  arrivals INTEGER NOT NULL DEFAULT 0, raw_from_ns INTEGER, minute_from_ns INTEGER);
CREATE TABLE signal (
  id INTEGER PRIMARY KEY AUTOINCREMENT, machine INTEGER NOT NULL, name TEXT NOT NULL,
  at_ns INTEGER, value REAL, quality INTEGER, UNIQUE (machine, name));
CREATE TABLE layout (id INTEGER PRIMARY KEY, spec TEXT NOT NULL UNIQUE);
CREATE TABLE source (
  id INTEGER PRIMARY KEY, device TEXT NOT NULL, boot TEXT NOT NULL, stream TEXT NOT NULL,
  UNIQUE (device, boot, stream));
CREATE TABLE fresh (
  id INTEGER PRIMARY KEY, layout INTEGER NOT NULL, live INTEGER NOT NULL, rows INTEGER NOT NULL,
  start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE frame (
  id INTEGER PRIMARY KEY AUTOINCREMENT, machine INTEGER NOT NULL, layout INTEGER NOT NULL,
  rows INTEGER NOT NULL, wide INTEGER NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
  times BLOB NOT NULL, arrivals BLOB NOT NULL, identity BLOB NOT NULL);
CREATE INDEX frame_span ON frame (machine, wide, start_ns, end_ns, layout, rows);
CREATE TABLE chunk (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE rollup (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
"""

_BUSY: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
}


def translate(error: sqlite3.Error, path: Path) -> StoreError:
    """Return the store's error for one of SQLite's."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    size = path.stat().st_size if path.exists() else 0
    if code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_WRITE:
        return StoreFull(
            f"{path} ({size} bytes) has no room left: {error}; free some space or raise its limit, "
            "writing resumes by itself"
        )
    if code & 0xFF in _BUSY or code & 0xFF == sqlite3.SQLITE_IOERR:
        return StoreBusy(f"{path} cannot be used just now: {error}; it is tried again")
    return StoreCorrupt(
        f"{path} cannot be read: {error}. Restore it from a backup, or move it away to start an "
        "empty one; what the journal still holds is then stored again"
    )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into the store's."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, path) from error
    except UnicodeDecodeError as error:  # what SQLite says of a damaged table
        raise translate(sqlite3.DatabaseError(str(error)), path) from error


def open_writer(path: Path, max_bytes: int | None) -> sqlite3.Connection:
    """Open the file for writing; make its tables when it is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with translated(path), ExitStack() as failing:
        db = sqlite3.connect(
            path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
        )
        failing.callback(db.close)
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        if max_bytes is not None:
            db.execute(f"PRAGMA max_page_count = {max(max_bytes // PAGE_BYTES, 64)}")
        _prepare(db, path)
        failing.pop_all()
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Do all of it, or nothing. No other connection writes meanwhile."""
    try:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    application = db.execute("PRAGMA application_id").fetchone()[0]
    if application == APPLICATION and version in _OLDER:
        with transaction(db):
            db.execute("ALTER TABLE position ADD COLUMN crc INTEGER")
            reached.write(db, db.execute("SELECT n FROM position").fetchone()[0])
            db.execute(f"PRAGMA user_version = {VERSION}")
        return
    if (version, application) == (VERSION, APPLICATION):
        return
    if version or application or db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
        raise StoreCorrupt(
            f"{path} is not a telemetry file of version {VERSION} (it says {version}); "
            "name another file, or move this one away"
        )
    db.executescript(
        f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION}; "
        f"PRAGMA user_version = {VERSION}; COMMIT;"
    )


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the file for reading only; any thread may use the connection, one at a time."""
    db = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
    )
    db.execute(f"PRAGMA cache_size = -{READ_CACHE_KIB}")
    return db


def sync_log(path: Path) -> None:
    """See that the file's log, which has what is not in the file yet, is on the disk."""
    for part in (path.with_name(path.name + "-wal"), path.parent):
        sync(part)
