"""Air purifier: dust clogs the filter until its resistance reaches the final value.

The resistance at nominal flow follows the dust load w: depth filtration is linear, the growing cake
quadratic: R = R0 + (R1 - R0) (0.6 w + 0.4 w^2). Pressure goes with flow to the power 1.2 (laminar
media with some turbulence). The fan keeps the flow, so it turns faster as the filter clogs (fan
laws: pressure ~ speed^2, power ~ speed^3). The filter loses its electrostatic charge as it ages.
"""

from collections.abc import Sequence

import numpy as np

from simulators.plants.chance import Noise, lognormal, streams, wandering
from simulators.plants.climate import Climate
from simulators.plants.plant import Array, Specimen
from simulators.plants.sensor import Sensor, read_all
from simulators.plants.usage import DAY_S, PERIOD_DAYS, Usage, daily
from simulators.plants.wear import Wear, Wearing

LIMIT_PA = 250.0  #: final resistance at nominal flow
NEW_PA = 90.0
RATED_S = 420 * DAY_S  #: median life of a filter at mean dust and flow
NOMINAL_M3_H = 600.0
_FLOW = (0.6,) * 7 + (0.8,) + (1.0,) * 11 + (0.8, 0.8) + (0.6,) * 3
_DUST = (0.8,) * 6 + (1.0, 1.2, 1.3, 1.2, 1.1, 1.0, 1.0, 1.0, 1.0, 1.1, 1.2, 1.3, 1.3, 1.2, 1.1,
                      1.0, 0.9, 0.8)  # fmt: skip
_WEEKDAYS = (1.05, 1.05, 1.05, 1.05, 1.05, 0.9, 0.85)
_DUST_UG_M3 = 35.0

SENSORS = (
    Sensor("differential_pressure", 2.0, 0.5),
    Sensor("filter_resistance", 2.0, 0.5),
    Sensor("flow", 4.0, 1.0),
    Sensor("fan_speed", 6.0, 1.0),
    Sensor("fan_power", 1.2, 0.2),
    Sensor("pm25_in", 1.5, 0.5),
    Sensor("pm25_out", 0.4, 0.1),
    Sensor("air_temperature", 0.2, 0.05),
)


class AirPurifier(Wearing):
    """m purifiers that run slower at night; winter and bad days bring more dust."""

    signals = tuple(s.signal for s in SENSORS)
    components = ("filter",)
    counters: frozenset[str] = frozenset()

    def __init__(self, specimens: Sequence[Specimen], seed: int) -> None:
        keys = [s.key for s in specimens]
        build = streams(seed, keys, "purifier-build")
        self._new = lognormal(build, NEW_PA, 0.04)
        place = lognormal(build, _DUST_UG_M3, 0.2)
        air = streams(seed, keys, "purifier-dust")
        bad_days = np.exp(0.3 * wandering(air, PERIOD_DAYS, 0.6))
        dust = daily(place, bad_days * _winter()[:, None], _WEEKDAYS)
        self._dust = Usage(dust * DAY_S, _DUST)
        caught = np.asarray(_DUST) * np.asarray(_FLOW)
        load = Usage(dust, caught.tolist())
        rated = load.mean_per_s * lognormal(build, RATED_S, 0.15)
        self._parts = {"filter": Wear("filter", specimens, load, rated)}
        self._climate = Climate(
            streams(seed, keys, "purifier-air"), mean=22.0, season=2.0, day=1.0, weather=0.4
        )
        self._noise = Noise(streams(seed, keys, "purifier-sensors"), len(SENSORS) + 1)

    def sample(self, times_s: Array) -> Array:
        """Read all sensors at times (n,) -> (n, m, signals)."""
        normal = self._noise.draw(len(times_s))
        wear = self.wear("filter", times_s)
        hour = (times_s % DAY_S / 3600.0).astype(np.int64)
        share = np.asarray(_FLOW)[hour][:, None] * (1 + 0.01 * normal[..., -1])
        resistance = resistance_pa(wear, self._new)
        drop = resistance * share**1.2
        duct = 120.0 * share**2
        speed = 900.0 * np.sqrt((drop + duct) / 210.0)
        power = 55.0 * (speed / 900.0) ** 3 + 6.0
        outside = self._dust.per_s(times_s[:, None])
        through = outside * (0.02 + 0.015 * np.minimum(wear, 1.5))
        air = self._climate.temperature(times_s)
        flow = NOMINAL_M3_H * share
        true = (drop, resistance, flow, speed, power, outside, through, air)
        return np.maximum(read_all(SENSORS, true, normal[..., :-1]), 0.0)


def resistance_pa(wear: Array, new: Array) -> Array:
    """Return the filter's resistance at nominal flow: `new` at wear 0, the final value at 1."""
    share: Array = 0.6 * wear + 0.4 * wear**2
    resistance: Array = new + (LIMIT_PA - new) * share
    return resistance


def _winter() -> Array:
    days = np.arange(PERIOD_DAYS)
    factor: Array = 1.0 + 0.25 * np.cos(2 * np.pi * (days - 10) / 365.25)
    return factor
