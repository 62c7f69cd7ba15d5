"""When the checks that are active began. They are few, so it is kept beside the lanes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.fleet.layout import CHECKS, DROPOUT, NEVER, SINCE


class Since:
    """One time for each check of a lane that is active.

    A row that begins or ends a check is told of at once (`models.fleet.kernel`), so a lane need
    only hold when its newest changes were, until then.
    """

    def __init__(self) -> None:
        self._at: dict[tuple[int, int], int] = {}  # lane, check

    def told(self, mine: Mapping[str, int], lanes: NDArray[Any]) -> dict[str, dict[int, int]]:
        """Return signal -> check -> when it began, or ended since the machine was told of.

        What ended is let go. Without a row (a part is new) it is told as of its beginning.
        """
        at = np.fromiter(mine.values(), np.int64, len(mine))
        active, changed = lanes["active"][at], lanes["changed"][at]
        if not (active | changed).any():
            return {}
        rows = zip(
            mine.items(),
            *(active.tolist(), changed.tolist()),
            *(lanes[key][at].tolist() for key in ("changed_ns", "dropped_ns")),
            strict=True,
        )
        return {
            name: self._of(lane, now, moved, changed_ns, dropped_ns)
            for (name, lane), now, moved, changed_ns, dropped_ns in rows
            if now | moved
        }

    def _of(
        self, lane: int, active: int, changed: int, changed_ns: int, dropped_ns: int
    ) -> dict[int, int]:
        found = {}
        for check in _bits(active | changed):
            at_ns = dropped_ns if check == DROPOUT else changed_ns
            if changed >> check & 1 and at_ns != NEVER:
                self._at[lane, check] = at_ns
            found[check] = self._at[lane, check]
            if not active >> check & 1:
                del self._at[lane, check]
        return found

    def dump(self) -> NDArray[Any]:
        """Return all as rows of `layout.SINCE`, by lane and check."""
        return np.array([(*where, at_ns) for where, at_ns in sorted(self._at.items())], SINCE)

    def load(self, rows: NDArray[Any]) -> None:
        """Take the rows of `dump`."""
        self._at = {(lane, check): at_ns for lane, check, at_ns in rows.tolist()}


def _bits(checks: int) -> list[int]:
    return [check for check in range(CHECKS) if checks >> check & 1]
