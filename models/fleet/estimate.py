"""The lives of a machine's parts, a reading later: compiled, and called from the scoring core.

An estimate is made at the very row that asks for it, and no row leaves compiled code for it. All
that is read and written are rows of plain arrays (`Lines`), one a life; `models.fleet.lives` and
`models.fleet.wear` make them.
"""
# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.life.compiled import entry, part
from models.life.online import RAW_NOISE, foresee, taken
from models.life.replacement import NEW, OFF, alike, confirms, fall_line, shown_new, verdict
from models.life.use import (
    DAY_S,
    recent_use,
    season_total,
    season_until,
    value_at,
    week_shares,
    week_until,
)
from models.life.wiener import FINEST, begin

HELD: Final = 3  #: estimates without a result until a band is given up
SHOWN: Final = 3  #: readings until a band is told
PRIOR_PARTS: Final = 8.0  #: the profile's usual life counts as so many old parts
TEACHES: Final = 10  #: readings of an old part from which the fleet learns
MOST: Final = 3.0  #: one old part counts as at most so many spreads off
HOURS_S: Final = 0.2 * DAY_S  #: a counter's hours of the day are not forecast
LEAST_LOAD: Final = 0.1  #: of the nominal load: below it an indicator says nothing
LEAST_S: Final = 3600.0  #: a band moves by a share of at least so much

FELL: Final = 2  #: on trial since the part's own counter fell, with so many readings more
WAITS: Final = 6  #: readings after which the counter was set back: as noisy as a bucket's median

WORN: Final = 0  #: bases: followed here reading by reading,
TREND: Final = 1  #: by a predictor in Python,
AGED: Final = 2  #: by age alone

#: how a life is read, from its profile; lanes are -1 where there is none
FOLLOWED: Final = np.dtype(
    [
        ("next", "i8"),  # next life of the same machine, -1 last
        ("basis", "i8"),
        ("asked", "i8"),  # 1: its past has grown
        ("indicator", "i8"),
        ("counter", "i8"),
        ("load", "i8"),
        ("kind", "i8"),
        ("renews", "i8"),
        ("high", "i8"),  # 1: worse when high
        ("scale", "f8"),  # a usual life, in the counter's unit or s
        ("varies", "f8"),
        ("season", "f8"),
        ("peak_day", "f8"),
        ("nominal", "f8"),
        ("power", "f8"),
    ]
)
TAUGHT: Final = np.dtype([("parts", "f8"), ("rate", "f8")])  #: old parts, and their mean rate


class Lines(NamedTuple):
    """The arrays of all lives, one row each where nothing else is said."""

    first: NDArray[np.int64]  #: of each machine, -1 none
    rows: NDArray[Any]  #: `layout.LIFE`
    followed: NDArray[Any]  #: `FOLLOWED`
    wears: NDArray[Any]  #: `wiener.WEAR`
    before: NDArray[Any]  #: the same of the old part, while a new one is on trial
    parts: NDArray[Any]  #: `wiener.PART`, one a kind; `rate` is that of the part begun last
    taught: NDArray[Any]  #: `TAUGHT`, one a kind
    empty: NDArray[Any]  #: (1,) state of a part that was never read
    room: NDArray[Any]  #: (1,) room for a state


@part
def estimate(first: int, lines: Lines, lanes: Any, histories: Any, share: float) -> tuple[int, int]:
    """Estimate again a machine's lives whose past has grown, from its first on.

    Returns (1 when a band moved by `share` since it was told, 1 when a trend asks for Python).
    """
    moved = asks = 0
    i = first
    while i >= 0:
        f = lines.followed[i]
        f.asked = 0
        for lane in (f.indicator, f.counter):
            if f.basis != AGED and lane >= 0 and histories[lanes[lane].history].due == 1:
                f.asked = 1
        if f.asked == 1 and f.basis == TREND:
            asks = 1
        elif f.asked == 1 and _again(lines, i, lanes, histories, share):
            moved = 1
        i = f.next
    i = first
    while i >= 0:
        f = lines.followed[i]
        for lane in (f.indicator, f.counter):
            if f.asked == 1 and f.basis == WORN and lane >= 0:
                histories[lanes[lane].history].due = 0
        i = f.next
    return moved, asks


@part
def _again(lines: Lines, i: int, lanes: Any, histories: Any, share: float) -> bool:
    """Take the new points of a life's past and write its band; True when it moved."""
    f, w = lines.followed[i], lines.wears[i]
    c = lines.parts[f.kind]
    lane = lanes[f.indicator if f.indicator >= 0 else f.counter]
    past = histories[lane.history]
    count = histories[lanes[f.counter].history] if f.counter >= 0 else past
    if f.counter >= 0 and not np.isfinite(count.raw):
        return False  # the counter was never heard
    now = count.raw - count.base if f.counter >= 0 else _total(f, count, lane.last_ns * 1e-9)
    taught = lines.taught[f.kind]
    if f.indicator < 0:
        if w.begun == 0:
            _start(w, f, c, taught, now, lane.spread, np.nan, 1.0)
        return _write(lines, i, count, now, lane.last_ns, share)
    first_s = past.first_ns * 1e-9
    factor = _factor(f, lanes[f.load].last) if f.load >= 0 else 1.0
    value = lane.last * factor
    if w.begun == 0 and past.points > 0:
        total = _total(f, count, first_s + past.time[0])
        _start(w, f, c, taught, total, lane.spread, past.value[0] * factor, 1.0)
    elif w.begun == 1 and np.isfinite(value):
        fell_s = -np.inf
        if f.renews == 1 and f.counter >= 0 and count.pending <= 0.5 * count.raw:
            fell_s = (lanes[f.counter].last_ns - past.first_ns) * 1e-9
        seconds = (lane.last_ns - past.first_ns) * 1e-9
        _look(lines, i, now, seconds, value, fell_s, lane.spread)
        _withhold(w, c, (now - w.start) / f.scale, value, past, lane.last)
    if w.trial == 0 and past.points > 0:
        load = histories[lanes[f.load].history] if f.load >= 0 else past
        _read(lines, i, past, count, load, lane.spread)
    past.low, past.high = -np.inf, np.inf
    if f.renews == 1 and f.counter >= 0:  # a new part's own counter begins at 0
        count.low = 0.5 * count.raw
    if w.trial != 0:
        past.low = np.inf
    elif w.begun == 1 and np.isfinite(factor):
        line = fall_line(w, c, (now - w.start) / f.scale) / factor
        if f.high == 1:
            past.low = line
        else:
            past.high = line
    return _write(lines, i, count, now, lane.last_ns, share)


@part
def _total(f: Any, count: Any, t_s: float) -> Any:
    """Return the use in all up to a time, s since 1970: of the counter's past or of the season."""
    if f.counter < 0:
        return season_total(t_s, f.season, f.peak_day)
    if count.points == 0:
        return count.raw - count.base
    n = count.points
    return value_at(count.time[:n], count.value[:n], t_s - count.first_ns * 1e-9)


@part
def _factor(f: Any, load: float) -> Any:
    """Return what an indicator is multiplied by to read as at the nominal load; NaN: too little."""
    share = load / f.nominal
    return share**-f.power if share > LEAST_LOAD else np.nan


@part
def _factor_at(f: Any, load: Any, t_s: float) -> Any:
    """Return the factor at a time, s since 1970, from the load's past."""
    if f.load < 0:
        return 1.0
    n = load.points
    if n == 0:
        return np.nan
    return _factor(f, value_at(load.time[:n], load.value[:n], t_s - load.first_ns * 1e-9))


@part
def _start(
    w: Any, f: Any, c: Any, taught: Any, total: float, spread: float, y: float, times: float
) -> None:
    """Begin a part: one that was seen to be new, or the one that was there at first sight.

    What a new part reads (`y`, NaN: unknown; variance `times` that of a point) is its offset.
    """
    new, counted = w.fresh == 1, f.counter >= 0
    c.rate = (PRIOR_PARTS + taught.parts * taught.rate) / (PRIOR_PARTS + taught.parts)
    w.start = total if new or not counted else 0.0
    way = c.curve[c.points - 1] - c.curve[0] if c.points > 0 else 0.0
    w.noise = (0.6 * spread) ** 2 + FINEST * way * way
    known = new or (counted and (f.renews == 1 or f.indicator < 0))
    begin(w, c, (total - w.start) / f.scale, known)
    if new and np.isfinite(y):
        w.b, w.bb = y - c.curve[0], max(c.offset_var, times * w.noise)


@part
def _teach(w: Any, c: Any, taught: Any) -> None:
    """Let a part that is gone correct what the fleet knows of its kind."""
    if w.begun == 0 or w.points < TEACHES:
        return
    weight = max(1.0 - w.rr / c.rate_var, 0.0)
    off = MOST * np.sqrt(c.rate_var)
    rate = min(max(w.r, 1.0 - off), 1.0 + off)
    taught.parts += weight
    if taught.parts > 0.0:
        taught.rate += weight / taught.parts * (rate - taught.rate)


@part
def renewed(lines: Lines, i: int) -> None:
    """Let the fleet learn from the old part, and begin with a new one."""
    w, kind = lines.wears[i], lines.followed[i].kind
    _teach(w, lines.parts[kind], lines.taught[kind])
    last_s, looked_s = w.last_s, w.looked_s
    lines.wears[i] = lines.empty[0]
    w.fresh, w.last_s, w.looked_s = 1, last_s, looked_s


@part
def _look(
    lines: Lines, i: int, now: float, now_s: float, value: float, fell_s: float, spread: float
) -> None:
    """See whether the newest reading is a new part's; the next one confirms or refutes it.

    `fell_s`: when the part's own counter fell, -inf when it did not.
    """
    w, f, old = lines.wears[i], lines.followed[i], lines.before[i]
    c, taught = lines.parts[f.kind], lines.taught[f.kind]
    if w.trial != 0 and now_s <= w.looked_s:
        return  # nothing was read since
    if w.trial == 1:
        noise = RAW_NOISE * old.noise
        new = confirms(old, c, (now - old.start) / f.scale, value, noise)
        new = new and alike(c.curve[0] + w.b, 1, value, noise)
        if new:
            w.trial = 0
            _teach(old, c, taught)
        else:
            lines.wears[i] = lines.before[i]
        lines.before[i] = lines.empty[0]
        if new:
            return
    if w.trial == 0 and fell_s > w.looked_s:
        w.trial, w.since, w.fell = FELL, 0.0, now
    begun = now
    if _fell(w, c, (w.fell - w.start) / f.scale, now_s, value, fell_s):
        begun, count = w.fell, w.trial - FELL
        mean = w.since / count
        if count > 1:  # several readings are no glitch
            renewed(lines, i)
            _start(w, f, c, taught, begun, spread, mean, RAW_NOISE / count)
            w.last_s = now_s
            return
    elif verdict(w, c, (now - w.start) / f.scale, value, RAW_NOISE * w.noise) != NEW:
        return
    lines.before[i] = lines.wears[i]
    lines.wears[i] = lines.empty[0]
    w.fresh, w.trial, w.last_s, w.looked_s = 1, 1, now_s, now_s
    _start(w, f, c, taught, begun, spread, value, RAW_NOISE)


@part
def _withhold(w: Any, c: Any, used: float, value: float, past: Any, last: float) -> None:
    """Keep a reading on trial, or one that no part reads like, out of the points.

    Beside a few of those the median of a bucket is between the part's readings and theirs.
    """
    odd = w.trial == 1 or verdict(w, c, used, value, RAW_NOISE * w.noise) == OFF
    if odd and past.kept > 0 and past.sample[past.kept - 1] == last:
        past.kept -= 1


@part
def _fell(w: Any, c: Any, used: float, now_s: float, value: float, fell_s: float) -> bool:
    """Whether the readings since the part's own counter fell show a new part, with this one.

    One that no part reads like does not count, and readings that differ show nothing: a machine
    that starts again climbs back to what it read. The mean of a few counts as no surer than the
    median of a bucket: readings may be alike. `used` is that when it fell, lest a counter that
    comes back counts as use.
    """
    if w.trial < FELL:
        return False
    w.looked_s = now_s
    n, noise = w.trial - FELL, RAW_NOISE * w.noise
    if now_s < fell_s or verdict(w, c, used, value, noise) == OFF:
        return False  # it was read before, or says nothing
    if n > 0 and not alike(w.since / n, n, value, noise):
        w.trial = 0
        return False
    w.trial += 1
    w.since += value
    n += 1
    if shown_new(w, c, used, w.since / n, n, noise):
        return True
    if n >= WAITS:
        w.trial = 0
    return False


@part
def _read(lines: Lines, i: int, past: Any, count: Any, load: Any, spread: float) -> None:
    """Take the points that are newer than the newest that was taken."""
    w, f = lines.wears[i], lines.followed[i]
    c = lines.parts[f.kind]
    first_s = past.first_ns * 1e-9
    k = past.points
    while k > 0 and past.time[k - 1] > w.last_s:
        k -= 1
    for j in range(k, past.points):
        y = past.value[j] * _factor_at(f, load, first_s + past.time[j])
        if not np.isfinite(y):
            continue
        total = _total(f, count, first_s + past.time[j])
        if not taken(w, c, (total - w.start) / f.scale, y):
            renewed(lines, i)
            _start(w, f, c, lines.taught[f.kind], total, spread, y, 1.0)
            taken(w, c, (total - w.start) / f.scale, y)
        w.last_s = past.time[j]


@part
def _write(lines: Lines, i: int, count: Any, now: float, at_ns: int, share: float) -> bool:
    """Write a life's band down; True when it moved by `share` since it was told.

    One without a result ends a band only when others follow it.
    """
    row, w, f = lines.rows[i], lines.wears[i], lines.followed[i]
    c = lines.parts[f.kind]
    coming, ends = np.zeros(4), np.zeros(5)
    per_s = _forecast(f, count, coming)
    known = w.begun == 1 and per_s > 0.0 and (f.indicator < 0 or w.points >= SHOWN)
    if w.begun == 1:
        lines.room[0] = lines.wears[i]
        foresee(lines.room[0], c, (now - w.start) / f.scale, coming, ends)
        row.fraction = ends[3]
    if known:
        _to_calendar(f, count, at_ns * 1e-9, ends)
        row.known, row.misses, row.at_ns = 1, 0, at_ns
        row.p10_s, row.p50_s, row.p90_s = ends[0], ends[1], ends[2]
        row.slope = ends[4] * per_s if f.indicator >= 0 else per_s * f.scale
    else:
        row.misses += 1
        if row.known == 1 and row.misses >= HELD:
            row.known = 0
    return moved(row, at_ns, share)


@part
def moved(row: Any, at_ns: int, share: float) -> bool:
    """Whether a band is known or moved otherwise than what was told."""
    if row.known != row.told_known:
        return True
    then = row.told_s - (at_ns - row.told_ns) * 1e-9
    return bool(row.known == 1 and abs(row.p50_s - then) >= share * max(then, LEAST_S))


@part
def _forecast(f: Any, count: Any, coming: NDArray[np.float64]) -> Any:
    """Write what `gamma.passage` needs of the use to come, and return usual lives a second."""
    if f.counter < 0:
        coming[0] = 1.0 / f.scale
        return coming[0]
    n = count.points
    per_s, coming[1], coming[2] = recent_use(count.time[:n], count.value[:n], f.varies)
    coming[0], coming[3] = per_s / f.scale, HOURS_S
    return coming[0]


@part
def _to_calendar(f: Any, count: Any, now_s: float, ends: NDArray[np.float64]) -> None:
    """Turn the first three of `ends` from seconds of mean use into seconds of the calendar."""
    if f.counter < 0:
        for k in range(3):
            ends[k] = season_until(now_s, ends[k], f.season, f.peak_day)
        return
    n, shares = count.points, np.ones(7)
    week_shares(count.time[:n], count.value[:n], count.first_ns * 1e-9, shares)
    for k in range(3):
        ends[k] = week_until(now_s, ends[k], shares)


@entry
def renew(lines: Lines, i: int) -> None:
    """Begin a life anew, its part is new; the fleet learns from the old one."""
    renewed(lines, i)
