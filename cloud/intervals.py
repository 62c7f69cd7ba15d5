"""Which numbers are here: disjoint half-open intervals [first, end), sorted. Pure.

Looking up and adding cost a bisection, so that a stream with ten thousand holes costs no more than
one with none.
"""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Intervals:
    """A sorted set of disjoint intervals that do not touch each other."""

    __slots__ = ("_ends", "_firsts")

    def __init__(self, pairs: Iterable[Iterable[int]] = ()) -> None:
        self._firsts: list[int] = []
        self._ends: list[int] = []
        for first, end in pairs:
            self.add(first, end)

    def __len__(self) -> int:
        return len(self._firsts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts, self._ends, strict=True)

    def copy(self) -> "Intervals":
        """Return a copy that later changes do not reach."""
        other = Intervals()
        other._firsts, other._ends = self._firsts[:], self._ends[:]
        return other

    @property
    def end(self) -> int | None:
        """The number after the last one here; None when nothing is."""
        return self._ends[-1] if self._ends else None

    def add(self, first: int, end: int) -> None:
        """Note [first, end) as being here."""
        low = bisect_left(self._ends, first)
        high = bisect_right(self._firsts, end)
        if low < high:
            first, end = min(first, self._firsts[low]), max(end, self._ends[high - 1])
        self._firsts[low:high] = [first]
        self._ends[low:high] = [end]

    def joins(self, first: int, end: int) -> bool:
        """Whether [first, end) touches what is here, so that adding it makes no new interval."""
        return bisect_left(self._ends, first) < bisect_right(self._firsts, end)

    def missing(self, first: int, end: int) -> list[tuple[int, int]]:
        """Return the parts of [first, end) that are not here."""
        parts, at = [], first
        for index in range(bisect_right(self._ends, first), len(self._firsts)):
            a, b = self._firsts[index], self._ends[index]
            if a >= end:
                break
            if a > at:
                parts.append((at, a))
            at = max(at, b)
        if at < end:
            parts.append((at, end))
        return parts

    def take_below(self, number: int) -> int:
        """Drop the intervals that begin at or below `number`; return where the last one ends."""
        cut = bisect_right(self._firsts, number)
        if cut:
            number = max(number, self._ends[cut - 1])
            del self._firsts[:cut], self._ends[:cut]
        return number


def holes(at: int, above: Intervals, held: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the inclusive holes between `at` and what is here (`above`) or waits, in order."""
    for first, end in heapq.merge(above, held):
        if first > at:
            yield at, first - 1
        at = max(at, end)
