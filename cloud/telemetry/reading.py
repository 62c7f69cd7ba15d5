"""What the embedded store answers: from frames, pages and fresh rows, each of one moment."""

from collections.abc import Iterator
from pathlib import Path

from cloud.telemetry import Buckets, Latest, Series, identity, newest, query, reduction, rollup
from cloud.telemetry.identity import Run
from cloud.telemetry.names import machine_of
from cloud.telemetry.readers import Readers


class SqliteReading:
    """The reading half of `SqliteTelemetry`; any thread may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._readers = Readers(path)

    def _settle(self, machine: str) -> None:
        """Let what is held of a machine be seen."""
        raise NotImplementedError

    def _machines(self) -> list[tuple[int, str]]:
        """Return id and name of all machines."""
        with self._readers.lend() as db:
            return db.execute("SELECT id, name FROM machine ORDER BY id").fetchall()

    def backlog(self) -> int:
        """Return how many samples (rows) wait for compaction."""
        with self._readers.lend() as db:
            count: int = db.execute("SELECT coalesce(sum(rows), 0) FROM fresh").fetchone()[0]
        return count

    def series(self, machine: str, signal: str, start_ns: int, end_ns: int, limit: int) -> Series:
        """See `TelemetryStore.series`."""
        self._settle(machine)
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
        self._settle(machine)
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
        self._settle(machine)
        with self._readers.lend() as db:
            number = machine_of(db, machine)
            return [] if number is None else newest.latest(self._readers, db, number)

    def signals(self, machine: str) -> list[str]:
        """See `TelemetryStore.signals`."""
        self._settle(machine)
        with self._readers.lend() as db:
            number = machine_of(db, machine)
            rows = db.execute("SELECT name FROM signal WHERE machine = ? ORDER BY name", (number,))
            return [name for (name,) in rows]

    def identities(self, machine: str) -> Iterator[Run]:
        """Yield (boot, stream, first seq, count) of all stored samples, for an audit."""
        self._settle(machine)
        with self._readers.lend() as db:
            number = machine_of(db, machine)
            if number is not None:
                yield from identity.runs(self._readers, db, number)
