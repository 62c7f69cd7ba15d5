"""When the checks that are active began. They are few, so it is kept beside the lanes."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.fleet.layout import CHECKS, DROPOUT, SINCE, UNTIMED

Began = dict[str, dict[int, int]]  #: signal -> check -> when it began or ended


class Since:
    """One time for each check of a lane that is active.

    A row that begins or ends a check is told of at once (`models.fleet.kernel`), and so is a signal
    that is found silent, so no lane need hold when its newest changes were.
    """

    def __init__(self) -> None:
        self._at: dict[tuple[int, int], int] = {}  # lane, check

    def told(
        self, mine: Mapping[str, int], lanes: NDArray[Any], machine: Any, *, over: bool = False
    ) -> Began:
        """Return signal -> check -> when it began, or ended since the `machine` was told of.

        `over`: the machine is told of now, so what ended is let go; a question leaves it for that.
        What ended without a row (a part is new) is told as of its beginning.
        """
        at = np.fromiter(mine.values(), np.int64, len(mine))
        active, changed = lanes["active"][at], lanes["changed"][at]
        if not (active | changed).any():
            return {}
        dropped_ns = int(machine["dropped_ns"])
        found = (active.tolist(), changed.tolist(), lanes["last_ns"][at].tolist())
        return {
            name: self._of(lane, now, moved, last_ns, dropped_ns, over)
            for (name, lane), now, moved, last_ns in zip(mine.items(), *found, strict=True)
            if now | moved
        }

    def _of(  # noqa: PLR0917  one of `told`
        self, lane: int, active: int, changed: int, last_ns: int, dropped_ns: int, over: bool
    ) -> dict[int, int]:
        found = {}
        for check in _bits(active | changed):
            dropped = check == DROPOUT
            if changed >> check & 1 and (dropped or not changed & UNTIMED):
                silent = dropped and active >> check & 1
                self._at[lane, check] = dropped_ns if silent else last_ns
            # states of an earlier build may lack the time of what ended without a row
            found[check] = self._at.setdefault((lane, check), last_ns)
            if over and not active >> check & 1:
                del self._at[lane, check]
        return found

    def dump(self) -> NDArray[Any]:
        """Return all as rows of `layout.SINCE`, by lane and check."""
        return np.array([(*where, at_ns) for where, at_ns in sorted(self._at.items())], SINCE)

    def load(self, rows: NDArray[Any]) -> None:
        """Take the rows of `dump`."""
        self._at = {(lane, check): at_ns for lane, check, at_ns in rows.tolist()}


@lru_cache(maxsize=1_024)
def _bits(checks: int) -> tuple[int, ...]:
    return tuple(check for check in range(CHECKS) if checks >> check & 1)
