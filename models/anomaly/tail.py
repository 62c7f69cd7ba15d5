"""From an error to a tail probability to a score that keeps its resolution.

Above the 90 % quantile the excess is taken as exponential (peaks over threshold: Pickands, Annals
of Statistics 3, 1975; the exponential is the member without a shape to estimate), so that an error
far beyond everything seen still has a finite, comparable probability.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

TAIL: Final = 0.1  #: share of the largest values that the exponential follows
LEAST: Final = 1e-40  #: smallest probability told apart


def score_of(probability: float) -> float:
    """Return 1 - p^(1/3): 0 for the usual, 0.95 for one row in 8,000, below 1 for all others."""
    return 1.0 - math.cbrt(max(min(probability, 1.0), LEAST))


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen distribution of errors. `levels`: its quantiles at equal steps up to 90 %."""

    levels: tuple[float, ...]
    excess: float  #: mean of what exceeds the last level

    def probability(self, value: float) -> float:
        """Return the probability of a value at least so large."""
        last = self.levels[-1]
        if value >= last:
            return TAIL * math.exp(-(value - last) / self.excess) if self.excess > 0.0 else TAIL
        at = bisect_left(self.levels, value)
        if at == 0:
            return 1.0
        low, high = self.levels[at - 1], self.levels[at]
        place = at - 1 + ((value - low) / (high - low) if high > low else 0.0)
        return 1.0 - (1.0 - TAIL) * place / (len(self.levels) - 1)


def fitted(values: Sequence[float], steps: int = 20) -> Tail:
    """Return the tail of some errors (at least 2)."""
    ordered = sorted(values)
    places = [(1.0 - TAIL) * k / steps * (len(ordered) - 1) for k in range(steps + 1)]
    levels = tuple(_between(ordered, place) for place in places)
    above = [value - levels[-1] for value in ordered if value > levels[-1]]
    return Tail(levels=levels, excess=sum(above) / len(above) if above else 0.0)


def _between(ordered: Sequence[float], place: float) -> float:
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


class RunningTail:
    """The distribution of the newest errors. A value is asked for before it is learned."""

    def __init__(self, window: int = 500, first: int = 100) -> None:
        self._window, self._first = window, first
        self._newest: deque[float] = deque()
        self._ordered: list[float] = []

    def probability(self, value: float) -> float:
        """Return the probability of a value at least so large; 1 until enough were learned."""
        count = len(self._ordered)
        if count < self._first:
            return 1.0
        top = math.ceil((1.0 - TAIL) * count)
        level = self._ordered[top - 1]
        if value <= level:
            return 1.0 - bisect_left(self._ordered, value) / count
        excess = sum(self._ordered[top:]) / (count - top) - level
        return TAIL * math.exp(-(value - level) / excess) if excess > 0.0 else LEAST

    def learn(self, value: float) -> None:
        """Take a value in; the oldest leaves."""
        self._newest.append(value)
        insort(self._ordered, value)
        if len(self._newest) > self._window:
            del self._ordered[bisect_left(self._ordered, self._newest.popleft())]
