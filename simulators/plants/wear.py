"""Wear of one component of m machines: proportional to use, faster from a fault's onset on.

A replaced part begins at 0 again; a fault belongs to the part that is in place at its onset.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from simulators.plants.plant import Array, Specimen
from simulators.plants.usage import DAY_S, Usage

Parts = NDArray[np.int64]

HORIZON_S = 50 * 365.25 * DAY_S  #: a failure further away than that is not in sight


class Wear:
    """Wear from 0 (new) to 1 (failure limit), in closed form over time."""

    def __init__(
        self, component: str, specimens: Sequence[Specimen], usage: Usage, rated: Array
    ) -> None:
        """Take `rated` (m,): the use, in the unit of `usage`, that a new part lasts."""
        self._usage = usage
        self._rated = rated
        faults = [next((f for f in s.faults if f.component == component), None) for s in specimens]
        onset = np.array([f.onset_s if f else np.inf for f in faults])
        life = np.array([f.life_s if f else np.inf for f in faults])
        replaced = [s.replaced_s.get(component, ()) for s in specimens]
        most = max(len(times) for times in replaced)
        self._begins = np.array([[0.0, *r, *[np.inf] * (most - len(r))] for r in replaced]).T
        begins = np.where(np.isfinite(self._begins), self._begins, 0.0)
        self._at_begin = usage.total(begins)
        self._used = np.zeros_like(begins)
        self._used[0] = [s.used.get(component, 0.0) for s in specimens]
        ends = np.vstack([self._begins[1:], np.full(len(specimens), np.inf)])
        faulty = (onset >= self._begins) & (onset < ends)
        self._at_onset = usage.total(np.where(np.isfinite(onset), onset, 0.0)[None, :])[0]
        left = (1.0 - self._used) * rated - (self._at_onset - self._at_begin)
        needed = left / (usage.mean_per_s * np.where(np.isfinite(life), life, 1.0))
        self._extra = np.where(faulty, np.maximum(needed - 1.0, 0.0), 0.0)

    def at(self, times_s: Array) -> Array:
        """Return the wear at times (n, 1) or (n, m) -> (n, m); it goes on beyond 1."""
        return self._worn(self._part_at(times_s), times_s)

    def use_at(self, times_s: Array) -> Array:
        """Return the use of the part in place since it was new, (n, m), as a counter of it says."""
        part = self._part_at(times_s)
        lanes = np.arange(part.shape[1])
        use: Array = self._usage.total(times_s) - self._at_begin[part, lanes]
        return use + self._used[part, lanes] * self._rated

    def fails_at(self) -> Array:
        """Return when wear first reaches 1, in s, (m,); inf when not within `HORIZON_S`."""
        fails = np.full(len(self._rated), np.inf)
        for part in range(len(self._begins) - 1, -1, -1):
            until = self._crosses(np.full((1, len(fails)), part))[0]
            later = self._begins[part + 1] if part + 1 < len(self._begins) else np.inf
            fails = np.where(until < later, until, fails)
        return fails

    def lasts_until(self, times_s: Array) -> Array:
        """Return when the parts in place at times (n, 1) would reach wear 1, s (n, m)."""
        return self._crosses(self._part_at(times_s))

    def _part_at(self, times_s: Array) -> Parts:
        """Return which part is in place at times (n, 1) or (n, m) -> (n, m), the first is 0."""
        shape = np.broadcast_shapes(times_s.shape, (1, self._begins.shape[1]))
        part = np.zeros(shape, np.int64)
        for begins in self._begins[1:]:
            part += times_s >= begins
        return part

    def _worn(self, part: Parts, times_s: Array) -> Array:
        lanes = np.arange(part.shape[1])
        use = self._usage.total(times_s)
        hastened = self._extra[part, lanes] * np.maximum(use - self._at_onset, 0.0)
        since = use - self._at_begin[part, lanes]
        worn: Array = self._used[part, lanes] + (since + hastened) / self._rated
        return worn

    def _crosses(self, part: Parts) -> Array:
        low = np.zeros(part.shape)
        high = np.full(part.shape, HORIZON_S)
        out_of_sight = self._worn(part, high) < 1.0
        for _ in range(64):  # halves 50 years down to well below a microsecond
            middle = (low + high) / 2
            worn = self._worn(part, middle) >= 1.0
            low, high = np.where(worn, low, middle), np.where(worn, middle, high)
        return np.where(out_of_sight, np.inf, high)


class Wearing:
    """What a plant of m machines knows of its parts: each by its name in `_parts`."""

    _parts: Mapping[str, Wear]

    def wear(self, component: str, times_s: Array) -> Array:
        """Return the true wear of a component at times (n,) -> (n, m), 1 = at its limit."""
        return self._parts[component].at(times_s[:, None])

    def fails_at(self, component: str) -> Array:
        """Return when each machine's component first reaches its limit, s (m,)."""
        return self._parts[component].fails_at()

    def lasts_until(self, component: str, times_s: Array) -> Array:
        """Return when the parts in place at times (n,) reach their limit, s (n, m)."""
        return self._parts[component].lasts_until(times_s[:, None])
