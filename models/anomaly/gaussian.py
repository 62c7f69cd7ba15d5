"""River's Gaussian scorer, one a signal."""

import math
from collections.abc import Mapping
from typing import Any, Final

from river.anomaly import GaussianScorer

GRACE: Final = 100  #: rows of a signal before it is scored


class Gaussian:
    """How far the most unusual signal is out in its own normal distribution."""

    def __init__(self) -> None:
        self._scorers: dict[str, Any] = {}

    def score_one(self, x: Mapping[str, float]) -> float:
        """Return the highest score of the signals; 0 for those not known long enough."""
        scores = [
            float(self._scorers[name].score_one(None, value))
            for name, value in x.items()
            if name in self._scorers and self._scorers[name].gaussian.sigma > 0.0
        ]
        return min(max((s for s in scores if math.isfinite(s)), default=0.0), 1.0)

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Learn each signal's value."""
        for name, value in x.items():
            scorer = self._scorers.get(name)
            if scorer is None:
                scorer = self._scorers[name] = _new()
            scorer.learn_one(None, value)


def _new() -> Any:
    made: Any = GaussianScorer  # river's signature is untyped
    return made(window_size=None, grace_period=GRACE)
