"""How much machines are used: day by day with weekdays, and within the day by the hour.

Usage has a closed form in time, so that wear at any time, and the time of any wear, are exact.
"""

from collections.abc import Sequence

import numpy as np

from simulators.plants.plant import Array

DAY_S = 86_400.0
PERIOD_DAYS = 728  #: 104 weeks; after that the same days come again


class Usage:
    """Amounts of use a day, spread over the hours of the day by a fixed shape."""

    def __init__(self, amounts: Array, hours: Sequence[float]) -> None:
        """Take amounts (PERIOD_DAYS, m) and 24 weights of the hours, in any scale."""
        weights = np.asarray(hours, dtype=float)
        self._amounts = amounts
        self._weights = weights / weights.sum()
        self._by_day = np.vstack([np.zeros(amounts.shape[1]), np.cumsum(amounts, axis=0)])
        self._by_hour = np.concatenate([[0.0], np.cumsum(self._weights)])

    @property
    def mean_per_s(self) -> Array:
        """Mean use a second of each machine (m,)."""
        mean: Array = self._by_day[-1] / (PERIOD_DAYS * DAY_S)
        return mean

    def total(self, times_s: Array) -> Array:
        """Return the use from t = 0 to each time; times (n, 1) or (n, m) -> (n, m)."""
        period, day, hour = self._split(times_s)
        lanes = np.arange(self._amounts.shape[1])
        within = np.interp(hour, np.arange(25.0), self._by_hour)
        done: Array = period * self._by_day[-1] + self._by_day[day, lanes]
        total: Array = done + within * self._amounts[day, lanes]
        return total

    def per_s(self, times_s: Array) -> Array:
        """Return the use a second at each time; times (n, 1) or (n, m) -> (n, m)."""
        _, day, hour = self._split(times_s)
        lanes = np.arange(self._amounts.shape[1])
        rate: Array = self._amounts[day, lanes] * self._weights[hour.astype(int)] / 3600.0
        return rate

    @staticmethod
    def _split(
        times_s: Array,
    ) -> tuple[Array, np.ndarray[tuple[int, ...], np.dtype[np.int64]], Array]:
        days = np.floor(times_s / DAY_S)
        hour = np.minimum((times_s - days * DAY_S) / 3600.0, np.nextafter(24.0, 0.0))
        period = np.floor(days / PERIOD_DAYS)
        return period, (days - period * PERIOD_DAYS).astype(np.int64), hour


def daily(mean: Array, factors: Array, weekdays: Sequence[float]) -> Array:
    """Combine a mean (m,), factors (PERIOD_DAYS, m) and 7 weekday weights into amounts a day."""
    week = np.tile(np.asarray(weekdays, dtype=float), PERIOD_DAYS // 7)
    amounts: Array = mean[None, :] * factors * week[:, None]
    return amounts
