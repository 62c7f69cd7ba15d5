"""Whether a part is a new one: what its readings show, and what follows from it. Compiled.

A reading that looks new makes the part new at once (`TRIED`); the next one confirms it or takes it
back; no band is told meanwhile. What was known of the old part is kept until the band of the new
one is told (`PROVES`): a machine that starts slowly reads as with a new part for a while, and then
as with the old one.
"""
# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.life.compiled import part
from models.life.replacement import NEW, OFF, alike, comes_back, confirms, shown_new, verdict
from models.life.wiener import FINEST, begin

SHOWN: Final = 3  #: readings until a band is told
PRIOR_PARTS: Final = 8.0  #: the profile's usual life counts as so many old parts
TEACHES: Final = 10  #: readings of an old part from which the fleet learns
MOST: Final = 3.0  #: one old part counts as at most so many spreads off

PROVES: Final = -1  #: states of a trial: it is new, unless the readings come back to the old part's
TRIED: Final = 1  #: one reading showed it
FELL: Final = 2  #: on trial since the part's own counter fell, with so many readings more
WAITS: Final = 6  #: readings after which the counter was set back: as noisy as a bucket's median

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
def start(
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
    _teach(lines.before[i], lines.parts[kind], lines.taught[kind])  # while the other is on trial
    _teach(w, lines.parts[kind], lines.taught[kind])
    lines.before[i] = lines.empty[0]
    lines.rows[i].known = 0
    last_s, looked_s = w.last_s, w.looked_s
    lines.wears[i] = lines.empty[0]
    w.fresh, w.last_s, w.looked_s = 1, last_s, looked_s


@part
def look(
    lines: Lines,
    i: int,
    now: float,
    now_s: float,
    value: float,
    fell_s: float,
    spread: float,
    raw: float,
    past: Any,
) -> None:
    """See whether the newest reading is a new part's; the next one confirms or refutes it.

    `fell_s`: when the part's own counter fell, -inf when it did not; `raw`: variance of a reading
    by that of a point.
    """
    w, f, old = lines.wears[i], lines.followed[i], lines.before[i]
    c, taught = lines.parts[f.kind], lines.taught[f.kind]
    if w.trial != 0 and now_s <= w.looked_s:
        return  # nothing was read since
    if w.trial == PROVES:
        _prove(lines, i, now, now_s, value, raw, past)
        return
    if w.trial == TRIED:
        noise = raw * old.noise
        new = confirms(old, c, (now - old.start) / f.scale, value, noise)
        if new and alike(c.curve[0] + w.b, 1, value, noise):
            w.trial, w.looked_s = PROVES, now_s
            return
        lines.wears[i] = lines.before[i]
        lines.before[i] = lines.empty[0]
    if w.trial == 0 and fell_s > w.looked_s:
        w.trial, w.since, w.odd, w.fell = FELL, 0.0, 0, now
    begun, mean, count = now, value, 1
    if _fell(w, c, (w.fell - w.start) / f.scale, now_s, value, fell_s, raw):
        begun, count = w.fell, w.trial - FELL
        mean = w.since / count
    elif verdict(w, c, (now - w.start) / f.scale, value, raw * w.noise) != NEW:
        return
    lines.before[i] = lines.wears[i]
    lines.wears[i] = lines.empty[0]
    w.trial = TRIED if count == 1 else PROVES  # several readings are no glitch
    lines.rows[i].known = 0  # the band was the old part's
    w.fresh, w.last_s, w.looked_s = 1, now_s, now_s
    start(w, f, c, taught, begun, spread, mean, raw / count)


@part
def _prove(
    lines: Lines, i: int, now: float, now_s: float, value: float, raw: float, past: Any
) -> None:
    """Take a new part back when a reading is the old one's, until its own band is told."""
    w, f, old = lines.wears[i], lines.followed[i], lines.before[i]
    c = lines.parts[f.kind]
    w.looked_s = now_s
    used, used_old = (now - w.start) / f.scale, (now - old.start) / f.scale
    if comes_back(old, w, c, used_old, used, value, raw * old.noise):
        lines.wears[i] = lines.before[i]
        w.trial, w.last_s, w.looked_s = 0, now_s, now_s  # what was read in between is left out,
        past.kept = 0  # also of the bucket that is still open
    elif w.points < SHOWN:
        return
    else:
        _teach(old, c, lines.taught[f.kind])
        w.trial = 0
    lines.before[i] = lines.empty[0]


@part
def withhold(w: Any, c: Any, used: float, value: float, raw: float, past: Any, last: float) -> None:
    """Keep a reading on trial, or one that no part reads like, out of the points.

    Beside a few of those the median of a bucket is between the part's readings and theirs.
    """
    odd = w.trial == TRIED or verdict(w, c, used, value, raw * w.noise) == OFF
    if odd and past.kept > 0 and past.sample[past.kept - 1] == last:
        past.kept -= 1


@part
def _fell(
    w: Any, c: Any, used: float, now_s: float, value: float, fell_s: float, raw: float
) -> bool:
    """Whether the readings since the part's own counter fell show a new part, with this one.

    One that no part reads like does not count, nor does one that differs from the others; more that
    differ show nothing: a machine that starts again climbs back to what it read. The mean of a few
    counts as no surer than the median of a bucket: readings may be alike. `used` is that when it
    fell, lest a counter that comes back counts as use.
    """
    if w.trial < FELL:
        return False
    w.looked_s = now_s
    n, noise = w.trial - FELL, raw * w.noise
    if now_s < fell_s or verdict(w, c, used, value, noise) == OFF:
        return False  # it was read before, or says nothing
    if n > 0 and not alike(w.since / n, n, value, noise):
        like_new = confirms(w, c, used, w.since / n, noise)
        if w.odd == 1 or like_new == confirms(w, c, used, value, noise):
            w.trial = 0
            return False
        w.odd = 1
        if like_new:
            return False
        w.trial, w.since, n = FELL, 0.0, 0  # those before were odd
    w.trial += 1
    w.since += value
    n += 1
    if shown_new(w, c, used, w.since / n, n, noise):
        return True
    if n >= WAITS:
        w.trial = 0
    return False
