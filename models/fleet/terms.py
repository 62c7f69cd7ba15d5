"""What the contexts explain of each signal: numbers in a row, for as many contexts as there are.

Of each context its centre, the slope, the lowest, the highest and the sum of products with the
signal; behind them the sums of products of each two contexts, each two once. A lane says where its
own begin (`terms`) and for how many contexts they are (`wide`).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.lanes import grown
from models.life.compiled import lean

CENTRE, SLOPE, LOWEST, HIGHEST, WITH, EACH_TWO = range(6)  #: parts of a row
KIND: Final = np.dtype("f8")


@lean
def at(lane: Any, part: int, i: int) -> int:
    """Return where a part of a lane's terms has context `i`."""
    return int(lane.terms + part * lane.wide + i)


@lean
def two(lane: Any, i: int, j: int) -> int:
    """Return where a lane's terms have two contexts' sum of products, whichever comes first."""
    first, second = min(i, j), max(i, j)
    return int(at(lane, EACH_TWO, second) + first * (2 * lane.wide - first - 1) // 2)


def size(wide: Any) -> Any:
    """Return how many numbers there are for so many contexts."""
    return EACH_TWO * wide + wide * (wide + 1) // 2


class Terms:
    """All terms, those of a lane where it says."""

    def __init__(self) -> None:
        self.rows: NDArray[np.float64] = np.zeros(1, KIND)  #: and room for more
        self._count = 0

    def widen(self, lane: Any, wide: int) -> None:
        """Give a lane terms for at least so many contexts; what it has learned stays."""
        known = int(lane["wide"])
        if wide <= known:
            return
        before, first = self._of(lane), self._count
        self._count += size(wide)
        self.rows = grown(self.rows, self._count)
        lane["terms"], lane["wide"] = first, wide
        self.forget(lane)
        row = self._of(lane)
        for part in range(EACH_TWO):
            row[part * wide : part * wide + known] = before[part * known : (part + 1) * known]
        both = [j < known for i in range(wide) for j in range(i, wide)]
        row[EACH_TWO * wide :][both] = before[EACH_TWO * known :]

    def forget(self, lane: Any) -> None:
        """Make a lane's terms those of a signal of which nothing was learned."""
        row = self._of(lane)
        row[:] = 0.0
        row[: int(lane["wide"])] = np.nan

    def _of(self, lane: Any) -> NDArray[np.float64]:
        first = int(lane["terms"])
        return self.rows[first : first + size(int(lane["wide"]))]

    def lines(self, lane: Any) -> tuple[list[float], list[float]]:
        """Return the centres and the slopes of a lane, as many as it has."""
        row, wide = self._of(lane), int(lane["wide"])
        return row[:wide].tolist(), row[wide : 2 * wide].tolist()

    def look(self, lanes: NDArray[Any], part: int, i: int) -> NDArray[np.float64]:
        """Return what a part of each lane's terms has of context `i`; NaN where there is none."""
        there = lanes["wide"] > i
        place = np.where(there, lanes["terms"] + part * lanes["wide"] + i, 0)
        return np.where(there, self.rows[place], np.nan)

    def dump(self) -> NDArray[np.float64]:
        """Return the terms as they stand."""
        return self.rows[: self._count]

    def load(self, rows: NDArray[np.float64]) -> None:
        """Take those of `dump`."""
        self.rows, self._count = grown(rows.copy(), len(rows)), len(rows)
