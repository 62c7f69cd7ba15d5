"""Life from age alone, where nothing measures wear: Weibull with right censoring.

The profile's usual life and spread count as a few old parts, so there is an answer before any part
has failed; each part that was replaced, and the age of each that still runs, corrects it (maximum
likelihood; Cohen, Technometrics 7, 1965, for the equation of the shape). The band is of the life
that is left, given the age.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.life.predictor import Band

PRIOR_PARTS: Final = 6.0  #: the profile's usual life counts as so many old parts
QUANTILES: Final = (0.1, 0.3, 0.5, 0.7, 0.9)  #: where those failed
SHAPES: Final = (0.2, 50.0)
LEAST_AGE: Final = 1e-3  #: of the usual life: a part that fails at once


def weibull(
    ages: NDArray[np.float64], failed: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """Return (shape, scale) of parts with ages (n,), of which `failed` (n,) have ended.

    `weights` (n,) counts each so many times; the ages of the others are right-censored. At least
    one must have failed, at an age above 0.
    """
    if not failed.any():
        raise ValueError("no part has failed: a Weibull distribution needs at least one")
    top = float(ages.max())
    logs = np.log(np.maximum(ages / top, 1e-12))
    ended = weights * failed
    count = float(ended.sum())
    mean = float((ended * logs).sum()) / count
    low, high = SHAPES
    for _ in range(60):
        shape = 0.5 * (low + high)
        powers = weights * np.exp(shape * logs)
        if float((powers * logs).sum() / powers.sum()) - 1.0 / shape - mean < 0.0:
            low = shape
        else:
            high = shape
    shape = 0.5 * (low + high)
    total = float((weights * np.exp(shape * logs)).sum())
    return shape, top * (total / count) ** (1.0 / shape)


def usual(life: float, spread: float) -> tuple[float, float]:
    """Return (shape, scale) with a median life and a relative standard deviation."""
    shape = 1.2 / spread  # within 5 % for spreads of 0.1 to 0.6
    return shape, life / np.log(2.0) ** (1.0 / shape)


def learned(
    life: float, spread: float, ages: NDArray[np.float64], failed: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return (shape, scale) from a profile's life and spread and the fleet's parts (n,)."""
    shape, scale = usual(life, spread)
    prior = scale * (-np.log(1.0 - np.array(QUANTILES))) ** (1.0 / shape)
    return weibull(
        np.concatenate([prior, np.maximum(ages, LEAST_AGE * life)]),
        np.concatenate([np.ones(len(prior), bool), failed]),
        np.concatenate([np.full(len(prior), PRIOR_PARTS / len(prior)), np.ones(len(ages))]),
    )


def left(age_s: float, shape: float, scale_s: float) -> Band:
    """Return the band of the life that is left to a part of an age."""
    spent = (age_s / scale_s) ** shape
    edges = [
        scale_s * (spent - float(np.log(1.0 - p))) ** (1.0 / shape) - age_s for p in (0.1, 0.5, 0.9)
    ]
    p10, p50, p90 = (max(edge, 0.0) for edge in edges)
    return Band(p10_s=p10, p50_s=p50, p90_s=p90, fraction=p50 / (p50 + age_s))
