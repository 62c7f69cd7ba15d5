"""The embedded telemetry store: one SQLite file, readable from other processes while written.

Blocks are stored as they come (`fresh`), in the same transaction as the journal position.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cloud.errors import StoreBusy
from cloud.telemetry import Buckets, Latest, Series, fresh, newest, query, rollup
from cloud.telemetry.database import MACHINE_BITS, open_writer, translated
from cloud.telemetry.names import Names, fresh_range, machine_of
from cloud.telemetry.readers import Readers
from models.rows import Block


class SqliteTelemetry:
    """`TelemetryStore` in one file.

    One thread calls `write`; the rest may be called from any thread. `max_bytes` limits the file
    (`StoreFull` beyond).
    """

    def __init__(self, path: Path, *, max_bytes: int | None = None) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._db = open_writer(path, max_bytes)
        self._names = Names(self._db)
        self._readers = Readers(path)
        self._closed = False
        with translated(path):
            self._position: int = self._db.execute("SELECT n FROM position").fetchone()[0]

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
                count = sum(map(len, group.blocks))
                start = min(int(block.times_ns.min()) for block in group.blocks)
                end = max(int(block.times_ns.max()) for block in group.blocks)
                key = machine.id << MACHINE_BITS | machine.next
                body = fresh.pack(group.blocks, sources)
                rows.append((key, layout, group.live, count, start, end, body))
                machine.next += count
        self._db.executemany("INSERT INTO fresh VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def series(self, machine: str, signal: str, start_ns: int, end_ns: int, limit: int) -> Series:
        """See `TelemetryStore.series`."""
        samples = self._samples(machine, signal, query.Span(start_ns, end_ns), limit)
        return query.to_series(samples, limit)

    def _samples(
        self, machine: str, signal: str, span: query.Span, limit: int | None
    ) -> query.Samples:
        with self._readers.lend() as db:
            number = machine_of(db, machine)
            if number is None:
                return query.empty()
            found = query.pieces(self._readers, db, number, signal, span)
            found = query.enough(found, span, limit)
            parts = [query.read_fresh(self._readers, db, piece) for piece in found]
        return query.in_order(parts, span)

    def buckets(
        self, machine: str, signal: str, start_ns: int, end_ns: int, width_ns: int
    ) -> Buckets:
        """See `TelemetryStore.buckets`."""
        span = query.Span(start_ns, end_ns)
        samples = self._samples(machine, signal, span, None)
        parts = rollup.reduce(samples.times, samples.values, samples.states, width_ns)
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

    def erase(self, machine: str) -> int:
        """See `TelemetryStore.erase`. What was stored is overwritten, not only unlinked."""
        with self._lock:
            self._db.execute("PRAGMA secure_delete = ON")
            try:
                with self._transaction():
                    number = machine_of(self._db, machine)
                    erased = 0 if number is None else self._erase(number)
                self._names.forget()
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self._db.execute("PRAGMA secure_delete = OFF")
        return erased

    def _erase(self, machine: int) -> int:
        span = fresh_range(machine)
        count: int = self._db.execute(
            "SELECT coalesce(sum(rows), 0) FROM fresh WHERE id >= ? AND id < ?", span
        ).fetchone()[0]
        self._db.execute("DELETE FROM fresh WHERE id >= ? AND id < ?", span)
        self._db.execute("DELETE FROM signal WHERE machine = ?", (machine,))
        self._db.execute("DELETE FROM machine WHERE id = ?", (machine,))
        return count

    def durable_position(self) -> int:
        """See `TelemetryStore.durable_position`."""
        with self._lock:
            position = self._position
            with translated(self.path):
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        # Readers may have kept the checkpoint from finishing; what is left is in the log.
        log = self.path.with_name(self.path.name + "-wal")
        fd = os.open(log, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        return position

    def close(self) -> None:
        """See `TelemetryStore.close`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._readers.close()
            with translated(self.path):
                self._db.close()
