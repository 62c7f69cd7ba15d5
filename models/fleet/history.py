"""The past of a signal in few points, compiled; what lives are estimated from."""
# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any, Final

import numpy as np

from models.fleet.layout import ESTIMATE, LEVELS, PER_LEVEL, SAMPLES
from models.life.compiled import lean
from models.life.use import WEEK_S, recent_use

ROLLS = (2.0**16, 2.0**24, 2.0**32, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)  #: where counters begin again
WEEK_NS: Final = int(WEEK_S * 1e9)
BUSIEST: Final = 5.0  #: without a pause a machine does so many times as much as in office hours
UNLIKELY: Final = 10.0  #: standard deviations of use beyond which a counter was set ahead
VARIES: Final = 0.5  #: of a day's use by the mean, until weeks have told


@lean
def remember(h: Any, lane: Any, m: Any, t: int, x: float, rules: Any) -> None:
    """Keep the past of a signal as medians of buckets that get wider with age.

    A bucket is 8 usual intervals wide; of each width at most 8 are kept, then the two oldest become
    one of twice the width. So 128 points hold the last hours finely and years coarsely.
    """
    if x < h.low or x > h.high:
        h.due = 1
        m.flags |= ESTIMATE
    if h.counter == 1:
        # one reading that does not follow may be a glitch, two that count on are not
        if x < h.raw:
            if not x >= h.pending:
                h.pending = x
                return
            _step_back(h, x)
        elif _leapt(h, t, x - h.raw):
            if not h.raw < h.pending <= x:
                h.pending = x
                return
            if not _leapt(h, t, x - h.pending):  # else it goes on so: that is use
                _step_ahead(h, t, x)
        h.pending = np.inf
        h.raw = x
        x -= h.base
    if h.width_ns == 0:
        if lane.rows < 8 or lane.interval_s <= 0.0:
            return
        h.width_ns = max(1, int(lane.interval_s * 8e9))
        h.first_ns = t
        h.end_ns = t + h.width_ns
    if t >= h.end_ns:
        if h.kept > 0:
            _close(h, m, t, rules)
        h.end_ns += ((t - h.end_ns) // h.width_ns + 1) * h.width_ns
    if h.kept < SAMPLES:
        h.sample[h.kept] = x
        h.kept += 1


@lean
def _step_back(h: Any, x: float) -> None:
    """Go on counting after a counter fell: it rolled over, was set back, or the part is new."""
    for full in ROLLS:
        if x <= 0.01 * full and 0.99 * full <= h.raw <= full:
            h.base -= full
            return
    used = h.raw - h.base
    h.base = x - used
    if x <= 0.5 * h.raw:
        h.start = used - x


@lean
def _leapt(h: Any, t: int, grown: float) -> bool:
    """Whether a counter grew by more since its last reading than use explains: it was set ahead.

    Use explains what the machine does without a pause, and a week's work at once, as far as its
    weeks so far differed. Nothing is said before a week is known, or of a counter that stood still.
    """
    n = h.points
    if n < 2 or grown * (t - h.first_ns) <= (h.raw - h.base - h.value[0]) * WEEK_NS:
        return False  # not a week's use at once: most readings
    if h.time[n - 1] - h.time[0] < WEEK_S:
        return False
    rate, varies, unsure = recent_use(h.time[:n], h.value[:n], VARIES)
    since_s = (t - (h.end_ns - h.width_ns)) * 1e-9  # the bucket of the last reading began
    likely_s = BUSIEST * since_s + WEEK_S
    spread_s = np.sqrt(varies * likely_s + unsure * likely_s * likely_s)
    return bool(rate > 0.0 and grown > rate * (likely_s + UNLIKELY * spread_s))


@lean
def _step_ahead(h: Any, t: int, x: float) -> None:
    """Go on counting after a counter was set ahead, with the usual use for the time in between."""
    n = h.points
    rate, _, _ = recent_use(h.time[:n], h.value[:n], VARIES)
    used = h.value[n - 1] + rate * ((t - h.first_ns) * 1e-9 - h.time[n - 1])
    h.base = x - max(used, h.raw - h.base)


@lean
def _close(h: Any, m: Any, t: int, rules: Any) -> None:
    """Add the median of the finished bucket; ask for an estimate once 1/128 of the past is new."""
    k = h.kept
    for i in range(1, k):
        v = h.sample[i]
        j = i - 1
        while j >= 0 and h.sample[j] > v:
            h.sample[j + 1] = h.sample[j]
            j -= 1
        h.sample[j + 1] = v
    p = h.points
    h.time[p] = (h.end_ns - h.width_ns // 2 - h.first_ns) * 1e-9
    h.value[p] = 0.5 * (h.sample[(k - 1) // 2] + h.sample[k // 2])
    h.kept = 0
    p += 1
    h.levels[0] += 1
    first = p - h.levels[0]
    for level in range(LEVELS):
        if h.levels[level] <= PER_LEVEL:
            break
        last = level == LEVELS - 1
        if not last:
            h.time[first] = 0.5 * (h.time[first] + h.time[first + 1])
            h.value[first] = 0.5 * (h.value[first] + h.value[first + 1])
        for i in range(first if last else first + 1, p - 1):
            h.time[i] = h.time[i + 1]
            h.value[i] = h.value[i + 1]
        p -= 1
        h.levels[level] -= 1 if last else 2
        if not last:
            h.levels[level + 1] += 1
            first -= h.levels[level + 1] - 1
    h.points = p
    if t >= h.estimate_ns:
        age = min((t - h.first_ns) // 128, int(rules.report_every_s * 1e9))
        h.estimate_ns = t + max(h.width_ns, age)
        h.due = 1
        m.flags |= ESTIMATE
