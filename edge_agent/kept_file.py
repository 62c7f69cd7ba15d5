"""The file of an outbox while it is open: renewed where it is damaged, left where it is gone.

What only deletes has room on a full disk, too, and what was lost is noted in the file or beside it.
"""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar, Final

from edge_agent import first_page
from edge_agent import outbox_rows as rows
from edge_agent.aside import beside, bound, remove, sync
from edge_agent.errors import OutboxCorrupt, OutboxError, OutboxGone
from edge_agent.lost_file import LostFile
from edge_agent.numbering import Numbering
from edge_agent.outbox_file import (
    Entry,
    Faults,
    Standing,
    Stats,
    Transaction,
    begun,
    connect,
    fresh,
    is_fault,
    is_full,
    prepare,
    stats,
)
from edge_agent.reserve import Quota, Reserve
from edge_agent.salvage import exchange, make
from models.contract import codec
from models.contract.messages import Birth, Gap
from models.counts import counted

KEPT_BIRTHS: Final = 32  #: dictionaries of one boot; a signal more is a dictionary more
GAPS: Final = 4096  #: ranges declared at once
FAULTS: Final = 10  #: writes in a row that the disk fails before another file is tried
log = logging.getLogger(__name__)


def lost_page(path: Path) -> Path:
    """Return where what an outbox lost is noted beside it."""
    return beside(path, ".lost")


class KeptFile:
    """The tables of one start (`boot`) of one device. `path` None keeps them in memory only.

    A file damaged at the start is renewed; later that is `OutboxCorrupt`: `renew`, do it again.

    Raises:
        OutboxCorrupt: the file is not a readable outbox, or the disk does not give or take it.
        OutboxGone: the file is no longer at its path; so says each write, and `tend`.
        OutboxError: it cannot be opened, or a write failed; nothing was acknowledged.
    """

    #: of SQLite; a class attribute so that a proof can show what NORMAL loses
    SYNCHRONOUS: ClassVar[str] = "FULL"

    def __init__(self, path: Path | None, boot: str, *, max_bytes: int) -> None:
        self.boot = boot
        self.path = path
        self.quota = Quota(max_bytes)
        self.numbers = Numbering()
        self.bytes = 0  #: of the payloads of all batches
        self.noted = 0  #: samples whose gap was noted since the start
        self.mended: str | None = None  #: what was done about a damaged file, until it is told
        self.aside_deleted = 0  #: damaged files set aside that were deleted since the start
        self._named: set[int] = set()  #: boots whose name the open file has for sure
        self._birth: Birth | None = None
        self._faults = 0  #: writes in a row that the disk failed
        self._disk_full = False
        self._reserve: Reserve | None = None
        self._standing = Standing()
        with Faults(self.path):
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._reserve = Reserve(path.with_name(path.name + ".reserve"), self.quota.reserve)
                exchange(path, boot)  # that of a start that was killed
                self._begin(path)
            self._lost = LostFile(path and lost_page(path), boot)
            self._db = connect(path)
            try:
                self._open_or_renew()
                self.tend()
                self._bound_aside()
            except BaseException:
                self._db.close()
                raise

    def _begin(self, path: Path) -> None:
        """Make a new file beside its path: who looks there finds all its tables, or no file."""
        if os.path.lexists(path):
            return
        with begun(path, self._prepare):
            remove(path)  # a log without its file, which the new one must not meet
        fresh(path).rename(path)
        sync(path.parent)

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Give a new file its tables and limits."""
        prepare(db, self.quota, self.SYNCHRONOUS)

    def _open_or_renew(self) -> None:
        try:
            with Faults(self.path):
                self._open()
        except OutboxError as error:
            if not (isinstance(error, OutboxCorrupt) or self._claims_too_much(error)):
                raise
            self.numbers = Numbering()  # what the file said is not sure
            self.renew(error)

    def _claims_too_much(self, error: OutboxError) -> bool:
        """Whether memory was short only for a row whose size is damaged."""
        if not isinstance(error.__cause__, MemoryError):
            return False
        with Faults(self.path):
            return bool(self._db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")

    def renew(self, error: OutboxError) -> None:
        """Set the damaged file aside, and go on in a new one with what can be read of it.

        The rest becomes a gap of the reason `damaged`; without room for a copy that is all.
        `OutboxError`: the disk takes no new file; nothing has changed, try again.
        """
        if not (self._reserve and self.path):
            raise error
        with Faults(self.path):
            self._standing.check()
            self._reserve.release()
            try:
                made = make(self.path, self.boot, self._prepare, self.numbers, self._lost.read())
            except BaseException:
                if not is_fault(error.__cause__):
                    self._db.close()  # a damaged file takes nothing more
                raise
            if made:
                self.numbers, self.mended = made.numbers, made.text
                self._noted()
                log.error("%s; %s", error, self.mended)
            self._standing = Standing()
            self._db.close()
            exchange(self.path, self.boot)
            self._db = connect(self.path)
            try:
                self._open()
            except BaseException:
                self._db.close()  # not used before all its limits are set
                raise
            if self._birth:
                self.remember(self._birth)
            self._bound_aside()

    def _bound_aside(self) -> None:
        """Delete old files that were set aside, and say so with what was mended."""
        if self.path is None:
            return
        deleted = sum(bound(path, self.quota.total) for path in (self.path, lost_page(self.path)))
        self.aside_deleted += deleted
        if self.mended and deleted:
            self.mended += f"; {counted(deleted, 'older such file')} deleted"

    def _failed(self, error: OutboxError) -> None:
        """Count a write that the disk failed: `OutboxCorrupt` for as many as `FAULTS` in a row."""
        self._faults = self._faults + 1 if is_fault(error.__cause__) else 0
        if self._faults == FAULTS:
            self._faults = 0
            raise OutboxCorrupt(f"{error}, {FAULTS} times in a row") from error.__cause__

    def _open(self) -> None:
        first_page.check(self._db, self.path)
        prepare(self._db, self.quota, self.SYNCHRONOUS, self._reserve)
        self.numbers.load(self._db, self._lost.read())
        self._n = self.numbers.boot(self.boot)
        self._named = set()
        self.bytes = rows.size(self._db)
        self._standing = Standing(self.path)
        self.births(), self.gaps()  # what is damaged is found while it can be set aside

    @property
    def degraded(self) -> str | None:
        """`disk` while the disk has no room beyond what the outbox already holds, else None."""
        return "disk" if self._disk_full or self.numbers.unwritten else None

    def tend(self) -> None:
        """Take the reserve again where the disk has room, and do what could not be done before."""
        with Faults(self.path):
            self._standing.check()
            if self._disk_full:
                with contextlib.suppress(sqlite3.OperationalError):  # no room even for that: later
                    self._db.execute("PRAGMA incremental_vacuum").fetchall()
                    self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if self._reserve is None or self._reserve.restore():
                self._disk_full = False
                self._try_to_note()

    def _shrink(self, work: Callable[[sqlite3.Connection], object]) -> bool:
        """Do what only deletes; where even that has no room, give the reserve to the disk."""
        with Faults(self.path):
            while True:
                size = self.bytes
                try:
                    with self._transaction() as db:
                        return bool(work(db))
                except (sqlite3.Error, OSError, OutboxGone) as error:
                    self.bytes = size
                    if not is_full(error):
                        raise
                    self._disk_full = True
                    if not (self._reserve and self._reserve.release()):
                        return False

    def _write(self, entries: Iterable[Entry]) -> None:
        taken = [entry for entry in entries if entry.payload]
        with self._transaction() as db:
            rows.insert(db, self._n, taken)
            rows.write(db, self.numbers, {self._n}, self._named)
        self._named = {self._n}
        self.bytes += sum(len(entry.payload) for entry in taken)
        self._noted()

    def _noted(self) -> None:
        """What was unwritten stands in the file."""
        if unwritten := self.numbers.unwritten:
            self.noted += sum(lost.last - lost.first + 1 for lost in unwritten)
            unwritten.clear()
            self._lost.write((), {})

    def _try_to_note(self) -> bool:
        try:
            if self.numbers.unwritten:
                self._write(())
        except (sqlite3.Error, OSError, OutboxGone):  # what is in memory must not end with us
            return self._lost.write(self.numbers.unwritten, self.numbers.boots)
        return True

    def gaps(self) -> list[Gap]:
        """Return what is to be declared as lost, one message for each boot, stream and reason."""
        return rows.gaps(self._db, GAPS)

    def remember(self, birth: Birth) -> None:
        """Keep a birth as long as batches of its boot wait: they are read with its dictionary."""
        self._birth = birth
        payload = codec.encode(birth, "json")

        def keep(db: sqlite3.Connection) -> bool:
            rows.begin(db, self._n, self.boot)
            for n in set(self.numbers.boots.values()) - {self._n}:
                rows.bury(db, n)
            rows.keep_birth(db, self._n, birth.dictionary, payload, KEPT_BIRTHS)
            return True

        self._shrink(keep)

    def births(self) -> list[bytes]:
        """Return the births of all boots here as JSON, oldest first; the last is the newest."""
        found = [row[0] for row in self._db.execute("SELECT payload FROM births ORDER BY id")]
        own = self._birth and codec.encode(self._birth, "json")
        if own and own not in found:  # the disk was too full to keep it
            found.append(own)
        return found

    def stats(self) -> Stats:
        """Return the numbers of the file."""
        return stats(self._db, self.path)

    def close(self) -> None:
        """Close the file; everything appended stays, and so does what was lost."""
        self._try_to_note()
        self._db.close()

    def _transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        return Transaction(self._db, self._standing.check)
