"""Filters judged at ends like those of filters that were replaced before they clogged.

How long a filter that was replaced would have lasted is not in the recordings. So runs to failure
are cut where they stand as those stood: at the pressure of each one's end.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.life.learned.runs import Runs

Array = NDArray[np.float64]
ROWS: Final = 20  #: whose median is the pressure of a row
LATE: Final = (10.0, 20.0, 30.0)  #: s: the last of a life
SHARES: Final = (0.3, 0.5, 1.0)  #: the last of a life, as shares of it


def figures(lines: dict[str, list[str]], runs: Runs, censored: Runs) -> dict[str, Any]:
    """Return (MAE, RMSE) of each way's forecasts at such ends, and late in life (k + 1, 2).

    Args:
        lines: `unit,time,p05,p50,p95` of every row, by way.
        runs: the runs to failure, with all units of the lines.
        censored: runs that ended before failure.
    """
    ends = [pressure[-1] for pressure in _pressures(censored, ~censored.failed)]
    unit_of = {name: k for k, name in enumerate(runs.units)}
    chosen = [
        [int(np.argmax(own >= end)) for end in ends if own.max() >= end]
        for own in _pressures(runs, np.ones(len(runs.units), bool))
    ]
    found: dict[str, Any] = {
        "pressures": np.quantile(ends, [0.1, 0.5, 0.9]).tolist(),
        "cuts": 0,
    }
    for way, rows in lines.items():
        cells = [row.split(",") for row in rows]
        unit = np.array([unit_of[cell[0]] for cell in cells])
        left = runs.ends[unit] - np.array([float(cell[1]) for cell in cells])
        error = np.array([float(cell[3]) for cell in cells]) - left
        at = np.concatenate([np.flatnonzero(unit == k)[chosen[k]] for k in np.unique(unit)])
        found["cuts"] = len(at)
        late = [error[(left > 0.0) & (left <= last)] for last in LATE]
        late += [error[(left > 0.0) & (left <= share * runs.ends[unit])] for share in SHARES]
        found[way] = [_size(some) for some in (error[at], *late)]
    return found


def sudden(runs: Runs, signal: str, fall: float) -> set[str]:
    """Return the units that failed in one step: a signal fell by more on their last row."""
    column = runs.values[:, runs.signals.index(signal)]
    last = runs.starts[1:] - 1
    before = np.maximum(last - 1, runs.starts[:-1])  # a unit of one row has no step
    fell = runs.failed & (column[before] - column[last] > fall)
    return {runs.units[k] for k in np.flatnonzero(fell)}


def _size(error: Array) -> tuple[float, float]:
    return float(np.abs(error).mean()), float(np.sqrt((error**2).mean()))


def _pressures(runs: Runs, which: NDArray[np.bool_]) -> list[Array]:
    """Return of some units the median pressure of the last rows, at each row."""
    column = runs.signals.index("differential_pressure_pa")
    found = []
    for k in np.flatnonzero(which):
        own = runs.values[runs.starts[k] : runs.starts[k + 1], column]
        own = np.concatenate([np.full(ROWS - 1, own[0]), own])
        found.append(np.median(np.lib.stride_tricks.sliding_window_view(own, ROWS), axis=1))
    return found
