"""What river's row scorers need around them: standard units before, a tail probability after."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from river.preprocessing import StandardScaler

from models.anomaly.tail import RunningTail, score_of

FIRST: Final = 50  #: rows until the signals are fixed: one that comes later is not seen
FAR: Final = 1e3  #: standard deviations; further out is no more unusual


class Scorer(Protocol):
    """Gives a number that is larger the more unusual a row in standard units is."""

    def raw_one(self, x: Mapping[str, float]) -> float:
        """Return the number."""
        ...

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Learn one row."""
        ...


class Calibrated:
    """A detector made of a scorer: its numbers are ranked among the newest ones."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._scaler: Any = StandardScaler()
        self._tail = RunningTail()
        self._names: tuple[str, ...] = ()
        self._seen: dict[str, None] = {}
        self._rows = 0
        self._known: tuple[dict[str, float], float] | None = None

    def score_one(self, x: Mapping[str, float]) -> float:
        """Return the score of the raw number's tail probability; 0 until enough rows are known."""
        if not self._names:
            return 0.0
        return score_of(self._tail.probability(self._raw(self._standard(x))))

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Rank the row's raw number, then let scaler and scorer learn the row."""
        self._seen.update(dict.fromkeys(x))
        if self._names:
            row = self._standard(x)
            self._tail.learn(self._raw(row))
            self._scorer.learn_one(row)
            self._known = None
        self._scaler.learn_one(x)
        self._rows += bool(self._seen)
        if self._rows == FIRST:
            self._names = tuple(self._seen)

    def _raw(self, row: dict[str, float]) -> float:
        """Return the scorer's number; the one just asked for is not computed twice."""
        if self._known is None or self._known[0] != row:
            self._known = (row, float(self._scorer.raw_one(row)))
        return self._known[1]

    def _standard(self, x: Mapping[str, float]) -> dict[str, float]:
        """Return the row in standard deviations; a signal that is absent is at its mean."""
        scaled = self._scaler.transform_one({name: x[name] for name in self._names if name in x})
        return {name: min(max(scaled.get(name, 0.0), -FAR), FAR) for name in self._names}
