"""The durable queue on the device: what the cloud has not said it has.

`append` returns when the batches are on the disk; only the cloud's receipt (`forget`) removes
them. Every sample has its number (boot, stream, seq), given in the transaction that stores it.
What has no room is dropped by policy and leaves a gap, which is declared to the cloud: produced =
receipted + stored + gaps, always.

One SQLite file in WAL mode with `synchronous=FULL`: in power cuts NORMAL lost commits, FULL none.
Not thread-safe: `Spool` gives it a thread of its own.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Final, Literal

import msgspec

from edge_agent import outbox_rows as rows
from edge_agent.errors import OutboxCorrupt, OutboxError, OutboxGone
from edge_agent.lost_file import LostFile
from edge_agent.numbering import Numbering
from edge_agent.outbox_file import (
    BEGINNING,
    RANK,
    Dropped,
    Entry,
    Place,
    Placed,
    Standing,
    Stats,
    Stored,
    connect,
    faults,
    is_full,
    prepare,
    stats,
    transaction,
)
from edge_agent.reserve import MIB, PAGE, Quota, Reserve
from edge_agent.salvage import exchange, make
from models.contract import codec
from models.contract.errors import BadPayload
from models.contract.messages import STREAMS, Batch, Birth, Gap

Policy = Literal["drop-oldest", "reject-new"]
KEPT_ASIDE: Final = 100  #: unreadable batches kept for people to look at
KEPT_BIRTHS: Final = 32  #: dictionaries of one boot; a signal more is a dictionary more
ROUNDS: Final = 4  #: tries to make room for one batch
FULL: Final = "full"
UNSTORED: Final = "unstored"  #: the agent was to stop, and the disk did not take them
GAPS: Final = 4096  #: ranges declared at once
log = logging.getLogger(__name__)


class Outbox:
    """The outbox of one start (`boot`) of one device. `path` None keeps it in memory only.

    A file damaged at the start is renewed; later that is `OutboxCorrupt`: `renew`, do it again.

    Raises:
        OutboxCorrupt: the file is not a readable outbox.
        OutboxGone: the file is no longer at its path; so says each write, and `tend`.
        OutboxError: it cannot be opened, or a write failed; nothing was acknowledged.
    """

    #: of SQLite; a class attribute so that a proof can show what NORMAL loses
    SYNCHRONOUS: ClassVar[str] = "FULL"

    def __init__(
        self,
        path: Path | None,
        boot: str,
        *,
        max_bytes: int = 256 * MIB,
        policy: Mapping[str, Policy] | None = None,
        encoding: Literal["cbor", "json"] = "cbor",
    ) -> None:
        self.boot = boot
        self.path = path
        self.quota = Quota(max_bytes)
        self._policy = {s: (policy or {}).get(s, "drop-oldest") for s in STREAMS}
        self._encoding: Literal["cbor", "json"] = encoding
        self.numbers = Numbering()
        self.bytes = 0  #: of the payloads of all batches
        self.noted = 0  #: samples whose gap was noted since the start
        self.mended: str | None = None  #: what was done about a damaged file, until it is told
        self._birth: Birth | None = None
        self._disk_full = False
        self._reserve: Reserve | None = None
        self._standing = Standing()
        with faults(self.path):
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._reserve = Reserve(path.with_name(path.name + ".reserve"), self.quota.reserve)
                exchange(path, boot)  # that of a start that was killed
            self._lost = LostFile(path and path.with_name(path.name + ".lost"), boot)
            self._db = connect(path)
            try:
                self._open_or_renew()
                self.tend()
            except BaseException:
                self._db.close()
                raise

    def _open_or_renew(self) -> None:
        try:
            with faults(self.path):
                self._open()
        except OutboxCorrupt as error:
            self.numbers = Numbering()  # what the file said is not sure
            self.renew(error)

    def renew(self, error: OutboxCorrupt) -> None:
        """Set the damaged file aside, and go on in a new one with what can be read of it.

        The rest becomes a gap of the reason `damaged`; without room for a copy that is all.
        `OutboxError`: there is no room for an empty one either; nothing has changed, try again.
        """
        if not (self._reserve and self.path):
            raise error
        with faults(self.path):
            self._standing.check()
            self._db.close()
            self._reserve.release()
            new = partial(prepare, quota=self.quota, synchronous=self.SYNCHRONOUS)
            if made := make(self.path, self.boot, new, self.numbers, self._lost.read()):
                self.numbers, self.mended = made.numbers, made.text
                self._noted()
                log.error("%s; %s", error, self.mended)
            self._standing = Standing()
            exchange(self.path, self.boot)
            self._db = connect(self.path)
            self._open()
            if self._birth:
                self.remember(self._birth)

    def _open(self) -> None:
        prepare(self._db, self.quota, self.SYNCHRONOUS)
        self.numbers.load(self._db, self._lost.read())
        self._n = self.numbers.boot(self.boot)
        self.bytes = rows.size(self._db)
        self._standing = Standing(self.path)
        self.births(), self.gaps()  # what is damaged is found while it can be set aside

    @property
    def degraded(self) -> str | None:
        """`disk` while the disk has no room beyond what the outbox already holds, else None."""
        return "disk" if self._disk_full or self.numbers.unwritten else None

    @property
    def fill(self) -> float:
        """How much of the room for batches is taken, 0 to 1."""
        return self.bytes / (self.quota.pages * PAGE)

    def append(self, batches: Sequence[tuple[str, Batch]]) -> list[Placed]:
        """Number the (stream, batch) pairs and make them durable, all in one transaction.

        `OutboxError` means that nothing was taken and no number was used; try again.
        """
        before = self.numbers.copy()
        try:
            with faults(self.path):
                entries = [self._entry(stream, batch) for stream, batch in batches]
                kept = self._store(entries)
        except BaseException:
            self.numbers = before
            raise
        return [Placed(e.seq, e.samples, k) for e, k in zip(entries, kept, strict=True)]

    def _entry(self, stream: str, batch: Batch) -> Entry:
        """Number a batch; of one that no message can carry the payload is empty, its gap noted."""
        rank = RANK[stream]
        seq = self.numbers.take(self._n, rank, batch.count)
        numbered = msgspec.structs.replace(batch, boot=self.boot, seq=seq, unreceipted=0)
        try:
            payload = codec.encode(numbered, self._encoding)
        except BadPayload as error:
            self._miss(rank, seq, batch.count, error.reason.value)
            payload = b""
        return Entry(rank, seq, batch.count, batch.t0_ns or 0, payload)

    def _miss(self, rank: int, seq: int, samples: int, reason: str) -> None:
        self.numbers.miss(Dropped(self._n, rank, seq, seq + samples - 1, reason))

    def lose(self, stream: str, samples: int) -> bool:
        """Number samples that the disk does not take; return whether their gap is noted.

        Where the file does not take that either, it is noted beside it, for the next start.
        """
        rank = RANK[stream]
        self._miss(rank, self.numbers.take(self._n, rank, samples), samples, UNSTORED)
        return self._try_to_note()

    def _store(self, entries: Sequence[Entry]) -> list[bool]:
        try:
            self._write(entries)
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
        else:
            return [bool(entry.payload) for entry in entries]
        kept: list[bool] = []
        for entry in entries:
            try:
                kept.append(self._store_one(entry))
            except (sqlite3.Error, OSError, OutboxError):
                if not any(kept):
                    raise  # nothing was taken
                self._miss(entry.rank, entry.seq, entry.samples, FULL)
                kept.append(False)
        self._try_to_note()
        return kept

    def _store_one(self, entry: Entry) -> bool:
        if not entry.payload:
            return False
        for _ in range(ROUNDS):
            try:
                self._write([entry])
            except sqlite3.OperationalError as error:
                if not is_full(error):
                    raise
                if not self._make_room(entry.rank, 2 * len(entry.payload) + 4 * PAGE):
                    break
            else:
                return True
        self._miss(entry.rank, entry.seq, entry.samples, FULL)
        return False

    def _write(self, entries: Iterable[Entry]) -> None:
        taken = [entry for entry in entries if entry.payload]
        with self._transaction() as db:
            rows.insert(db, self._n, taken)
            rows.write(db, self.numbers, {self._n})
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

    def _make_room(self, rank: int, size: int) -> bool:
        pages = self._db.execute("PRAGMA page_count").fetchone()[0]
        if pages + size // PAGE < self.quota.pages:  # not our own limit: the disk is full
            self._disk_full = True
            if self._reserve and self._reserve.release():
                return True
        return self._shrink(lambda db: self._evict(db, rank, size))

    def _evict(self, db: sqlite3.Connection, rank: int, size: int) -> bool:
        if db.execute("DELETE FROM aside").rowcount:
            return True
        return self._drop(db, rows.gives_way(db, rank, size, self._policy), FULL)

    def _drop(self, db: sqlite3.Connection, found: Sequence[rows.Row], reason: str) -> bool:
        rows.drop(db, found, reason)
        self.bytes -= sum(row.size for row in found)
        self.noted += sum(row.samples for row in found)
        return bool(found)

    def _shrink(self, work: Callable[[sqlite3.Connection], object]) -> bool:
        """Do what only deletes; where even that has no room, give the reserve to the disk."""
        with faults(self.path):
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

    def tend(self) -> None:
        """Take the reserve again where the disk has room, and write what could not be written."""
        with faults(self.path):
            self._standing.check()
            if self._disk_full:
                with contextlib.suppress(sqlite3.OperationalError):  # no room even for that: later
                    self._db.execute("PRAGMA incremental_vacuum").fetchall()
                    self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if self._reserve is None or self._reserve.restore():
                self._disk_full = False
                self._try_to_note()

    def pending(self, stream: str, after: Place = BEGINNING, limit: int = 8) -> list[Stored]:
        """Return the next batches of a stream after a place: older boots first, then by number."""
        condition = "stream = ? AND (n, seq) > (?, ?) ORDER BY n, seq LIMIT ?"
        return rows.stored(self._db, stream, condition, RANK[stream], *after, limit)

    def holding(self, boot: str, stream: str, first: int, last: int) -> list[Stored]:
        """Return the batches that hold any of the numbers `first` to `last` (at most 8)."""
        n = self.numbers.boots.get(boot)
        condition = "stream = ? AND n = ? AND seq <= ? AND seq + count > ? ORDER BY seq LIMIT 8"
        return rows.stored(self._db, stream, condition, RANK[stream], n, last, first)

    def unreceipted(self, boot: str, stream: str) -> int:
        """Return `u`: the first number of a stream without a receipt."""
        return self.numbers.received.get((self.numbers.boots.get(boot, -1), RANK[stream]), -1) + 1

    def gaps(self) -> list[Gap]:
        """Return what is to be declared as lost, one message for each boot, stream and reason."""
        return rows.gaps(self._db, GAPS)

    def forget(self, boot: str, stream: str, hwm: int) -> None:
        """Delete what the cloud has: all of a stream up to the number `hwm`, inclusive.

        This write is not forced to the disk: lost in a power cut, it only means a repeat.
        """
        n, rank = self.numbers.boots.get(boot), RANK.get(stream)
        if n is None or rank is None:
            return
        hwm = min(hwm, self.numbers.following.get((n, rank), 0) - 1)
        if hwm <= self.numbers.received.get((n, rank), -1):
            return

        def delete(db: sqlite3.Connection) -> bool:
            self.bytes -= rows.forget(db, n, rank, hwm)
            if n != self._n:
                rows.bury(db, n)
            return True

        self._db.execute("PRAGMA synchronous=NORMAL")
        try:
            if self._shrink(delete):
                self.numbers.received[n, rank] = hwm
        finally:
            self._db.execute(f"PRAGMA synchronous={self.SYNCHRONOUS}")

    def discard(self, boot: str, stream: str, first: int, last: int, reason: str) -> None:
        """Drop the batches within `first` to `last` that the cloud refuses for ever; note a gap."""
        n, rank = self.numbers.boots.get(boot), RANK.get(stream)
        if n is not None and rank is not None:
            found = rows.within(self._db, n, rank, first, last)
            self._shrink(lambda db: self._drop(db, found, reason))

    def set_aside(self, stored: Stored, reason: str) -> None:
        """Keep an unreadable batch for people to look at, and note a gap in its stream."""
        place, rank = stored.place, RANK[stored.stream]
        for row in rows.within(self._db, place.boot, rank, stored.seq, stored.last):

            def move(db: sqlite3.Connection, row: rows.Row = row) -> bool:
                rows.move_aside(db, stored.boot, row, reason, KEPT_ASIDE)
                self.bytes -= row.size
                return True

            if not self._shrink(move):
                self.discard(stored.boot, stored.stream, stored.seq, stored.last, reason)

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
        return transaction(self._db, self._standing.check)
