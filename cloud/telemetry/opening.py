"""Opening the telemetry store that the settings name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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


def _influx(
    settings: TelemetrySettings,
    folder: Path,
    now: Callable[[], int],
    set_aside: Callable[[Sequence[RefusedLine]], object],
) -> TelemetryStore:
    try:
        from cloud.telemetry.influx import setup  # noqa: PLC0415 (an extra of the distribution)
        from cloud.telemetry.influx.http import Server  # noqa: PLC0415
        from cloud.telemetry.influx.shipper import Refused  # noqa: PLC0415
        from cloud.telemetry.influx.store import InfluxTelemetry  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            f"telemetry.store: InfluxDB needs more packages ({error.name} is missing): "
            "pip install 'forewarn[influx]'"
        ) from error

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
        Server(
            url=settings.url.rstrip("/"),
            org=settings.org,
            token=settings.token(),
            gzip=settings.gzip,
        ),
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
