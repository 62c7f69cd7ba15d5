"""The production telemetry store: InfluxDB 2.

`write` hands blocks to a thread that ships them (`shipper`), so that neither a slow server nor one
that is away stops ingest, scores or tickets. What the server has is `durable_position`: up to there
the journal may be forgotten, and from there it comes again after a crash.
"""

import fcntl
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cloud.errors import StoreBusy
from cloud.telemetry import Buckets, Latest, Series, query, rollup
from cloud.telemetry.identity import Run
from cloud.telemetry.influx import names, setup
from cloud.telemetry.influx.edges import Edges, Kept
from cloud.telemetry.influx.http import Away, Connection, Server
from cloud.telemetry.influx.influxql import select, source
from cloud.telemetry.influx.log import ShipmentLog
from cloud.telemetry.influx.machines import Machines
from cloud.telemetry.influx.reading import Reader
from cloud.telemetry.influx.setup import Retention
from cloud.telemetry.influx.shipment import DAY_NS, Builder
from cloud.telemetry.influx.shipper import Refused, Shipper
from cloud.telemetry.influx.spool import Spool
from cloud.telemetry.influx.warming import warm
from cloud.telemetry.query import Span
from cloud.telemetry.rollup import HOUR_NS
from models.rows import Block

SETTLE_S: Final = 10.0  #: how long a reader waits for what was just written
DURABLE_S: Final = 2.0  #: how long ingest waits for it before a snapshot; else it takes the next
CLOSE_S: Final = 5.0
LOAD_SLICE: Final = 50
EVER_NS: Final = 2**61
MEMORY_BYTES: Final = 40 << 20
DISK_BYTES: Final = 4 << 30


def ignore(_refused: Sequence[Refused]) -> None:
    """Let refused lines go; the log says how many, and why."""


class InfluxTelemetry:
    """`TelemetryStore` on an InfluxDB 2 server.

    `folder` holds the shipment in hand and what waits while the server is away. One process writes;
    others that open the same folder read. `now` gives ns since 1970 UTC; `pass_on` gets the lines
    that the server refuses.
    """

    def __init__(
        self,
        folder: Path,
        server: Server,
        *,
        now: Callable[[], int],
        prefix: str = "forewarn",
        retention: Retention | None = None,
        pass_on: Callable[[Sequence[Refused]], None] = ignore,
        memory_bytes: int = MEMORY_BYTES,
        disk_bytes: int = DISK_BYTES,
    ) -> None:
        self.folder = folder
        self.server = server
        self.buckets_of = setup.Buckets.of(prefix)
        self.retention = retention or Retention()
        folder.mkdir(parents=True, exist_ok=True)
        self._connection = Connection(server)
        self._reader = Reader(self._connection, self.buckets_of)
        self._closed = False
        self._lock_file = _locked(folder / "lock")
        self._shipper: Shipper | None = None
        self._kept = Kept()
        self._position = -1
        if self._lock_file is None:
            self._position = self._stored_position()
            return
        warm()
        shipments = ShipmentLog(folder)
        self._shipments = shipments
        self._position = self._begin(shipments)
        self._machines = Machines(self._reader, self.buckets_of.ever)
        self._builder = Builder(self._machines, self.buckets_of, self.retention, now)
        self._spool = Spool(folder, memory_bytes=memory_bytes, disk_bytes=disk_bytes)
        self._shipper = Shipper(
            connection=self._connection,
            builder=self._builder,
            spool=self._spool,
            shipments=shipments,
            buckets=self.buckets_of,
            pass_on=pass_on,
            position=self._position,
        )
        self._shipper.start()

    def _begin(self, shipments: ShipmentLog) -> int:
        """Return the position to go on from; `StoreBusy` when nobody can say."""
        known = shipments.last.position if shipments.last else None
        try:
            return max(self._stored_position(), -1 if known is None else known)
        except Away:
            if known is None:
                raise
            return known

    def _stored_position(self) -> int:
        place = source(self.buckets_of.ever, names.POSITION)
        answer = self._reader.ask([select("n", place)])[0]
        return int(answer[0].rows[-1][1]) if answer else -1

    def trouble(self) -> str | None:
        """See `TelemetryStore.trouble`."""
        return self._shipper.trouble if self._shipper else None

    @property
    def refused(self) -> int:
        """Lines that the server refused since the start."""
        return self._shipper.refused if self._shipper else 0

    @property
    def waiting_bytes(self) -> tuple[int, int]:
        """Bytes that wait for the server, in memory and on disk."""
        return self._spool.waiting_bytes if self._shipper else (0, 0)

    def position(self) -> int:
        """See `TelemetryStore.position`: what has been taken over, shipped or waiting."""
        return self._position

    def write(self, blocks: Sequence[Block], position: int) -> None:
        """See `TelemetryStore.write`. `StoreBusy` when no more may wait."""
        shipper = self._writer()
        if position <= self._position:
            return
        self._spool.put(blocks, position)
        self._position = position
        shipper.wake(position)

    def _writer(self) -> Shipper:
        if self._shipper is None:
            raise StoreBusy(f"{self.folder}: another process writes to this store")
        if self._closed:
            raise StoreBusy(f"{self.folder} is closed; open the store again")
        if self._shipper.failure is not None:
            raise StoreBusy(f"{self.server.url}: {self._shipper.trouble}")
        return self._shipper

    def _settle(self) -> None:
        """Let a reader see what was written before it asked, if the server is well."""
        if self._shipper is not None:
            self._shipper.settle(self._position, SETTLE_S)

    def series(self, machine: str, signal: str, start_ns: int, end_ns: int, limit: int) -> Series:
        """See `TelemetryStore.series`."""
        self._settle()
        found = self._reader.series(machine, signal, Span(start_ns, end_ns), limit)
        return query.to_series(found, limit)

    def buckets(
        self, machine: str, signal: str, start_ns: int, end_ns: int, width_ns: int
    ) -> Buckets:
        """See `TelemetryStore.buckets`. Widths of whole minutes or hours are the cheap ones."""
        self._settle()
        edges = self._edges(machine, start_ns)
        parts = self._reader.buckets(machine, signal, Span(start_ns, end_ns), width_ns, edges)
        return rollup.to_buckets(parts, width_ns)

    def _edges(self, machine: str, start_ns: int) -> Edges:
        """Return how far a machine's tiers reach; known without asking where nothing is sent."""
        kept = self._kept.get(machine)
        minute = self._shipper.open_minute(machine) if self._shipper and kept else None
        if kept is None or minute is None:
            cuts = self._kept.cuts
            edges = self._reader.edges(machine, start_ns)
            self._kept.note(machine, cuts, edges.raw_from_ns, edges.minute_from_ns)
            return edges
        return Edges.of(minute, *kept)

    def latest(self, machine: str) -> list[Latest]:
        """See `TelemetryStore.latest`."""
        self._settle()
        return self._reader.latest(machine)

    def signals(self, machine: str) -> list[str]:
        """See `TelemetryStore.signals`."""
        self._settle()
        return sorted(self._reader.signals(machine))

    def identities(self, machine: str) -> Iterator[Run]:
        """Yield (boot, stream, first seq, count) of all stored samples, for an audit."""
        self._settle()
        return self._reader.identities(machine)

    def erase(self, machine: str) -> int:
        """See `TelemetryStore.erase`. The server's files let go of the bytes later."""
        shipper = self._writer()
        if not shipper.settle(self._position, SETTLE_S):
            raise StoreBusy(f"{self.server.url}: {shipper.trouble or 'is behind'}; try again")
        with shipper.hands_on:
            rows = self._reader.count(machine)
            self._shipments.wipe(shipper.shipped)
            for bucket in self.buckets_of:
                setup.delete(self.server, bucket, f"machine={_literal(names.safe(machine))}")
            self._machines.forget(machine)
        self._kept.cut({})
        return rows

    def trim(
        self,
        now_ns: int,
        data_time: Collection[str] = (),
        *,
        raw_ns: int | None = None,
        minutes_ns: int | None = None,
    ) -> None:
        """See `TelemetryStore.trim`. The server drops whole shards itself; this does the rest."""
        shipper = self._writer()
        raw = self.retention.raw_days * DAY_NS if raw_ns is None else raw_ns
        minutes = self.retention.minute_days * DAY_NS if minutes_ns is None else minutes_ns
        if not raw:
            return  # raw samples for ever, so minutes too
        minutes = minutes or EVER_NS
        self._load(shipper)
        with shipper.hands_on:
            shipper.send(self._builder.standing(shipper.shipped))
            machines = self._machines.all()
        kept: dict[str, tuple[int, int]] = {}
        for machine in machines:
            now = self._newest(machine) if machine in data_time else now_ns
            kept[machine] = (now - raw) // HOUR_NS * HOUR_NS, (now - minutes) // HOUR_NS * HOUR_NS
        lines = [
            f"{names.KEPT},machine={names.safe(machine)} raw_from={first}i,minute_from={old}i 0"
            for machine, (first, old) in kept.items()
        ]
        if lines:
            self._connection.write(self.buckets_of.ever, "\n".join(lines).encode())
        self._kept.cut(kept)
        for measurement, which in ((names.READING, 0), (names.MINUTE, 1)):
            for machine, first in self._reader.oldest(measurement).items():
                if machine in kept and first < kept[machine][which]:
                    self._cut(measurement, machine, kept[machine][which])

    def _load(self, shipper: Shipper) -> None:
        """Learn of every machine what is open, some at a time, so that shipping goes on."""
        while waiting := self._machines.unloaded()[:LOAD_SLICE]:
            with shipper.hands_on:
                for machine in waiting:
                    self._machines.get(machine)

    def _newest(self, machine: str) -> int:
        return max((item.at_ns for item in self._reader.latest(machine)), default=0)

    def _cut(self, measurement: str, machine: str, before_ns: int) -> None:
        stop = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=before_ns // 1000 - 1)
        predicate = f'_measurement="{measurement}" AND machine={_literal(names.safe(machine))}'
        setup.delete(self.server, self.buckets_of.ever, predicate, stop=stop)

    def durable_position(self) -> int:
        """See `TelemetryStore.durable_position`: what the server has."""
        if self._shipper is None:
            return self._stored_position()
        self._shipper.settle(self._position, DURABLE_S)
        return self._shipper.shipped

    def close(self) -> None:
        """See `TelemetryStore.close`. What cannot be shipped soon comes again from the journal."""
        if self._closed:
            return
        self._closed = True
        if self._shipper is not None:
            self._shipper.stop(CLOSE_S)
            self._spool.close()
        if self._lock_file is not None:
            os.close(self._lock_file)
        self._connection.close()


def _locked(path: Path) -> int | None:
    """Return the writer's lock, None when another process has it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def _literal(value: str) -> str:
    """Return a tag's value as a delete predicate writes it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
