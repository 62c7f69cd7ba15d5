"""Office printer: pages use up toner, drum and fuser; a worn drum prints too pale.

Pages are printed on business days in office hours. Toner falls with the area printed; the drum's
coating wears with its turns, and print density falls with it, D = D0 - (D0 - D1) w^1.5; the fuser's
roller hardens and it needs more power for the same temperature.
"""

from collections.abc import Sequence

import numpy as np

from simulators.plants.chance import Noise, lognormal, streams, wandering
from simulators.plants.climate import Climate
from simulators.plants.plant import Array, Specimen
from simulators.plants.sensor import Sensor, read_all
from simulators.plants.usage import PERIOD_DAYS, Usage, daily
from simulators.plants.wear import Wear, Wearing

PAGES_A_DAY = 240.0  #: median of a business day
RATED_PAGES = {"toner": 16_000.0, "drum": 120_000.0, "fuser": 300_000.0}
NEW_DENSITY = 1.45
LIMIT_DENSITY = 1.10  #: optical density at which a page counts as too pale
_OFFICE = (0.0,) * 7 + (0.5, 1.2, 1.4, 1.3, 1.1, 0.6, 0.9, 1.2, 1.3, 1.2, 0.8, 0.3) + (0.0,) * 5
_WEEKDAYS = (1.0, 1.05, 1.05, 1.0, 0.9, 0.0, 0.0)

SENSORS = (
    Sensor("toner_level", 0.15, 0.05),
    Sensor("print_density", 0.015, 0.005),
    Sensor("fuser_power", 6.0, 1.0),
    Sensor("fuser_temperature", 0.8, 0.2),
    Sensor("air_temperature", 0.2, 0.05),
)
COUNTERS = ("pages", "toner_pages", "drum_pages", "fuser_pages")


class OfficePrinter(Wearing):
    """m printers in offices that work from Monday to Friday."""

    signals = (*(s.signal for s in SENSORS), *COUNTERS)
    components = ("toner", "drum", "fuser")
    counters = frozenset(COUNTERS)

    def __init__(self, specimens: Sequence[Specimen], seed: int) -> None:
        keys = [s.key for s in specimens]
        build = streams(seed, keys, "printer-build")
        self._new = lognormal(build, NEW_DENSITY, 0.01)
        mean = lognormal(build, PAGES_A_DAY, 0.2)
        days = np.exp(0.25 * wandering(streams(seed, keys, "printer-days"), PERIOD_DAYS, 0.3))
        self._pages = Usage(np.round(daily(mean, days, _WEEKDAYS)), _OFFICE)
        self._rated = {part: lognormal(build, pages, 0.04) for part, pages in RATED_PAGES.items()}
        self._parts = {
            part: Wear(part, specimens, self._pages, rated) for part, rated in self._rated.items()
        }
        self._climate = Climate(
            streams(seed, keys, "printer-air"), mean=22.0, season=1.0, day=1.0, weather=0.3
        )
        self._noise = Noise(streams(seed, keys, "printer-sensors"), len(SENSORS))

    def sample(self, times_s: Array) -> Array:
        """Read all sensors and counters at times (n,) -> (n, m, signals)."""
        normal = self._noise.draw(len(times_s))
        toner, drum, fuser = (self.wear(part, times_s) for part in RATED_PAGES)
        level = 100.0 * np.clip(1.0 - toner, 0.0, 1.0)
        density = density_od(drum, self._new)
        idle = np.broadcast_to(430.0 + 60.0 * np.minimum(fuser, 1.3) ** 2, level.shape)
        hot = np.full(level.shape, 185.0)
        air = self._climate.temperature(times_s)
        read = read_all(SENSORS, (level, density, idle, hot, air), normal)
        read[..., 0] = np.clip(read[..., 0], 0.0, 100.0)
        return np.concatenate([read, self._counters(times_s)], axis=-1)

    def _counters(self, times_s: Array) -> Array:
        """Pages ever made, and each part's own; a counter of pages sees no damage."""
        pages = self._pages.total(times_s[:, None])
        since = [self._parts[part].use_at(times_s[:, None]) for part in RATED_PAGES]
        return np.floor(np.stack([pages, *since], axis=-1))


def density_od(drum: Array, new: Array) -> Array:
    """Return the optical density of a test patch: `new` at wear 0, the limit at wear 1."""
    lost: Array = np.maximum(drum, 0.0) ** 1.5
    density: Array = np.maximum(new - (new - LIMIT_DENSITY) * lost, 0.0)
    return density
