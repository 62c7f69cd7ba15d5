"""A machine beside its sisters: what others of its type would show under its conditions, now.

Each sister answers with her own healthy reference, moved to this machine's contexts, plus what she
herself is off by at the moment if she was heard lately: what all share, such as the weather, is
taken out. The middle and the spread of the answers are robust (median, median absolute deviation),
so that one sick sister does not matter. Nothing is stored; asking changes no state.
"""

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from models.assessment import Comparison
from models.fleet.layout import CONDITION

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

    def told(self, number: int, machine: Any, lanes: Iterable[Any]) -> None:
        """See whether a machine, of `lanes`, has learned by now."""
        if not machine["elder"] and any(lane["armed"] for lane in lanes):
            machine["elder"] = 1
            insort(self._of.setdefault(self._type[number], []), number)

    def sisters(self, number: int) -> list[int]:
        """Return the first few others of a machine's type that have learned."""
        known = self._of.get(self._type[number], [])[: MOST + 1]
        return [other for other in known if other != number][:MOST]


def lent(said: Iterable[Comparison]) -> int:
    """Return how many sisters are among those who speak of a signal."""
    return max((one.sisters for one in said), default=0)


def _answer(sister: Any, machine: Any, contexts: int, now_ns: int) -> float:
    """Return what a sister would show at this machine's contexts."""
    shown = float(sister["mean"])
    for i in range(contexts):
        step = float(machine["context"][i]) - float(sister["c_mean"][i])
        if np.isfinite(step):
            shown += float(sister["slope"][i]) * step
    if abs(int(sister["last_ns"]) - now_ns) <= HOUR_NS:
        shown += float(sister["last"]) - float(sister["expected"])
    return shown


def compare(
    machine: Any,
    lanes: Mapping[str, Any],
    sisters: Iterable[Mapping[str, Any]],
) -> Iterator[Comparison]:
    """Yield a machine's condition signals beside its sisters', the strangest first.

    `machine`: its record; `lanes`: signal -> record, also of each sister. A signal that fewer than
    three sisters have learned is left out.
    """
    family: Sequence[Mapping[str, Any]] = list(sisters)
    found = []
    for signal, lane in lanes.items():
        if lane["role"] != CONDITION or lane["rows"] == 0:
            continue
        others = [one[signal] for one in family if signal in one and one[signal]["armed"] == 1]
        if len(others) < LEAST:
            continue
        contexts, now = int(machine["contexts"]), int(lane["last_ns"])
        answers = np.array([_answer(one, machine, contexts, now) for one in others])
        middle = float(np.median(answers))
        apart = NORMAL * float(np.median(np.abs(answers - middle)))
        least = SHARED * float(np.median([one["sigma"] for one in others]))
        spread = max(apart, least)
        if spread > 0.0:
            found.append(
                Comparison(
                    signal=signal,
                    value=float(lane["last"]),
                    expected=middle,
                    spread=spread,
                    sisters=len(others),
                )
            )
    yield from sorted(found, key=lambda one: (-abs(one.deviation), one.signal))
