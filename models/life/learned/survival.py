"""What is known of a unit before any signal: how long the units lived, the censored ones counted.

The product-limit estimate (Kaplan and Meier, J. Amer. Stat. Assoc. 53, 1958), with an exponential
tail of the overall failure rate behind the last failure, so that every quantile is finite.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.life.learned.runs import Floats


class Survival(Struct, frozen=True, kw_only=True):
    """Times of failures, the share alive after each, and the failure rate behind the last."""

    times: list[float]
    alive: list[float]
    rate: float

    def remaining(self, age: Floats, share: float) -> Floats:
        """Return the time within which a share of the units that reached an age fail, (n,)."""
        times = np.concatenate([[0.0], self.times])
        alive = np.concatenate([[1.0], self.alive])
        now = self._alive(age, times, alive)
        wanted = now * (1.0 - share)
        out = np.empty(len(age))
        inside = wanted >= alive[-1]
        out[inside] = np.interp(-wanted[inside], -alive, times)
        tail = ~inside
        floor = max(float(alive[-1]), 1e-12)
        start = np.where(wanted[tail] > 0.0, np.log(floor / np.maximum(wanted[tail], 1e-300)), 0.0)
        out[tail] = times[-1] + start / self.rate
        return np.maximum(out - age, 0.0)

    def _alive(self, age: Floats, times: Floats, alive: Floats) -> Floats:
        within = np.interp(age, times, alive)
        floor = max(float(alive[-1]), 1e-12)
        behind = floor * np.exp(-self.rate * np.maximum(age - times[-1], 0.0))
        return np.where(age > times[-1], behind, np.maximum(within, floor))


def survival(ends: Floats, failed: NDArray[np.bool_]) -> Survival:
    """Return the survival of units that ended at these times, (u,); one at least failed."""
    times, alive = product_limit(ends, failed, np.ones(len(ends)))
    positive = np.maximum(ends, 0.0).sum()
    tail = ends[ends > times[-1]].sum() - times[-1] * (ends > times[-1]).sum()
    spread = float(np.std(ends[failed])) or 0.1 * float(times[-1]) or 1.0
    rate = 1.0 / max(float(positive / failed.sum()) if tail > 0.0 else 0.0, 0.5 * spread, 1e-12)
    return Survival(times=times.tolist(), alive=alive.tolist(), rate=rate)


def product_limit(values: Floats, seen: NDArray[np.bool_], weight: Floats) -> tuple[Floats, Floats]:
    """Return the distinct seen values and the share above each, (k,) both.

    `seen` is False where the true value is only known to be larger; where none is seen, k is 0.
    """
    if not seen.any():
        return np.empty(0), np.empty(0)
    order = np.lexsort((~seen, values))
    values, seen, weight = values[order], seen[order], weight[order]
    at_risk = np.cumsum(weight[::-1])[::-1]
    died = np.where(seen & (at_risk > 0.0), weight / np.where(at_risk > 0.0, at_risk, 1.0), 0.0)
    alive = np.cumprod(1.0 - np.minimum(died, 1.0))
    last = np.flatnonzero(seen)
    last = last[np.concatenate([values[last][1:] != values[last][:-1], [True]])]
    return values[last], alive[last]
