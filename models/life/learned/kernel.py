"""A Gaussian process beside the trees: a line plus a smooth surface, which bends where rows say so.

Rasmussen and Williams, Gaussian Processes for Machine Learning, MIT Press 2006: a linear and a
squared exponential covariance; of the latter the subset of regressors (8.3.1), so that the cost
grows with the rows and not with their square. Rows of one unit say nearly the same: how many rows a
unit counts as differs from set to set, so a surface is fitted for each of several numbers. Sums are
kept per fold of units: leaving a fold out is a subtraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.life.learned.runs import Floats, Whole

Single = NDArray[np.float32]
CENTRES: Final = 600  #: rows that carry the surface
LENGTH: Final = 1.0  #: standard deviations of a feature over which the surface bends
NOISE: Final = 0.3  #: standard deviations of the target that no feature explains
ROWS_OF_UNIT: Final = (24.0, 6.0, 1.5, 0.4, 0.1, 0.025)  #: independent rows that a unit counts as
JITTER: Final = 1e-6
BLOCK: Final = 8_192  #: rows at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """What is fitted: `offset + x @ slopes + exp(-|x - centres|² / width) @ heights`.

    Attributes:
        centres: (m, p).
        width: twice the squared length of the kernel over all features.
        offset: of the line.
        slopes: (p,).
        heights: (m,).
    """

    centres: Floats
    width: float
    offset: float
    slopes: Floats
    heights: Floats


def said(x: Single, found: list[Surface]) -> Floats:
    """Return what surfaces over the same centres say at rows (n, p), (n, len(found))."""
    first = found[0]
    offsets = np.array([one.offset for one in found])
    slopes = np.column_stack([one.slopes for one in found])
    heights = np.column_stack([one.heights for one in found])
    values = np.empty((len(x), len(found)))
    for at in range(0, len(x), BLOCK):
        some = x[at : at + BLOCK].astype(np.float64)
        bumps = _bumps(some, first.centres, first.width)
        values[at : at + BLOCK] = offsets + some @ slopes + bumps @ heights
    return values


def surfaces(
    x: Single,
    y: Floats,
    weight: Floats,
    *,
    fold: Whole,
    folds: int,
    rng: np.random.Generator,
) -> list[list[Surface]]:
    """Return surfaces per fold, fitted to the rows of all others (to all rows if one fold).

    Each fold has one for each of `ROWS_OF_UNIT`, all of all folds over the same centres.

    Args:
        x: standardised features, (n, p).
        y: what is learned, (n,).
        weight: of each row, (n,); those of all rows are the number of units.
        fold: of each row, (n,).
        folds: how many.
        rng: chooses the centres.
    """
    chosen = np.sort(rng.choice(len(x), min(CENTRES, len(x)), replace=False))
    centres = x[chosen].astype(np.float64)
    width = 2.0 * x.shape[1] * LENGTH**2
    middle = float(np.average(y, weights=weight))
    spread = float(np.sqrt(np.average((y - middle) ** 2, weights=weight))) or 1.0
    line = 1 + x.shape[1]
    size = line + len(centres)
    square, side = np.zeros((folds, size, size)), np.zeros((folds, size))
    for part in range(folds):
        rows = np.flatnonzero(fold == part)
        for at in range(0, len(rows), BLOCK):
            some = rows[at : at + BLOCK]
            root = np.sqrt(weight[some])
            basis = _basis(x[some].astype(np.float64), centres, width) * root[:, None]
            square[part] += basis.T @ basis
            side[part] += basis.T @ (root * (y[some] - middle) / spread)
    prior = np.zeros((size, size))
    prior[:line, :line] = np.diag([JITTER, *[1.0] * x.shape[1]])
    prior[line:, line:] = _bumps(centres, centres, width) + JITTER * np.eye(len(centres))

    def one(used: NDArray[np.bool_], rows: float) -> Surface:
        evidence = rows / NOISE**2
        known, told = square[used].sum(axis=0), side[used].sum(axis=0)
        solved = np.linalg.solve(prior + evidence * known, evidence * told) * spread
        return Surface(
            centres=centres,
            width=width,
            offset=middle + float(solved[0]),
            slopes=solved[1:line] / np.sqrt(x.shape[1]),
            heights=solved[line:],
        )

    every = np.arange(folds)
    return [
        [one(every != part if folds > 1 else every == part, rows) for rows in ROWS_OF_UNIT]
        for part in range(folds)
    ]


def mean(found: list[list[Surface]], shares: Floats) -> Surface:
    """Return the mean over folds of surfaces that have shares (k,), which is one such surface."""
    weight = shares / (len(found) * shares.sum())
    parts = [(part, one) for fold in found for part, one in zip(weight, fold, strict=True)]
    return Surface(
        centres=found[0][0].centres,
        width=found[0][0].width,
        offset=float(sum(part * one.offset for part, one in parts)),
        slopes=np.sum([part * one.slopes for part, one in parts], axis=0),
        heights=np.sum([part * one.heights for part, one in parts], axis=0),
    )


def _basis(x: Floats, centres: Floats, width: float) -> Floats:
    line = x / np.sqrt(x.shape[1])
    return np.column_stack([np.ones(len(x)), line, _bumps(x, centres, width)])


def _bumps(x: Floats, centres: Floats, width: float) -> Floats:
    gap = (x**2).sum(axis=1)[:, None] - 2.0 * x @ centres.T + (centres**2).sum(axis=1)
    return np.asarray(np.exp(-np.maximum(gap, 0.0) / width))
