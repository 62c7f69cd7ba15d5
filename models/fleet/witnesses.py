"""Who else speaks of a signal: another signal of its machine, and its sisters. Words, no score.

Another signal counts when in the healthy reference it explained at least half of what the contexts
left of this one: the best single partner by least squares, on residuals that were clipped with the
reference. A gap between the two is a correlation that broke. A signal whose sensor is not to be
trusted is replaced by what its partner or the contexts say; one that is still learned is read
against its sisters.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.assessment import Comparison
from models.fleet.checks import LIMIT_BITS, SENSOR_BITS
from models.fleet.layout import AGAIN, CONDITION, LEVEL, PEERS, SHIFT
from models.fleet.signals import Signals
from models.fleet.sisters import LEAST, compare, contexts_of
from models.fleet.terms import CENTRE, SLOPE, Terms, at
from models.life.compiled import entry, lean

EXPLAINS: Final = 0.5  #: least share of the variance
ROWS: Final = 100  #: rows of both signals in the reference
LATELY: Final = 10.0  #: usual intervals; an older reading says nothing of now
ASKED: Final = LIMIT_BITS | 1 << LEVEL | 1 << AGAIN | 1 << SHIFT
Family = Callable[[], Sequence[Signals]]
Said = dict[str, tuple[Comparison, ...]]  #: of signals of one machine


def witnesses(  # noqa: PLR0917  what a machine is made of
    numbers: Mapping[str, int],
    lanes: NDArray[Any],
    references: NDArray[Any],
    machine: Any,
    family: Family,
    terms: Terms,
) -> Said:
    """Return what others say of the signals that are unusual, not to be trusted, or learned still.

    `numbers`: signal -> lane, of one machine whose record is `machine`; `family`: the same of its
    sisters, asked for only when it is needed.
    """
    at = np.fromiter(numbers.values(), np.int64, len(numbers))
    odd = (lanes["active"][at] & (ASKED | SENSOR_BITS) != 0) | (lanes["armed"][at] == 0)
    odd &= (lanes["role"][at] == CONDITION) & (lanes["rows"][at] > 0)
    if not odd.any():
        return {}
    asked = dict(compress(numbers.items(), odd))
    found: dict[str, tuple[Comparison, ...]] = dict.fromkeys(asked, ())
    for one in _partners(asked, numbers, lanes, references, machine, terms):
        found[one.signal] = (one,)
    sisters = family()
    for one in compare(machine, lanes, asked, sisters, terms) if len(sisters) >= LEAST else ():
        found[one.signal] += (one,)
    return found


def explained(lane: Any, machine: Any, terms: Terms) -> float | None:
    """Return what the contexts, as they are now, explain of a signal; None if they do not."""
    count = int(machine["contexts"])
    if count == 0 or not lane["armed"]:
        return None
    context = machine["context"].tolist()[:count]
    more, said = 0.0, False
    for x, centre, slope in zip(context, *terms.lines(lane), strict=False):
        if slope != 0.0:
            more += slope * (x - centre)  # as `_expected` does: Python's `sum` rounds otherwise
            said = True
    value = float(lane["mean"]) + more
    return value if said and math.isfinite(value) else None


@lean
def _expected(lane: Any, terms: Any, context: Any) -> float:
    """Return what a signal should be, where a context explains it or not."""
    more, said = 0.0, False
    for i in range(min(len(context), lane.wide)):
        slope = terms[at(lane, SLOPE, i)]
        if slope != 0.0:
            more += slope * (context[i] - terms[at(lane, CENTRE, i)])
            said = True
    value = lane.mean + more
    return float(value if said and np.isfinite(value) else lane.mean)


@lean
def _sums(ref: Any, i: int) -> tuple[float, float, float]:
    """Return a pair's sums of products: the signal's own, both signals', the other's."""
    return np.float64(ref.pair_xx[i]), np.float64(ref.pair_xy[i]), np.float64(ref.pair_yy[i])


@lean
def _best(ref: Any) -> Any:
    """Return the place of the peer that explains most, -1 if it is too little, and its share."""
    best, most = -1, 0.0
    for i in range(PEERS):
        xx, xy, yy = _sums(ref, i)
        if ref.pair_n[i] >= ROWS and xx > 0.0 and yy > 0.0 and np.isfinite(xx + yy):
            share = xy * xy / (xx * yy)
            if share > most:
                best, most = i, share
    return (best if most >= EXPLAINS else -1), most


@entry
def _beside(  # noqa: PLR0917  compiled code: no keywords
    state: Any, asked: NDArray[np.int64], context: Any, now_ns: int, others: Any, found: Any
) -> None:
    """Find the partner of each signal that has one which speaks now.

    `state`: lanes, references and terms; `context`: what the machine's contexts are; out: `others`
    (signals,), the partner's lane or -1, and `found` (signals, 2), what it expects and how closely.
    """
    lanes, references, terms = state
    for i in range(len(asked)):
        others[i] = -1
        lane = lanes[asked[i]]
        if lane.frozen == 0:
            continue
        ref = references[lane.onset]
        best, share = _best(ref)
        if best < 0:
            continue
        number = ref.peer[best] - 1
        other = lanes[number]
        old_s = abs(now_ns - other.last_ns) * 1e-9
        speaks = other.frozen == 1 and other.active & SENSOR_BITS == 0
        if not speaks or not old_s <= LATELY * other.interval_s:
            continue
        xx, xy, yy = _sums(ref, best)
        left = other.last - _expected(other, terms, context)
        expected = _expected(lane, terms, context) + xy / yy * left
        sigma = np.sqrt(max(0.0, 1.0 - share) * xx / ref.pair_n[best])
        spread = max(sigma, 0.5 * lane.step if lane.step < np.inf else 0.0)
        if np.isfinite(expected) and 0.0 < spread < np.inf:
            others[i], found[i, 0], found[i, 1] = number, expected, spread


def _partners(  # noqa: PLR0917  as `witnesses`
    asked: Mapping[str, int],
    numbers: Mapping[str, int],
    lanes: NDArray[Any],
    references: NDArray[Any],
    machine: Any,
    terms: Terms,
) -> Iterator[Comparison]:
    """Yield asked signals beside the one that explains most of each, where one does."""
    mine = np.fromiter(asked.values(), np.int64, len(asked))
    others, found = np.empty(len(mine), np.int64), np.empty((len(mine), 2))
    state = lanes, references, terms.rows
    _beside(state, mine, contexts_of(machine), machine["at_ns"], others, found)
    there = np.flatnonzero(others >= 0)
    if not len(there):
        return
    names, besides = list(asked), {number: name for name, number in numbers.items()}
    told = (there, others[there], lanes["last"][mine[there]], *found[there].T)
    for i, other, value, hope, wide in zip(*(one.tolist() for one in told), strict=True):
        yield Comparison(
            signal=names[i],
            value=value,
            expected=hope,
            spread=wide,
            sisters=0,
            beside=besides[other],
        )
