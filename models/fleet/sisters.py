"""A machine beside its sisters: what others of its type would show under its conditions, now.

Each sister answers with her own healthy reference, moved to this machine's contexts, plus what she
herself is off by at the moment if she was heard lately: what all share, such as the weather, is
taken out. The middle and the spread of the answers are robust (median, median absolute deviation),
so that one sick sister does not matter. Nothing is stored; asking changes no state.
"""

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.assessment import Comparison
from models.fleet.layout import CONDITION
from models.fleet.signals import Signals
from models.fleet.terms import CENTRE, SLOPE, Terms

MOST: Final = 16  #: sisters that are asked
LEAST: Final = 3  #: sisters that have learned; fewer say nothing about a spread
HOUR_NS: Final = 3600 * 10**9
#: few sisters may agree by chance: least spread, as a share of the spread of one over time, much of
#: which they share
SHARED: Final = 1 / 3
NORMAL: Final = 1.4826  #: standard deviations in a median absolute deviation of normal noise


class Elders:
    """The machines of each type that have learned, in their order.

    Whether one has is in its record (`elder`), set when it is told of; so asking for a few sisters
    costs the same in a fleet of any size, and a snapshot gives the same ones.
    """

    def __init__(self) -> None:
        self._of: dict[str, list[int]] = {}
        self._type: dict[int, str] = {}

    def follow(self, number: int, profile: str, machine: Any) -> None:
        """Take a machine in as one of a type, perhaps another one than before."""
        before = self._of.get(self._type.get(number, profile), [])
        if number in before:
            before.remove(number)
        self._type[number] = profile
        if machine["elder"]:
            insort(self._of.setdefault(profile, []), number)

    def told(self, number: int, machine: Any, armed: NDArray[np.int8]) -> None:
        """See whether a machine, `armed` of each of its signals, has learned by now."""
        if not machine["elder"] and armed.any():
            machine["elder"] = 1
            insort(self._of.setdefault(self._type[number], []), number)

    def sisters(self, number: int) -> list[int]:
        """Return the first few others of a machine's type that have learned."""
        known = self._of.get(self._type[number], [])[: MOST + 1]
        return [other for other in known if other != number][:MOST]


def lent(said: Iterable[Comparison]) -> int:
    """Return how many sisters are among those who speak of a signal."""
    return max((one.sisters for one in said), default=0)


def _answers(
    lanes: NDArray[Any],
    numbers: NDArray[np.int64],
    machine: Any,
    now_ns: NDArray[np.int64],
    terms: Terms,
) -> NDArray[np.float64]:
    """Return what each sister (signals, sisters) would show of a signal at the machine's contexts.

    `now_ns` (signals,): when the machine showed the signal.
    """
    shown = lanes["mean"][numbers]
    count = int(machine["contexts"])
    if count > 0:
        found = lanes[["terms", "wide"]][numbers]
        for i in range(count):
            step = machine["context"][i] - terms.look(found, CENTRE, i)
            moved = shown + terms.look(found, SLOPE, i) * step
            shown = np.where(np.isfinite(step), moved, shown)
    off = lanes["last"][numbers] - lanes["expected"][numbers]
    lately = np.abs(lanes["last_ns"][numbers] - now_ns[:, None]) <= HOUR_NS
    return np.where(lately, shown + off, shown)


def _medians(
    values: NDArray[np.float64], there: NDArray[np.bool_], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the median of each row's values that are there, at least one of them."""
    ranked = np.sort(np.where(there, values, np.inf), axis=1)
    row = np.arange(len(ranked))
    found: NDArray[np.float64] = 0.5 * (ranked[row, (counts - 1) // 2] + ranked[row, counts // 2])
    return found


def compare(
    machine: Any,
    lanes: NDArray[Any],
    mine: Mapping[str, int],
    family: Sequence[Signals],
    terms: Terms,
) -> list[Comparison]:
    """Return a machine's condition signals beside its sisters', the strangest first.

    `machine`: its record; `mine`: signal -> lane; `family`: those of each sister; `terms`: what
    the contexts explain. A signal that fewer than three sisters have learned is left out.
    """
    if len(family) < LEAST or not mine:
        return []
    at = np.fromiter(mine.values(), np.int64, len(mine))
    numbers = np.array([one.of(mine) for one in family]).T
    there = (numbers >= 0) & (lanes["armed"][numbers] == 1)
    asked = (lanes["role"][at] == CONDITION) & (lanes["rows"][at] > 0) & (there.sum(1) >= LEAST)
    at, numbers, there = at[asked], numbers[asked], there[asked]
    counts = there.sum(1)
    answers = _answers(lanes, numbers, machine, lanes["last_ns"][at], terms)
    middle = _medians(answers, there, counts)
    apart = NORMAL * _medians(np.abs(answers - middle[:, None]), there, counts)
    spread = np.maximum(apart, SHARED * _medians(lanes["sigma"][numbers], there, counts))
    values = (lanes["last"][at], middle, spread, counts)
    found = [
        Comparison(signal=name, value=value, expected=expected, spread=wide, sisters=count)
        for name, value, expected, wide, count in zip(
            compress(mine, asked), *(one.tolist() for one in values), strict=True
        )
        if wide > 0.0
    ]
    found.sort(key=lambda one: (-abs(one.deviation), one.signal))
    return found
