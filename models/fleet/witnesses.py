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
from models.fleet.layout import AGAIN, CONDITION, LEVEL, SHIFT
from models.fleet.signals import Signals
from models.fleet.sisters import compare
from models.fleet.terms import Terms

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
    for one in compare(machine, lanes, asked, family(), terms):
        found[one.signal] += (one,)
    return found


def explained(lane: Any, machine: Any, terms: Terms) -> float | None:
    """Return what the contexts, as they are now, explain of a signal; None if they do not."""
    count = int(machine["contexts"])
    if count == 0 or not lane["armed"]:
        return None
    context = machine["context"].tolist()[:count]
    parts = [
        slope * (x - centre)
        for x, centre, slope in zip(context, *terms.lines(lane), strict=False)
        if slope != 0.0
    ]
    if not parts:
        return None
    value = float(lane["mean"]) + sum(parts)
    return value if math.isfinite(value) else None


def _partners(  # noqa: PLR0917  as `witnesses`
    asked: Mapping[str, int],
    numbers: Mapping[str, int],
    lanes: NDArray[Any],
    references: NDArray[Any],
    machine: Any,
    terms: Terms,
) -> Iterator[Comparison]:
    """Yield asked signals beside the one that explains most of each, where one does."""
    at = np.fromiter(asked.values(), np.int64, len(asked))
    pairs = references[lanes["onset"][at]]
    n = pairs["pair_n"]
    xx, yy, xy = (pairs[key].astype(float) for key in ("pair_xx", "pair_yy", "pair_xy"))
    known = (n >= ROWS) & (xx > 0.0) & (yy > 0.0) & (lanes["frozen"][at] != 0)[:, None]
    known &= np.isfinite(xx + yy)
    shares = np.where(known, xy * xy / np.where(known, xx * yy, 1.0), 0.0)
    best = shares.argmax(1)
    row = np.flatnonzero(shares[np.arange(len(at)), best] >= EXPLAINS)
    if not len(row):
        return
    best, at = best[row], at[row]
    n, xx, yy, xy, shares = (one[row, best] for one in (n, xx, yy, xy, shares))
    others = pairs["peer"][row, best] - 1
    old_s = np.abs(machine["at_ns"] - lanes["last_ns"][others]) * 1e-9
    speaks = (lanes["frozen"][others] != 0) & (lanes["active"][others] & SENSOR_BITS == 0)
    speaks &= old_s <= LATELY * lanes["interval_s"][others]
    left = lanes["last"][others] - _expected(lanes, others, machine, terms)
    sigma = np.sqrt(np.maximum(0.0, 1.0 - shares) * xx / n)
    step = lanes["step"][at]
    spread = np.maximum(sigma, np.where(step < math.inf, 0.5 * step, 0.0))
    expected = _expected(lanes, at, machine, terms) + xy / yy * left
    speaks &= np.isfinite(expected) & (spread > 0.0) & (spread < math.inf)
    names, besides = list(asked), {number: name for name, number in numbers.items()}
    told = (row, others, lanes["last"][at], expected, spread)
    for i, other, value, hope, wide in zip(*(one[speaks].tolist() for one in told), strict=True):
        yield Comparison(
            signal=names[i],
            value=value,
            expected=hope,
            spread=wide,
            sisters=0,
            beside=besides[other],
        )


def _expected(
    lanes: NDArray[Any], at: NDArray[np.int64], machine: Any, terms: Terms
) -> NDArray[np.float64]:
    """Return what signals should be, where a context explains them or not."""
    means: NDArray[np.float64] = lanes["mean"][at]
    if int(machine["contexts"]) > 0:
        for i, number in enumerate(at.tolist()):
            value = explained(lanes[number], machine, terms)
            means[i] = means[i] if value is None else value
    return means
