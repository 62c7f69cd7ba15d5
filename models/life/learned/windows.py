"""What is known of a unit at each of its rows, from that row and those before it alone.

Exponentially weighted means of two spans, their change against a longer one and against the
unit's own beginning, local spread and mean load, per signal; and the age. Spans are shares of a
typical life, so that cycles, seconds and days need no settings.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.life.learned.runs import Floats, Runs, Whole

SPANS: Final = (0.02, 0.07, 0.2)  #: of a typical life: short, middle, long
BEGINNING: Final = 0.1  #: of a typical life: what counts as the unit's beginning
KINDS: Final = ("short", "middle", "bend", "drift", "spread", "load")
WIDEST: Final = 8.0  #: standard deviations beyond which a measured value says no more


def features(runs: Runs, z: Floats, typical: float) -> Floats:
    """Return the features of each row, (n, 6 s + 1), NaN where a signal was never seen.

    Args:
        runs: the rows.
        z: their standardised signals, (n, s).
        typical: a typical life, in the unit of time.
    """
    z = np.clip(z, -WIDEST, WIDEST)
    row, col = _places(runs)
    shape = (len(runs.units), int(runs.counts.max()), z.shape[1])
    grid = np.full(shape, np.nan)
    grid[row, col] = z
    clock = np.full(shape[:2], np.nan)
    clock[row, col] = runs.time
    short, middle, long = (_smooth(grid, clock, share * typical) for share in SPANS)
    square = _smooth(grid**2, clock, SPANS[1] * typical)
    first = _first(grid, clock, BEGINNING * typical)
    load = _smooth(grid, clock, np.inf)
    spread = np.sqrt(np.maximum(square - middle**2, 0.0))
    parts = (short, middle, middle - long, middle - first, spread, load)
    age = runs.time / typical
    return np.column_stack([p[row, col] for p in parts] + [age])


def names(signals: tuple[str, ...]) -> list[str]:
    """Return the names of the features: `kind:signal`, and `age`."""
    return [f"{kind}:{signal}" for kind in KINDS for signal in signals] + ["age"]


def _places(runs: Runs) -> tuple[Whole, Whole]:
    row = runs.owner
    return row, np.arange(len(row)) - runs.starts[row]


def _smooth(grid: Floats, clock: Floats, span: float) -> Floats:
    """Return exponentially weighted means (u, rows, s) that forget over `span` of time."""
    out = np.full_like(grid, np.nan)
    known = ~np.isnan(grid)
    filled = np.where(known, grid, 0.0)
    total = np.zeros((grid.shape[0], grid.shape[2]))
    weight = np.zeros_like(total)
    for i in range(grid.shape[1]):
        if i:
            step = clock[:, i] - clock[:, i - 1]
            keep = np.exp(-np.where(np.isnan(step), 0.0, step) / span)[:, None]
            total *= keep
            weight *= keep
        total += filled[:, i]
        weight += known[:, i]
        np.divide(total, weight, out=out[:, i], where=weight > 0.0)
    return out


def _first(grid: Floats, clock: Floats, until: float) -> Floats:
    """Return the mean of each signal's rows of the beginning, so far, (u, rows, s)."""
    early = (clock - clock[:, :1] <= until)[:, :, None] & ~np.isnan(grid)
    count = np.cumsum(early, axis=1)
    total = np.cumsum(np.where(early, grid, 0.0), axis=1)
    out = np.full_like(grid, np.nan)
    np.divide(total, count, out=out, where=count > 0)
    return out
