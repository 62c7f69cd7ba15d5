"""This computer as a machine: processor, memory, disk, temperatures, network, through psutil."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, ClassVar, Final

import psutil

from edge_agent import clock
from edge_agent.drivers import Options, Reading, Value
from models.contract.messages import Metric

_FIXED: Final = (
    Metric(name="cpu", unit="%", low=0, high=100),
    Metric(name="load1", unit="1", low=0),
    Metric(name="memory", unit="%", low=0, high=100),
    Metric(name="swap", unit="%", low=0, high=100),
    Metric(name="disk", unit="%", low=0, high=100),
    Metric(name="uptime", unit="s", kind="counter", low=0),
)
#: signal -> (unit, psutil function, attribute): bytes since start, shown as a rate
_RATES: Final[Mapping[str, tuple[str, str]]] = {
    "disk-read": ("disk_io_counters", "read_bytes"),
    "disk-write": ("disk_io_counters", "write_bytes"),
    "net-received": ("net_io_counters", "bytes_recv"),
    "net-sent": ("net_io_counters", "bytes_sent"),
}
log = logging.getLogger(__name__)


class HostOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`disk`: the folder whose file system is measured; no value while it cannot be."""

    disk: str = "/"


class HostDriver:
    """Reads this computer every `interval_s` seconds."""

    Options: ClassVar[type[Options]] = HostOptions
    patient: ClassVar[bool] = False

    def __init__(self, options: HostOptions, *, interval_s: float) -> None:
        self._options = options
        self._interval_s = interval_s
        self._before: dict[str, int] = {}
        self._before_ns = 0
        self._disk_gone = False
        self._rated = sorted(self._counters())
        self._sensors = sorted(temperatures())
        psutil.cpu_percent()  # the first call only starts the measurement

    def signals(self) -> Sequence[Metric]:
        """Return the signals that this computer has."""
        rates = [Metric(name=name, unit="By/s", low=0) for name in self._rated]
        return [*_FIXED, *rates, *(Metric(name=name, unit="Cel") for name in self._sensors)]

    def faster(self, interval_s: float) -> "HostDriver":
        """Return a driver of its own that reads more often, for a capture."""
        return HostDriver(self._options, interval_s=interval_s)

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """Yield a reading every interval, on a fixed grid of the monotonic clock."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._interval_s, loop.time())
            await asyncio.sleep(due - loop.time())
            moment = clock.now()
            yield Reading(
                values=self._read(moment.mono_ns),
                wall_ns=moment.wall_ns,
                mono_ns=moment.mono_ns,
            )

    def _read(self, mono_ns: int) -> dict[str, Value]:
        values: dict[str, Value] = {
            "cpu": psutil.cpu_percent(),
            "load1": psutil.getloadavg()[0],
            "memory": psutil.virtual_memory().percent,
            "swap": psutil.swap_memory().percent,
            "disk": self._disk(),
            "uptime": (clock.now().wall_ns - int(psutil.boot_time() * 1e9)) / 1e9,
        }
        counters = self._counters()
        elapsed_s = (mono_ns - self._before_ns) / 1e9
        for name, count in counters.items():
            before = self._before.get(name)
            # A smaller count is a counter that began again: no rate can be said.
            if before is not None and count >= before and elapsed_s > 0:
                values[name] = (count - before) / elapsed_s
        self._before, self._before_ns = counters, mono_ns
        values.update(temperatures())
        return values

    def _disk(self) -> float | None:
        """Return how full the disk is; None, said once in the log, while it is not there."""
        try:
            used: float = psutil.disk_usage(self._options.disk).percent
        except OSError as error:
            if not self._disk_gone:
                log.error("disk: %s: %s", self._options.disk, error.strerror)
            self._disk_gone = True
            return None
        self._disk_gone = False
        return used

    def _counters(self) -> dict[str, int]:
        found: dict[str, int] = {}
        totals: dict[str, Any] = {}
        for name, (function, attribute) in _RATES.items():
            if function not in totals:
                totals[function] = getattr(psutil, function)()
            count = getattr(totals[function], attribute, None)
            if count is not None:
                found[name] = int(count)
        return found


def temperatures() -> dict[str, float]:
    """Return the sensors' temperatures in °C, by chip and label; empty where there are none."""
    read = getattr(psutil, "sensors_temperatures", None)  # absent on macOS
    found: dict[str, float] = {}
    for chip, sensors in (read() if read else {}).items():
        for i, sensor in enumerate(sensors):
            label = sensor.label or str(i)
            name = f"temp-{chip}-{label}".lower().replace(" ", "-").replace("/", "-")
            found[name] = float(sensor.current)
    return found
