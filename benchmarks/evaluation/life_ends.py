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
DRAWS: Final = 1_000  #: of units, for the intervals


def figures(
    whole: dict[str, list[str]], cut: dict[str, list[str]], runs: Runs, censored: Runs
) -> dict[str, Any]:
    """Return how wrong each way is at such ends, at the scorer's cuts and late in life.

    Each is (k + 3, 4): mean error, its 95 % interval over units drawn anew, and RMSE; at such ends,
    at the cuts, in the last of lives and at their last rows.

    Args:
        whole: `unit,time,p05,p50,p95` of every row, by way.
        cut: the same of one row a unit, where the scorer of the recordings cuts.
        runs: the runs to failure, with all units of the lines.
        censored: runs that ended before failure.
    """
    ends = [pressure[-1] for pressure in _pressures(censored, ~censored.failed)]
    chosen = [
        [int(np.argmax(own >= end)) for end in ends if own.max() >= end]
        for own in _pressures(runs, np.ones(len(runs.units), bool))
    ]
    found: dict[str, Any] = {
        "pressures": np.quantile(ends, [0.1, 0.5, 0.9]).tolist(),
        "cuts": 0,
    }
    for way, rows in whole.items():
        unit, left, error = _errors(rows, runs)
        at = np.concatenate([np.flatnonzero(unit == k)[chosen[k]] for k in np.unique(unit)])
        found["cuts"] = len(at)
        late = [(left > 0.0) & (left <= last) for last in LATE]
        late += [(left > 0.0) & (left <= share * runs.ends[unit]) for share in SHARES]
        some = [at, *(np.flatnonzero(rest) for rest in (*late, left <= 0.0))]
        sizes = [size(unit[rest], error[rest]) for rest in some]
        cuts, _, missed = _errors(cut[way], runs)
        found[way] = [sizes[0], size(cuts, missed), *sizes[1:]]
    return found


def size(unit: NDArray[np.intp], error: Array) -> tuple[float, float, float, float]:
    """Return mean error, its interval over units drawn anew, and RMSE.

    Rows of a unit are wrong in the same way, so that units are drawn and not rows.

    Args:
        unit: of each error, (n,).
        error: forecast less truth, (n,).
    """
    _, code = np.unique(unit, return_inverse=True)
    total, count = np.bincount(code, np.abs(error)), np.bincount(code)
    drawn = np.random.default_rng(0).integers(0, len(total), (DRAWS, len(total)))
    draws = total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(np.abs(error).mean()), float(low), float(high), float(np.sqrt((error**2).mean()))


def sudden(runs: Runs, signal: str, fall: float) -> set[str]:
    """Return the units that failed in one step: a signal fell by more on their last row."""
    column = runs.values[:, runs.signals.index(signal)]
    last = runs.starts[1:] - 1
    before = np.maximum(last - 1, runs.starts[:-1])  # a unit of one row has no step
    fell = runs.failed & (column[before] - column[last] > fall)
    return {runs.units[k] for k in np.flatnonzero(fell)}


def _errors(lines: list[str], runs: Runs) -> tuple[NDArray[np.intp], Array, Array]:
    """Return the unit, the remaining life and the error of each forecast, (n,)."""
    unit_of = {name: k for k, name in enumerate(runs.units)}
    cells = [line.split(",") for line in lines]
    unit = np.array([unit_of[cell[0]] for cell in cells], np.intp)
    left = runs.ends[unit] - np.array([float(cell[1]) for cell in cells])
    return unit, left, np.array([float(cell[3]) for cell in cells]) - left


def _pressures(runs: Runs, which: NDArray[np.bool_]) -> list[Array]:
    """Return of some units the median pressure of the last rows, at each row."""
    column = runs.signals.index("differential_pressure_pa")
    found = []
    for k in np.flatnonzero(which):
        own = runs.values[runs.starts[k] : runs.starts[k + 1], column]
        own = np.concatenate([np.full(ROWS - 1, own[0]), own])
        found.append(np.median(np.lib.stride_tricks.sliding_window_view(own, ROWS), axis=1))
    return found
