"""Operating conditions that come and go: found by themselves, and taken out of the signals.

A condition is a set of levels that some signals jump between, again and again within one unit, and
that other signals jump with. Each signal is then measured against its mean and spread in the
condition of the row. A level that is set once in a unit's life (the dust fed to a filter) is no
condition but a load: it stays as it is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.life.learned.runs import Floats, Runs, Whole

MOST: Final = 12  #: conditions
TIGHT: Final = 0.001  #: share of variance left within the levels of a signal that tells
EXPLAINS: Final = 0.5  #: share of the steps of another signal that a condition explains
OFTEN: Final = 0.05  #: share of steps at which a condition changes
FEWEST: Final = 20  #: rows with a condition: a rarer one is measured with all rows
DIGITS: Final = 6  #: of a standardised value
SAMPLE: Final = 20_000  #: rows that are enough to find conditions


class Conditions(Struct, frozen=True, kw_only=True):
    """Which signals tell the condition, the centres of the conditions, and each one's scale.

    Attributes:
        middle: mean of each signal, (s,).
        spread: standard deviation of each signal, 1 where it never changes, (s,).
        telling: the signals whose levels are the conditions.
        centres: the conditions in standardised telling signals, (k, len(telling)).
        means: mean of each standardised signal in each condition, (k, s).
        spreads: standard deviation of it, 0 where a signal never changes, (k, s).
    """

    middle: list[float]
    spread: list[float]
    telling: list[int]
    centres: list[list[float]]
    means: list[list[float]]
    spreads: list[list[float]]

    def standardised(self, values: Floats) -> Floats:
        """Return signals (n, s) measured against their own condition.

        NaN stays NaN, and so does a row that does not tell its condition. The last digits are
        dropped: they depend on the unit of measure, and trees split hairs.
        """
        z = (values - np.array(self.middle)) / np.array(self.spread)
        spreads = np.array(self.spreads)
        if not self.telling:
            means = np.array(self.means)[0]
            alone = (z - means) / np.where(spreads[0] > 0.0, spreads[0], 1.0)
            return np.asarray(np.round(alone, DIGITS))
        told = z[:, self.telling]
        label = nearest(told, np.array(self.centres))
        scale = np.where(spreads > 0.0, spreads, 1.0)
        measured = np.round((z - np.array(self.means)[label]) / scale[label], DIGITS)
        return np.where(np.isnan(told).all(axis=1)[:, None], np.nan, measured)

    def turned(self, order: Whole, sign: Floats) -> Conditions:
        """Return the same conditions for some signals, in an order, some of them turned over.

        The signals that tell the conditions must be among them; `sign` is of all signals.
        """
        place = {int(j): k for k, j in enumerate(order)}
        told = np.array(self.telling, np.intp)
        return Conditions(
            middle=np.array(self.middle)[order].tolist(),
            spread=(np.array(self.spread) * sign)[order].tolist(),
            telling=[place[j] for j in self.telling],
            centres=(np.array(self.centres) * sign[told]).tolist() if len(told) else [],
            means=(np.array(self.means) * sign)[:, order].tolist(),
            spreads=np.array(self.spreads)[:, order].tolist(),
        )


def find(runs: Runs) -> Conditions:
    """Return the conditions of some runs; one condition where nothing comes and goes."""
    values = runs.values
    with np.errstate(invalid="ignore"):
        middle = _mean(values)
        spread = _sd(values, middle)
    spread = np.where(spread > 1e-9 * np.maximum(np.abs(middle), 1e-300), spread, 0.0)
    z = (values - middle) / np.where(spread > 0.0, spread, 1.0)
    same = np.flatnonzero(runs.owner[1:] == runs.owner[:-1])
    if len(same) > SAMPLE:
        same = same[:: -(-len(same) // SAMPLE)]
    telling, centres = _levels(z, same, spread > 0.0)
    label = nearest(z[:, telling], centres) if telling else np.zeros(len(z), np.intp)
    means = np.zeros((max(len(centres), 1), len(middle)))
    spreads = np.tile(np.where(spread > 0.0, 1.0, 0.0), (len(means), 1))
    for k in range(len(centres)):
        rows = z[label == k]
        if len(rows) >= FEWEST:
            means[k] = _mean(rows)
            sd = _sd(rows, means[k])
            spreads[k] = np.where(sd > 1e-7, sd, 0.0)
    return Conditions(
        middle=middle.tolist(),
        spread=np.where(spread > 0.0, spread, 1.0).tolist(),
        telling=telling,
        centres=centres.tolist(),
        means=means.tolist(),
        spreads=spreads.tolist(),
    )


def nearest(points: Floats, centres: Floats) -> Whole:
    """Return the index of the nearest centre of each point, (n,), over its known coordinates."""
    gap = np.zeros((len(points), len(centres)))
    for j in range(points.shape[1]):
        d = (points[:, j, None] - centres[None, :, j]) ** 2
        gap += np.where(np.isnan(d), 0.0, d)
    return np.asarray(np.argmin(gap, axis=1))


def centres_of(points: Floats, left: float = TIGHT) -> Floats | None:
    """Return the fewest centres that leave at most a share `left` of the variance, or None.

    The widest group is split along its principal axis, then Lloyd's steps (S. Lloyd, IEEE Trans.
    Inf. Theory 28, 1982) settle all; a lone far point founds no group.
    """
    points = points[~np.isnan(points).any(axis=1)]
    if len(points) < FEWEST:
        return None
    centres = points.mean(axis=0, keepdims=True)
    total = float(((points - centres) ** 2).sum())
    if total <= 0.0:
        return None
    for _ in range(1, MOST):
        centres = _split(points, centres)
        for _ in range(8):
            label = nearest(points, centres)
            kept = [k for k in range(len(centres)) if (label == k).any()]
            moved = np.array([points[label == k].mean(axis=0) for k in kept])
            done = moved.shape == centres.shape and np.allclose(moved, centres)
            centres = moved
            if done:
                break
        rest = float(((points - centres[nearest(points, centres)]) ** 2).sum())
        if rest <= left * total:
            return np.asarray(centres)
    return None


def _split(points: Floats, centres: Floats) -> Floats:
    """Return the centres with the widest group's centre replaced by two."""
    label = nearest(points, centres)
    gap = ((points - centres[label]) ** 2).sum(axis=1)
    widest = int(np.argmax(np.bincount(label, gap, len(centres))))
    off = points[label == widest] - centres[widest]
    axis = np.linalg.eigh(off.T @ off)[1][:, -1]
    side = off @ axis > 0.0
    halves = [off[side].mean(axis=0), off[~side].mean(axis=0)]
    return np.vstack([np.delete(centres, widest, axis=0), centres[widest] + halves])


def _levels(z: Floats, same: Whole, moves: NDArray[np.bool_]) -> tuple[list[int], Floats]:
    """Return the signals that tell the condition and the centres of the conditions."""
    none: tuple[list[int], Floats] = ([], np.zeros((0, 0)))
    telling = []
    for j in np.flatnonzero(moves):
        centres = centres_of(z[same][:, [j]])
        if centres is None:
            continue
        before, after = (nearest(z[same + k][:, [j]], centres) for k in (0, 1))
        if float((before != after).mean()) < OFTEN:
            continue
        others = [i for i in np.flatnonzero(moves) if i != j]
        if sum(_explained(z, same, before, after, int(i)) >= EXPLAINS for i in others) >= 2:
            telling.append(int(j))
    if not telling:
        return none
    centres = centres_of(z[same][:, telling], left=10.0 * TIGHT)
    return none if centres is None else (telling, centres)


def _explained(z: Floats, same: Whole, before: Whole, after: Whole, signal: int) -> float:
    """Return the share of a signal's steps that the changes of the level explain."""
    step = z[same + 1, signal] - z[same, signal]
    known = ~np.isnan(step)
    step, before, after = step[known], before[known], after[known]
    total = float((step**2).sum())
    if total <= 0.0:
        return 0.0
    pair = before * (MOST + 1) + after
    _, code = np.unique(pair, return_inverse=True)
    count = np.bincount(code)
    mean = np.bincount(code, step) / count
    return 1.0 - float(((step - mean[code]) ** 2).sum()) / total


def _mean(rows: Floats) -> Floats:
    known = ~np.isnan(rows)
    count = known.sum(axis=0)
    return np.asarray(np.where(known, rows, 0.0).sum(axis=0) / np.maximum(count, 1))


def _sd(rows: Floats, mean: Floats) -> Floats:
    known = ~np.isnan(rows)
    count = known.sum(axis=0)
    total = np.where(known, (rows - mean) ** 2, 0.0).sum(axis=0)
    return np.asarray(np.sqrt(total / np.maximum(count, 1)))
