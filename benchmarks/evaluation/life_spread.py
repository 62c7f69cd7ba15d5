"""How far apart the mean widths of several fits' bands are, at the same forecasts and ages."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np

from benchmarks.evaluation import life_cuts
from models.life.learned.bands import Bands

SPLITS: Final = 5  #: of the same units into folds, drawn anew by the seed of the fit


def widths(fits: list[dict[str, Any]], folds: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return the mean width of each fit's bands at the forecasts and ages of all folds.

    At every row, and at random ages of each unit alike: where rows count, long lives count more.

    Args:
        fits: `bands` as builtins, of each fit.
        folds: `whole` forecasts and `age` of their rows, of each fold.
    """
    cells = [line.split(",") for fold in folds for line in fold["whole"]["forewarn"]]
    forecast = np.array([float(cell[3]) for cell in cells])
    age = np.concatenate([fold["age"] for fold in folds])
    bands = (msgspec.convert(fit["bands"], Bands) for fit in fits)
    edges = [one.around(forecast, age) for one in bands]
    many = life_cuts.cuts(np.array([cell[0] for cell in cells]), np.random.default_rng(0))
    return {
        "whole": [float((high - low).mean()) for low, _, high in edges],
        "many": [float((high - low)[many].mean()) for low, _, high in edges],
    }


def spread(widths: list[float]) -> str:
    """Return how far mean widths are apart, as a share of their mean."""
    return f"{np.ptp(widths) / np.mean(widths):.1%}" if len(widths) > 1 else "–"
