"""Faults of sensors, not of machines: what is read differs from what is.

Each is pure: readings in, readings out, decided by the times alone, so that a series gives the same
whether it comes in one piece or row by row.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from simulators.plants.plant import Array

_DAY_S = 86_400.0
_BURST_S = 6 * 3600.0  #: an intermittent contact is good or bad for so long


class Kind(StrEnum):
    """Ways in which a sensor fails."""

    DRIFT = "drift"  #: `size` more every day
    SPIKE = "spike"  #: a share of the readings is off by `size`
    STUCK = "stuck"  #: keeps the first reading
    DROPOUT = "dropout"  #: nothing is read
    STEP = "step"  #: off by `size` from one moment to the next
    INTERMITTENT = "intermittent"  #: a loose contact: nothing is read in a share of the hours


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorFault:
    """A fault of one signal's sensor in `from_s <= t < to_s`; `size` is in the signal's unit."""

    signal: str
    kind: Kind
    from_s: float
    to_s: float = float("inf")
    size: float = 0.0
    share: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.from_s < self.to_s:
            raise ValueError(f"{self.kind} of {self.signal}: it must begin at >= 0 and then end")
        if not 0 < self.share <= 1:
            raise ValueError(f"{self.kind} of {self.signal}: share must be in (0, 1]")
        if self.kind in (Kind.DRIFT, Kind.SPIKE, Kind.STEP) and self.size == 0:
            raise ValueError(f"{self.kind} of {self.signal}: size must not be 0")


def apply(
    fault: SensorFault, times_s: Array, values: Array, held: float | None = None
) -> tuple[Array, float | None]:
    """Return readings (n,) as a faulty sensor gives them, NaN where it gives none.

    `held` is the reading a stuck sensor keeps, from the call before; the second result is for the
    next call.
    """
    inside = (times_s >= fault.from_s) & (times_s < fault.to_s)
    if not inside.any():
        return values, held
    out = values.copy()
    match fault.kind:
        case Kind.DRIFT:
            out[inside] += fault.size * (times_s[inside] - fault.from_s) / _DAY_S
        case Kind.STEP:
            out[inside] += fault.size
        case Kind.SPIKE:
            out[inside & (_uniform(fault.seed, times_s) < fault.share)] += fault.size
        case Kind.STUCK:
            held = float(values[inside][0]) if held is None else held
            out[inside] = held
        case Kind.DROPOUT:
            out[inside] = np.nan
        case Kind.INTERMITTENT:
            burst = np.floor(times_s / _BURST_S)
            out[inside & (_uniform(fault.seed, burst) < fault.share)] = np.nan
    return out, held


def _uniform(seed: int, numbers: Array) -> Array:
    """Return numbers in [0, 1) that depend on seed and number alone (splitmix64)."""
    with np.errstate(over="ignore"):
        x: NDArray[np.uint64] = numbers.view(np.uint64) + np.uint64(seed) * np.uint64(
            0x9E3779B97F4A7C15
        )
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    uniform: Array = (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform
