"""Local outlier factor (Breunig et al., SIGMOD 2000) as river has it, over a sliding window."""

from collections.abc import Mapping
from typing import Any, Final

from river.anomaly import LocalOutlierFactor
from river.neighbors import LazySearch

from models.anomaly.calibrated import Calibrated

WINDOW: Final = 250  #: rows that a row is compared with; time goes with it
NEIGHBOURS: Final = 10


class Factor:
    """How much thinner a row's surroundings are than those of its neighbours; 1 is usual."""

    def __init__(self) -> None:
        self._model: Any = LocalOutlierFactor(NEIGHBOURS, LazySearch(window_size=WINDOW))

    def raw_one(self, x: Mapping[str, float]) -> float:
        """Return the factor."""
        return float(self._model.score_one(dict(x)))

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Put the row into the window."""
        self._model.learn_one(dict(x))


def local_outlier_factor() -> Calibrated:
    """Return a detector. The slowest by far: for single machines."""
    return Calibrated(Factor())
