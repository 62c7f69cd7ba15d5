"""Centrifugal pump: a spall in a bearing grows until the vibration limit is crossed.

Bearing damage adds up with the cube of the load (ball bearings, ISO 281). A spall of size a grows
by Paris' law, da/dN = C a^(3/2), so that a = (a0^(-1/2) - c w)^(-2) over the wear w. It shows in
the band of the bearing's defect frequencies, in the overall vibration (limits of ISO 10816-7) and,
by friction, in the bearing's temperature.
"""

from collections.abc import Sequence

import numpy as np

from simulators.plants.chance import Noise, lognormal, streams, wandering
from simulators.plants.climate import Climate
from simulators.plants.plant import Array, Specimen
from simulators.plants.sensor import Sensor, read_all
from simulators.plants.usage import DAY_S, PERIOD_DAYS, Usage, daily
from simulators.plants.wear import Wear, Wearing

LIMIT_MM_S = 7.1  #: overall vibration at the failure limit, at nominal load
RATED_S = 6 * 365.25 * DAY_S  #: median life of a bearing at mean load
_BALANCE_MM_S = 1.35  #: vibration at running speed from residual imbalance
_BEARING_NEW_MM_S = 0.42
_HOURS = (0.90,) * 6 + (0.97, 1.04, 1.08, 1.08, 1.06, 1.04, 1.03, 1.03, 1.04, 1.05, 1.07, 1.08,
                        1.06, 1.03, 1.00, 0.96, 0.93, 0.91)  # fmt: skip
_WEEKDAYS = (1.02, 1.02, 1.02, 1.02, 1.02, 0.96, 0.94)

SENSORS = (
    Sensor("vibration_rms", 0.06, 0.01),
    Sensor("vibration_running_speed", 0.05, 0.01),
    Sensor("vibration_bearing", 0.03, 0.01),
    Sensor("bearing_temperature", 0.3, 0.1),
    Sensor("bearing_rise", 0.4, 0.1),
    Sensor("flow", 0.4, 0.1),
    Sensor("discharge_pressure", 0.015, 0.005),
    Sensor("motor_current", 0.15, 0.05),
    Sensor("speed", 3.0, 1.0),
    Sensor("ambient_temperature", 0.3, 0.1),
)


class CentrifugalPump(Wearing):
    """m pumps that run day and night at a load that follows the hour, the weekday and demand."""

    signals = tuple(s.signal for s in SENSORS)
    components = ("bearing",)
    counters: frozenset[str] = frozenset()

    def __init__(self, specimens: Sequence[Specimen], seed: int) -> None:
        keys = [s.key for s in specimens]
        build = streams(seed, keys, "pump-build")
        self._balance = lognormal(build, _BALANCE_MM_S, 0.06)
        self._new = lognormal(build, _BEARING_NEW_MM_S, 0.08)
        self._worn = np.sqrt(LIMIT_MM_S**2 - self._balance**2)
        mean = np.clip(lognormal(build, 0.78, 0.08), 0.6, 0.95)
        demand = 1.0 + 0.02 * wandering(streams(seed, keys, "pump-demand"), PERIOD_DAYS, 0.5)
        loads = daily(mean, demand, _WEEKDAYS)
        hours = np.asarray(_HOURS) / np.mean(_HOURS)
        self._load = Usage(loads * DAY_S, hours.tolist())
        damage = loads**3 * np.mean(hours**3) * DAY_S
        stress = Usage(damage, (hours**3).tolist())
        rated = stress.mean_per_s * lognormal(build, RATED_S, 0.2)
        self._parts = {"bearing": Wear("bearing", specimens, stress, rated)}
        self._climate = Climate(
            streams(seed, keys, "pump-air"), mean=22.0, season=6.0, day=2.0, weather=1.0
        )
        self._noise = Noise(streams(seed, keys, "pump-sensors"), len(SENSORS) + 1)

    def sample(self, times_s: Array) -> Array:
        """Read all sensors at times (n,) -> (n, m, signals)."""
        normal = self._noise.draw(len(times_s))
        load = self._load.per_s(times_s[:, None]) * (1 + 0.015 * normal[..., -1])
        spall = spall_mm_s(self.wear("bearing", times_s), self._new, self._worn)
        worn = spall / self._worn
        speed = 2985.0 - 40.0 * load
        running = self._balance * (speed / 2950.0) ** 2 * (0.96 + 0.05 * load)
        bearing = spall * (0.92 + 0.1 * load)  # 1 at the nominal load, 0.8
        air = self._climate.temperature(times_s)
        rise = 17.0 + 9.0 * load + 22.0 * worn
        flow = 60.0 * load * speed / 2950.0
        head = 5.4 - 1.6 * (flow / 60.0) ** 2
        current = 9.0 + 16.0 * load + 0.8 * worn
        rms = np.hypot(running, bearing)
        true = (rms, running, bearing, air + rise, rise, flow, head, current, speed, air)
        return read_all(SENSORS, true, normal[..., :-1])


def spall_mm_s(wear: Array, new: Array, worn: Array) -> Array:
    """Return the vibration in the bearing band: `new` at wear 0, by Paris' law `worn` at 1."""
    first, last = new**-0.5, worn**-0.5
    rest: Array = np.maximum(first - (first - last) * wear, 0.8 * last)
    size: Array = rest**-2.0
    return size
