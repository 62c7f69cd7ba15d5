"""What the service counts, as Prometheus metrics; each name carries its unit.

Values are read when they are asked for, nothing is counted twice. Names and units follow
https://prometheus.io/docs/practices/naming/ (2024): base units, `_total` for what only grows.
There is no label of a device or machine, so that the number of series does not grow with them.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from cloud.errors import StoreError
from cloud.ledger import Tally
from cloud.reader import MAX_BYTES

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  #: of one answer


class Intake(Protocol):
    """What ingest counts (`cloud.ingest.Counters` is one)."""

    @property
    def messages(self) -> int:
        """Messages that arrived."""
        ...

    @property
    def accepted(self) -> int:
        """Taken and journalled."""
        ...

    @property
    def repeats(self) -> int:
        """Known already."""
        ...

    @property
    def aside(self) -> int:
        """Set aside."""
        ...

    @property
    def refused(self) -> int:
        """Over a limit; the device keeps them."""
        ...

    @property
    def conflicts(self) -> int:
        """Of those set aside: the same number with other content."""
        ...

    @property
    def held(self) -> int:
        """Had to wait for an earlier one."""
        ...

    @property
    def samples(self) -> int:
        """Samples in what was accepted."""
        ...


class Status(Protocol):
    """How the ingest side is (`cloud.service.Status` is one)."""

    @property
    def connected(self) -> bool:
        """Whether the broker is reached."""
        ...

    @property
    def position(self) -> int:
        """Journal position of the models."""
        ...

    @property
    def waiting(self) -> int:
        """Batches held for an earlier one."""
        ...

    @property
    def parked(self) -> int:
        """Batches that wait for their birth."""
        ...

    @property
    def remembered(self) -> int:
        """Bytes that remember how devices' batches look."""
        ...

    @property
    def store_error(self) -> str | None:
        """What keeps the telemetry store from writing."""
        ...

    @property
    def disk_error(self) -> str | None:
        """Why no telemetry is taken for want of room."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the values come from. `now` is the wall clock in ns."""

    status: Callable[[], Status]
    intake: Callable[[], Intake]
    tally: Callable[[], Tally]
    positions: Mapping[str, Callable[[], int]]  #: journal position by part
    damaged: Callable[[], int]  #: lines of the shelf that were asked for and taken as none
    folder: Path
    now: Callable[[], int]


Rows = Iterable[tuple[Sequence[str], float]]  #: label values and number


def _gauge(
    name: str, said: str, rows: Iterable[tuple[Sequence[str], float]], *labels: str
) -> Metric:
    family = GaugeMetricFamily(name, said, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _counter(name: str, said: str, rows: Rows, *labels: str) -> Metric:
    family = CounterMetricFamily(name, said, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _named(counts: Mapping[str, int]) -> list[tuple[Sequence[str], float]]:
    return [((name,), number) for name, number in counts.items()]


class ServiceCollector(Collector):
    """Reads the service when Prometheus asks. A store that is away is left out and `up` says so."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterable[Metric]:
        """Yield everything that the service knows about itself."""
        yield InfoMetricFamily("forewarn", "Version.", value={"version": version("forewarn")})
        yield from self._messages()
        yield from self._waiting()
        yield from self._places()
        yield from self._stores()

    def _messages(self) -> Iterable[Metric]:
        intake = self._sources.intake()
        outcomes = {
            "accepted": intake.accepted,
            "repeat": intake.repeats,
            "aside": intake.aside,
            "refused": intake.refused,
        }
        yield _counter(
            "forewarn_messages_total",
            "Messages that arrived since the start. Those of no outcome yet are waiting.",
            [((), intake.messages)],
        )
        yield _counter(
            "forewarn_messages_handled_total",
            "Messages by what became of them.",
            _named(outcomes),
            "outcome",
        )
        yield _counter("forewarn_samples_total", "Samples accepted.", [((), intake.samples)])
        yield _counter(
            "forewarn_messages_held_total",
            "Messages that had to wait for an earlier one.",
            [((), intake.held)],
        )
        yield _counter(
            "forewarn_conflicts_total",
            "Messages set aside because their number was taken by other content.",
            [((), intake.conflicts)],
        )
        yield _counter(
            "forewarn_stream_lines_damaged_total",
            "Numbers of silent streams that were damaged when their stream spoke, taken as none.",
            [((), self._sources.damaged())],
        )

    def _waiting(self) -> Iterable[Metric]:
        status = self._sources.status()
        waiting = {"order": status.waiting, "birth": status.parked}
        yield _gauge(
            "forewarn_batches_waiting",
            "Batches that wait for an earlier one, or for the birth that explains them.",
            _named(waiting),
            "for",
        )
        yield _gauge(
            "forewarn_templates_bytes",
            f"What remembers how devices' batches look: at most {MAX_BYTES} bytes.",
            [((), status.remembered)],
        )

    def _places(self) -> Iterable[Metric]:
        usage = shutil.disk_usage(self._sources.folder)
        rows: list[tuple[Sequence[str], float]] = [
            (("free",), usage.free),
            (("total",), usage.total),
        ]
        yield _gauge("forewarn_disk_bytes", "The disk of the data folder.", rows, "which")
        yield _gauge(
            "forewarn_files_bytes",
            "Files in the data folder, by their first name.",
            _named(_sizes(self._sources.folder)),
            "part",
        )

    def _stores(self) -> Iterable[Metric]:
        status = self._sources.status()
        up = {
            "broker": status.connected,
            "telemetry": status.store_error is None,
            "disk": status.disk_error is None,
        }
        positions = {"models": status.position}
        for name, read in self._sources.positions.items():
            try:
                positions[name] = read()
            except StoreError:
                up[name] = False
        try:
            tally = self._sources.tally()
        except StoreError:
            up["ledger"] = False
        else:
            up.setdefault("ledger", True)
            yield from _counts(tally, self._sources.now())
        yield _gauge("forewarn_up", "Whether a part works (1) or not (0).", _named(up), "part")
        yield _gauge(
            "forewarn_position_records",
            "Journal position up to which a part has everything (-1: nothing).",
            _named(positions),
            "part",
        )


def _counts(tally: Tally, now_ns: int) -> Iterable[Metric]:
    yield _gauge("forewarn_machines", "Machines by state.", _named(tally.machines), "state")
    yield _gauge("forewarn_tickets", "Tickets by state.", _named(tally.tickets), "state")
    yield _gauge("forewarn_advisories", "Advisories by state.", _named(tally.advisories), "state")
    yield _gauge("forewarn_alerts_waiting", "Alerts not yet sent.", [((), tally.alerts_waiting)])
    oldest = tally.oldest_alert_ns
    yield _gauge(
        "forewarn_alerts_oldest_seconds",
        "Age of the oldest alert that is not yet sent (0: none waits).",
        [((), 0.0 if oldest is None else max(now_ns - oldest, 0) / 1e9)],
    )
    yield _counter(
        "forewarn_quarantined_total",
        "Messages and columns ever set aside, by reason.",
        _named(tally.quarantined),
        "reason",
    )


def _sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of the folder's files by the first part of their name."""
    sizes: dict[str, int] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).parts[0].split(".")[0]
        try:
            sizes[name] = sizes.get(name, 0) + (path.stat().st_size if path.is_file() else 0)
        except FileNotFoundError:  # gone since it was listed
            continue
    return sizes


class Metrics:
    """The registry of one service, and what is measured as it happens."""

    def __init__(self, sources: Sources) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(ServiceCollector(sources))
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self.answers = Histogram(
            "forewarn_http_answer_seconds",
            "Time until an answer of the API had begun, by operation and status class.",
            ("operation", "status"),
            buckets=SECONDS,
            registry=self._registry,
        )

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)
