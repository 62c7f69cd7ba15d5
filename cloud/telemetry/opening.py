"""Opening the telemetry store that the settings name."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from cloud.errors import SettingsError
from cloud.settings import TelemetrySettings
from cloud.telemetry import TelemetryStore
from cloud.telemetry.sqlite import SqliteTelemetry
from models.contract import topics

REFUSED: Final = "store-refused"  #: reason of lines in the quarantine


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedLine:
    """A line that the store's server did not take, for the quarantine."""

    n: int  #: journal position that the store had taken over
    at_ns: int
    topic: str
    reason: str
    detail: str
    payload: bytes


def open_telemetry(
    settings: TelemetrySettings,
    folder: Path,
    now: Callable[[], int],
    set_aside: Callable[[Sequence[RefusedLine]], object],
) -> TelemetryStore:
    """Open the store; `folder` is the service's own. `StoreBusy` when it cannot be begun with."""
    if settings.store == "sqlite":
        return SqliteTelemetry(folder / "telemetry.db")
    return _influx(settings, folder / "influx", now, set_aside)


class StoreCopy(Protocol):
    """Copies a store that lies elsewhere than in the data folder."""

    def held(self) -> AbstractContextManager[int]:
        """Let nothing change meanwhile; give the position that the store has."""
        ...

    def export(self, folder: Path) -> int:
        """Write everything into files of a new folder; return how many points."""
        ...

    def loaded(self, folder: Path) -> AbstractContextManager[int]:
        """Fill the empty store from such a folder; give how many lines are past retention.

        When that or what is done within fails, the store is emptied again.
        """
        ...


def open_copy(settings: TelemetrySettings, data: Path) -> StoreCopy | None:
    """Return what copies the store that the settings name (None: it lies in `data`)."""
    if settings.store == "sqlite":
        return None
    with _extra():
        from cloud.telemetry.influx.copying import InfluxCopy  # noqa: PLC0415
        from cloud.telemetry.influx.http import Server  # noqa: PLC0415
    return InfluxCopy(data / "influx", Server(**_server(settings)), settings.bucket)


def warm_influx() -> None:
    """Load (or, the first time, compile) the kernels of the store on InfluxDB."""
    with _extra():
        from cloud.telemetry.influx.warming import warm  # noqa: PLC0415
    warm()


@contextmanager
def _extra() -> Iterator[None]:
    """Say what is missing for InfluxDB, an extra of the distribution."""
    try:
        yield
    except ImportError as error:
        raise SettingsError(
            f"telemetry.store: InfluxDB needs more packages ({error.name} is missing): "
            "pip install 'forewarn[influx]'"
        ) from error


def _server(settings: TelemetrySettings) -> dict[str, Any]:
    return {
        "url": settings.url.rstrip("/"),
        "org": settings.org,
        "token": settings.token(),
        "gzip": settings.gzip,
        "slowest_kb_s": settings.slowest_kb_s,
    }


def _influx(
    settings: TelemetrySettings,
    folder: Path,
    now: Callable[[], int],
    set_aside: Callable[[Sequence[RefusedLine]], object],
) -> TelemetryStore:
    with _extra():
        from cloud.telemetry.influx import setup  # noqa: PLC0415 (an extra of the distribution)
        from cloud.telemetry.influx.http import Server  # noqa: PLC0415
        from cloud.telemetry.influx.shipper import Refused  # noqa: PLC0415
        from cloud.telemetry.influx.store import InfluxTelemetry  # noqa: PLC0415

    def pass_on(refused: Sequence[Refused]) -> None:
        at_ns = now()
        position = store.position()
        set_aside(
            [
                RefusedLine(
                    n=position,
                    at_ns=at_ns,
                    topic=_topic(one.line),
                    reason=REFUSED,
                    detail=one.reason,
                    payload=one.line,
                )
                for one in refused
            ]
        )

    store = InfluxTelemetry(
        folder,
        Server(**_server(settings)),
        now=now,
        prefix=settings.bucket,
        retention=setup.Retention(raw_days=settings.raw_days, minute_days=settings.minute_days),
        pass_on=pass_on,
        memory_bytes=settings.queue_mb << 20,
        disk_bytes=settings.spool_mb << 20,
    )
    return store


def _topic(line: bytes) -> str:
    """Return the topic that a refused reading came on, as far as the line tells it."""
    series = line.partition(b" ")[0].decode(errors="replace")
    tags = dict(tag.partition("=")[::2] for tag in series.split(",")[1:])
    device = tags.get("machine", "").partition(":")[0]
    return topics.up(device, "t", tags["stream"]) if device and "stream" in tags else series
