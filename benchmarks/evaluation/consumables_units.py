"""Units of simulated plants: a fleet of their own each, peers of their forecasts, intervals."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.assessment import Assessment, Life
from models.fleet import Fleet
from models.profile import Consumable, load_profiles
from models.rows import Block
from simulators.plants import Array, Plant, Specimen, WearFault

DAY_S: Final = 86_400.0
START_NS: Final = 1_767_571_200 * 10**9  #: Monday, 2026-01-05 00:00 UTC
UNITS: Final = 1_000
GROUP: Final = 25  #: units that are simulated together
SEED: Final = 4_117
#: plant -> part, hours between readings
PARTS: Final = {
    ("centrifugal-pump", "bearing"): 2.0,
    ("air-purifier", "filter"): 1.0,
    ("office-printer", "toner"): 1.0,
    ("office-printer", "drum"): 2.0,
    ("battery-pack", "cells"): 2.0,
}
LONGEST_D: Final = 400.0  #: a unit is watched for at most so long before it is judged
PROFILES: Final = load_profiles()


class Unit:
    """One machine in a fleet of its own, fed by rows."""

    def __init__(self, profile: str, plant: Plant, times_s: Array, values: Array) -> None:
        self._fleet = Fleet(PROFILES)
        self._fleet.bind("unit", profile, "data")
        self._plant, self._times, self._values = plant, times_s, values

    def feed(self, first: int, last: int, *, tell: bool = False) -> list[Assessment]:
        """Take rows `first` to before `last`; return what there is to tell, if that is wanted."""
        times_ns = START_NS + np.round(self._times[first:last] * 1e9).astype(np.int64)
        columns = tuple(np.ascontiguousarray(column) for column in self._values[first:last].T)
        block = Block(
            n=first,
            machine="unit",
            device="unit",
            boot="evaluation",
            stream="live",
            seq=first,
            times_ns=times_ns,
            received_ns=int(times_ns[-1]),
            signals=self._plant.signals,
            columns=columns,
        )
        return self._fleet.observe([block], tell=tell)

    def life(self, component: str) -> Life:
        """Return what is known of a part now."""
        lives = self._fleet.current("unit").lives
        return next(life for life in lives if life.component == component)


def specimens(
    component: str, chance: np.random.Generator, first: int, fault: bool
) -> list[Specimen]:
    """Return a group of units with some wear, and with `fault` one that quickens it."""
    found = []
    for i in range(first, first + GROUP):
        faults: tuple[WearFault, ...] = ()
        used = float(chance.uniform(0.0, 0.4 if fault else 0.9))
        if fault:
            onset, life = chance.uniform(16, 28) * DAY_S, chance.uniform(10, 24) * DAY_S
            faults = (WearFault(component=component, onset_s=onset, life_s=life),)
        found.append(Specimen(key=f"u{i}", used={component: used}, faults=faults))
    return found


def line_d(times_s: Array, values: Array, plant: Plant, part: Consumable) -> float:
    """Return the days until the least-squares line of 30 days meets the limit (NaN: it never)."""
    assert part.indicator is not None
    assert part.limit is not None
    recent = times_s >= times_s[-1] - 30 * DAY_S
    y = values[recent, plant.signals.index(part.indicator)]
    slope, level = np.polyfit((times_s[recent] - times_s[-1]) / DAY_S, y, 1)
    left = (part.limit - level) / slope if slope != 0.0 else np.nan
    return float(left) if 0.0 <= left < 36_500.0 else float("nan")


def mean_d(life: Life, times_s: Array, values: Array, plant: Plant, part: Consumable) -> float:
    """Return the days left of the usual life at the usual use, from the same wear."""
    if part.counter is None or part.rated is None:
        return (life.fraction or 0.0) * (part.life_d or float("nan"))
    count = values[:, plant.signals.index(part.counter)]
    per_day = (count[-1] - count[0]) / ((times_s[-1] - times_s[0]) / DAY_S)
    return float(max(part.rated - count[-1], 0.0) / per_day)


def interval(hits: NDArray[np.bool_]) -> str:
    """Return a share with its 95 % interval (Wilson)."""
    n = len(hits)
    if n == 0:
        return "-"
    share, z = float(hits.mean()), 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return f"{share:.3f} ({middle - half:.3f}-{middle + half:.3f})"
