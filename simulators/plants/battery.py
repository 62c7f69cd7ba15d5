"""Lithium battery pack: capacity fades until the end of life at 80 % of the rated capacity.

Loss over the wear w: growth of the solid-electrolyte layer ~ sqrt(w), cycling ~ w, and a knee (loss
of lithium by plating) after w = 0.8. Internal resistance grows with the loss. One cycle a day:
charged by the sun, discharged in the evening.
"""

from collections.abc import Sequence

import numpy as np

from simulators.plants.chance import Noise, lognormal, streams, wandering
from simulators.plants.climate import Climate
from simulators.plants.plant import Array, Specimen
from simulators.plants.sensor import Sensor, read_all
from simulators.plants.usage import DAY_S, PERIOD_DAYS, Usage, daily
from simulators.plants.wear import Wear, Wearing

LIMIT_PERCENT = 80.0  #: state of health at the end of life
RATED_S = 9 * 365.25 * DAY_S
CELLS = 16
CAPACITY_AH = 100.0
_SQUARE_ROOT, _LINEAR, _KNEE = 7.0, 9.0, 4.0  #: percent lost at wear 1 by each law
_KNEE_AT = 0.8
_CHARGE = (0.0,) * 8 + (0.4, 0.9, 1.3, 1.5, 1.5, 1.3, 0.9, 0.4) + (0.0,) * 8
_DISCHARGE = (0.3, 0.2, 0.2, 0.2, 0.3, 0.5, 0.8, 0.9) + (0.0,) * 8 + (
    0.6, 1.0, 1.3, 1.3, 1.1, 0.8, 0.6, 0.4)  # fmt: skip

SENSORS = (
    Sensor("state_of_health", 0.15, 0.05),
    Sensor("internal_resistance", 0.15, 0.05),
    Sensor("voltage", 0.03, 0.01),
    Sensor("current", 0.15, 0.05),
    Sensor("state_of_charge", 0.4, 0.1),
    Sensor("pack_temperature", 0.3, 0.1),
    Sensor("ambient_temperature", 0.3, 0.1),
)


class BatteryPack(Wearing):
    """m packs of a solar store, one cycle a day of varying depth."""

    signals = (*(s.signal for s in SENSORS), "cycles")
    components = ("cells",)
    counters = frozenset({"cycles"})

    def __init__(self, specimens: Sequence[Specimen], seed: int) -> None:
        keys = [s.key for s in specimens]
        build = streams(seed, keys, "battery-build")
        self._ohmic = lognormal(build, 1.0, 0.04)
        sun = np.clip(1.0 + 0.2 * wandering(streams(seed, keys, "battery-sun"), PERIOD_DAYS, 0.5),
                      0.3, 1.5)  # fmt: skip
        depth = daily(np.clip(lognormal(build, 0.55, 0.1), 0.4, 0.62), sun, (1.0,) * 7)
        self._charge = Usage(depth, _CHARGE)
        self._discharge = Usage(depth, _DISCHARGE)
        cycles = self._discharge
        rated = cycles.mean_per_s * lognormal(build, RATED_S, 0.12)
        self._parts = {"cells": Wear("cells", specimens, cycles, rated)}
        self._climate = Climate(
            streams(seed, keys, "battery-air"), mean=20.0, season=5.0, day=2.0, weather=1.0
        )
        self._noise = Noise(streams(seed, keys, "battery-sensors"), len(SENSORS))

    def sample(self, times_s: Array) -> Array:
        """Read all sensors and the cycle counter at times (n,) -> (n, m, signals)."""
        normal = self._noise.draw(len(times_s))
        at = times_s[:, None]
        lost = loss_percent(self.wear("cells", times_s))
        health = 100.0 - lost
        current = (self._charge.per_s(at) - self._discharge.per_s(at)) * 3600.0 * CAPACITY_AH
        charge = 25.0 + 100.0 * (self._charge.total(at) - self._discharge.total(at) + 0.20)
        charge = np.clip(charge, 2.0, 98.0)
        resistance = self._ohmic * (12.0 + 0.45 * lost)
        voltage = CELLS * (3.18 + 0.0022 * charge) + current * resistance / 1000.0
        air = self._climate.temperature(times_s)
        warm = air + 2.0 + current**2 * resistance / 1000.0 * 0.4
        read = read_all(SENSORS, (health, resistance, voltage, current, charge, warm, air), normal)
        cycles = np.floor(self._parts["cells"].use_at(at))
        return np.concatenate([read, cycles[..., None]], axis=-1)


def loss_percent(wear: Array) -> Array:
    """Return the capacity lost in percent of the rated one; 20 at wear 1."""
    w = np.maximum(wear, 0.0)
    knee = np.maximum(w - _KNEE_AT, 0.0) / (1 - _KNEE_AT)
    lost: Array = _SQUARE_ROOT * np.sqrt(w) + _LINEAR * w + _KNEE * knee**2
    return np.minimum(lost, 60.0)
