"""The embedded telemetry store: one SQLite file, readable from other processes while written.

Blocks are stored as they come (`fresh`), in the same transaction as the journal position. A thread
prepares compactions (frames and roll-ups); `write` applies them, so that one thread alone writes.
"""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cloud.durable import sync
from cloud.errors import StoreBusy, StoreFull
from cloud.telemetry import (
    Buckets,
    Latest,
    Series,
    compaction,
    fresh,
    identity,
    newest,
    query,
    reduction,
    rollup,
    upkeep,
)
from cloud.telemetry.compaction import DUE_BLOBS, DUE_ROWS, SMALL_ROWS, Job
from cloud.telemetry.compactor import Compactor
from cloud.telemetry.database import MACHINE_BITS, open_writer, translated
from cloud.telemetry.identity import Run
from cloud.telemetry.names import Names, machine_of
from cloud.telemetry.readers import Readers
from models.rows import Block

DAY_NS: Final = 86_400 * 10**9
RAW_NS: Final = 90 * DAY_NS
MINUTES_NS: Final = 730 * DAY_NS
APPLIED_ROWS: Final = 32_768  #: compacted rows put in place by one `write`
APPLIED_JOBS: Final = 16


class SqliteTelemetry:
    """`TelemetryStore` in one file.

    One thread calls `write`; the rest may be called from any thread. `max_bytes` limits the file
    (`StoreFull` beyond); `background=False` leaves compaction to `compact`.
    """

    def __init__(
        self, path: Path, *, max_bytes: int | None = None, background: bool = True
    ) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._db = open_writer(path, max_bytes)
        self._names = Names(self._db)
        self._readers = Readers(path)
        self._compactor = Compactor(self._readers)
        self._closed = False
        with translated(path):
            self._position: int = self._db.execute("SELECT n FROM position").fetchone()[0]
        self._erase_hidden()
        if background:
            fresh.warm()
            self._compactor.start()

    def position(self) -> int:
        """See `TelemetryStore.position`."""
        return self._position

    def write(self, blocks: Sequence[Block], position: int) -> None:
        """See `TelemetryStore.write`. A position already reached is ignored with its blocks."""
        with self._lock:
            if position > self._position:
                with self._transaction():
                    self._insert(blocks)
                    self._db.execute("UPDATE position SET n = ?", (position,))
                self._position = position
            self._apply_ready()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._closed:
            raise StoreBusy(f"{self.path} is closed; open the store again")
        with translated(self.path):
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._names.forget()
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _insert(self, blocks: Sequence[Block]) -> None:
        rows = []
        for name, groups in fresh.groups(blocks).items():
            machine = self._names.machine(name)
            for group in groups:
                layout = self._names.layout(group.layout)
                self._names.sign(machine.id, layout, group.layout)
                sources = [self._names.source((b.device, b.boot, b.stream)) for b in group.blocks]
                key = machine.id << MACHINE_BITS | machine.next
                packed = fresh.pack(group, sources)
                span = (packed.start_ns, packed.end_ns)
                rows.append((key, layout, group.live, group.rows, *span, packed.body))
                machine.next += group.rows
                machine.rows += group.rows
                machine.blobs += 1
            if machine.rows >= DUE_ROWS or machine.blobs >= DUE_BLOBS:
                self._compactor.due(machine.id)
        self._db.executemany("INSERT INTO fresh VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _apply_ready(self) -> None:
        rows = jobs = 0
        while rows < APPLIED_ROWS and jobs < APPLIED_JOBS and (job := self._compactor.ready()):
            rows += job.rows
            jobs += 1
            try:
                self._apply(job)
            except (StoreBusy, StoreFull):
                return  # the rows stay as they are; what was to be written is safe already

    def _apply(self, job: Job) -> None:
        with self._transaction():
            done = upkeep.apply(self._db, self._names, job)
        machine = self._names.known(job.machine)
        if machine and done:
            machine.rows -= job.rows
            machine.blobs -= len(job.fresh)
        if machine and (machine.rows >= DUE_ROWS or machine.blobs >= DUE_BLOBS):
            self._compactor.due(job.machine)
        elif done and job.fresh and any(frame.rows < SMALL_ROWS for frame in job.frames):
            self._compactor.due(job.machine, joining=True)

    def backlog(self) -> int:
        """Return how many samples (rows) wait for compaction."""
        with self._readers.lend() as db:
            count: int = db.execute("SELECT coalesce(sum(rows), 0) FROM fresh").fetchone()[0]
        return count

    def compact(self, machine: str | None = None) -> None:
        """Compact all fresh rows (of one machine) now, in the calling thread."""
        with self._lock, translated(self.path):
            rows = self._db.execute("SELECT id, name FROM machine ORDER BY id").fetchall()
        for number, name in rows:
            if machine in (None, name):
                self._compact(number)

    def _compact(self, number: int) -> None:
        for prepare in (compaction.prepare, compaction.prepare_joining):
            while job := prepare(self._readers, number):
                with self._lock:
                    self._apply(job)

    def series(self, machine: str, signal: str, start_ns: int, end_ns: int, limit: int) -> Series:
        """See `TelemetryStore.series`."""
        span = query.Span(start_ns, end_ns)
        with self._readers.lend() as db:
            number = machine_of(db, machine)
            if number is None:
                return query.to_series(query.empty(), 0)
            found = query.pieces(self._readers, db, number, signal, span)
            leading = query.enough(found, span, limit)
            samples = query.read(self._readers, db, leading, span)
            if len(samples.times) < limit and len(leading) < len(found):  # some cells were absent
                samples = query.read(self._readers, db, found, span)
        return query.to_series(samples, limit)

    def buckets(
        self, machine: str, signal: str, start_ns: int, end_ns: int, width_ns: int
    ) -> Buckets:
        """See `TelemetryStore.buckets`. Widths of whole minutes or hours are the cheap ones."""
        span = query.Span(start_ns, end_ns)
        with self._readers.lend() as db:
            number = machine_of(db, machine)
            parts = rollup.nothing()
            if number is not None:
                parts = reduction.buckets(
                    self._readers, db, number, signal, span, width_ns=width_ns
                )
        return rollup.to_buckets(parts, width_ns)

    def latest(self, machine: str) -> list[Latest]:
        """See `TelemetryStore.latest`."""
        with self._readers.lend() as db:
            number = machine_of(db, machine)
            return [] if number is None else newest.latest(self._readers, db, number)

    def signals(self, machine: str) -> list[str]:
        """See `TelemetryStore.signals`."""
        with self._readers.lend() as db:
            number = machine_of(db, machine)
            rows = db.execute("SELECT name FROM signal WHERE machine = ? ORDER BY name", (number,))
            return [name for (name,) in rows]

    def identities(self, machine: str) -> Iterator[Run]:
        """Yield (boot, stream, first seq, count) of all stored samples, for an audit."""
        with self._readers.lend() as db:
            number = machine_of(db, machine)
            if number is not None:
                yield from identity.runs(self._readers, db, number)

    def erase(self, machine: str) -> int:
        """See `TelemetryStore.erase`. What was stored is overwritten, not only unlinked."""
        with self._lock:
            with self._overwriting(), self._transaction():
                erased = upkeep.hide(self._db, machine)
            self._names.forget()
        self._erase_hidden()
        return erased

    @contextmanager
    def _overwriting(self) -> Iterator[None]:
        """Let what is deleted or replaced within be overwritten, not only unlinked."""
        self._db.execute("PRAGMA secure_delete = ON")
        try:
            yield
        finally:
            self._db.execute("PRAGMA secure_delete = OFF")

    def _erase_hidden(self) -> None:
        found = True
        wiped = False
        while found:
            with self._lock, translated(self.path), self._overwriting(), self._transaction():
                found = upkeep.erase_some(self._db)
                wiped |= found
        if wiped:
            with self._lock, translated(self.path):
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def trim(
        self,
        now_ns: int,
        data_time: Collection[str] = (),
        *,
        raw_ns: int = RAW_NS,
        minutes_ns: int = MINUTES_NS,
    ) -> None:
        """Delete raw samples and minutes that are past their time, in short transactions.

        For machines in `data_time` (replay, simulators) now is their newest sample.
        """
        with self._lock, translated(self.path):
            machines = self._db.execute("SELECT id, name FROM machine").fetchall()
        for number, name in machines:
            now = now_ns
            if name in data_time:
                newest_ns = max((item.at_ns for item in self.latest(name)), default=now_ns)
                now = newest_ns
            self._trim(number, name, now - raw_ns, now - minutes_ns)

    def _trim(self, number: int, name: str, raw_before: int, minutes_before: int) -> None:
        with self._readers.lend() as db:
            old = upkeep.has_old_fresh(db, number, raw_before)
        if old:
            self.compact(name)
        for trim, before in (
            (upkeep.trim_raw, raw_before // rollup.HOUR_NS * rollup.HOUR_NS),
            (upkeep.trim_minutes, compaction.page_start(0, minutes_before)),
        ):
            more = True
            while more:
                with self._lock, self._transaction():
                    more = trim(self._db, number, before)

    def durable_position(self) -> int:
        """See `TelemetryStore.durable_position`."""
        with self._lock:
            position = self._position
            with translated(self.path):
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        # Readers may have kept the checkpoint from finishing; what is left is in the log.
        for path in (self.path.with_name(self.path.name + "-wal"), self.path.parent):
            sync(path)
        return position

    def trouble(self) -> None:
        """See `TelemetryStore.trouble`: what has been taken over is stored."""

    def close(self) -> None:
        """See `TelemetryStore.close`."""
        self._compactor.stop()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._readers.close()
            with translated(self.path):
                self._db.close()
