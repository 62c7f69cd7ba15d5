"""Air around the machines: season, hour of the day, and weather that wanders from day to day."""

from collections.abc import Sequence

import numpy as np

from simulators.plants.chance import wandering
from simulators.plants.plant import Array
from simulators.plants.usage import DAY_S, PERIOD_DAYS

START_DAY_OF_YEAR = 5  #: t = 0 is a Monday early in January
_WARMEST_DAY = 200
_WARMEST_HOUR = 15.0


class Climate:
    """Temperature in Cel at each machine's place."""

    def __init__(
        self,
        sources: Sequence[np.random.Generator],
        *,
        mean: float,
        season: float,
        day: float,
        weather: float,
    ) -> None:
        """Take the yearly mean in Cel and the amplitudes (K) of season, day and weather."""
        self._mean, self._season, self._day = mean, season, day
        self._weather = weather * wandering(sources, PERIOD_DAYS + 1, 0.8)

    def temperature(self, times_s: Array) -> Array:
        """Return the temperature in Cel at times (n,) -> (n, m)."""
        days = times_s / DAY_S
        year = np.cos(2 * np.pi * (days + START_DAY_OF_YEAR - _WARMEST_DAY) / 365.25)
        hour = np.cos(2 * np.pi * (days * 24.0 - _WARMEST_HOUR) / 24.0)
        base = self._mean + self._season * year + self._day * hour
        first = np.floor(days).astype(np.int64) % PERIOD_DAYS
        share = (days - np.floor(days))[:, None]
        weather = self._weather[first] * (1 - share) + self._weather[first + 1] * share
        temperature: Array = base[:, None] + weather
        return temperature
