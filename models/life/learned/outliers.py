"""Cells that no wear explains: one of them would drown all the others of its signal."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.life.learned.health import ROBUST
from models.life.learned.runs import Floats, Runs

FAR: Final = 1e4  #: robust standard deviations from the median
FINEST: Final = 1e-3  #: of the median: a smaller spread counts as so much
FEW: Final = 10  #: units and a unit's rows: what more than one in so many shows is no accident


def outliers(runs: Runs) -> NDArray[np.bool_]:
    """Return which cells are absurd, (n, s): far off, in few rows of few units, or of one.

    The spread is the median deviation (Hampel, J. Amer. Stat. Assoc. 69, 1974). What one unit
    alone could show is left as it is: nothing tells whether it is its way.
    """
    found = np.zeros(runs.values.shape, bool)
    units = len(runs.units)
    if units < 2:
        return found
    for j, column in enumerate(runs.values.T):
        far = _far(column)
        if not far.any():
            continue
        count = np.bincount(runs.owner[far], minlength=units)
        known = np.bincount(runs.owner[~np.isnan(column)], minlength=units)
        rare = count * FEW <= known
        if rare[count > 0].all() and (count > 0).sum() <= max(1, units // FEW):
            found[:, j] = far
    return found


def _far(column: Floats) -> NDArray[np.bool_]:
    """Return which values, (n,), lie FAR from the others; among those that differ, if few do."""
    known = column[~np.isnan(column)]
    if not len(known):
        return np.zeros(len(column), bool)
    middle = np.median(known)
    off = np.abs(column - middle)
    spread = np.median(off[~np.isnan(off)])
    if spread == 0.0 and (off > 0.0).any():
        spread = np.median(off[off > 0.0])
    return np.asarray(off > FAR * max(ROBUST * spread, FINEST * abs(middle)))
