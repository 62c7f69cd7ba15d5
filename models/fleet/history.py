"""The past of a signal in few points, compiled; what lives are estimated from."""
# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any, Final

import numpy as np

from models.fleet.checks import usual_after
from models.fleet.layout import ESTIMATE, LEVELS, PER_LEVEL, SAMPLES
from models.life.compiled import lean
from models.life.use import DAY_S, WEEK_S, recent_use

ROLLS = (2.0**16, 2.0**24, 2.0**32, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)  #: where counters begin again
FULL: Final = (*ROLLS, 2.0**31)  #: one less, and what single precision makes of it: no value
WEEK_NS: Final = int(WEEK_S * 1e9)
BUCKET: Final = 8.0  #: usual intervals in a bucket,
FEWER: Final = 5.0  #: but so many where those take longer than
SOON_S: Final = DAY_S / 3.0  #: this: three buckets show wear that quickens,
BUCKET_S: Final = 0.75 * DAY_S  #: and no more than this: a life is to be told of every day,
ALONE: Final = 0.75  #: or than this of one interval: so each reading of a slow signal has its own
WIDER: Final = 1.25  #: times as wide as they are, buckets are made wider
BUSIEST: Final = 5.0  #: without a pause a machine does so many times as much as in office hours
UNLIKELY: Final = 10.0  #: standard deviations of use beyond which a counter was set ahead
VARIES: Final = 0.5  #: of a day's use by the mean, until weeks have told
HOUR_S: Final = 3600.0
LASTS_S: Final = 10 * DAY_S  #: without a pause: no part is used up sooner (oil by 250 h is not)
SMALL: Final = 0.02  #: a step by less of a rated life does no harm
SIZEABLE: Final = 0.1  #: a step by less of a rated life is use
CONFIRMED: Final = 3  #: readings that count on show a step, two may be odd
GOES_ON: Final = 0.25  #: of a step: if a later reading added so much, it is work


@lean
def remember(h: Any, lane: Any, m: Any, t: int, x: float, rules: Any) -> None:
    """Keep the past of a signal as medians of buckets that get wider with age.

    A bucket is 8 usual intervals wide, of a signal that is read seldom it holds 5, fewer or one; of
    each width at most 8 are kept, then the two oldest become one of twice the width. So 128 points
    hold the last hours finely and years coarsely. Buckets get wider when readings come less often
    than the first ones did, never narrower.
    """
    if x < h.low or x > h.high:
        h.due = 1
        m.flags |= ESTIMATE
    if h.counter == 1:
        if not _follows(h, t, x):
            return
        x -= h.base
    if h.width_ns == 0:
        if lane.rows < 8 or lane.interval_s <= 0.0:
            return
        h.usual_s = lane.interval_s
        h.width_ns = max(1, int(_width_s(h.usual_s) * 1e9))
        h.first_ns = h.heard_ns = t
        h.end_ns = t + h.width_ns
    if t > h.heard_ns:
        h.usual_s = usual_after(h.usual_s, (t - h.heard_ns) * 1e-9)
        h.heard_ns = t
    if t >= h.end_ns:
        if h.kept > 0:
            _close(h, m, t, rules)
        wanted_ns = int(_width_s(h.usual_s) * 1e9)
        if wanted_ns > WIDER * h.width_ns:
            h.width_ns = wanted_ns
        h.end_ns += ((t - h.end_ns) // h.width_ns + 1) * h.width_ns
    if h.kept < SAMPLES:
        h.sample[h.kept] = x
        h.kept += 1


@lean
def _width_s(interval_s: float) -> Any:
    """Return how wide the buckets of a signal with a usual interval are."""
    enough_s = max(FEWER * interval_s, SOON_S)
    widest_s = max(BUCKET_S, ALONE * interval_s)
    return min(BUCKET * interval_s, enough_s, widest_s)


@lean
def _follows(h: Any, t: int, x: float) -> bool:
    """Take a counter's reading; False when it does not follow: others have to confirm it first.

    One lower reading may be a glitch, two that count on are not: it fell. Of higher ones that no
    use explains two may be, and a full counter is how a controller says that it has no value.
    """
    grown = x - h.raw  # inf: the first one
    if grown < 0.0:
        if not x >= h.pending:
            h.pending = x
            return False
        _step_back(h, x)
    elif grown > SMALL * h.rated and _comes_back(h, t, x):
        h.base, h.before = h.before, np.inf
    elif grown > SMALL * h.rated and _strange(h, t, grown):
        for full in FULL:
            if full - 1.0 <= x <= full:
                return False
        if grown < np.inf:
            _hold(h, x)
            if h.held < CONFIRMED:
                return False
            if _absurd(h, t, grown) or (h.went == 0 and _leapt(h, t, grown)):
                _step_ahead(h, t, x)
    h.pending = np.inf
    h.raw = x
    h.raw_ns = t
    return True


@lean
def _hold(h: Any, x: float) -> None:
    """Hold a higher reading that no use explains, until others have counted on from there."""
    if h.raw < h.pending <= x:
        h.held += 1
        h.went |= x - h.pending >= GOES_ON * (h.pending - h.raw)
    else:
        h.held, h.went = 1, 0
    h.pending = x


@lean
def _step_back(h: Any, x: float) -> None:
    """Go on counting after a counter fell: it rolled over, was set back, or the part is new."""
    for full in ROLLS:
        if x <= 0.01 * full and 0.99 * full <= h.raw <= full:
            h.base -= full
            return
    used = h.raw - h.base
    if h.raw > SMALL * h.rated:
        h.before = h.base
    h.base = x - used
    if x <= 0.5 * h.raw:
        h.start = used - x


@lean
def _comes_back(h: Any, t: int, x: float) -> bool:
    """Whether a counter that fell to about 0 counts on from where it was: nobody set it back.

    A controller that starts again may tell 0 for a while.
    """
    if not (h.before < np.inf and h.raw <= SMALL * h.rated):
        return False
    grown = (x - h.before) - (h.raw - h.base)
    return bool(grown >= 0.0 and (grown <= SMALL * h.rated or not _strange(h, t, grown)))


@lean
def _absurd(h: Any, t: int, grown: float) -> bool:
    """Whether a counter grew by more than a rated life, and by more than one a day."""
    return bool(grown > h.rated * max(1.0, (t - h.raw_ns) * 1e-9 / DAY_S))


@lean
def _strange(h: Any, t: int, grown: float) -> bool:
    """Whether a counter grew by more since its last reading than the machine can have done.

    It can have worked without a pause, at what would use a part up in `LASTS_S` or as hours pass,
    and it can have done what it does in a week at once.
    """
    since_s = (t - h.raw_ns) * 1e-9
    if grown <= max(h.rated * since_s / LASTS_S, since_s / HOUR_S):
        return False
    if h.points == 0:
        return True
    return bool(grown * (t - h.first_ns) > (h.raw - h.base - h.value[0]) * WEEK_NS)


@lean
def _leapt(h: Any, t: int, grown: float) -> bool:
    """Whether a strange step is no use either: the counter was set ahead.

    Use in doubt is use. No use is a sizeable share of a rated life that is also more than what the
    machine does without a pause, and a week's work at once, as far as its weeks so far differed.
    Nothing is said before a week is known, or of a counter that stood still.
    """
    n = h.points
    if grown <= SIZEABLE * h.rated or n < 2 or h.time[n - 1] - h.time[0] < WEEK_S:
        return False
    rate, varies, unsure = recent_use(h.time[:n], h.value[:n], VARIES)
    likely_s = BUSIEST * (t - h.raw_ns) * 1e-9 + WEEK_S
    spread_s = np.sqrt(varies * likely_s + unsure * likely_s * likely_s)
    return bool(rate > 0.0 and grown > rate * (likely_s + UNLIKELY * spread_s))


@lean
def _step_ahead(h: Any, t: int, x: float) -> None:
    """Go on counting after a counter was set ahead, with the usual use for the time in between."""
    n, used = h.points, h.raw - h.base
    if n > 0:
        rate, _, _ = recent_use(h.time[:n], h.value[:n], VARIES)
        used = max(used, h.value[n - 1] + rate * ((t - h.first_ns) * 1e-9 - h.time[n - 1]))
    h.base = x - used


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
