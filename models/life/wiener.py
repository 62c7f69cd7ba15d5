"""Wear as a process with drift, compiled: what is known of a part, a reading later.

Wear w runs from 0 (new) to 1 (limit) over the use u, measured in usual lives: dw = r du + noise,
with a rate r near 1 that belongs to the part. Known are the means and covariances of (w, r, b); b
is what the part's indicator was off when it was new. A reading y = curve(w) + b (1 - share) + noise
corrects them by an extended Kalman filter, so the drift is learned for each part (Si, Wang, Hu,
Chen and Zhou, A Wiener-process-based degradation model with a recursive filter algorithm for
remaining useful life estimation, Mechanical Systems and Signal Processing 35, 2013). A cumulative
sum of the innovations (Page, Biometrika 41, 1954) finds wear that quickens; the rate is then open
again. Only sums, products, quotients and roots enter: the same readings give the same bits.
"""

from typing import Any, Final

import numpy as np

from models.life.compiled import part

CURVE: Final = 81  #: points of a wear curve

#: what a profile says of a part
PART: Final = np.dtype(
    [
        ("curve", "f8", (CURVE,)),
        ("points", "i8"),  # of the curve, at equal steps of wear; 0: nothing measures it
        ("offset_var", "f8"),  # of new parts' indicators
        ("limit_var", "f8"),  # of the wear at which parts fail
        ("rate", "f8"),  # prior of the rate: mean and variance
        ("rate_var", "f8"),
        ("diffusion", "f8"),  # variance of wear over one life, by rate²
        ("memory", "f8"),  # use over which the rate that varies so stays alike
    ]
)

#: what is known of a part; a snapshot keeps it as it is
WEAR: Final = np.dtype(
    [
        ("begun", "i8"),  # 0: nothing read yet
        ("fresh", "i8"),  # 1: it was seen to be new
        ("points", "i8"),  # readings that corrected it
        ("trial", "i8"),  # whether it is a new part: see `models.fleet.renewal`
        ("since", "f8"),  # sum of the readings since the part's own counter fell
        ("odd", "i8"),  # 1: one of them was left out
        ("fell", "f8"),  # use in all when it fell
        ("looked_s", "f8"),  # time of the newest reading on trial, in the history's time
        ("opened", "i8"),  # 1: its wear quickened
        ("calm_r", "f8"),  # rate and its variance when the sum was last at rest before that
        ("calm_rr", "f8"),
        ("last_s", "f8"),  # time of the newest, in the history's time
        ("use", "f8"),  # u there
        ("start", "f8"),  # counter when it was new
        ("noise", "f8"),  # variance of a reading
        ("rise", "f8"),  # cumulative sum of innovations, and where it was last at rest
        ("rise_use", "f8"),
        ("rise_wear", "f8"),
        ("w", "f8"),
        ("r", "f8"),
        ("b", "f8"),
        ("ww", "f8"),
        ("wr", "f8"),
        ("wb", "f8"),
        ("rr", "f8"),
        ("rb", "f8"),
        ("bb", "f8"),
    ]
)

SLACK: Final = 1.0  #: half of the smallest quickening of interest, standard deviations
QUICKENED: Final = 10.0  #: cumulative sum at which wear has quickened
SURE: Final = 3.0  #: a reading counts as at most so many standard deviations
MOST_RISE: Final = 0.34 * QUICKENED  #: one reading adds at most so much: three show it, two do not
DOUBTFUL: Final = 4.0  #: sum from which the noise is not learned
WANDERS_QUICK: Final = 0.02  #: the same for a part whose wear quickened
WANDERS: Final = 0.0003  #: variance of the rate gained over a life, by rate²
LEAST_RATE: Final = 0.02
FINEST: Final = 1e-6  #: least variance of a reading, by the square of the way to the limit
EARLY: Final = 16.0  #: readings until the noise is known
LEARNS: Final = 1.0 / 64.0  #: share of a reading in the noise after that


@part
def curve_at(c: Any, w: float) -> tuple[float, float, float]:
    """Return the usual indicator at a wear, its slope there, and the share of the way it went."""
    last = c.points - 1
    at = w * last
    i = min(max(int(np.floor(at)), 0), last - 1)
    slope = c.curve[i + 1] - c.curve[i]
    y = c.curve[i] + (at - i) * slope
    share = (y - c.curve[0]) / (c.curve[last] - c.curve[0])
    return y, slope * last, min(max(share, 0.0), 1.0)


@part
def wear_of(c: Any, y: float) -> Any:
    """Return the wear at which the usual indicator is `y`, between 0 and 1.2."""
    last = c.points - 1
    sign = 1.0 if c.curve[last] > c.curve[0] else -1.0
    i, beyond = 0, last
    while beyond - i > 1:
        middle = (i + beyond) // 2
        if sign * (y - c.curve[middle]) > 0.0:
            i = middle
        else:
            beyond = middle
    w = (i + (y - c.curve[i]) / (c.curve[i + 1] - c.curve[i])) / last
    return min(max(w, 0.0), 1.2)


@part
def _slope(c: Any, w: float, sd: float) -> Any:
    """Return the mean slope of the curve where the wear may be: it bends."""
    low, high = max(w - sd, 0.0), max(w + sd, 1e-3)
    return (curve_at(c, high)[0] - curve_at(c, low)[0]) / (high - low)


@part
def begin(s: Any, c: Any, use: float, known: bool) -> None:
    """Begin with the prior: `use` since the part was new, or (not `known`) any wear."""
    s.begun = 1
    s.points = s.opened = 0
    s.use = use
    s.rise = 0.0
    s.r, s.rr = c.rate, c.rate_var
    s.b, s.bb = 0.0, c.offset_var
    s.wb = s.rb = 0.0
    if known:
        s.w = c.rate * use
        s.ww = c.rate_var * use * use + 1e-9
        s.wr = c.rate_var * use
    else:
        s.w, s.ww, s.wr = 0.5, 1.0, 0.0
    s.rise_use, s.rise_wear = use, s.w
    s.calm_r, s.calm_rr = s.r, s.rr


@part
def forward(s: Any, c: Any, use: float) -> None:
    """Let the part be used up to `use`."""
    du = max(use - s.use, 0.0)
    s.use = max(use, s.use)
    s.w += s.r * du
    s.ww += (2.0 * s.wr + s.rr * du + c.diffusion * s.r * s.r) * du
    s.wr += s.rr * du
    s.wb += s.rb * du
    wanders = WANDERS_QUICK if s.opened == 1 else WANDERS
    s.rr += wanders * s.r * s.r * s.r * du


@part
def _first(s: Any, c: Any, y: float) -> None:
    """Take the wear from the first reading when nothing else is known of it."""
    s.w = wear_of(c, y)
    rest = 1.0 - curve_at(c, s.w)[2]
    sd = np.sqrt(s.noise + rest * rest * s.bb)
    half = 0.5 * abs(wear_of(c, y + sd) - wear_of(c, y - sd))
    sign = 1.0 if c.curve[c.points - 1] > c.curve[0] else -1.0
    s.ww = max(half * half, 1e-8)
    s.wb = -sign * rest * s.bb * half / sd
    s.rise_use, s.rise_wear = s.use, s.w


@part
def again(s: Any, c: Any, use: float, y: float) -> None:
    """Read the wear anew, with what is known of the rate: the indicator had been disturbed.

    A rate that was opened meanwhile was the disturbance's: it is again what it was before.
    """
    if s.opened == 1:
        s.r, s.rr, s.opened = s.calm_r, s.calm_rr, 0
    forward(s, c, use)
    s.wr = s.rb = s.rise = 0.0
    _first(s, c, y)
    s.points += 1


@part
def _open(s: Any, c: Any, y: float) -> None:
    """Open the rate again: wear went faster than it since the sum of innovations was at rest."""
    _, _, share = curve_at(c, s.w)
    seen = wear_of(c, y - s.b * (1.0 - share))
    gap = max(seen - s.w, 0.0)
    rate = max(seen - s.rise_wear, 0.0) / max(s.use - s.rise_use, 1e-9)
    s.ww += gap * gap
    s.wr = s.wb = s.rb = 0.0
    s.rr += max(rate - s.r, 0.0) ** 2
    s.r = max(s.r, 0.5 * rate)
    s.rise = 0.0
    s.opened = 1


@part
def read(s: Any, c: Any, use: float, y: float) -> None:
    """Take a reading of the indicator after `use` usual lives."""
    forward(s, c, use)
    sign = 1.0 if c.curve[c.points - 1] > c.curve[0] else -1.0
    if s.points == 0 and s.ww >= 1.0:
        _first(s, c, y)
        s.points = 1
        return
    h, _, share = curve_at(c, s.w)
    slope = _slope(c, s.w, np.sqrt(s.ww))
    hw = slope * (1.0 - s.b / (c.curve[c.points - 1] - c.curve[0]))
    hb = 1.0 - share
    e = y - h - s.b * hb
    known = hw * hw * s.ww + 2.0 * hw * hb * s.wb + hb * hb * s.bb
    z = sign * e / np.sqrt(known + s.noise)
    s.rise = max(0.0, s.rise + min(z - SLACK, MOST_RISE))
    if s.rise == 0.0:
        s.rise_use, s.rise_wear = s.use, s.w
        if s.opened == 0:
            s.calm_r, s.calm_rr = s.r, s.rr
    elif s.rise >= QUICKENED:
        _open(s, c, y)
        known = hw * hw * s.ww + hb * hb * s.bb
        z = sign * e / np.sqrt(known + s.noise)
    total = known + s.noise
    e = min(max(e, -SURE * np.sqrt(total)), SURE * np.sqrt(total))
    learns = max(1.0 / (EARLY + s.points), LEARNS)
    if s.rise < DOUBTFUL:  # what quickening explains is no noise
        s.noise *= 1.0 + learns * s.noise / total * (e * e / total - 1.0)
    s.noise = max(s.noise, FINEST * (c.curve[c.points - 1] - c.curve[0]) ** 2)
    _correct(s, hw, hb, e, total)
    s.points += 1


@part
def _correct(s: Any, hw: float, hb: float, e: float, total: float) -> None:
    """Correct means and covariances by an innovation of variance `total`."""
    gw = (hw * s.ww + hb * s.wb) / total
    gr = (hw * s.wr + hb * s.rb) / total
    gb = (hw * s.wb + hb * s.bb) / total
    s.w = max(s.w + gw * e, 0.0)
    s.r = max(s.r + gr * e, 0.5 * s.r, LEAST_RATE)
    s.b += gb * e
    s.ww = max(s.ww - gw * gw * total, 1e-12)
    s.rr = max(s.rr - gr * gr * total, 1e-12)
    s.bb = max(s.bb - gb * gb * total, 0.0)
    s.wr -= gw * gr * total
    s.wb -= gw * gb * total
    s.rb -= gr * gb * total
