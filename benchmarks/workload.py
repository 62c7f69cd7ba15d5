"""The only input of the benchmarks: signals like those of the plants, from a seed.

Bytes a value and the cost of a store depend on the data, so what goes in is stated. Ten signals of
a machine under load: each has its sensor's resolution, white noise of at least 3 steps of it
(standard deviation), a swing over the day and a slow drift. Values are float64 and leave as the
driver would give them: whole steps divided by a power of ten.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

DAY_ROWS: Final = 86_400  #: one row a second


@dataclass(frozen=True, slots=True)
class Sensor:
    """A signal: `resolution` is 10^-decimals in `unit`, `noise` is in steps of it."""

    name: str
    unit: str
    decimals: int
    noise: float
    level: float
    swing: float


SENSORS: Final = (
    Sensor("vibration", "mm/s", 3, 40.0, 2.5, 0.4),
    Sensor("bearing_temperature", "Cel", 2, 5.0, 58.0, 9.0),
    Sensor("motor_temperature", "Cel", 1, 3.0, 71.0, 12.0),
    Sensor("current", "A", 2, 12.0, 18.4, 2.0),
    Sensor("voltage", "V", 1, 6.0, 398.0, 3.0),
    Sensor("speed", "r/min", 0, 3.0, 1480.0, 6.0),
    Sensor("suction_pressure", "bar", 3, 4.0, 1.2, 0.1),
    Sensor("discharge_pressure", "bar", 2, 8.0, 6.4, 0.5),
    Sensor("flow", "m3/h", 1, 9.0, 84.0, 11.0),
    Sensor("power", "kW", 3, 60.0, 11.2, 1.4),
)


def plant_rows(
    machines: int,
    rows: int,
    signals: int = 10,
    seed: int = 0,
    seconds: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Return readings (machines, rows, signals) at the sensors' resolution.

    `seconds` (rows,): when each row is, one a second by default. The day's swing follows it, the
    drift is by the row: a tenth of the swing in 86,400 rows.
    """
    rng = np.random.default_rng(seed)
    out = np.empty((machines, rows, signals))
    phase = 2 * np.pi * (np.arange(rows) if seconds is None else seconds) / DAY_ROWS
    for index in range(signals):
        sensor = SENSORS[index % len(SENSORS)]
        steps = 10.0**sensor.decimals
        level = sensor.level * (1 + 0.05 * rng.standard_normal((machines, 1)))
        shift = rng.uniform(0, 2 * np.pi, (machines, 1))
        drift = 0.1 * sensor.swing * np.arange(rows) / DAY_ROWS
        true = level + sensor.swing * np.sin(phase + shift) + drift
        noise = sensor.noise * rng.standard_normal((machines, rows))
        out[:, :, index] = np.rint(true * steps + noise) / steps
    return out


def noise_rows(machines: int, rows: int, signals: int = 10, seed: int = 0) -> NDArray[np.float64]:
    """Return full-precision normal noise (machines, rows, signals): no goal, the worst case."""
    return np.random.default_rng(seed).normal(50.0, 1.0, (machines, rows, signals))
