"""What every simulated plant offers, and what is asked of each of its machines.

A plant is m machines of one type. Simulated time `t` is in seconds; t = 0 is a Monday, 00:00. Wear
of a component runs from 0 (new) to 1: there the physical quantity behind it crosses its failure
limit, which is the moment of failure. So the true remaining life is known at any time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class WearFault:
    """From `onset_s` on a component wears faster, so that about `life_s` seconds are left."""

    component: str
    onset_s: float
    life_s: float

    def __post_init__(self) -> None:
        if not (0 <= self.onset_s < inf and 0 < self.life_s < inf):
            raise ValueError(f"wear of {self.component}: onset_s must be >= 0 and life_s > 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """One machine of a plant. `key` names it and, with the seed, decides all that is random."""

    key: str
    used: Mapping[str, float] = field(default_factory=dict)  #: component -> wear at t = 0, 0..1
    faults: tuple[WearFault, ...] = ()
    replaced_s: Mapping[str, tuple[float, ...]] = field(default_factory=dict)  #: when parts are new

    def __post_init__(self) -> None:
        for component, times in self.replaced_s.items():
            if any(b <= a for a, b in pairwise((0.0, *times))):
                raise ValueError(f"{self.key}: replaced_s.{component} must grow from above 0 s")
        for component, share in self.used.items():
            if not 0 <= share < 1:
                raise ValueError(f"{self.key}: used.{component} must be in [0, 1), is {share}")


class Plant(Protocol):
    """m machines of one type; deterministic by seed and key, whatever the other machines are."""

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of what is measured, in the order of the readings."""
        ...

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the parts that wear."""
        ...

    @property
    def counters(self) -> frozenset[str]:
        """Signals that are whole numbers and only grow."""
        ...

    def sample(self, times_s: Array) -> Array:
        """Read all sensors at increasing times (n,) -> values (n, m, signals).

        Noise is drawn in the order of the calls: asking in pieces gives the same values.
        """
        ...

    def wear(self, component: str, times_s: Array) -> Array:
        """Return the true wear of a component at times (n,) -> (n, m), growing, 1 = failed."""
        ...

    def fails_at(self, component: str) -> Array:
        """Return when each machine's component crosses its limit, s, (m,); inf: not in sight.

        The first time, of whichever part is in its place then.
        """
        ...

    def lasts_until(self, component: str, times_s: Array) -> Array:
        """Return when the part in place at times (n,) crosses its limit, (n, m) in s.

        As if it were never replaced: what a forecast made at that time should say.
        """
        ...


def true_life_s(plant: Plant, component: str, times_s: Array) -> Array:
    """Return the true life left at times (n,) -> (n, m) in s; 0 while a failed part is in place."""
    left = plant.lasts_until(component, times_s) - times_s[:, None]
    life: Array = np.maximum(left, 0.0)
    return life
