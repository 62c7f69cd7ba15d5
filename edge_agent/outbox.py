"""The durable queue on the device: what the cloud has not said it has.

`append` returns when the batches are on the disk; only the cloud's receipt (`forget`) removes
them. Every sample has its number (boot, stream, seq), given in the transaction that stores it.
What has no room is dropped by policy and leaves a gap, which is declared to the cloud: produced =
receipted + stored + gaps, always.

One SQLite file in WAL mode with `synchronous=FULL`: in power cuts NORMAL lost commits, FULL none.
Not thread-safe: `Spool` gives it a thread of its own.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Literal

import msgspec

from edge_agent import outbox_rows as rows
from edge_agent.errors import OutboxError
from edge_agent.lost_file import LostFile
from edge_agent.outbox_file import (
    BEGINNING,
    RANK,
    Dropped,
    Entry,
    Place,
    Placed,
    Stats,
    Stored,
    connect,
    faults,
    is_full,
    joined,
    prepare,
    stats,
)
from edge_agent.reserve import MIB, PAGE, Quota, Reserve
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


class Outbox:
    """The outbox of one start (`boot`) of one device. `path` None keeps it in memory only.

    Raises:
        OutboxCorrupt: the file is not a readable outbox.
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
        self._policy: dict[str, Policy] = dict.fromkeys(STREAMS, "drop-oldest")
        self._policy.update(policy or {})
        self._encoding: Literal["cbor", "json"] = encoding
        self.unwritten: list[Dropped] = []
        self.noted = 0  #: samples whose gap was noted since the start
        self._birth = b""
        self._disk_full = False
        self._reserve: Reserve | None = None
        with faults(self.path):
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                reserve = path.with_name(path.name + ".reserve")
                self._reserve = Reserve(reserve, self.quota.reserve)
            self._lost = LostFile(path and path.with_name(path.name + ".lost"), boot)
            self._db = connect(path)
            with contextlib.ExitStack() as failing:
                failing.callback(self._db.close)
                self._begin()
                self.tend()
                failing.pop_all()

    def _begin(self) -> None:
        db = self._db
        prepare(db, self.quota, self.SYNCHRONOUS)
        self._boots: dict[str, int] = {
            boot: n for n, boot in db.execute("SELECT n, boot FROM boots")
        }
        self._next: dict[tuple[int, int], int] = {}
        self._hwm: dict[tuple[int, int], int] = {}
        for boot, rank, following, hwm in db.execute("SELECT * FROM counters"):
            self._next[boot, rank] = following
            self._hwm[boot, rank] = hwm
        for lost in self._lost.read():
            place = (self._number(lost.boot), RANK[lost.stream])
            if lost.first >= self._next.get(place, 0):  # else the gap was noted after all
                self._next[place] = lost.last + 1
                self.unwritten.append(Dropped(*place, lost.first, lost.last, lost.reason))
        self._n = self._number(self.boot)
        self.bytes: int = db.execute("SELECT total(length(payload)) FROM batches").fetchone()[0]
        self.births(), self.gaps()  # what is damaged is found while it can be set aside

    def _number(self, boot: str) -> int:
        return self._boots.setdefault(boot, max(self._boots.values(), default=0) + 1)

    @property
    def degraded(self) -> str | None:
        """`disk` while the disk has no room beyond what the outbox already holds, else None."""
        return "disk" if self._disk_full or self.unwritten else None

    @property
    def fill(self) -> float:
        """How much of the room for batches is taken, 0 to 1."""
        return self.bytes / (self.quota.pages * PAGE)

    def append(self, batches: Sequence[tuple[str, Batch]]) -> list[Placed]:
        """Number the (stream, batch) pairs and make them durable, all in one transaction.

        `OutboxError` means that nothing was taken and no number was used; try again.
        """
        before, unwritten = dict(self._next), self.unwritten
        try:
            with faults(self.path):
                entries = [self._entry(stream, batch) for stream, batch in batches]
                kept = self._store(entries)
        except BaseException:
            self._next, self.unwritten = before, unwritten
            raise
        return [Placed(e.seq, e.samples, k) for e, k in zip(entries, kept, strict=True)]

    def _entry(self, stream: str, batch: Batch) -> Entry:
        """Number a batch; of one that no message can carry the payload is empty, its gap noted."""
        rank = RANK[stream]
        seq = self._take(rank, batch.count)
        numbered = msgspec.structs.replace(batch, boot=self.boot, seq=seq, unreceipted=0)
        try:
            payload = codec.encode(numbered, self._encoding)
        except BadPayload as error:
            self._miss(rank, seq, batch.count, error.reason.value)
            payload = b""
        return Entry(rank, seq, batch.count, batch.t0_ns or 0, payload)

    def _take(self, rank: int, samples: int) -> int:
        seq = self._next.get((self._n, rank), 0)
        self._next[self._n, rank] = seq + samples
        return seq

    def _miss(self, rank: int, seq: int, samples: int, reason: str) -> None:
        drop = Dropped(self._n, rank, seq, seq + samples - 1, reason)
        self.unwritten = joined([*self.unwritten, drop])

    def lose(self, stream: str, samples: int) -> bool:
        """Number samples that the disk does not take; return whether their gap is noted.

        Where the file does not take that either, it is noted beside it, for the next start.
        """
        rank = RANK[stream]
        self._miss(rank, self._take(rank, samples), samples, UNSTORED)
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
            changed = {self._n, *(lost.boot for lost in self.unwritten)}
            rows.begin(db, ((n, boot) for boot, n in self._boots.items() if n in changed))
            rows.count(db, ((*place, n) for place, n in self._next.items() if place[0] in changed))
            rows.note(db, self.unwritten)
        self.bytes += sum(len(entry.payload) for entry in taken)
        if self.unwritten:
            self.noted += sum(lost.last - lost.first + 1 for lost in self.unwritten)
            self.unwritten = []
            self._lost.write((), self._boots)

    def _try_to_note(self) -> bool:
        try:
            if self.unwritten:
                self._write(())
        except sqlite3.Error:  # what is in memory must not end with the process
            return self._lost.write(self.unwritten, self._boots)
        return True

    def _make_room(self, rank: int, size: int) -> bool:
        pages = self._db.execute("PRAGMA page_count").fetchone()[0]
        if pages + size // PAGE < self.quota.pages:  # not our own limit: the disk is full
            self._disk_full = True
            if self._reserve and self._reserve.release():
                return True
        return self._shrink(lambda db: self._evict(db, rank, size))

    def _evict(self, db: sqlite3.Connection, rank: int, size: int) -> bool:
        """Delete the oldest of the least important stream that may give way to `rank`."""
        if db.execute("DELETE FROM aside").rowcount:
            return True
        for other in reversed(range(rank, len(STREAMS))):
            if other == rank and self._policy[STREAMS[rank]] == "reject-new":
                break
            if self._drop(db, rows.oldest(db, other, size), FULL):
                return True
        return False

    def _drop(self, db: sqlite3.Connection, found: Sequence[rows.Row], reason: str) -> bool:
        rows.drop(db, found, reason)
        self.bytes -= sum(row.size for row in found)
        self.noted += sum(row.samples for row in found)
        return bool(found)

    def _shrink(self, work: Callable[[sqlite3.Connection], object]) -> bool:
        """Do what only deletes; where even that has no room, give the reserve to the disk."""
        with faults(self.path):
            for again in (True, False):
                size = self.bytes
                try:
                    with self._transaction() as db:
                        return bool(work(db))
                except sqlite3.Error as error:
                    self.bytes = size
                    if not is_full(error):
                        raise
                    self._disk_full = True
                    if not (again and self._reserve and self._reserve.release()):
                        break
        return False

    def tend(self) -> None:
        """Take the reserve again where the disk has room, and write what could not be written."""
        with faults(self.path):
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
        n = self._boots.get(boot)
        condition = "stream = ? AND n = ? AND seq <= ? AND seq + count > ? ORDER BY seq LIMIT 8"
        return rows.stored(self._db, stream, condition, RANK[stream], n, last, first)

    def unreceipted(self, boot: str, stream: str) -> int:
        """Return `u`: the first number of a stream without a receipt."""
        return self._hwm.get((self._boots.get(boot, -1), RANK[stream]), -1) + 1

    def gaps(self) -> list[Gap]:
        """Return what is to be declared as lost, one message for each boot, stream and reason."""
        return rows.gaps(self._db, GAPS)

    def forget(self, boot: str, stream: str, hwm: int) -> None:
        """Delete what the cloud has: all of a stream up to the number `hwm`, inclusive.

        This write is not forced to the disk: lost in a power cut, it only means a repeat.
        """
        n, rank = self._boots.get(boot), RANK.get(stream)
        if n is None or rank is None:
            return
        hwm = min(hwm, self._next.get((n, rank), 0) - 1)
        if hwm <= self._hwm.get((n, rank), -1):
            return

        def delete(db: sqlite3.Connection) -> bool:
            self.bytes -= rows.forget(db, n, rank, hwm)
            if n != self._n:
                rows.bury(db, n)
            return True

        self._db.execute("PRAGMA synchronous=NORMAL")
        try:
            if self._shrink(delete):
                self._hwm[n, rank] = hwm
        finally:
            self._db.execute(f"PRAGMA synchronous={self.SYNCHRONOUS}")

    def discard(self, boot: str, stream: str, first: int, last: int, reason: str) -> None:
        """Drop the batches within `first` to `last` that the cloud refuses for ever; note a gap."""
        n, rank = self._boots.get(boot), RANK.get(stream)
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
        payload = self._birth = codec.encode(birth, "json")

        def keep(db: sqlite3.Connection) -> bool:
            db.execute("INSERT OR IGNORE INTO boots VALUES (?, ?)", (self._n, self.boot))
            for n in self._boots.values():
                if n != self._n:
                    rows.bury(db, n)
            rows.keep_birth(db, self._n, birth.dictionary, payload, KEPT_BIRTHS)
            return True

        self._shrink(keep)

    def births(self) -> list[bytes]:
        """Return the births of all boots here as JSON, oldest first; the last is the newest."""
        found = [row[0] for row in self._db.execute("SELECT payload FROM births ORDER BY id")]
        if self._birth and self._birth not in found:  # the disk was too full to keep it
            found.append(self._birth)
        return found

    def integrity(self) -> list[str]:
        """Return what SQLite finds wrong with the file; an empty list is good."""
        found = [row[0] for row in self._db.execute("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    def stats(self) -> Stats:
        """Return the numbers of the file."""
        return stats(self._db, self.path)

    def close(self) -> None:
        """Close the file; everything appended stays, and so does what was lost."""
        self._try_to_note()
        self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
