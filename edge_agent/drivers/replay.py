"""A recording as a source: CSV, the time (ISO 8601) first, then one number for each signal.

The readings carry the recording's own times; repeated times are kept as they are. `speed` 1 is
real time, 60 a minute in a second, 0 as fast as the outbox takes it. A row that cannot be used is
counted and named by file and line, and the next one is read.
"""

import asyncio
import csv
import logging
import math
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, ClassVar, Final, TextIO

import msgspec

from edge_agent.drivers import Options, Reading, Value, names_signal
from edge_agent.errors import DriverError
from models.contract.messages import Metric
from models.contract.times import MAX_INSTANT
from models.contract.wire import Unit

_FRACTION: Final = re.compile(r"\.(\d+)")
_ZONE: Final = re.compile(r"([+-])(\d\d):(\d\d)")
log = logging.getLogger(__name__)


class ReplayOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`zone` is that of times which name none, as `+08:00`."""

    file: str
    speed: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    zone: Annotated[str, msgspec.Meta(pattern=r"^[+-]([01]\d|2[0-3]):[0-5]\d$")] = "+00:00"
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    units: Mapping[str, Unit] = {}


def to_ns(text: str, zone: timezone) -> int:
    """Return a time as ns since 1970 UTC, exact to the ns; `ValueError` when it is none."""
    fraction = _FRACTION.search(text)
    digits = fraction[1][:9].ljust(9, "0") if fraction else "0"
    moment = datetime.fromisoformat(_FRACTION.sub("", text.strip(), count=1))
    moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    whole = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86_400 + whole.seconds) * 1_000_000_000 + int(digits)


def to_zone(text: str) -> timezone:
    """Return the zone of an offset such as `+08:00`."""
    found = _ZONE.fullmatch(text)
    assert found is not None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-offset if found[1] == "-" else offset)


class ReplayDriver:
    """Reads a CSV once, from the first row to the last."""

    Options: ClassVar[type[Options]] = ReplayOptions
    patient: ClassVar[bool] = True

    def __init__(self, options: ReplayOptions, *, interval_s: float) -> None:
        del interval_s  # the recording's times decide
        self._options = options
        self._path = Path(options.file)
        self._zone = to_zone(options.zone)
        self._names = self._header()
        self.bad_rows = 0
        self._given = 0  #: lines, of which none is given twice where reading begins again

    def _header(self) -> list[str]:
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                header = next(csv.reader(file, delimiter=self._options.delimiter), [])
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DriverError(f"replay: cannot read {self._path}: {error}") from error
        names = [name.strip() for name in header[1:]]
        if not names or not all(map(names_signal, names)):
            raise DriverError(
                f"replay: {self._path}: the first line must name the columns, time first, each "
                "with 1 to 120 printable characters"
            )
        return names

    def signals(self) -> Sequence[Metric]:
        """Return one signal for each column after the first."""
        units = self._options.units
        return [Metric(name=name, unit=units.get(name)) for name in self._names]

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """Yield every row, at the recording's pace divided by `speed`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        first_ns: int | None = None
        for reading in self._rows():
            if first_ns is None:
                first_ns = reading.wall_ns
            if self._options.speed:
                due = began + (reading.wall_ns - first_ns) / 1e9 / self._options.speed
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
            yield reading

    def _rows(self) -> Iterator[Reading]:
        try:
            with self._path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                yield from self._good(file)
        except OSError as error:
            raise DriverError(f"replay: cannot read {self._path}: {error}") from error

    def _good(self, file: TextIO) -> Iterator[Reading]:
        for number, line in enumerate(file):
            if number <= self._given or not line.strip("\r\n"):
                continue
            self._given = number
            try:  # each line by itself, so that a quote that nothing closes takes no other with it
                (row,) = csv.reader((line,), delimiter=self._options.delimiter, strict=True)
                reading = self._row(row)
            except (ValueError, OverflowError, csv.Error) as error:
                self._bad(number + 1, error)
            else:
                yield reading

    def _bad(self, line: int, why: Exception) -> None:
        self.bad_rows += 1
        # The first of each power of ten: enough to see it, not enough to fill a disk.
        if math.log10(self.bad_rows).is_integer():
            log.warning("%s:%d: bad row %d: %s", self._path, line, self.bad_rows, why)

    def _row(self, row: Sequence[str]) -> Reading:
        values: dict[str, Value] = {}
        for name, text in zip(self._names, row[1:], strict=False):
            values[name] = float(text) if text.strip() else None
        wall_ns = to_ns(row[0], self._zone)
        if not 0 <= wall_ns <= MAX_INSTANT:
            raise ValueError(f"{row[0][:40]!r} does not lie between 1970 and 2116")
        return Reading(values=values, wall_ns=wall_ns)
