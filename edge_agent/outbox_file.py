"""The outbox's file: its tables, its values, and how to read its numbers from outside."""

import contextlib
import errno
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from edge_agent.aside import beside, remove
from edge_agent.errors import OutboxCorrupt, OutboxError, OutboxGone
from edge_agent.reserve import PAGE, Quota, Reserve
from models.contract.messages import STREAMS

#: stream -> rank; 0 is the most important
RANK: Final[Mapping[str, int]] = {stream: rank for rank, stream in enumerate(STREAMS)}
#: what SQLite says where the disk does not give a page
UNREADABLE: Final = frozenset(
    {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}
)
VERSION: Final = 1
SUMMED: Final = ("counters", "batches", "gaps")  #: tables whose rows have a checksum
SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS boots (n INTEGER PRIMARY KEY, boot TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS births (
  id INTEGER PRIMARY KEY, boot INTEGER NOT NULL, dictionary TEXT NOT NULL, payload BLOB NOT NULL,
  UNIQUE (boot, dictionary)
);
CREATE TABLE IF NOT EXISTS counters (
  boot INTEGER NOT NULL, stream INTEGER NOT NULL, next INTEGER NOT NULL, hwm INTEGER NOT NULL,
  crc INTEGER, PRIMARY KEY (boot, stream)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
  id INTEGER PRIMARY KEY, boot INTEGER NOT NULL, stream INTEGER NOT NULL, seq INTEGER NOT NULL,
  count INTEGER NOT NULL, at_ns INTEGER NOT NULL, payload BLOB NOT NULL,
  crc INTEGER
);
CREATE UNIQUE INDEX IF NOT EXISTS batches_by_number ON batches (stream, boot, seq);
CREATE TABLE IF NOT EXISTS gaps (
  boot INTEGER NOT NULL, stream INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  reason TEXT NOT NULL, crc INTEGER, PRIMARY KEY (boot, stream, first)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS aside (
  id INTEGER PRIMARY KEY, boot TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
  count INTEGER NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL
);
PRAGMA user_version={VERSION};
"""


class Place(NamedTuple):
    """Where a batch stands among all of its stream: boots in order of their start, then seq."""

    boot: int
    seq: int


BEGINNING: Final = Place(-1, -1)


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that waits for its receipt."""

    boot: str
    stream: str
    seq: int
    samples: int
    payload: bytes
    place: Place

    @property
    def last(self) -> int:
        """The number of the last sample."""
        return self.seq + self.samples - 1


class Placed(NamedTuple):
    """What became of an appended batch. Not kept: there was no room, its gap is noted."""

    seq: int
    samples: int
    kept: bool


class Dropped(NamedTuple):
    """Samples `first` to `last` (inclusive) that are no longer here."""

    boot: int
    rank: int
    first: int
    last: int
    reason: str


def joined(drops: Iterable[Dropped], *, across_reasons: bool = False) -> list[Dropped]:
    """Return ranges in order; those that follow on one another become one, of the first's reason.

    Ranges of different reasons stay apart, but for `across_reasons`.
    """
    found: list[Dropped] = []
    for drop in sorted(drops):
        before = found[-1] if found else None
        if (
            before
            and before[:2] == drop[:2]
            and before.last + 1 == drop.first
            and (across_reasons or before.reason == drop.reason)
        ):
            found[-1] = before._replace(last=drop.last)
        else:
            found.append(drop)
    return found


class Entry(NamedTuple):
    """A batch on its way into the file."""

    rank: int
    seq: int
    samples: int
    at_ns: int
    payload: bytes


class StreamStats(msgspec.Struct, frozen=True, kw_only=True):
    """What waits of one stream; `oldest_ns` is the time of its oldest batch."""

    batches: int
    samples: int
    bytes: int
    oldest_ns: int


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """The outbox in numbers. `disk_bytes` counts all that lies beside the file, too."""

    boots: int
    batches: int
    samples: int
    bytes: int
    oldest_ns: int | None
    streams: Mapping[str, StreamStats]
    gap_samples: int
    aside: int
    disk_bytes: int


def connect(path: Path | None) -> sqlite3.Connection:
    """Open the file, or a database in memory; transactions are begun and ended by hand."""
    return sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)


def prepare(
    db: sqlite3.Connection, quota: Quota, synchronous: str, reserve: Reserve | None = None
) -> None:
    """Set the file's limits and how it is written, and begin its tables where it is new.

    Tables of earlier versions get the checksums' column; on a full disk the `reserve` goes for it.
    """
    for pragma in (
        f"page_size={PAGE}",
        "auto_vacuum=INCREMENTAL",  # so that `tend` can give room back to a full disk
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        "fullfsync=ON",  # macOS: through the drive's own cache as well
        f"wal_autocheckpoint={max(quota.checkpoint_pages, 4)}",
        f"journal_size_limit={quota.log}",
        f"max_page_count={quota.pages}",
        "cache_size=-256",
        "busy_timeout=5000",
    ):
        db.execute(f"PRAGMA {pragma}").fetchall()
    if not db.execute("PRAGMA user_version").fetchone()[0]:
        db.executescript(SCHEMA)
    for table in SUMMED:
        if not has_sums(db, table):
            add = f"ALTER TABLE {table} ADD COLUMN crc INTEGER"
            try:
                db.execute(add)
            except sqlite3.OperationalError as error:
                if not (is_full(error) and reserve and reserve.release()):
                    raise
                db.execute(add)


def has_sums(db: sqlite3.Connection, table: str) -> bool:
    """Whether a table's rows have a checksum."""
    return any(row[1] == "crc" for row in db.execute(f"PRAGMA table_info({table})"))


def sum_column(db: sqlite3.Connection, table: str) -> str:
    """Return the column of a table's checksums; rows of earlier versions have none."""
    try:
        return "crc" if has_sums(db, table) else "NULL"
    except sqlite3.DatabaseError:
        return "crc"


class Transaction:
    """Do all of it, `at_last` included, or after an error nothing."""

    __slots__ = ("_at_last", "_db")

    def __init__(
        self, db: sqlite3.Connection, at_last: Callable[[], object] = lambda: None
    ) -> None:
        self._db = db
        self._at_last = at_last

    def __enter__(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._at_last()
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


class Standing:
    """Whether the file that was opened still is the one at its path.

    It is no more where a stick was pulled, or a folder renamed, deleted or mounted over.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known = path and _place(path)

    def check(self) -> None:
        """`OutboxGone` where it is not; `OSError` where the disk does not say."""
        if self._path and (found := _place(self._path)) != self._known:
            is_there = "another file is there now" if found else "it is no longer there"
            raise OutboxGone(f"{self._path}: {is_there}")


def _place(path: Path) -> tuple[int, int] | None:
    """Return a file's device and number there, None where there is no file."""
    try:
        found = path.stat()
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ESTALE}:
            return None
        raise
    return found.st_dev, found.st_ino


def fresh(path: Path) -> Path:
    """Return where a new outbox is made."""
    return beside(path, ".new")


@contextlib.contextmanager
def begun(
    path: Path, prepare: Callable[[sqlite3.Connection], None]
) -> Iterator[sqlite3.Connection]:
    """Make a new outbox at `fresh`; all is in its file at the end, or where it fails no file is."""
    remove(fresh(path))
    try:
        with contextlib.closing(connect(fresh(path))) as db:
            prepare(db)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            yield db
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except BaseException:
        remove(fresh(path))
        raise


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open the file so that nothing on the disk changes, whether an agent runs or not."""
    if not path.with_name(path.name + "-wal").exists():
        return connect_alone(path)
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def connect_alone(path: Path) -> sqlite3.Connection:
    """Open the file read-only and as it is, without its log."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


class Faults:
    """Raises what SQLite and the system say as `OutboxCorrupt` or `OutboxError`.

    A page that the disk does not give is damaged as one whose content is wrong: the system has
    tried for long, and what a new file takes over is read once more.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        path = self._path
        if isinstance(error, sqlite3.OperationalError | OSError | MemoryError):
            if _code(error) in UNREADABLE or "not decode" in str(error):
                raise OutboxCorrupt(f"{path} cannot be read: {error}") from error
            raise OutboxError(f"{path}: {str(error) or 'out of memory'}") from error
        if isinstance(error, sqlite3.Error | UnicodeDecodeError):  # the latter: SQLite of damage
            raise OutboxCorrupt(f"{path} is not a readable outbox: {error}") from error


def is_full(error: BaseException) -> bool:
    """Whether the disk, or the file within its limit, has no room."""
    return _code(error) == sqlite3.SQLITE_FULL


def is_fault(error: BaseException | None) -> bool:
    """Whether the disk failed, otherwise than by not giving what is asked of it."""
    code = _code(error)
    return code & 0xFF == sqlite3.SQLITE_IOERR and code not in UNREADABLE


def _code(error: BaseException | None) -> int:
    return getattr(error, "sqlite_errorcode", 0)


def stats(db: sqlite3.Connection, path: Path | None) -> Stats:
    """Return the numbers of an open file."""
    streams = {
        STREAMS[rank]: StreamStats(batches=n, samples=samples, bytes=size, oldest_ns=oldest)
        for rank, n, samples, size, oldest in db.execute(
            "SELECT stream, count(*), sum(count), sum(length(payload)), min(at_ns)"
            " FROM batches GROUP BY stream ORDER BY stream"
        )
    }
    waiting = streams.values()
    return Stats(
        boots=db.execute("SELECT count(*) FROM boots").fetchone()[0],
        batches=sum(stream.batches for stream in waiting),
        samples=sum(stream.samples for stream in waiting),
        bytes=sum(stream.bytes for stream in waiting),
        oldest_ns=min((stream.oldest_ns for stream in waiting), default=None),
        streams=streams,
        gap_samples=db.execute("SELECT coalesce(sum(last - first + 1), 0) FROM gaps").fetchone()[0],
        aside=db.execute("SELECT count(*) FROM aside").fetchone()[0],
        disk_bytes=disk_bytes(path) if path else 0,
    )


def disk_bytes(path: Path) -> int:
    """Return what the outbox takes on the disk, its log, index and reserve included."""
    parts = (path.with_name(path.name + end) for end in ("", "-wal", "-shm", ".reserve", ".lost"))
    return sum(part.stat().st_size for part in parts if part.exists())
