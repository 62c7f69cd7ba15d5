"""A new part is recognised by its indicator, which falls back; never by a counter alone.

A counter that falls was set back, rolled over, or belongs to another controller: none of these
makes a part new. Wear itself never goes back, so an indicator that does, by far more than its noise
and all the way to that of a new part, shows a new part. One that comes back only partly was
disturbed (a sensor, a cleaning): the wear is then read anew, what is known of the rate stays.

When a part's own counter falls, either the part is new or somebody set the counter back; all else
being equal, the readings since then alone can tell. A part is new when their mean is further from
what the old part would read than chance would have it: the most powerful test there is (Neyman and
Pearson, Phil. Trans. R. Soc. A 231, 1933).
"""
# ruff: noqa: PLR0917  compiled code: no keywords, and a call costs a look-up

from typing import Any, Final

import numpy as np

from models.life.compiled import part
from models.life.wiener import curve_at, wear_of

BEYOND: Final = 6.0  #: standard deviations by which a new part may be better than usual,
BEYOND_SHARE: Final = 0.02  #: and this share of the way to the limit
LEAST_WEAR: Final = 0.1  #: a fall by less wear is not worth a part
KNOWN: Final = 4.0  #: standard deviations of the wear itself
CERTAIN: Final = 4.5  #: standard deviations of the fall
FELL_CERTAIN: Final = 4.0  #: of the first reading after the part's own counter fell
NEW_WEAR: Final = 0.12  #: a new part shows less wear than this
SAME: Final = 0  #: what a reading says of the part
NEW: Final = 1
DISTURBED: Final = 2
OFF: Final = 3  #: no part reads like that, not even a new one: a sensor that is off


@part
def fall_line(s: Any, c: Any, use: float) -> Any:
    """Return the reading beyond which a verdict is worth while; infinite for a part so new."""
    w = min(s.w + s.r * max(use - s.use, 0.0), 1.2)
    sign = 1.0 if c.curve[c.points - 1] > c.curve[0] else -1.0
    if w <= LEAST_WEAR or s.points < 2:
        return -sign * np.inf
    return curve_at(c, w - LEAST_WEAR)[0] + s.b * (1.0 - curve_at(c, w)[2])


@part
def _expected(s: Any, c: Any, use: float) -> tuple[float, float]:
    """Return what a part would read after `use`, and the variance of what is known of that."""
    y, slope, share = curve_at(c, min(s.w + s.r * max(use - s.use, 0.0), 1.2))
    rest = 1.0 - share
    known = slope * slope * s.ww + 2.0 * slope * rest * s.wb + rest * rest * s.bb
    return y + s.b * rest, max(known, 0.0)


@part
def confirms(s: Any, c: Any, use: float, y: float, noise: float) -> bool:
    """Whether a second reading is nearer to a new part than to the old one (`s`)."""
    sign = 1.0 if c.curve[c.points - 1] > c.curve[0] else -1.0
    y_old, _ = _expected(s, c, use)
    nearer = sign * (0.5 * (y_old + c.curve[0]) - y) > 0.0
    return bool(nearer and verdict(s, c, use, y, noise) != OFF)


@part
def comes_back(
    old: Any, new: Any, c: Any, use_old: float, use_new: float, y: float, noise: float
) -> bool:
    """Whether a reading is the old part's and cannot be that of the part taken for a new one."""
    y_old, known = _expected(old, c, use_old)
    y_new, _ = _expected(new, c, use_new)
    same = abs(y - y_old) <= CERTAIN * np.sqrt(noise + known)
    return bool(same and not alike(y_new, 1, y, noise))


@part
def alike(mean: float, count: int, y: float, noise: float) -> bool:
    """Whether a reading is of the same part as the mean of `count` others of such variance."""
    return bool(abs(y - mean) <= CERTAIN * np.sqrt(noise * (1.0 + 1.0 / count)))


@part
def shown_new(s: Any, c: Any, use: float, mean: float, count: int, noise: float) -> bool:
    """Whether the mean of the readings since a part's own counter fell is that of a new part.

    `count` readings of variance `noise`. The first alone is wrong about one counter in 30,000, and
    the next one then takes it back; the means are five more looks, and final.
    """
    sign = 1.0 if c.curve[c.points - 1] > c.curve[0] else -1.0
    y_old, known = _expected(s, c, use)
    certain = FELL_CERTAIN if count == 1 else CERTAIN
    far = sign * (y_old - mean) >= certain * np.sqrt(noise / count + known)
    return bool(far and confirms(s, c, use, mean, noise))


@part
def verdict(s: Any, c: Any, use: float, y: float, noise: float) -> int:
    """Say whether a reading after `use` is of the same part, a new one, or a disturbed sensor.

    `noise` is the reading's variance.
    """
    if s.points < 2 or c.points == 0:
        return SAME
    sign = 1.0 if c.curve[c.points - 1] > c.curve[0] else -1.0
    w = s.w + s.r * max(use - s.use, 0.0)
    expected, slope, share = curve_at(c, min(w, 1.2))
    expected += s.b * (1.0 - share)
    spread = np.sqrt(noise + slope * slope * s.ww)
    better = sign * (c.curve[0] - y)
    way = abs(c.curve[c.points - 1] - c.curve[0])
    if better > BEYOND * np.sqrt(noise + c.offset_var) + BEYOND_SHARE * way:
        return OFF if sign * (expected - y) >= CERTAIN * spread else SAME
    seen = wear_of(c, y)
    least = max(LEAST_WEAR, KNOWN * np.sqrt(s.ww))
    if w - seen < least or sign * (expected - y) < CERTAIN * spread:
        return SAME
    if sign * (expected - c.curve[0]) < CERTAIN * spread:
        return SAME  # it is better than a new part by chance, and so may be the next
    near = c.curve[0] + sign * (4.0 * np.sqrt(c.offset_var) + CERTAIN * np.sqrt(noise))
    new = seen < NEW_WEAR or sign * (near - y) > 0.0
    return NEW if new and _fell_back(s, c, seen, y, noise, least) else DISTURBED


@part
def _fell_back(s: Any, c: Any, seen: float, y: float, noise: float, least: float) -> bool:
    """Whether a reading, and the wear `seen` in it, is better than what was read before it.

    Else it is better than the use since then lets expect, and that may be a counter that jumped.
    """
    sign = 1.0 if c.curve[c.points - 1] > c.curve[0] else -1.0
    before, slope, share = curve_at(c, min(s.w, 1.2))
    fall = sign * (before + s.b * (1.0 - share) - y)
    return bool(s.w - seen >= least and fall >= CERTAIN * np.sqrt(noise + slope * slope * s.ww))
