"""Arrays that a fleet works in, kept from call to call: new memory costs more than they do."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MOST: Final = 1 << 18  #: numbers that are kept; a larger array is made for once


class Room:
    """Room for the readings of a portion and for what is found of them.

    What it returns is good until it is asked again.
    """

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[Any]] = {}

    def _array(self, name: str, kind: type, count: int) -> NDArray[Any]:
        kept = self._kept.get(name)
        if kept is None or len(kept) < count:
            kept = np.empty(max(count, 1024), kind)
            if count <= MOST:
                self._kept[name] = kept
        return kept[:count]

    def cells(self, count: int) -> NDArray[np.float64]:
        """Return room for readings (count,), with anything in it."""
        return self._array("cells", np.float64, count)

    def made(self, cells: int, rows: int) -> tuple[NDArray[Any], ...]:
        """Return zeros: odds (cells,), strengths, scores and flags (rows,)."""
        found = (
            self._array("odds", np.float64, cells),
            self._array("strengths", np.float64, rows),
            self._array("scores", np.float64, rows),
            self._array("flags", np.uint8, rows),
        )
        for array in found:
            array.fill(0)
        return found
