"""Intervals against a plain set of numbers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cloud.intervals import Intervals

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=30)


def ranges(numbers: set[int], first: int, end: int) -> list[tuple[int, int]]:
    """Return the runs of [first, end) that are not among the numbers."""
    out: list[tuple[int, int]] = []
    for n in range(first, end):
        if n in numbers:
            continue
        if out and out[-1][1] == n:
            out[-1] = (out[-1][0], n + 1)
        else:
            out.append((n, n + 1))
    return out


@given(added=spans, asked=st.tuples(st.integers(0, 60), st.integers(1, 20)), cut=st.integers(0, 70))
def test_they_hold_what_a_set_of_numbers_holds(
    added: list[tuple[int, int]], asked: tuple[int, int], cut: int
) -> None:
    intervals, numbers = Intervals(), set[int]()
    for first, count in added:
        new = not ({first - 1, first + count} | set(range(first, first + count))) & numbers
        assert intervals.joins(first, first + count) is not new
        intervals.add(first, first + count)
        numbers |= set(range(first, first + count))
    pairs = list(intervals)
    assert [n for a, b in pairs for n in range(a, b)] == sorted(numbers)
    assert all(b < c for (_, b), (c, _) in pairwise(pairs)), "none touch"
    first, end = asked[0], asked[0] + asked[1]
    assert intervals.missing(first, end) == ranges(numbers, first, end)
    before = intervals.copy()
    reached = intervals.take_below(cut)
    rest = [pair for pair in pairs if pair[0] > cut]
    assert list(intervals) == rest
    assert reached == max([cut, *(b for a, b in pairs if a <= cut)])
    assert list(before) == pairs
