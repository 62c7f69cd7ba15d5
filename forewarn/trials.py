"""A learned detector beside the default one: known faults put into the validation rows.

Both run in the same fleet over the same rows, with the same N of M. Half-way through a piece of the
validation part a fault is put in; a detector has caught it when it tells an onset after that. The
same rows as they were recorded give the false onsets. The default detector has its own state, made
by the rows before, at each place.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.recordings import Recording, blocks
from models.anomaly.card import Side
from models.anomaly.detector import Factory
from models.assessment import Assessment, Check
from models.fleet import Fleet
from models.profile import Profile

ROWS: Final = 200  #: of a trial; the fault takes the second half
SHORTEST: Final = 20  #: rows of a trial
MACHINE: Final = "recording"
#: checks that speak of the sensor, not of the machine
SENSOR: Final = frozenset({Check.DROPOUT, Check.STUCK})

Values = NDArray[np.float64]
Fault = Callable[[Values, Values, np.random.Generator], Values]


def shift(column: Values, usual: Values, rng: np.random.Generator) -> Values:
    """Move a signal by four standard deviations."""
    return np.asarray(column + rng.choice((-4.0, 4.0)) * np.nanstd(usual))


def ramp(column: Values, usual: Values, rng: np.random.Generator) -> Values:
    """Let a signal drift away to six standard deviations."""
    way = np.linspace(0.0, rng.choice((-6.0, 6.0)), len(column))
    return np.asarray(column + way * np.nanstd(usual))


def stray(column: Values, usual: Values, rng: np.random.Generator) -> Values:
    """Replace a signal by values from its past: each is usual, together with others it is not."""
    return rng.choice(usual[np.isfinite(usual)], len(column))


def noise(column: Values, usual: Values, rng: np.random.Generator) -> Values:
    """Add noise of twice the signal's standard deviation."""
    return np.asarray(column + 2.0 * np.nanstd(usual) * rng.standard_normal(len(column)))


FAULTS: Final[tuple[Fault, ...]] = (shift, ramp, stray, noise)


class Bench:
    """One recording on which the two are compared. `first`: row where the validation begins."""

    def __init__(
        self,
        recording: Recording,
        signals: tuple[str, ...],
        first: int,
        *,
        profile: str,
        profiles: Mapping[str, Profile],
        detectors: Mapping[str, Factory],
    ) -> None:
        self._times = recording.times_ns
        self._values = recording.columns(signals)
        self._signals = signals
        self._first = first
        self._profiles = profiles
        self._detectors = {profile: detectors}
        self._fleet = Fleet(profiles)
        self._fleet.bind(MACHINE, profile, "data")
        self._observe(self._fleet, 0, self._values[:first])

    def compare(self, count: int, rng: np.random.Generator) -> tuple[Side, Side]:
        """Return (learned, default) over `count` trials, or fewer where there are too few rows."""
        left = len(self._times) - self._first
        size = min(ROWS, left // 2)
        count = 0 if size < SHORTEST else count
        healthy = self._observe(self._watched(), self._first, self._values[self._first :])
        caught = np.zeros(2, np.int64)
        place = self._first
        for k in range(count):
            start = self._first + k * (left - size) // max(count - 1, 1)
            self._observe(self._fleet, place, self._values[place:start])
            place = start
            told = self._observe(self._watched(), start, self._faulty(start, size, k, rng))
            begun = int(self._times[start + size // 2])
            caught += np.minimum(_onsets(told, begun), 1)
        false = _onsets(healthy, 0)
        learned, default = (
            Side(caught=int(c), false_onsets=int(f)) for c, f in zip(caught, false, strict=True)
        )
        return learned, default

    def _watched(self) -> Fleet:
        return Fleet.restore(self._profiles, self._fleet.snapshot(), detectors=self._detectors)

    def _observe(self, fleet: Fleet, start: int, values: Values) -> list[Assessment]:
        times = self._times[start : start + len(values)]
        return fleet.observe(list(blocks(MACHINE, self._signals, times, values)))

    def _faulty(self, start: int, size: int, k: int, rng: np.random.Generator) -> Values:
        values = self._values[start : start + size].copy()
        signal = int(rng.integers(len(self._signals)))
        usual = self._values[: self._first, signal]
        half = size // 2
        fault = FAULTS[k % len(FAULTS)]
        values[half:, signal] = fault(values[half:, signal], usual, rng)
        return values


def _onsets(told: list[Assessment], since_ns: int) -> NDArray[np.int64]:
    """Return (learned, default): how many assessments tell an onset from a time on."""
    found = np.zeros(2, np.int64)
    for assessment in told:
        checks = {c.check for c in assessment.conditions if c.onset and c.since_ns >= since_ns}
        found += (Check.DETECTOR in checks, bool(checks - SENSOR - {Check.DETECTOR}))
    return found
