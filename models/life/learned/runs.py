"""Runs of units as arrays: what is fitted on and what is forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The rows of some units, unit after unit, each in the order of its time.

    Attributes:
        units: names of the units, (u,).
        starts: row where each unit begins, and the number of rows at the end, (u + 1,).
        time: age or usage of the row since its unit began, in the unit of the file, (n,).
        values: the signals, NaN where missing, (n, s).
        signals: names of the signals, (s,).
        failed: whether the unit's last row is its failure (else it is censored), (u,).
    """

    units: tuple[str, ...]
    starts: Whole
    time: Floats
    values: Floats
    signals: tuple[str, ...]
    failed: NDArray[np.bool_]

    @property
    def counts(self) -> Whole:
        """Rows of each unit, (u,)."""
        return np.diff(self.starts)

    @property
    def owner(self) -> Whole:
        """Index of the unit that each row belongs to, (n,)."""
        return np.repeat(np.arange(len(self.units)), self.counts)

    @property
    def ends(self) -> Floats:
        """Time of each unit's last row, (u,)."""
        return self.time[self.starts[1:] - 1]

    @property
    def left(self) -> Floats:
        """Time from each row to the last row of its unit, (n,): remaining life or a bound of it."""
        return np.repeat(self.ends, self.counts) - self.time

    def pick(self, chosen: Whole) -> Runs:
        """Return the units with these indices, in this order."""
        counts = self.counts[chosen]
        rows = np.concatenate(
            [np.arange(self.starts[u], self.starts[u + 1]) for u in chosen]
            or [np.zeros(0, np.intp)]
        )
        return Runs(
            units=tuple(self.units[u] for u in chosen),
            starts=np.concatenate([[0], np.cumsum(counts)]),
            time=self.time[rows],
            values=self.values[rows],
            signals=self.signals,
            failed=self.failed[chosen],
        )

    def arranged(self, signals: tuple[str, ...]) -> Runs:
        """Return the runs with these signals in this order; those it has not are all NaN."""
        place = {name: i for i, name in enumerate(self.signals)}
        values = np.full((len(self.time), len(signals)), np.nan)
        for k, name in enumerate(signals):
            if name in place:
                values[:, k] = self.values[:, place[name]]
        return Runs(
            units=self.units,
            starts=self.starts,
            time=self.time,
            values=values,
            signals=signals,
            failed=self.failed,
        )
