"""Groups readings into batches: one second or 100 readings, whichever comes first. Pure.

A batch leaves here without a boot and a number; the outbox gives both in the same durable write
that stores it, so that no number can be used twice.
"""

import logging
import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Final

from edge_agent.drivers import Reading, Value
from models.contract.messages import Batch, Clock, Column

GROUP_NS: Final = 1_000_000_000
GROUP_SAMPLES: Final = 100
#: bytes of columns at which a batch closes: well below the 256 KiB a message may have
GROUP_BYTES: Final = 180 * 1024
NAME_BYTES: Final = 32  #: what a column costs beside its name and samples, prefix included
MAX_NAMES: Final = 4096
_INT64: Final = range(-(2**63), 2**63)
log = logging.getLogger(__name__)


def column(values: Sequence[Value]) -> Column | None:
    """Return the samples as one typed column, or None when there is no value at all.

    All bool stays bool, all int stays int64, everything else becomes float64.
    """
    there = [value for value in values if value is not None]
    if not there:
        return None
    missing = None
    if len(there) < len(values):
        missing = bytes(value is None for value in values)
    if all(isinstance(value, bool) for value in there):
        return Column(type="?", data=bytes(bool(value) for value in values), missing=missing)
    if all(isinstance(value, int) and value in _INT64 for value in there):
        integers = array("q", [int(value or 0) for value in values])
        return Column(type="q", data=integers.tobytes(), missing=missing)
    return Column(type="d", data=array("d", map(_float, values)).tobytes())


def _float(value: Value) -> float:
    if value is None:
        return float("nan")
    try:
        return float(value)
    except OverflowError:  # an integer beyond float64
        return float("inf") if value > 0 else float("-inf")


def offsets(times_ns: Sequence[int]) -> "int | array[int]":
    """Return the offsets from the first time: one step in ns when constant, else a list."""
    if len(times_ns) < 2:
        return 0
    step = times_ns[1] - times_ns[0]
    first = times_ns[0]
    if all(time == first + i * step for i, time in enumerate(times_ns)):
        return step
    return array("q", [time - first for time in times_ns])


class Sampler:
    """The readings of one stream that wait to become a batch."""

    def __init__(self, *, prefix: str = "", clock: Clock | None = None, historical: bool = False):
        self._prefix = prefix
        self._clock = clock
        self._historical = historical
        self._readings: list[Reading] = []
        self._since_ns = 0
        self._bytes = 0
        self.unusable = 0  #: readings that no batch can carry
        self.dictionary: str | None = None  #: `dh` of the batches to come

    def __len__(self) -> int:
        return len(self._readings)

    @property
    def due_ns(self) -> int | None:
        """The monotonic time at which what waits has to leave; None when nothing waits."""
        return self._since_ns + GROUP_NS if self._readings else None

    def add(self, reading: Reading, mono_ns: int) -> Batch | None:
        """Take a reading that came at `mono_ns`; return the batch that it completes, if any."""
        if not self._readings:
            self._since_ns = mono_ns
            self._bytes = sum(len(name) + NAME_BYTES for name in reading.values)
        self._readings.append(reading)
        self._bytes += 8 * (len(reading.values) + 1)
        full = len(self._readings) >= GROUP_SAMPLES or self._bytes >= GROUP_BYTES
        if full or mono_ns - self._since_ns >= GROUP_NS:
            return self.flush()
        return None

    def flush(self) -> Batch | None:
        """Return what waits as a batch, or None. Readings without any value leave no trace.

        A reading that no batch can carry is dropped and logged, the first of each power of ten.
        """
        waiting, self._readings = self._readings, []
        try:
            return self._batch(waiting)
        except (TypeError, ValueError, OverflowError):
            return self._batch([reading for reading in waiting if self._usable(reading)])

    def _usable(self, reading: Reading) -> bool:
        try:
            for value in reading.values.values():
                column([value])
            bytes(reading.quality.values())
            if not 0 <= reading.wall_ns < _INT64.stop:
                raise ValueError(f"{reading.wall_ns} is no time in ns since 1970")
        except (TypeError, ValueError, OverflowError) as error:
            self.unusable += 1
            if math.log10(self.unusable).is_integer():
                log.error("%sreading %d dropped: %s", self._prefix, self.unusable, error)
            return False
        return True

    def _batch(self, waiting: Sequence[Reading]) -> Batch | None:
        readings = [r for r in waiting if any(v is not None for v in r.values.values())]
        if not readings:
            return None
        if not all(0 <= reading.wall_ns < _INT64.stop for reading in readings):
            raise ValueError("a time before 1970 or beyond 2262")
        names = list(dict.fromkeys(name for reading in readings for name in reading.values))
        columns: dict[str, Column] = {}
        for name in names[:MAX_NAMES]:
            made = column([reading.values.get(name) for reading in readings])
            if made is not None:
                columns[self._prefix + name] = made
        first = readings[0]
        return Batch(
            columns=columns,
            count=len(readings),
            t0_ns=first.wall_ns,
            mono_ns=first.mono_ns,
            clock=self._clock,
            offsets_ns=offsets([reading.wall_ns for reading in readings]),
            quality=self._quality(readings, columns),
            historical=self._historical,
            dictionary=self.dictionary,
        )

    def _quality(
        self, readings: Sequence[Reading], columns: Mapping[str, Column]
    ) -> dict[str, bytes]:
        marked = dict.fromkeys(name for reading in readings for name in reading.quality)
        return {
            self._prefix + name: bytes(reading.quality.get(name, 0) for reading in readings)
            for name in marked
            if self._prefix + name in columns
        }
