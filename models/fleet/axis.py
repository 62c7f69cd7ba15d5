"""What the wear of a part goes by: use that a counter or the calendar counts, and its load."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.life import online
from models.life.use import DAY_S
from models.profile import Consumable

HOURS_S: Final = 0.2 * DAY_S  #: a counter's hours of the day are not forecast
LEAST_LOAD: Final = 0.1  #: of the nominal load: below it an indicator says nothing


class Norm:
    """What an indicator is multiplied by, so that it reads as at the nominal load."""

    def __init__(self, part: Consumable, past: Any, lane: Any, first_ns: int) -> None:
        self._part, self._past, self._first_ns = part, past, first_ns
        load = None if lane is None else np.array([float(lane["last"])])
        self.now = 1.0 if load is None else float(self._factor(load)[0])

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factors at times (n,) of the indicator's history; NaN: too little load."""
        if self._past is None:
            return np.ones(len(times_s))
        points = int(self._past["points"])
        if points == 0:
            return np.full(len(times_s), np.nan)
        offset = (self._first_ns - int(self._past["first_ns"])) * 1e-9
        times, loads = self._past["time"][:points], self._past["value"][:points]
        return self._factor(np.interp(times_s + offset, times, loads))

    def _factor(self, load: NDArray[np.float64]) -> NDArray[np.float64]:
        norm = self._part.norm
        assert norm is not None
        share = load / norm.nominal
        enough = share > LEAST_LOAD
        found: NDArray[np.float64] = np.where(enough, share, np.nan) ** -norm.power
        return found


class Axis:
    """What the wear of a part goes by: its counter, or time by the season's use.

    Totals are in the counter's unit or in seconds of mean use; `scale` of them is a usual life.
    """

    def __init__(self, part: Consumable, past: Any, counter: Any, lane: Any) -> None:
        last_ns = int(lane["last_ns"])
        self.spread = float(lane["spread"])  #: of single readings: mean absolute deviation
        self._part = part
        self._first_s = int(past["first_ns"]) * 1e-9
        self._counter = counter
        self.now_unix_s = last_ns * 1e-9
        self.now_s = (last_ns - int(past["first_ns"])) * 1e-9
        if counter is None:
            self.scale = float(part.life_d or 1.0) * DAY_S
            self.now = online.seasonal(self.now_unix_s, part.season, part.peak_day)
        else:
            self.scale = float(part.rated or 1.0)
            self.now = float(counter["raw"] - counter["base"])

    @property
    def falls(self) -> bool:
        """Whether the counter's newest reading is lower than the one before."""
        return self._counter is not None and bool(np.isfinite(self._counter["pending"]))

    def watch(self) -> None:
        """Ask for an estimate at once when the counter falls by half."""
        if self._counter is not None:
            self._counter["low"] = 0.5 * self._counter["raw"]

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the totals at times (n,) of the indicator's history."""
        if self._counter is None:
            season, peak = self._part.season, self._part.peak_day
            return np.array([online.seasonal(self._first_s + t, season, peak) for t in times_s])
        points = int(self._counter["points"])
        if points == 0:
            return np.full(len(times_s), self.now)
        offset = self._first_s - int(self._counter["first_ns"]) * 1e-9
        found: NDArray[np.float64] = np.interp(
            times_s + offset, self._counter["time"][:points], self._counter["value"][:points]
        )
        return found

    def to_calendar(self, ends: NDArray[np.float64]) -> None:
        """Turn the first three of `ends` from seconds of mean use into seconds of the calendar."""
        if self._counter is None:
            online.in_season(self.now_unix_s, ends, self._part.season, self._part.peak_day)
            return
        points = int(self._counter["points"])
        times = int(self._counter["first_ns"]) * 1e-9 + self._counter["time"][:points]
        online.in_week(self.now_unix_s, ends, times, self._counter["value"][:points])

    def forecast(self) -> NDArray[np.float64]:
        """Return what `gamma.passage` needs of the use to come, by a usual life."""
        if self._counter is None:
            return np.array([1.0 / self.scale, 0.0, 0.0, 0.0])
        points = int(self._counter["points"])
        times, values = self._counter["time"][:points], self._counter["value"][:points]
        use = np.array([*online.recent(times, values, self._part.varies), HOURS_S])
        use[0] /= self.scale
        return use
