"""The lives of a machine's parts, a reading later: compiled, and called from the scoring core.

An estimate is made at the very row that asks for it, and no row leaves compiled code for it. All
that is read and written are rows of plain arrays (`Lines`), one a life; `models.fleet.lives` and
`models.fleet.wear` make them.
"""
# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.history import BUCKET
from models.fleet.renewal import SHOWN, Lines, look, renewed, start, withhold
from models.life.compiled import entry, part
from models.life.online import RAW_NOISE, foresee, taken
from models.life.replacement import SAME, fall_line, verdict
from models.life.use import (
    DAY_S,
    recent_use,
    season_total,
    season_until,
    value_at,
    week_shares,
    week_until,
)
from models.life.wiener import read

HELD: Final = 3  #: estimates without a result until a band is given up
HOURS_S: Final = 0.2 * DAY_S  #: a counter's hours of the day are not forecast
LEAST_LOAD: Final = 0.1  #: of the nominal load: below it an indicator says nothing
LEAST_S: Final = 3600.0  #: a band moves by a share of at least so much
USED: Final = 0.02  #: of a rated life: after so much use an estimate is old,
LATE: Final = 1.0 / 16.0  #: and after this share of the early end of its band,
LATE_S: Final = DAY_S  #: of at most so much

WORN: Final = 0  #: bases: followed here reading by reading,
TREND: Final = 1  #: by a predictor in Python,
AGED: Final = 2  #: by age alone


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
    if f.counter >= 0:
        if not np.isfinite(count.raw):
            return False  # the counter was never heard
        count.high = count.raw + USED * count.rated
    now = count.raw - count.base if f.counter >= 0 else _total(f, count, lane.last_ns * 1e-9)
    newest = np.nan
    if f.indicator >= 0:
        newest = _look(lines, i, lanes, histories, past, count, now)
    elif w.begun == 0:
        start(w, f, c, lines.taught[f.kind], now, lane.spread, np.nan, 1.0)
    told = _write(lines, i, count, now, newest, lane.last_ns, share)
    if lines.rows[i].known == 1:
        soon = int(LATE * min(lines.rows[i].p10_s, LATE_S / LATE) * 1e9)
        past.estimate_ns = min(past.estimate_ns, lane.last_ns + soon)
    return told


@part
def _raw_noise(past: Any, lane: Any) -> Any:
    """Return the variance of a reading by that of a bucket's median: 1 where it is alone there."""
    if past.width_ns == 0 or lane.interval_s <= 0.0:
        return RAW_NOISE
    held = np.floor(past.width_ns * 1e-9 / lane.interval_s + 0.5)
    return 1.0 + (RAW_NOISE - 1.0) * (min(max(held, 1.0), BUCKET) - 1.0) / (BUCKET - 1.0)


@part
def _look(
    lines: Lines, i: int, lanes: Any, histories: Any, past: Any, count: Any, now: float
) -> Any:
    """Take what is new of an indicator's past, and see whether its part is a new one.

    Returns the newest reading where it is a point of its own, though its bucket is still open; else
    NaN.
    """
    f, w = lines.followed[i], lines.wears[i]
    c, lane = lines.parts[f.kind], lanes[f.indicator]
    raw = _raw_noise(past, lane)
    spread = lane.spread * np.sqrt(RAW_NOISE / raw)
    first_s = past.first_ns * 1e-9
    factor = _factor(f, lanes[f.load].last) if f.load >= 0 else 1.0
    value = lane.last * factor
    if w.begun == 0 and past.points > 0:
        total = _total(f, count, first_s + past.time[0])
        start(w, f, c, lines.taught[f.kind], total, spread, past.value[0] * factor, 1.0)
    elif w.begun == 1 and np.isfinite(value):
        fell_s = -np.inf
        if f.renews == 1 and f.counter >= 0 and count.pending <= 0.5 * count.raw:
            fell_s = (lanes[f.counter].last_ns - past.first_ns) * 1e-9
        seconds = (lane.last_ns - past.first_ns) * 1e-9
        look(lines, i, now, seconds, value, fell_s, spread, raw, past)
        withhold(w, c, (now - w.start) / f.scale, value, raw, past, lane.last)
    if w.trial <= 0 and past.points > 0:
        load = histories[lanes[f.load].history] if f.load >= 0 else past
        _read(lines, i, past, count, load, spread)
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
    alone = raw == 1.0 and w.trial <= 0 and past.kept == 1 and past.sample[0] == lane.last
    if alone and verdict(w, c, (now - w.start) / f.scale, value, w.noise) == SAME:
        return value
    return np.nan


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
            start(w, f, c, lines.taught[f.kind], total, spread, y, 1.0)
            taken(w, c, (total - w.start) / f.scale, y)
        w.last_s = past.time[j]


@part
def _write(
    lines: Lines, i: int, count: Any, now: float, newest: float, at_ns: int, share: float
) -> bool:
    """Write a life's band down; True when it moved by `share` since it was told.

    `newest`: a reading that is to be taken with the points, NaN none. An estimate without a result
    ends a band only when others follow it.
    """
    row, w, f = lines.rows[i], lines.wears[i], lines.followed[i]
    c = lines.parts[f.kind]
    coming, ends = np.zeros(4), np.zeros(5)
    per_s = _forecast(f, count, coming)
    points = w.points
    if w.begun == 1:
        lines.room[0] = lines.wears[i]
        if np.isfinite(newest):
            read(lines.room[0], c, (now - w.start) / f.scale, newest)
            points += 1
        foresee(lines.room[0], c, (now - w.start) / f.scale, coming, ends)
        row.fraction = ends[3]
    if w.begun == 1 and per_s > 0.0 and (f.indicator < 0 or points >= SHOWN):
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
