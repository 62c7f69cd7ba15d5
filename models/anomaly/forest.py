"""Half-space trees (Tan, Ting, Liu, IJCAI 2011) as river has them."""

from collections.abc import Mapping
from typing import Any, Final

from river.anomaly import HalfSpaceTrees

MARGIN: Final = 0.25  #: the known range takes the middle, so that a value outside is a new place
WINDOW: Final = 250  #: rows that the trees look back to
FIRST: Final = 50  #: rows until the trees are grown: they know no signal that comes later


class Forest:
    """river's half-space trees over signals scaled to the range that was seen so far.

    The trees expect values in 0..1; a signal that is absent counts as the middle of its range. It
    goes blind to a fault that lasts longer than its window, so it tells onsets only.
    """

    def __init__(self) -> None:
        self._trees: Any = HalfSpaceTrees(n_trees=25, height=8, window_size=WINDOW, seed=1)
        self._low: dict[str, float] = {}
        self._high: dict[str, float] = {}
        self._names: tuple[str, ...] = ()
        self._rows = 0

    def score_one(self, x: Mapping[str, float]) -> float:
        """Return the trees' score; 0 until they have learned a window."""
        if self._rows <= FIRST + WINDOW:
            return 0.0
        return min(max(float(self._trees.score_one(self._scaled(x))), 0.0), 1.0)

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Widen the ranges; once the trees are grown, let them learn the row."""
        for name, value in x.items():
            self._low[name] = min(self._low.get(name, value), value)
            self._high[name] = max(self._high.get(name, value), value)
        self._rows += bool(self._low)
        if self._rows == FIRST:
            self._names = tuple(self._low)
        elif self._rows > FIRST:
            self._trees.learn_one(self._scaled(x))

    def _scaled(self, x: Mapping[str, float]) -> dict[str, float]:
        row = {}
        for name in self._names:
            low = self._low[name]
            value, width = x.get(name), self._high[name] - low
            share = 0.5 if value is None or width <= 0.0 else (value - low) / width
            row[name] = min(max(MARGIN + (1 - 2 * MARGIN) * share, 0.0), 1.0)
        return row
