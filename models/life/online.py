"""Lives a reading later: the entries that Python calls into the compiled models of wear.

State and settings are rows of plain arrays (`wiener.WEAR`, `wiener.PART`), one a part.
"""
# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from models.life import gamma, replacement, use, wiener
from models.life.compiled import build_of, entry, part
from models.life.gamma import passage
from models.life.replacement import APART, DISTURBED, NEW, OFF, fall_line, verdict
from models.life.use import recent_use, season_total, season_until, week_shares, week_until
from models.life.wiener import CURVE, PART, WEAR, again, begin, curve_at, forward, read
from models.profile import Consumable

Rows = NDArray[Any]
Floats = NDArray[np.float64]

RAW_NOISE: Final = 6.0  #: variance of a reading by that of the median of a bucket
_BUILD: Final = build_of(gamma, replacement, use, wiener)


def measured(part: Consumable) -> bool:
    """Whether a part's wear is measured and its usual life is known."""
    return bool(part.curve) and (part.life_d is not None or counted(part))


def counted(part: Consumable) -> bool:
    """Whether a counter says how much a part is used."""
    return part.counter is not None and part.rated is not None


def way(part: Consumable) -> float:
    """Return how far a part's indicator goes from new to its limit (0: nothing measures it)."""
    return abs(part.curve[-1] - part.curve[0]) if part.curve else 0.0


def usual(part: Consumable) -> NDArray[Any]:
    """Return what a profile says of a part (1,), in the units of `wiener`.

    The rate is one by the life of a part, so its spread is taken of log life.
    """
    row = np.zeros(1, PART)
    if part.curve:
        given = np.linspace(0.0, 1.0, len(part.curve))
        row["curve"] = PchipInterpolator(given, part.curve)(np.linspace(0.0, 1.0, CURVE))
        row["points"] = CURVE
        slope = (row["curve"][0, -1] - row["curve"][0, -2]) * (CURVE - 1)
        row["limit_var"] = (part.limit_spread / slope) ** 2
    row["offset_var"] = part.new_spread**2
    row["rate"] = 1.0
    row["rate_var"] = part.lives_differ**2
    if not counted(part) and part.life_d is not None:
        row["diffusion"] = part.varies**2 / part.life_d
    return row


@part
def taken(s: Any, c: Any, used: float, y: float, apart: float) -> bool:
    """Take a reading of a part used so much; False when it shows a new part instead.

    `apart`: see `replacement.verdict`.
    """
    found = verdict(s, c, used, y, s.noise, apart)
    if found == NEW:
        return False
    if found == DISTURBED:
        again(s, c, used, y)
    elif found != OFF:
        read(s, c, used, y)
    return True


@part
def foresee(s: Any, c: Any, used: float, use: Floats, out: Floats) -> None:
    """Write (p10, p50, p90 in s, fraction left, slope by usual life); `s` is moved to `used`.

    `use` (4,): see `gamma.passage`.
    """
    forward(s, c, used)
    if use[0] > 0.0:
        out[0], out[1], out[2] = passage(s, c, use)
    out[3] = min(max(1.0 - s.w, 0.0), 1.0)
    out[4] = s.r
    if c.points > 0:
        out[4] *= curve_at(c, s.w)[1]


def _make_following(build: int) -> tuple[Any, ...]:
    """Compile what changes a part's state. Each function names `build`, so its cache is keyed."""

    def start(wears: Rows, i: int, parts: Rows, j: int, used: float, known: bool) -> None:
        """Begin row i with the prior of a part that has been used so much (usual lives)."""
        if build >= 0:
            begin(wears[i], parts[j], used, known)

    def take(
        wears: Rows, i: int, parts: Rows, j: int, times: Floats, uses: Floats, values: Floats
    ) -> int:
        """Take readings (n,) of row i's indicator after `uses` (n,) usual lives each.

        Returns the number taken: all, or those before the first that shows a new part.
        """
        s, c = wears[i], parts[j]
        for k in range(len(values)):
            if not taken(s, c, uses[k], values[k], 0.0) and build >= 0:
                return k
            s.last_s = times[k]
        return len(values)

    def judge(wears: Rows, i: int, parts: Rows, j: int, used: float, y: float, fell: bool) -> int:
        """Return the verdict (`replacement`) of one raw reading: noisier than a bucket's median."""
        noise = RAW_NOISE * wears[i].noise
        apart = APART if fell and build >= 0 else 0.0
        return verdict(wears[i], parts[j], used, y, noise, apart)

    def line(wears: Rows, i: int, parts: Rows, j: int, used: float) -> float:
        """Return `replacement.fall_line` of row i."""
        return fall_line(wears[i], parts[j], used) if build >= 0 else 0.0

    return entry(start), entry(take), entry(judge), entry(line)


def _make_telling(build: int) -> tuple[Any, ...]:
    """Compile what reads a part's state and a counter's past."""

    def band(
        wears: Rows, i: int, parts: Rows, j: int, used: float, use: Floats, out: Floats
    ) -> None:
        """Write `foresee` of row i; the row stays as it is."""
        now = np.empty(1, WEAR)
        now[0] = wears[i]
        if build >= 0:
            foresee(now[0], parts[j], used, use, out)

    def step(
        wears: Rows, parts: Rows, uses: Floats, values: Floats, use: Floats, out: Floats
    ) -> None:
        """Take one reading of every part (n,) and write every band, as `take` and `band` do."""
        now = np.empty(1, WEAR)
        for i in range(len(wears)):
            s, c = wears[i], parts[i]
            if s.begun == 0:
                begin(s, c, uses[i], False)
            if verdict(s, c, uses[i], values[i], s.noise, 0.0) < NEW or build < 0:
                read(s, c, uses[i], values[i])
            now[0] = s
            out[i, 0], out[i, 1], out[i, 2] = passage(now[0], c, use)
            out[i, 3] = min(max(1.0 - s.w, 0.0), 1.0)
            out[i, 4] = s.r

    def in_season(t_s: float, ends: Floats, season: float, peak_day: float) -> None:
        """Turn the first three of `ends` from seconds of mean use into seconds of the calendar."""
        for k in range(3):
            if build >= 0:
                ends[k] = season_until(t_s, ends[k], season, peak_day)

    def in_week(t_s: float, ends: Floats, times: Floats, values: Floats) -> None:
        """Do the same by weekdays, as a counter's past (`times` s since 1970 UTC) shows them."""
        shares = np.ones(7)
        if build >= 0:
            week_shares(times, values, 0.0, shares)
        for k in range(3):
            ends[k] = week_until(t_s, ends[k], shares)

    def seasonal(t_s: float, season: float, peak_day: float) -> float:
        """Return the seconds of mean use up to a time, s since 1970 UTC."""
        return season_total(t_s, season, peak_day) if build >= 0 else 0.0

    def recent(times: Floats, values: Floats, varies: float) -> tuple[float, float, float]:
        """Return `use.recent_use` of a counter's past."""
        return recent_use(times, values, varies) if build >= 0 else (0.0, 0.0, 0.0)

    return (
        entry(band),
        entry(step),
        entry(in_season),
        entry(in_week),
        entry(seasonal),
        entry(recent),
    )


start, take, judge, line = _make_following(_BUILD)
band, step, in_season, in_week, seasonal, recent = _make_telling(_BUILD)
