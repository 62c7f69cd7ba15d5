"""Who else speaks of a signal: another signal of its machine, and its sisters. Words, no score.

Another signal counts when in the healthy reference it explained at least half of what the contexts
left of this one: the best single partner by least squares, on residuals that were clipped with the
reference. A gap between the two is a correlation that broke. A signal whose sensor is not to be
trusted is replaced by what its partner or the contexts say; one that is still learned is read
against its sisters.
"""

from collections.abc import Callable, Mapping, Sequence
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
Family = Callable[[], Sequence[Mapping[str, Any]]]


def witnesses(
    numbers: Mapping[str, int], lanes: NDArray[Any], machine: Any, family: Family
) -> dict[str, tuple[Comparison, ...]]:
    """Return what others say of the signals that are unusual, not to be trusted, or learned still.

    `numbers`: signal -> lane, of one machine whose record is `machine`; `family`: its sisters'
    records by signal, asked for only when they are needed.
    """
    asked = {}
    for name, number in numbers.items():
        lane = lanes[number]
        odd = lane["active"] & (ASKED | SENSOR_BITS) or not lane["armed"]
        if odd and lane["role"] == CONDITION and lane["rows"]:
            asked[name] = lane
    if not asked:
        return {}
    names = {number: name for name, number in numbers.items()}
    found: dict[str, tuple[Comparison, ...]] = {}
    for name, lane in asked.items():
        beside = _partner(name, lane, names, lanes, machine)
        found[name] = () if beside is None else (beside,)
    for one in compare(machine, asked, family()):
        found[one.signal] += (one,)
    return found


def explained(lane: Any, machine: Any) -> float | None:
    """Return what the contexts, as they are now, explain of a signal; None if they do not."""
    count = int(machine["contexts"])
    slopes = lane["slope"][:count]
    if not lane["armed"] or not slopes.any():
        return None
    off = np.where(slopes != 0.0, machine["context"][:count] - lane["c_mean"][:count], 0.0)
    value = float(lane["mean"]) + sum((slopes * off).tolist())
    return value if np.isfinite(value) else None


def _partner(
    name: str, lane: Any, names: Mapping[int, str], lanes: NDArray[Any], machine: Any
) -> Comparison | None:
    if not lane["frozen"]:
        return None
    n, xx, yy, xy = (lane[key] for key in ("pair_n", "pair_xx", "pair_yy", "pair_xy"))
    known = (n >= ROWS) & (xx > 0.0) & (yy > 0.0)
    share = np.where(known, xy * xy / np.where(known, xx * yy, 1.0), 0.0)
    best = int(np.argmax(share))
    if share[best] < EXPLAINS:
        return None
    number = int(lane["peer"][best]) - 1
    other = lanes[number]
    old_s = abs(int(machine["at_ns"]) - int(other["last_ns"])) * 1e-9
    if not other["frozen"] or other["active"] & SENSOR_BITS or old_s > LATELY * other["interval_s"]:
        return None
    left = float(other["last"]) - _expected(other, machine)
    sigma = float(np.sqrt((1.0 - share[best]) * xx[best] / n[best]))
    step = float(lane["step"]) if np.isfinite(lane["step"]) else 0.0
    spread = max(sigma, 0.5 * step)
    expected = _expected(lane, machine) + float(xy[best] / yy[best]) * left
    if not np.isfinite(expected) or spread <= 0.0:
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
