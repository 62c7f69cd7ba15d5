"""Bands at many random ages of each unit: one age a unit says little of so few units.

The scorer of the recordings cuts each unit once. Of 80 engines some 50 have at most 100 cycles left
then, and the share of bands that hold swings by a tenth with the ages that were drawn.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
CUTS: Final = 20  #: of each unit
EARLIEST: Final = 30  #: rows of a unit that is cut, as the scorer cuts
LATE: Final = 100.0  #: remaining life at most, in the unit of time: what counts as late
DRAWS: Final = 1_000  #: of units, for the intervals


def figures(units: NDArray[np.str_], truth: Array, band: Array) -> dict[str, Any]:
    """Return width, Winkler score and coverage of 90 % bands at random ages, overall and late.

    Coverages are (share, low, high): with a 95 % interval over units drawn anew. `swing` is the
    least and the largest late coverage that one age a unit gives.

    Args:
        units: of each forecast, those of a unit in the order of time, (n,).
        truth: remaining life, (n,).
        band: 5, 50 and 95 % points, (n, 3).
    """
    chance = np.random.default_rng(0)
    rows = cuts(units, chance)
    true, low, high = truth[rows], band[rows, 0], band[rows, 2]
    held = (true >= low - 1e-9) & (true <= high + 1e-9)
    outside = np.maximum(low - true, 0.0) + np.maximum(true - high, 0.0)
    winkler = high - low + 20.0 * outside
    found: dict[str, Any] = {}
    for name, some in (("all", np.ones(true.shape, bool)), ("late", true <= LATE)):
        found[name] = {
            "coverage": _share(held & some, some, chance),
            "width": float((high - low)[some].mean()) if some.any() else float("nan"),
            "winkler": float(winkler[some].mean()) if some.any() else float("nan"),
        }
    late = true <= LATE
    once = (held & late).sum(axis=0) / np.maximum(late.sum(axis=0), 1)
    return found | {"swing": (float(once.min()), float(once.max()))}


def cuts(units: NDArray[np.str_], chance: np.random.Generator) -> NDArray[np.intp]:
    """Return rows at random ages of each unit, (u, CUTS); `units` of each row, (n,)."""
    at = []
    for unit in dict.fromkeys(units):
        own = np.flatnonzero(units == unit)
        at.append(own[chance.integers(min(EARLIEST, len(own) - 1), len(own), CUTS) - 1])
    return np.array(at)


def _share(
    hits: NDArray[np.bool_], some: NDArray[np.bool_], chance: np.random.Generator
) -> tuple[float, float, float]:
    """Return the share of hits (u, c) among some (u, c), and its interval over units."""
    hit, count = hits.sum(axis=1), some.sum(axis=1)
    drawn = chance.integers(0, len(hit), (DRAWS, len(hit)))
    shares = hit[drawn].sum(axis=1) / np.maximum(count[drawn].sum(axis=1), 1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(hit.sum() / max(count.sum(), 1)), float(low), float(high)
