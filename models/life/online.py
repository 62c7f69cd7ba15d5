"""Lives a reading later: what a profile says of a part, and what a reading of it changes. Compiled.

State and settings are rows of plain arrays (`wiener.WEAR`, `wiener.PART`), one a part.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from models.life.compiled import part
from models.life.gamma import passage
from models.life.replacement import DISTURBED, NEW, OFF, verdict
from models.life.wiener import CURVE, PART, again, curve_at, forward, read
from models.profile import Consumable

Floats = NDArray[np.float64]

RAW_NOISE: Final = 6.0  #: variance of a reading by that of the median of a bucket


def measured(part: Consumable) -> bool:
    """Whether a part's wear is measured and its usual life is known."""
    return bool(part.curve) and (part.life_d is not None or counted(part))


def counted(part: Consumable) -> bool:
    """Whether a counter says how much a part is used."""
    return part.counter is not None and part.rated is not None


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
        row["memory"] = part.varies_for_d / part.life_d
    return row


@part
def taken(s: Any, c: Any, used: float, y: float) -> bool:
    """Take a reading of a part used so much; False when it shows a new part instead."""
    found = verdict(s, c, used, y, s.noise)
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
