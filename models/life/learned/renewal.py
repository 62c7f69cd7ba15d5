"""A part that was renewed in mid-run: its health index is back where new ones stand, and stays.

Wear never goes back by itself. Where five rows on end all stand half the way from failed to new
above the five before them, another part is at work, though the file goes on under the same name.
Its life begins anew there; that of the part before it ended unseen (it is censored).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.lib.stride_tricks import sliding_window_view

from models.life.learned.health import Health
from models.life.learned.runs import Floats, Runs, Whole
from models.life.learned.windows import WIDEST

STAYS: Final = 5  #: rows on either side that tell a new part from noise


class Renewal(Struct, frozen=True, kw_only=True):
    """The unit whose part was renewed, and the time of its first row after that."""

    unit: str
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewals:
    """Rows at which a new part is at work.

    Attributes:
        begins: the first row of each new part, ascending, (r,).
        told: the row that makes it certain, (r,).
    """

    begins: Whole
    told: Whole

    def named(self, runs: Runs) -> list[Renewal]:
        """Return unit and time of each, in the order of the rows."""
        unit = np.searchsorted(runs.starts, self.begins, side="right") - 1
        pairs = zip(unit, runs.time[self.begins], strict=True)
        return [Renewal(unit=runs.units[u], time=float(time)) for u, time in pairs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """Units with each renewed part as a unit of its own.

    Attributes:
        runs: the lives; the time of a new part counts from the last row of the old one.
        rows: the row that each row of `runs` was, (m,).
        place: the row of `runs` that stands for each row before, (n,).
    """

    runs: Runs
    rows: Whole
    place: Whole


def found(runs: Runs, z: Floats, health: Health) -> Renewals:
    """Return where parts were renewed, told from each row and those before it alone.

    Args:
        runs: the rows of the units.
        z: their standardised signals, (n, s); rows that miss any are not looked at.
        health: the index, and the rise of it that only a new part makes.
    """
    index = health.joined(np.clip(z, -WIDEST, WIDEST))[:, -1]
    whole = np.asarray(~np.isnan(z).any(axis=1))
    begins, told = [], []
    for first, end in zip(runs.starts[:-1], runs.starts[1:], strict=True):
        rows = first + np.flatnonzero(whole[first:end])
        if len(rows) < 2 * STAYS:
            continue
        spans = sliding_window_view(index[rows], STAYS)
        rise = spans[STAYS:].min(axis=1) - spans[:-STAYS].max(axis=1)
        at = _apart(np.flatnonzero(rise >= health.renewal) + STAYS)
        begins.append(rows[at])
        told.append(rows[at + STAYS - 1])
    nothing = np.zeros(0, np.intp)
    return Renewals(
        begins=np.concatenate([nothing, *begins]), told=np.concatenate([nothing, *told])
    )


def _apart(rows: Whole) -> Whole:
    """Return ascending rows without those that come less than STAYS behind one that is kept.

    A new part that shows in two steps, one row apart, is one part.
    """
    kept: list[int] = []
    for row in rows.tolist():
        if not kept or row - kept[-1] >= STAYS:
            kept.append(row)
    return np.array(kept, np.intp)


def divided(runs: Runs, renewals: Renewals, *, known: bool) -> Lives:
    """Return the lives of units.

    Args:
        runs: the rows of the units.
        renewals: where parts were renewed.
        known: whether a new part's rows are its own from its first one on. Otherwise they are until
            it is told, as in a forecast at that time, and stand in both lives.
    """
    begins = renewals.begins
    told = begins if known else renewals.told
    owner = np.searchsorted(runs.starts, begins, side="right") - 1
    first = np.concatenate([runs.starts[:-1], begins])
    seen = np.concatenate([runs.starts[:-1], told])
    unit = np.concatenate([np.arange(len(runs.units)), owner])
    order = np.lexsort((first, unit))
    first, seen, unit = first[order], seen[order], unit[order]
    last = np.concatenate([unit[1:] != unit[:-1], [True]])[: len(unit)]
    end = np.where(last, runs.starts[1:][unit], np.concatenate([seen[1:], [0]])[: len(unit)])
    starts = np.concatenate([[0], np.cumsum(end - first)])
    rows = np.concatenate(
        [np.zeros(0, np.intp), *(np.arange(a, b) for a, b in zip(first, end, strict=True))]
    )
    life = np.searchsorted(seen, np.arange(len(runs.time)), side="right") - 1
    fresh = first != runs.starts[unit]
    nth = np.arange(len(first)) - np.flatnonzero(~fresh)[unit] + 1
    since = np.where(fresh, runs.time[first - fresh], 0.0)
    return Lives(
        runs=Runs(
            units=tuple(
                f"{runs.units[u]}#{n}" if n > 1 else runs.units[u]
                for u, n in zip(unit, nth, strict=True)
            ),
            starts=starts,
            time=runs.time[rows] - np.repeat(since, end - first),
            values=runs.values[rows],
            signals=runs.signals,
            failed=runs.failed[unit] & last,
        ),
        rows=rows,
        place=starts[life] + np.arange(len(runs.time)) - first[life],
    )
