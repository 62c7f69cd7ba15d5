"""Wear of one component of m machines: proportional to use, faster from a fault's onset on."""

from collections.abc import Sequence

import numpy as np

from simulators.plants.plant import Array, Specimen
from simulators.plants.usage import DAY_S, Usage

HORIZON_S = 50 * 365.25 * DAY_S  #: a failure further away than that is not in sight


class Wear:
    """Wear from 0 (new) to 1 (failure limit), in closed form over time."""

    def __init__(
        self, component: str, specimens: Sequence[Specimen], usage: Usage, rated: Array
    ) -> None:
        """Take `rated` (m,): the use, in the unit of `usage`, that a new part lasts."""
        self._usage = usage
        self._rated = rated
        self._used = np.array([s.used.get(component, 0.0) for s in specimens])
        faults = [next((f for f in s.faults if f.component == component), None) for s in specimens]
        onset = np.array([f.onset_s if f else np.inf for f in faults])
        life = np.array([f.life_s if f else np.inf for f in faults])
        self._faulty = np.isfinite(onset)
        onset = np.where(self._faulty, onset, 0.0)
        self._at_onset = usage.total(onset[None, :])[0]
        left = (1.0 - self._used) * rated - self._at_onset
        needed = np.where(self._faulty, left / (usage.mean_per_s * life), 1.0)
        self._extra = np.maximum(needed - 1.0, 0.0) * self._faulty

    def at(self, times_s: Array) -> Array:
        """Return the wear at times (n, 1) or (n, m) -> (n, m); it goes on beyond 1."""
        use = self._usage.total(times_s)
        hastened = self._extra * np.maximum(use - self._at_onset, 0.0)
        worn: Array = self._used + (use + hastened) / self._rated
        return worn

    def fails_at(self) -> Array:
        """Return when wear reaches 1, in s, (m,); inf when not within `HORIZON_S`."""
        low = np.zeros_like(self._used)
        high = np.full_like(self._used, HORIZON_S)
        out_of_sight = self.at(high[None, :])[0] < 1.0
        for _ in range(64):  # halves 50 years down to well below a microsecond
            middle = (low + high) / 2
            worn = self.at(middle[None, :])[0] >= 1.0
            low, high = np.where(worn, low, middle), np.where(worn, middle, high)
        return np.where(out_of_sight, np.inf, high)
