"""Bands around a forecast: how wrong forecasts of left-out units were at that stage of life.

Cross-conformal: every unit is forecast by the models that never saw it; the residuals of all units
together make the band, so its width does not hang on one calibration split (Barber et al., Annals
of Statistics 49, 2021, CV+; Vovk, Ann. Math. Artif. Intell. 74, 2015). Quantiles are local: they
are weighted with a kernel over the forecast, the stage of life as the model sees it, and over the
age (Guan, Biometrika 110, 2023): an old unit that looks as new is wrong in other ways than a new
one. A censored row knows a lower bound of its residual and enters by the product-limit estimate;
where none but censored rows have a forecast near, whatever their age, the band is all that can be.
Where that is so of an age alone, rows of other ages make the band, and its late end may come before
what units of that age have outlived.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.life.learned.runs import Floats, Whole
from models.life.learned.survival import product_limit

GRID, AGES = 41, 25  #: forecasts and ages at which quantiles are kept
WIDTH: Final = 0.08  #: standard deviation of the kernel, as a share of the range of forecasts
AGED: Final = 0.15  #: of a typical life: standard deviation of the kernel over the age
OLDEST: Final = 3.0  #: typical lives: older units get the band of this age
ANY_AGE: Final = 2.0  #: units that rows of any age count as: few near the age say too little
LOW, HIGH = 0.05, 0.95


class Bands(Struct, frozen=True, kw_only=True):
    """Quantiles of (truth - forecast) over forecasts and ages, and the largest truth.

    Attributes:
        grid: forecasts, (g,), in the unit of time.
        ages: times since the unit began, (a,), at least two.
        low, high: quantiles at each forecast and age, (g, a).
        top: the largest remaining life of a band.
    """

    grid: list[float]
    ages: list[float]
    low: list[list[float]]
    high: list[list[float]]
    top: float

    def around(self, forecast: Floats, age: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the 5 %, 50 % and 95 % points of forecasts at ages, (n,) each, in [0, top]."""
        row, share = _place(self.grid, forecast)
        col, along = _place(self.ages, age)

        def edge(table: list[list[float]]) -> Floats:
            error = np.array(table)
            below, above = (
                error[at, col] + along * (error[at, col + 1] - error[at, col])
                for at in (row, row + 1)
            )
            return np.asarray(np.clip(forecast + below + share * (above - below), 0.0, self.top))

        middle = np.clip(forecast, 0.0, self.top)
        return np.minimum(edge(self.low), middle), middle, np.maximum(edge(self.high), middle)


def calibrate(
    forecast: Floats,
    age: Floats,
    truth: Floats,
    seen: NDArray[np.bool_],
    weight: Floats,
    *,
    top: float,
    typical: float,
) -> Bands:
    """Return the bands that rows of left-out units support.

    Args:
        forecast: of models that never saw the row's unit, (n,).
        age: of the unit at the row, (n,).
        truth: the remaining life, or its lower bound where not `seen`, (n,).
        seen: whether the unit failed, (n,).
        weight: of each row, (n,); each unit's rows should weigh one unit.
        top: the largest remaining life a band may reach.
        typical: a typical life.
    """
    order = np.lexsort((~seen, truth - forecast))
    forecast, age, seen, weight = forecast[order], age[order], seen[order], weight[order]
    error = truth[order] - forecast
    grid = np.linspace(0.0, max(float(forecast.max()), 1e-9), GRID)
    ages = np.linspace(0.0, min(float(age.max()), OLDEST * typical), AGES)
    beside = np.exp(-0.5 * ((age - ages[:, None]) / (AGED * typical)) ** 2)
    found = np.empty((2, GRID, AGES))
    for row, at in enumerate(grid):
        near = weight * np.exp(-0.5 * ((forecast - at) / (WIDTH * grid[-1])) ** 2)
        used = near > 1e-6 * near.max()
        if not seen[used].any():
            found[:, row] = [[-at], [top]]
            continue
        near = near[used]
        some = near * beside[:, used] + ANY_AGE * near / near.sum()
        for col, weights in enumerate(some):
            law = product_limit(error[used], seen[used], weights)
            found[:, row, col] = [_quantile(*law, share) for share in (LOW, HIGH)]
    low, high = np.minimum(found[0], 0.0), np.maximum(found[1], 0.0)
    return Bands(
        grid=grid.tolist(), ages=ages.tolist(), low=low.tolist(), high=high.tolist(), top=top
    )


def guessed(top: float) -> Bands:
    """Return bands for when one life was seen: others may be half or twice as long."""
    grid = np.linspace(0.0, top, GRID)
    low, high = (np.column_stack([edge, edge]).tolist() for edge in (-0.5 * grid, grid))
    return Bands(grid=grid.tolist(), ages=[0.0, top], low=low, high=high, top=2.0 * top)


def _quantile(values: Floats, alive: Floats, share: float) -> float:
    """Return a quantile of a law of ascending values and the share above each, (k,) both."""
    first = int(np.searchsorted(-alive, share - 1.0))
    return float(values[min(first, len(values) - 1)])


def _place(grid: list[float], values: Floats) -> tuple[Whole, Floats]:
    """Return the cell of an ascending grid for each value and the share of it below, (n,) both."""
    ends = np.array(grid)
    inside = np.clip(values, ends[0], ends[-1])
    cell = np.clip(np.searchsorted(ends, inside, side="right") - 1, 0, len(ends) - 2)
    return cell, (inside - ends[cell]) / (ends[cell + 1] - ends[cell])
