"""The durable queue on the device: what the cloud has not said it has.

`append` returns when the batches are on the disk; only the cloud's receipt (`forget`) removes
them. Every sample has its number (boot, stream, seq), given in the transaction that stores it.
What has no room is dropped by policy and leaves a gap, which is declared to the cloud: produced =
receipted + stored + gaps, always.

One SQLite file in WAL mode with `synchronous=FULL`: in power cuts NORMAL lost commits, FULL none.
Not thread-safe: `Spool` gives it a thread of its own.
"""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from edge_agent import outbox_rows as rows
from edge_agent.errors import OutboxError
from edge_agent.kept_file import KeptFile
from edge_agent.outbox_file import (
    BEGINNING,
    RANK,
    Dropped,
    Entry,
    Faults,
    Place,
    Placed,
    Stored,
    is_full,
)
from edge_agent.reserve import MIB, PAGE
from models.contract import codec
from models.contract.errors import BadPayload
from models.contract.messages import STREAMS, Batch

Policy = Literal["drop-oldest", "reject-new"]
KEPT_ASIDE: Final = 100  #: unreadable batches kept for people to look at
ROUNDS: Final = 4  #: tries to make room for one batch
FULL: Final = "full"
UNSTORED: Final = "unstored"  #: the agent was to stop, and the disk did not take them
log = logging.getLogger(__name__)


class Outbox(KeptFile):
    """The outbox of one start (`boot`) of one device. `path` None keeps it in memory only."""

    def __init__(
        self,
        path: Path | None,
        boot: str,
        *,
        max_bytes: int = 256 * MIB,
        policy: Mapping[str, Policy] | None = None,
        encoding: Literal["cbor", "json"] = "cbor",
    ) -> None:
        self._policy = {s: (policy or {}).get(s, "drop-oldest") for s in STREAMS}
        self._encoding: Literal["cbor", "json"] = encoding
        self._owed: dict[tuple[str, str], int] = {}  #: receipts that the disk did not take
        super().__init__(path, boot, max_bytes=max_bytes)

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
            with Faults(self.path):
                entries = [self._entry(stream, batch) for stream, batch in batches]
                kept = self._store(entries)
        except BaseException as error:
            self.numbers = before
            if isinstance(error, OutboxError):
                self._failed(error)
            raise
        self._faults = 0
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

    def forget(self, boot: str, stream: str, hwm: int) -> None:
        """Delete what the cloud has: all of a stream up to the number `hwm`, inclusive.

        This write is not forced to the disk: lost in a power cut, it only means a repeat. What the
        disk does not take `tend` does again.
        """
        n, rank = self.numbers.boots.get(boot), RANK.get(stream)
        if n is None or rank is None:
            return
        hwm = min(hwm, self.numbers.following.get((n, rank), 0) - 1)
        if hwm <= self.numbers.received.get((n, rank), -1):
            return
        self._owed[boot, stream] = hwm

        def delete(db: sqlite3.Connection) -> bool:
            self.bytes -= rows.forget(db, n, rank, hwm)
            if n != self._n:
                rows.bury(db, n)
            return True

        self._db.execute("PRAGMA synchronous=NORMAL")
        try:
            if self._shrink(delete):
                self.numbers.received[n, rank] = hwm
                del self._owed[boot, stream]
        finally:
            self._db.execute(f"PRAGMA synchronous={self.SYNCHRONOUS}")

    def tend(self) -> None:
        """Do what could not be done before: see `KeptFile`, and `forget`."""
        super().tend()
        for (boot, stream), hwm in [*self._owed.items()]:
            self.forget(boot, stream, hwm)

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
