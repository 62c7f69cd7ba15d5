"""Roll-ups: one shared kernel that reduces samples to buckets, and one that joins partial buckets.

A `Partials` is two matrices, so that kernels and the page codec handle it as a whole. Partial
buckets of the same span join whatever the cut (only the sum's last bit may differ), so late samples
need no special care. Missing samples count for the worst quality and for nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloud.telemetry import Buckets
from cloud.telemetry.fresh import ABSENT, MISSING, QUALITY
from models.life.compiled import kept, lean

MINUTE_NS: Final = 60 * 10**9
HOUR_NS: Final = 60 * MINUTE_NS
START, FIRST_NS, LAST_NS, MIN_NS, MAX_NS, COUNT, WORST = range(7)
FIRST, LAST, MIN, MAX, SUM = range(5)
UNSEEN: Final = MISSING | ABSENT
_ALL_GOOD: Final = np.zeros(0, np.uint8)


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


@njit(nogil=True)
def add(total: float, lost: float, value: float) -> tuple[float, float]:
    """Add and keep what rounding takes away (Knuth's two-sum, as in Neumaier's summation)."""
    out = total + value
    if np.isfinite(out):
        taken = out - total
        lost += (total - (out - taken)) + (value - taken)
    return out, lost


@kept
@njit(nogil=True)
def _cut(times: Any, width: int, starts: Any, ends: Any) -> int:
    """Fill the starts of the buckets and the rows behind them; return how many there are."""
    at = -1
    for i in range(len(times)):
        if at < 0 or times[i] - starts[at] >= width:
            at += 1
            starts[at] = times[i] // width * width
        ends[at] = i + 1
    return at + 1


@kept
@njit(nogil=True)
def _reduce(  # noqa: PLR0917 (a kernel: one pass, arrays in and out)
    times: Any, values: Any, states: Any, starts: Any, ends: Any, ints: Any, floats: Any
) -> None:
    stated = len(states) > 0
    begin = 0
    for at in range(len(starts)):
        first = last = low_at = high_at = -1
        count = worst = 0
        low = high = total = lost = 0.0
        for i in range(begin, ends[at]):
            value = values[i]
            gone = np.isnan(value)
            if stated:
                state = states[i]
                worst = max(worst, state & QUALITY)
                gone |= (state & UNSEEN) != 0
            if gone:
                continue
            if count == 0:
                first = low_at = high_at = i
                low = high = value
            count += 1
            last = i
            if value < low:
                low = value
                low_at = i
            if value > high:
                high = value
                high_at = i
            total, lost = add(total, lost, value)
        ints[START, at] = starts[at]
        ints[COUNT, at] = count
        ints[WORST, at] = worst
        ints[FIRST_NS, at] = times[first] if count else starts[at]
        ints[LAST_NS, at] = times[last] if count else starts[at]
        ints[MIN_NS, at] = times[low_at] if count else starts[at]
        ints[MAX_NS, at] = times[high_at] if count else starts[at]
        floats[FIRST, at] = values[first] if count else 0.0
        floats[LAST, at] = values[last] if count else 0.0
        floats[MIN, at] = low
        floats[MAX, at] = high
        floats[SUM, at] = total + lost
        begin = ends[at]


@kept
@lean
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


@kept
@njit(nogil=True)
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


@njit(nogil=True)
def merge(  # noqa: PLR0917 (a kernel)
    ints: Any, floats: Any, more: Any, values: Any, out: Any, sums: Any
) -> int:
    """Merge buckets of one width, each once and in time order; `more` arrived later.

    Fills `out` and `sums` with at most as many buckets as both have; returns how many.
    """
    i = j = at = 0
    while i < ints.shape[1] or j < more.shape[1]:
        mine = j == more.shape[1] or (i < ints.shape[1] and ints[START, i] <= more[START, j])
        theirs = not mine or (j < more.shape[1] and ints[START, i] == more[START, j])
        for k in range(7):
            out[k, at] = ints[k, i] if mine else more[k, j]
        for k in range(5):
            sums[k, at] = floats[k, i] if mine else values[k, j]
        if mine and theirs:
            join_into(out, sums, at, more, values, j)
            if more[COUNT, j]:
                sums[SUM, at] += values[SUM, j]
        i += mine
        j += theirs
        at += 1
    return at


def reduce_all(
    times: NDArray[np.int64],
    columns: Sequence[tuple[NDArray[np.generic], NDArray[np.uint8] | None]],
    width_ns: int,
) -> list[Partials]:
    """Reduce columns (values, states or None) of the same times, in order, to `width_ns` each."""
    if not len(times):
        return [nothing() for _ in columns]
    most = min(len(times), int(times[-1]) // width_ns - int(times[0]) // width_ns + 1)
    starts, ends = np.empty(most, np.int64), np.empty(most, np.int64)
    count = _cut(times, width_ns, starts, ends)
    out = []
    for values, states in columns:
        part = Partials(np.empty((7, count), np.int64), np.empty((5, count)))
        wide = values.astype(np.float64, copy=False)
        mine = _ALL_GOOD if states is None else states
        _reduce(times, wide, mine, starts[:count], ends[:count], part.ints, part.floats)
        out.append(part)
    return out


def reduce(
    times: NDArray[np.int64],
    values: NDArray[np.generic],
    states: NDArray[np.uint8] | None,
    width_ns: int,
) -> Partials:
    """Reduce samples in time order to buckets of `width_ns`, aligned to 0 UTC."""
    return reduce_all(times, [(values, states)], width_ns)[0]


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
