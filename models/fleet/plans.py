"""Which lanes the columns of a block belong to: looked up once for each set of signals."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.lanes import grown

MACHINES: Final = 1 << 32  #: at most
LAYOUTS: Final = 1 << 15  #: numbers in layouts, besides those of the signals there are, that stay


class Plans:
    """Plans of blocks by machine and signals: the place in the layout, and the machine's number."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, tuple[str, ...]], int] = {}  #: place * `MACHINES` + number
        self.layout: NDArray[np.int32] = np.zeros(0, np.int32)  #: lane and column of each, in turn
        self._count = 0
        self._sets: dict[tuple[str, ...], tuple[str, ...]] = {}  # each set of signals once

    def add(
        self, machine: str, number: int, signals: tuple[str, ...], pairs: Sequence[tuple[int, int]]
    ) -> int:
        """Keep the lane and the column of each signal of a block; return the plan."""
        flat = [value for pair in pairs for value in pair]
        place, self._count = self._count, self._count + len(flat)
        self.layout = grown(self.layout, self._count)
        self.layout[place : self._count] = flat
        plan = place * MACHINES + number
        self.known[machine, self._sets.setdefault(signals, signals)] = plan
        return plan

    def forget(self, machine: str) -> None:
        """Drop the plans of a machine: its lanes have other roles."""
        self.known = {key: plan for key, plan in self.known.items() if key[0] != machine}

    def tidy(self, lanes: int) -> None:
        """Let all go when there are many: signals that come and go make new ones for ever."""
        if self._count > LAYOUTS + 4 * lanes:
            self.known, self._sets = {}, {}
            self.layout, self._count = np.zeros(0, np.int32), 0
