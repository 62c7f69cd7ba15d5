"""Roll-ups at ingest: open buckets of every signal, filled by one kernel as readings pass.

A machine's open minute is that of its newest reading. When a later minute begins, the buckets of
the old one are closed: handed out to be stored, and joined into the hour's. Samples of a minute
that is closed are late: they become partial buckets of their own, which readers join
(`cloud.telemetry.rollup`), so that nothing has to be computed again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.telemetry.influx.filling import HOURS, MINUTES, NEVER
from cloud.telemetry.influx.filling import advance as fill
from cloud.telemetry.rollup import (
    COUNT,
    HOUR_NS,
    START,
    SUM,
    WORST,
    Partials,
    join_into,
)
from models.fleet.vectors import LANES

_GROW: Final = 1_024
_ROOM: Final = 8_192  #: minutes and hours of a shipment with a reading a second mostly find room


@dataclass(slots=True)
class Closed:
    """Closed buckets, n of them: `slots` and `levels` (n,), `ints` (7, n), `floats` (5, n)."""

    slots: NDArray[np.int64]
    levels: NDArray[np.int64]
    ints: NDArray[np.int64]
    floats: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.slots)

    @classmethod
    def of(cls, parts: "Sequence[Closed]") -> "Closed":
        """Join parts, one at least; a single one is mostly all there is, and not copied."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.slots for part in parts]),
            np.concatenate([part.levels for part in parts]),
            np.concatenate([part.ints for part in parts], axis=1),
            np.concatenate([part.floats for part in parts], axis=1),
        )


@dataclass(slots=True, kw_only=True)
class Passing:
    """Rows on their way: n rows of k columns, of m series.

    Shapes: `times` (n,), `series` (m,) int64 and `machines` (m,) int32 their numbers, `whose` (n,)
    int32 which of them a row is of, `columns` (m, k) int32 slots, `kinds` (k,) uint8, `cells`
    (k, n) int64, `states` (k, n) uint8 or (0, 0).
    """

    times: NDArray[np.int64]
    series: NDArray[np.int64]
    machines: NDArray[np.int32]
    whose: NDArray[np.int32]
    columns: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    cells: NDArray[np.int64]
    states: NDArray[np.uint8]


class OpenBuckets:
    """The open minute and hour of every signal. A slot is a signal of a machine."""

    def __init__(self) -> None:
        self._first = np.zeros(0, np.int64)
        self._width = np.zeros(0, np.int64)
        self._open = np.zeros(0, np.int64)
        self._following = np.zeros(0, np.int64)
        self._ints = np.zeros((2, 7, 0), np.int64)
        self._floats = np.zeros((2, 5, 0))
        self._lost = np.zeros((2, 0))
        self._machines = 0
        self._slots = 0
        self._which, self._room = np.zeros(LANES, np.int64), np.zeros(6 * LANES)
        self._out = _closed(0)  #: what closes, written over by the next: fresh pages cost as much

    def add_machine(self) -> int:
        """Return the number of a new machine."""
        if self._machines == len(self._first):
            self._first = _longer(self._first, -1)
            self._width = _longer(self._width, 0)
            self._open = _longer(self._open, NEVER)
        self._machines += 1
        return self._machines - 1

    def add_slot(self, machine: int) -> int:
        """Return the number of a new signal of a machine."""
        if self._slots == len(self._following):
            self._following = _longer(self._following, -1)
            self._ints = _longer(self._ints, 0)
            self._floats = _longer(self._floats, 0.0)
            self._lost = _longer(self._lost, 0.0)
        slot = self._slots
        self._slots += 1
        self._following[slot] = self._first[machine]
        self._first[machine] = slot
        self._width[machine] += 1
        return slot

    def opened(self, machine: int) -> int:
        """Return the start of a machine's open minute (`NEVER`: it has none)."""
        return int(self._open[machine])

    def restore(
        self, machine: int, minute: int, found: dict[int, tuple[Partials, Partials]]
    ) -> None:
        """Set a machine's open minute and, by slot, what its minute and its hour hold so far."""
        self._open[machine] = minute
        for slot, levels in found.items():
            for level, part in enumerate(levels):
                if len(part):
                    self._ints[level, :, slot] = part.ints[:, 0]
                    self._floats[level, :, slot] = part.floats[:, 0]

    def forget(self, machine: int) -> None:
        """Empty a machine's buckets (it was erased); its numbers stay taken."""
        self._open[machine] = NEVER
        slot = int(self._first[machine])
        while slot >= 0:
            self._ints[:, :, slot] = 0
            self._floats[:, :, slot] = 0.0
            self._lost[:, slot] = 0.0
            slot = int(self._following[slot])

    def advance(self, rows: Passing) -> tuple[list[Closed], NDArray[np.bool_]]:
        """Take rows in order of arrival; return what closed, and which rows are late (n,)."""
        late = np.zeros(len(rows.times), np.bool_)
        closed: list[Closed] = []
        begin = 0
        room = _ROOM + 2 * int(self._width.max(initial=0))
        if len(self._out) < room:
            self._out = _closed(room)
        out = self._out
        while begin < len(rows.times):
            begin, count = fill(
                begin,
                rows.times,
                rows.machines,
                rows.whose,
                rows.columns,
                rows.kinds,
                rows.cells,
                rows.cells.view(np.float64),
                rows.states,
                late,
                self._first,
                self._following,
                self._width,
                self._open,
                self._ints,
                self._floats,
                self._lost,
                out.slots,
                out.levels,
                out.ints,
                out.floats,
                self._which,
                self._room,
            )
            if count:
                closed.append(_part(out, count))
        return closed, late

    def standing(self) -> Closed:
        """Return the open minutes and hours of all machines as they are now, left open."""
        slots: list[int] = []
        levels: list[int] = []
        starts: list[int] = []
        for machine in range(self._machines):
            minute = int(self._open[machine])
            slot = int(self._first[machine]) if minute != NEVER else -1
            while slot >= 0:
                slots += [slot, slot]
                levels += [MINUTES, HOURS]
                starts += [minute, minute // HOUR_NS * HOUR_NS]
                slot = int(self._following[slot])
        ints = np.zeros((7, len(slots)), np.int64)
        floats = np.zeros((5, len(slots)))
        for at, (slot, level) in enumerate(zip(slots, levels, strict=True)):
            ints[:, at] = self._ints[level, :, slot]
            floats[:, at] = self._floats[level, :, slot]
            floats[SUM, at] += self._lost[level, slot]
            if level == HOURS:
                minute_ints = self._ints[MINUTES, :, slot : slot + 1]
                minute_floats = self._floats[MINUTES, :, slot : slot + 1]
                join_into(ints, floats, at, minute_ints, minute_floats, 0)
                floats[SUM, at] += minute_floats[SUM, 0] + self._lost[MINUTES, slot]
            ints[START, at] = starts[at]
        kept = (ints[COUNT] > 0) | (ints[WORST] > 0)
        found = np.array(slots, np.int64), np.array(levels, np.int64)
        return Closed(found[0][kept], found[1][kept], ints[:, kept], floats[:, kept])


def _closed(room: int) -> Closed:
    """Return room for closed buckets, with anything in it."""
    slots, levels = np.empty((2, room), np.int64)
    return Closed(slots, levels, np.empty((7, room), np.int64), np.empty((5, room)))


def _longer(array: NDArray[Any], fill: float) -> NDArray[Any]:
    """Return a copy with room for more at the end of the last axis.

    That is never a multiple of two lines of the processor's cache: what a slot has in each of the
    rows would all compete for the same places there, and nothing of it stay.
    """
    there = array.shape[-1]
    count = max(_GROW, there) // 16 * 16 + (0 if there else 8)
    more = np.full((*array.shape[:-1], count), fill, array.dtype)
    return np.concatenate([array, more], axis=-1)


def _part(closed: Closed, count: int) -> Closed:
    return Closed(
        closed.slots[:count].copy(),
        closed.levels[:count].copy(),
        closed.ints[:, :count].copy(),
        closed.floats[:, :count].copy(),
    )
