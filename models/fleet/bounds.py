"""What profiles allow their signals, each once: thousands of machines of a type share it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.fleet.lanes import bound_of, grown
from models.fleet.layout import BOUND
from models.profile import Profile


class Bounds:
    """Rows of `layout.BOUND`, no two alike; a lane names its own by number."""

    def __init__(self) -> None:
        self.rows: NDArray[Any] = np.zeros(0, BOUND)  #: and room for more
        self._numbers: dict[bytes, int] = {}
        self._known: dict[tuple[int, str], int] = {}  # what profiles name, which live as long

    def number(self, name: str, profile: Profile) -> int:
        """Return the row of what a profile allows a signal, a new one at first sight."""
        known = self._known.get((id(profile), name))
        if known is not None:
            return known
        row = bound_of(name, profile)
        number = self._numbers.setdefault(row.tobytes(), len(self._numbers))
        self.rows = grown(self.rows, number)
        self.rows[number] = row[0]
        if name in profile.signals:
            self._known[id(profile), name] = number
        return number

    def dump(self) -> NDArray[Any]:
        """Return the rows as they stand."""
        return self.rows[: len(self._numbers)]

    def load(self, rows: NDArray[Any]) -> None:
        """Take the rows of `dump`."""
        self.rows = rows.copy()
        self._numbers = {row.tobytes(): number for number, row in enumerate(rows)}
