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
from models.fleet.sisters import compare

EXPLAINS: Final = 0.5  #: least share of the variance
ROWS: Final = 100  #: rows of both signals in the reference
LATELY: Final = 10.0  #: usual intervals; an older reading says nothing of now
ASKED: Final = LIMIT_BITS | 1 << LEVEL | 1 << AGAIN | 1 << SHIFT
Family = Callable[[], Sequence[Mapping[str, int]]]


def witnesses(
    numbers: Mapping[str, int],
    lanes: NDArray[Any],
    references: NDArray[Any],
    machine: Any,
    family: Family,
) -> dict[str, tuple[Comparison, ...]]:
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
    names = {number: name for name, number in numbers.items()}
    partners = _partners(asked, names, lanes, references, machine)
    found: dict[str, tuple[Comparison, ...]] = {
        name: () if beside is None else (beside,)
        for name, beside in zip(asked, partners, strict=True)
    }
    for one in compare(machine, lanes, asked, family()):
        found[one.signal] += (one,)
    return found


def explained(lane: Any, machine: Any) -> float | None:
    """Return what the contexts, as they are now, explain of a signal; None if they do not."""
    count = int(machine["contexts"])
    if count == 0 or not lane["armed"]:
        return None
    slopes = lane["slope"][:count]
    if not slopes.any():
        return None
    off = np.where(slopes != 0.0, machine["context"][:count] - lane["c_mean"][:count], 0.0)
    value = float(lane["mean"]) + sum((slopes * off).tolist())
    return value if math.isfinite(value) else None


def _partners(
    asked: Mapping[str, int],
    names: Mapping[int, str],
    lanes: NDArray[Any],
    references: NDArray[Any],
    machine: Any,
) -> Iterator[Comparison | None]:
    """Yield each asked signal beside the one that explains most of it, None where none does."""
    at = np.fromiter(asked.values(), np.int64, len(asked))
    pairs = references[lanes["onset"][at]]
    n = pairs["pair_n"]
    xx, yy, xy = (pairs[key].astype(float) for key in ("pair_xx", "pair_yy", "pair_xy"))
    known = (n >= ROWS) & (xx > 0.0) & (yy > 0.0) & (lanes["frozen"][at] != 0)[:, None]
    known &= np.isfinite(xx + yy)
    shares = np.where(known, xy * xy / np.where(known, xx * yy, 1.0), 0.0)
    for row, (name, number) in enumerate(asked.items()):
        best = int(shares[row].argmax())
        share = shares[row, best]
        found = share >= EXPLAINS
        of = (lanes[number], pairs[row], best, share)
        yield _partner(name, *of, names, lanes, machine) if found else None


def _partner(  # noqa: PLR0917  a signal, its partner, and where both are
    name: str,
    lane: Any,
    pairs: Any,
    best: int,
    share: Any,
    names: Mapping[int, str],
    lanes: NDArray[Any],
    machine: Any,
) -> Comparison | None:
    """Return a signal beside its partner number `best`, which explains `share` of its variance."""
    n, xx, yy, xy = (float(pairs[key][best]) for key in ("pair_n", "pair_xx", "pair_yy", "pair_xy"))
    number = int(pairs["peer"][best]) - 1
    other = lanes[number]
    old_s = abs(int(machine["at_ns"]) - int(other["last_ns"])) * 1e-9
    if not other["frozen"] or other["active"] & SENSOR_BITS or old_s > LATELY * other["interval_s"]:
        return None
    left = float(other["last"]) - _expected(other, machine)
    sigma = math.sqrt(max(0.0, 1.0 - share) * xx / n)
    step = float(lane["step"]) if lane["step"] < math.inf else 0.0
    spread = max(sigma, 0.5 * step)
    expected = _expected(lane, machine) + xy / yy * left
    if not math.isfinite(expected) or not 0.0 < spread < math.inf:
        return None
    return Comparison(
        signal=name,
        value=float(lane["last"]),
        expected=expected,
        spread=spread,
        sisters=0,
        beside=names[number],
    )


def _expected(lane: Any, machine: Any) -> float:
    value = explained(lane, machine)
    return float(lane["mean"]) if value is None else value
