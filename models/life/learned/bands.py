"""Bands around a forecast: how wrong forecasts of left-out units were at that stage of life.

Cross-conformal: every unit is forecast by the models that never saw it; the residuals of all units
together make the band, so its width does not hang on one calibration split (Barber et al., Annals
of Statistics 49, 2021, CV+; Vovk, Ann. Math. Artif. Intell. 74, 2015). Quantiles are local: they
are weighted with a kernel over the forecast, the stage of life as the model sees it (Guan,
Biometrika 110, 2023). A censored row knows a lower bound of its residual and enters by the
product-limit estimate; where none but censored rows stand near, the band is all that can be.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.life.learned.runs import Floats
from models.life.learned.survival import product_limit

GRID: Final = 41  #: forecasts at which quantiles are kept
WIDTH: Final = 0.08  #: standard deviation of the kernel, as a share of the range of forecasts
LOW, HIGH = 0.05, 0.95


class Bands(Struct, frozen=True, kw_only=True):
    """Quantiles of (truth - forecast) over a grid of forecasts, and the largest truth."""

    grid: list[float]
    low: list[float]
    high: list[float]
    top: float

    def around(self, forecast: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the 5 %, 50 % and 95 % points of each forecast, (n,) each, in [0, top]."""
        low = forecast + np.interp(forecast, self.grid, self.low)
        high = forecast + np.interp(forecast, self.grid, self.high)
        middle = np.clip(forecast, 0.0, self.top)
        low = np.clip(low, 0.0, middle)
        return low, middle, np.maximum(np.clip(high, 0.0, self.top), middle)


def calibrate(
    forecast: Floats, truth: Floats, seen: NDArray[np.bool_], weight: Floats, top: float
) -> Bands:
    """Return the bands that rows of left-out units support.

    Args:
        forecast: of models that never saw the row's unit, (n,).
        truth: the remaining life, or its lower bound where not `seen`, (n,).
        seen: whether the unit failed, (n,).
        weight: of each row, (n,); each unit's rows should weigh one unit.
        top: the largest remaining life a band may reach.
    """
    grid = np.linspace(0.0, max(float(forecast.max()), 1e-9), GRID)
    spread = WIDTH * (grid[-1] - grid[0])
    error, units = truth - forecast, float(weight.sum())
    low, high = [], []
    for at in grid:
        near = weight * np.exp(-0.5 * ((forecast - at) / spread) ** 2)
        used = near > 1e-6 * near.max()
        if not seen[used].any():
            low.append(-float(at))
            high.append(top)
            continue
        law = product_limit(error[used], seen[used], near[used])
        low.append(min(_quantile(*law, LOW, units), 0.0))
        high.append(max(_quantile(*law, HIGH, units), 0.0))
    return Bands(grid=grid.tolist(), low=low, high=high, top=top)


def guessed(top: float) -> Bands:
    """Return bands for when one life was seen: others may be half or twice as long."""
    grid = np.linspace(0.0, top, GRID)
    return Bands(grid=grid.tolist(), low=(-0.5 * grid).tolist(), high=grid.tolist(), top=2.0 * top)


def _quantile(values: Floats, alive: Floats, share: float, units: float) -> float:
    """Return a quantile of a law of ascending values and the share above each, (k,) both.

    Harrell and Davis (Biometrika 69, 1982): the mean of the order statistics that may be it among
    so many units. A single one in a tail would swing with the units that happen to be there.
    """
    from scipy.special import betainc  # noqa: PLC0415  only where models are fitted

    below = np.concatenate([[0.0], 1.0 - alive[:-1], [1.0]])
    mass = np.diff(betainc((units + 1.0) * share, (units + 1.0) * (1.0 - share), below))
    return float(mass @ values)
