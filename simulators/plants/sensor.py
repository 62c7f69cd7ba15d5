"""Sensors: what is read of a physical quantity, with noise and in steps of the resolution."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulators.plants.plant import Array


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor's noise (standard deviation) and resolution, in the unit of its signal."""

    signal: str
    noise: float
    step: float

    def read(self, true: Array, normal: Array) -> Array:
        """Return the readings of true values, given standard normal numbers of the same shape."""
        decimals = max(0, -int(np.floor(np.log10(self.step))) + 2)
        reading = np.round((true + self.noise * normal) / self.step) * self.step
        return np.round(reading, decimals)


def read_all(sensors: Sequence[Sensor], true: Sequence[Array], normal: Array) -> Array:
    """Read k sensors: k arrays (n, m) and normal numbers (n, m, k) -> (n, m, k)."""
    columns = [
        s.read(t, normal[..., i]) for i, (s, t) in enumerate(zip(sensors, true, strict=True))
    ]
    return np.stack(columns, axis=-1)
