"""One health index out of all signals, and the levels that worn-out units reach.

The index is the line through the standardised signals that follows the remaining life best; noise
of single signals averages out in it. It and the signals that stand at a common level when units
fail are extended to that level later on (`windows`): the time until then is the oldest way to
forecast a failure, and here one feature among others.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.life.learned.runs import Floats, Runs

RIDGE: Final = 0.01  #: of a variance: how much the line through the signals is held back
TIGHT: Final = 0.5  #: spread of a level at failure, by its spread over all rows
MOST: Final = 8  #: levels that are extended to
EDGES: Final = (0.0, 1.0, 2.0, 3.0)  #: standard deviations of noise
AGREES: Final = 0.5  #: spread of the levels with an edge, by that without one, that is far better
NEAR: Final = 0.02  #: of the spread over all rows: how near to its level a signal is there
ROBUST: Final = 1.4826  #: standard deviation of a normal law by its median deviation
BACK: Final = 0.5  #: of the way from failed to new: a rise of the index that only a new part makes,
BEYOND_NOISE: Final = 6.0  #: and so many standard deviations of its noise at least


class Health(Struct, frozen=True, kw_only=True):
    """The line through the signals, and the levels at failure.

    Attributes:
        slopes: of the index in each standardised signal, (s,).
        offset: of the index.
        reaching: what is extended: indices of signals, s for the index, (r,).
        edges: by how many standard deviations of its noise each stands nearer to failure, (r,).
        levels: where each then stands when units fail, (r,).
        near: how near to it counts as there, (r,).
        renewal: a rise of the index that only a new part makes.
    """

    slopes: list[float]
    offset: float
    reaching: list[int]
    edges: list[float]
    levels: list[float]
    near: list[float]
    renewal: float

    def joined(self, z: Floats) -> Floats:
        """Return the signals (n, s) and, as the last column, the index, (n, s + 1).

        A missing signal counts as its mean; where all are missing, so is the index.
        """
        missing = np.isnan(z)
        index = (np.where(missing, 0.0, z) * np.array(self.slopes)).sum(axis=1) + self.offset
        return np.column_stack([z, np.where(missing.all(axis=1), np.nan, index)])


def line(level: Floats, root: Floats, weight: Floats) -> tuple[Floats, float]:
    """Return slopes (s,) and offset of an index of mean 0 and standard deviation 1.

    Ridge regression (Hoerl and Kennard, Technometrics 12, 1970) of the root of the remaining life,
    (n,), on the levels of the signals, (n, s).
    """
    x = np.nan_to_num(level)
    middle = np.average(x, axis=0, weights=weight)
    off, target = x - middle, root - np.average(root, weights=weight)
    square = (off * weight[:, None]).T @ off / weight.sum() + RIDGE * np.eye(x.shape[1])
    slopes = np.linalg.solve(square, (off * weight[:, None]).T @ target / weight.sum())
    spread = float((off @ slopes).std()) or 1.0
    return slopes / spread, float(-(middle @ slopes) / spread)


def reached(
    runs: Runs, level: Floats, noise: Floats
) -> tuple[list[int], list[float], list[float], list[float]]:
    """Return what stands at a common level at failure (the index first), edges, levels, how near.

    Where single readings end a life, units with noisier ones fail at an earlier level: the edge
    is where the levels agree by far the best.

    Args:
        runs: units, some of which failed.
        level: level of each signal and, last, of the index at each row, (n, s + 1).
        noise: standard deviation of their readings, (n, s + 1).
    """
    first, last = runs.starts[:-1][runs.failed], (runs.starts[1:] - 1)[runs.failed]
    spread = _spread(level)
    ends = [level[last] - edge * np.nan_to_num(noise[last]) for edge in EDGES]
    apart = np.array([ROBUST * _middle(np.abs(end - _middle(end))) for end in ends])
    best = np.where(apart.min(axis=0) < AGREES * apart[0], apart.argmin(axis=0), 0)
    column = np.arange(level.shape[1])
    end = np.array([_middle(end) for end in ends])[best, column]
    tight = apart[best, column] < TIGHT * spread
    moved = np.abs(_middle(level[first]) - end) > TIGHT * spread
    index = level.shape[1] - 1
    some = [index, *(int(j) for j in np.flatnonzero(tight & moved) if j != index)][:MOST]
    edges = np.array(EDGES)[best][some].tolist()
    return some, edges, end[some].tolist(), np.maximum(NEAR * spread[some], 1e-9).tolist()


def rise_of_new(runs: Runs, index: Floats, end: float) -> float:
    """Return by how much the index, (n,), rises when a failed unit (at `end`) gets a new part."""
    new = float(_middle(index[runs.starts[:-1], None])[0])
    step = np.abs(np.diff(index)[runs.owner[1:] == runs.owner[:-1]])
    noise = ROBUST * float(_middle(step[:, None])[0]) / np.sqrt(2.0)
    return float(max(BACK * (new - end), BEYOND_NOISE * noise, BACK))


def _middle(rows: Floats) -> Floats:
    """Return the median of each column's known values, 0 where there are none."""
    known: NDArray[np.bool_] = ~np.isnan(rows)
    columns = (rows[known[:, j], j] for j in range(rows.shape[1]))
    return np.array([np.median(column) if len(column) else 0.0 for column in columns])


def _spread(rows: Floats) -> Floats:
    columns = (rows[~np.isnan(rows[:, j]), j] for j in range(rows.shape[1]))
    return np.array([column.std() if len(column) else 0.0 for column in columns])
