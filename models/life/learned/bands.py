"""Bands around a forecast: how wrong forecasts of left-out units were at that stage of life.

Cross-conformal: every unit is forecast by the models that never saw it; the residuals of all units
together make the band, so its width does not hang on one calibration split (Barber et al., Annals
of Statistics 49, 2021, CV+; Vovk, Ann. Math. Artif. Intell. 74, 2015). Quantiles are local: they
are weighted with a kernel over the forecast, the stage of life as the model sees it (Guan,
Biometrika 110, 2023). A censored row knows a lower bound of its residual and enters by the
product-limit estimate.
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
    error = truth - forecast
    low, high = np.empty(GRID), np.empty(GRID)
    for k, at in enumerate(grid):
        near = weight * np.exp(-0.5 * ((forecast - at) / spread) ** 2)
        used = near > 1e-6 * near.max()
        values, alive = product_limit(error[used], seen[used], near[used])
        low[k] = _quantile(values, alive, LOW)
        high[k] = _quantile(values, alive, HIGH)
    return Bands(
        grid=grid.tolist(),
        low=np.minimum(low, 0.0).tolist(),
        high=np.maximum(high, 0.0).tolist(),
        top=top,
    )


def guessed(top: float) -> Bands:
    """Return bands for when one life was seen: others may be half or twice as long."""
    grid = np.linspace(0.0, top, GRID)
    return Bands(grid=grid.tolist(), low=(-0.5 * grid).tolist(), high=grid.tolist(), top=2.0 * top)


def _quantile(values: Floats, alive: Floats, share: float) -> float:
    if not len(values):
        return 0.0
    at = int(np.searchsorted(-alive, -(1.0 - share), side="left"))
    return float(values[min(at, len(values) - 1)])
