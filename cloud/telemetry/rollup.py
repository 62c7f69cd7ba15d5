"""Roll-ups: one shared kernel that reduces samples to buckets, and one that joins partial buckets.

A `Partials` is two matrices, so that kernels and the page codec handle it as a whole. Partial
buckets of the same span join whatever the cut (only the sum's last bit may differ), so late samples
need no special care. Missing samples count for the worst quality and for nothing else.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloud.telemetry import Buckets
from cloud.telemetry.fresh import ABSENT, MISSING, QUALITY

MINUTE_NS: Final = 60 * 10**9
HOUR_NS: Final = 60 * MINUTE_NS
START, FIRST_NS, LAST_NS, MIN_NS, MAX_NS, COUNT, WORST = range(7)
FIRST, LAST, MIN, MAX, SUM = range(5)
UNSEEN: Final = MISSING | ABSENT


@dataclass(slots=True)
class Partials:
    """Buckets in time order; a bucket may stand twice while they are being joined.

    Shapes: `ints` (7, n) int64: start, first_ns, last_ns, min_ns, max_ns, count, worst quality;
    `floats` (5, n) float64: first, last, min, max, sum. With count 0 only start and quality count.
    """

    ints: NDArray[np.int64]
    floats: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.ints.shape[1])

    def between(self, start_ns: int, end_ns: int) -> "Partials":
        """Return the buckets whose start lies in start <= t < end."""
        first, last = np.searchsorted(self.ints[START], (start_ns, end_ns))
        return Partials(self.ints[:, first:last], self.floats[:, first:last])


def nothing() -> Partials:
    """Return no buckets."""
    return Partials(np.zeros((7, 0), np.int64), np.zeros((5, 0)))


@njit(cache=True, nogil=True)
def add(total: float, lost: float, value: float) -> tuple[float, float]:
    """Add with Neumaier's compensation."""
    out = total + value
    if np.isfinite(out):
        lost += (total - out) + value if abs(total) >= abs(value) else (value - out) + total
    return out, lost


@njit(cache=True, nogil=True)
def _reduce(  # noqa: PLR0917 (a kernel: one pass, arrays in and out)
    times: Any, values: Any, states: Any, width: int, ints: Any, floats: Any
) -> int:
    at = -1
    lost = 0.0
    for i in range(len(times)):
        when = times[i]
        state = states[i]
        if at < 0 or when - ints[START, at] >= width:
            if at >= 0:
                floats[SUM, at] += lost
            at += 1
            start = when // width * width
            lost = 0.0
            for k in range(7):
                ints[k, at] = start if k < COUNT else 0
            for k in range(5):
                floats[k, at] = 0.0
        quality = state & QUALITY
        ints[WORST, at] = max(ints[WORST, at], quality)
        value = values[i]
        if state & UNSEEN or np.isnan(value):
            continue
        if ints[COUNT, at] == 0:
            ints[FIRST_NS, at] = ints[MIN_NS, at] = ints[MAX_NS, at] = when
            floats[FIRST, at] = floats[MIN, at] = floats[MAX, at] = value
        ints[COUNT, at] += 1
        ints[LAST_NS, at] = when
        floats[LAST, at] = value
        if value < floats[MIN, at]:
            floats[MIN, at] = value
            ints[MIN_NS, at] = when
        if value > floats[MAX, at]:
            floats[MAX, at] = value
            ints[MAX_NS, at] = when
        floats[SUM, at], lost = add(floats[SUM, at], lost, value)
    if at >= 0:
        floats[SUM, at] += lost
    return at + 1


@njit(cache=True, nogil=True)
def join_into(  # noqa: PLR0917 (a kernel)
    ints: Any, floats: Any, at: int, more: Any, values: Any, i: int
) -> None:
    """Join partial bucket `i` into bucket `at`; `i` arrived later."""
    ints[WORST, at] = max(ints[WORST, at], more[WORST, i])
    if more[COUNT, i] == 0:
        return
    fresh = ints[COUNT, at] == 0
    if fresh or more[FIRST_NS, i] < ints[FIRST_NS, at]:
        ints[FIRST_NS, at] = more[FIRST_NS, i]
        floats[FIRST, at] = values[FIRST, i]
    if fresh or more[LAST_NS, i] >= ints[LAST_NS, at]:
        ints[LAST_NS, at] = more[LAST_NS, i]
        floats[LAST, at] = values[LAST, i]
    low, high = values[MIN, i], values[MAX, i]
    earlier = more[MIN_NS, i] < ints[MIN_NS, at]
    if fresh or low < floats[MIN, at] or (low == floats[MIN, at] and earlier):
        ints[MIN_NS, at] = more[MIN_NS, i]
        floats[MIN, at] = low
    earlier = more[MAX_NS, i] < ints[MAX_NS, at]
    if fresh or high > floats[MAX, at] or (high == floats[MAX, at] and earlier):
        ints[MAX_NS, at] = more[MAX_NS, i]
        floats[MAX, at] = high
    ints[COUNT, at] += more[COUNT, i]


@njit(cache=True, nogil=True)
def _fold(more: Any, values: Any, width: int, ints: Any, floats: Any) -> int:
    at = -1
    lost = 0.0
    for i in range(more.shape[1]):
        start = more[START, i] // width * width
        if at < 0 or start != ints[START, at]:
            if at >= 0:
                floats[SUM, at] += lost
            at += 1
            lost = 0.0
            for k in range(7):
                ints[k, at] = start if k < COUNT else 0
            for k in range(5):
                floats[k, at] = 0.0
        join_into(ints, floats, at, more, values, i)
        if more[COUNT, i]:
            floats[SUM, at], lost = add(floats[SUM, at], lost, values[SUM, i])
    if at >= 0:
        floats[SUM, at] += lost
    return at + 1


def reduce(
    times: NDArray[np.int64], values: NDArray[np.generic], states: NDArray[np.uint8], width_ns: int
) -> Partials:
    """Reduce samples in time order to buckets of `width_ns`, aligned to 0 UTC."""
    if not len(times):
        return nothing()
    span = int(times[-1]) // width_ns - int(times[0]) // width_ns + 1
    most = min(len(times), span)
    ints, floats = np.empty((7, most), np.int64), np.empty((5, most))
    count = _reduce(times, values.astype(np.float64, copy=False), states, width_ns, ints, floats)
    return Partials(ints[:, :count], floats[:, :count])


def join(parts: list[Partials], width_ns: int) -> Partials:
    """Join partial buckets, those of earlier arrivals first, into buckets of `width_ns`."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return nothing()
    ints = np.concatenate([part.ints for part in parts], axis=1)
    floats = np.concatenate([part.floats for part in parts], axis=1)
    if len(parts) > 1:
        order = np.argsort(ints[START] // width_ns, kind="stable")
        ints, floats = ints[:, order], floats[:, order]
    out_ints, out_floats = np.empty_like(ints), np.empty_like(floats)
    count = _fold(ints, floats, width_ns, out_ints, out_floats)
    return Partials(out_ints[:, :count], out_floats[:, :count])


def to_buckets(parts: Partials, width_ns: int) -> Buckets:
    """Return the buckets that hold a value."""
    seen = parts.ints[COUNT] > 0
    ints, floats = parts.ints[:, seen], parts.floats[:, seen]
    return Buckets(
        width_ns=width_ns,
        start_ns=ints[START],
        first=floats[FIRST],
        last=floats[LAST],
        min=floats[MIN],
        max=floats[MAX],
        sum=floats[SUM],
        count=ints[COUNT],
        first_ns=ints[FIRST_NS],
        last_ns=ints[LAST_NS],
        min_ns=ints[MIN_NS],
        max_ns=ints[MAX_NS],
        quality=ints[WORST].astype(np.uint8),
    )
