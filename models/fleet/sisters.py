"""A machine beside its sisters: what others of its type would show under its conditions, now.

Each sister answers with her own healthy reference, moved to this machine's contexts, plus what she
herself is off by at the moment if she was heard lately: what all share, such as the weather, is
taken out. The middle and the spread of the answers are robust (median, median absolute deviation),
so that one sick sister does not matter. Nothing is stored; asking changes no state.
"""

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.assessment import Comparison
from models.fleet.layout import CONDITION
from models.fleet.signals import Signals, together
from models.fleet.terms import CENTRE, SLOPE, Terms, at
from models.life.compiled import entry, lean

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

    def told(self, number: int, machine: Any, lanes: NDArray[Any], mine: NDArray[np.int64]) -> None:
        """See whether a machine, whose signals are these lanes, has learned by now."""
        if not machine["elder"] and lanes["armed"][mine].any():
            machine["elder"] = 1
            insort(self._of.setdefault(self._type[number], []), number)

    def sisters(self, number: int) -> list[int]:
        """Return the first few others of a machine's type that have learned."""
        known = self._of.get(self._type[number], [])[: MOST + 1]
        return [other for other in known if other != number][:MOST]


def lent(said: Mapping[str, Sequence[Comparison]], names: Iterable[str]) -> list[int]:
    """Return how many sisters are among those who speak of each signal; they speak last."""
    return [said[name][-1].sisters if said.get(name) else 0 for name in names]


def contexts_of(machine: Any) -> NDArray[np.float64]:
    """Return what a machine's contexts are now."""
    now: NDArray[np.float64] = machine["context"][: int(machine["contexts"])].copy()
    return now


@lean
def _answer(one: Any, terms: Any, context: Any, now_ns: int) -> float:
    """Return what a sister would show of a signal at a machine's contexts, at that time."""
    shown = one.mean
    for i in range(min(len(context), one.wide)):
        step = context[i] - terms[at(one, CENTRE, i)]
        if np.isfinite(step):
            shown += terms[at(one, SLOPE, i)] * step
    if abs(one.last_ns - now_ns) <= HOUR_NS:
        shown += one.last - one.expected
    return float(shown)


@lean
def _median(values: Any, count: int) -> float:
    """Sort the first values, NaN behind all others, and return their median."""
    for i in range(1, count):
        x, j = values[i], i
        while j > 0 and (values[j - 1] > x or (np.isnan(values[j - 1]) and not np.isnan(x))):
            values[j] = values[j - 1]
            j -= 1
        values[j] = x
    return float(0.5 * (values[(count - 1) // 2] + values[count // 2]))


@entry
def _family(  # noqa: PLR0917  compiled code: no keywords
    lanes: Any, terms: Any, mine: NDArray[np.int64], theirs: Any, context: Any, found: Any
) -> None:
    """Find the middle of what sisters show of each signal, its spread, and how many there are.

    `theirs` (sisters, signals): their lanes, -1 none; `context`: what the machine's contexts are;
    `found` (signals, 3). Of a signal that too few have learned, none.
    """
    answers, sigmas = np.empty(len(theirs)), np.empty(len(theirs))
    for i in range(len(mine)):
        lane = lanes[mine[i]]
        count = 0
        for k in range(len(theirs)):
            if theirs[k, i] >= 0 and lanes[theirs[k, i]].armed == 1:
                one = lanes[theirs[k, i]]
                answers[count] = _answer(one, terms, context, lane.last_ns)
                sigmas[count] = one.sigma
                count += 1
        found[i, 2] = 0.0
        if count < LEAST or lane.role != CONDITION or lane.rows == 0:
            continue
        middle = _median(answers, count)
        for k in range(count):
            answers[k] = abs(answers[k] - middle)
        apart, shared = NORMAL * _median(answers, count), SHARED * _median(sigmas, count)
        found[i, 0], found[i, 2] = middle, count
        found[i, 1] = shared if shared > apart else apart


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
    numbers = np.fromiter(mine.values(), np.int64, len(mine))
    found = np.empty((len(mine), 3))
    _family(lanes, terms.rows, numbers, together(family, tuple(mine)), contexts_of(machine), found)
    last = lanes["last"][numbers].tolist()
    said = [
        Comparison(signal=name, value=value, expected=middle, spread=wide, sisters=int(count))
        for name, value, (middle, wide, count) in zip(mine, last, found.tolist(), strict=True)
        if count and wide > 0.0
    ]
    said.sort(key=lambda one: (-abs(one.deviation), one.signal))
    return said
