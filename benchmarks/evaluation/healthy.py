"""Machines without a fault, and the same with a small lasting one: what is told, and for how long.

Three ways to work (steady, in shifts, in batches), rows of five minutes, weather with a season, a
daily cycle and days that differ, four condition signals that follow load and ambient temperature
with noise of their own. Nothing here comes from a recording.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.assessment import NOTICE, Check
from models.fleet import Config, Fleet, Trace
from models.profile import Profile, parse_profile
from models.rows import Block

STEP_S: Final = 300
DAY_ROWS: Final = 86_400 // STEP_S
START_NS: Final = 1_790_000_000 * 10**9
CONDITIONS: Final = ("pressure", "temperature", "vibration", "current")
COMMISSIONING_D: Final = 14
SEASON_K: Final = 10.0  #: half of the way from winter to summer
Work = Literal["steady", "shifts", "batches"]
WORKS: Final[tuple[Work, ...]] = ("steady", "shifts", "batches")

PROFILE: Final = parse_profile(
    """
name = "machine"
version = 1
title = { en = "Machine" }

[signals.load]
role = "context"

[signals.ambient]
role = "context"

[signals.pressure]
unit = "bar"

[signals.temperature]
unit = "Cel"

[signals.vibration]
unit = "mm/s"

[signals.current]
unit = "A"
"""
)
PROFILES: Final[dict[str, Profile]] = {"machine": PROFILE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one machine told after commissioning, over `days`: notices, lasting shifts, state.

    `repeats`: onsets that came back.
    """

    work: str
    days: float
    notices: int
    shifts: int
    repeats: int
    state_share: float
    first_state_d: float | None  #: after the fault began

    @property
    def tickets(self) -> int:
        """What asks for a ticket."""
        return self.shifts + self.repeats


def loads(work: Work, days: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the load (rows,) in percent."""
    t = np.arange(days * DAY_ROWS)
    hour = t % DAY_ROWS * STEP_S / 3600.0
    weekday = t // DAY_ROWS % 7
    if work == "steady":
        level = np.full(len(t), 70.0)
    elif work == "shifts":
        on = (hour >= 6) & (hour < 22) & (weekday < 5)
        level = np.where(on, 75.0, 12.0) + np.where(hour >= 14, 5.0, 0.0) * on
    else:
        lengths = rng.integers(12, 40, len(t) // 12)
        level = np.repeat(rng.choice([15.0, 55.0, 85.0], len(lengths)), lengths)[: len(t)]
    return level + rng.normal(0, 1.0, len(t))


def machine(
    work: Work, days: int, seed: int, fault_sigma: float = 0.0, fault_d: float = 0.0
) -> dict[str, NDArray[np.float64]]:
    """Return a machine's signals (rows,). The fault shifts every condition by so many sigma.

    Sigma is the noise at fixed load and ambient temperature.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(days * DAY_ROWS)
    load = loads(work, days, rng)
    weather = np.repeat(np.cumsum(rng.normal(0, 1.0, days)) * 0.6, DAY_ROWS)
    weather = np.convolve(weather, np.ones(DAY_ROWS) / DAY_ROWS, mode="same")
    day = t / DAY_ROWS
    season = SEASON_K * np.sin(2 * np.pi * (day + 37.0 * seed) / 365.0)  # each in another month
    ambient = 20 + season + 5 * np.sin(2 * np.pi * day) + weather + rng.normal(0, 0.2, len(t))
    columns = {"load": load, "ambient": ambient}
    gains = ((0.02, 0.0, 0.1), (0.15, 0.8, 0.6), (0.01, 0.005, 0.08), (0.1, 0.01, 0.3))
    for name, (by_load, by_ambient, sigma) in zip(CONDITIONS, gains, strict=True):
        noise = rng.normal(0, 1.0, len(t)) * sigma
        shift = fault_sigma * sigma * (t >= fault_d * DAY_ROWS)
        columns[name] = 5.0 + by_load * load + by_ambient * ambient + noise + shift
    return columns


def watch(
    work: Work,
    days: int,
    seed: int,
    fault_sigma: float = 0.0,
    fault_d: float = 0.0,
    config: Config | None = None,
) -> Told:
    """Run one machine through the fleet, a day a block."""
    columns = machine(work, days, seed, fault_sigma, fault_d)
    fleet, trace = Fleet(PROFILES, config), Trace()
    fleet.bind("m", "machine", "data")
    shifts = repeats = 0
    for day in range(days):
        part = slice(day * DAY_ROWS, (day + 1) * DAY_ROWS)
        times = START_NS + np.arange(part.start, part.stop) * STEP_S * 10**9
        block = Block(
            n=day,
            machine="m",
            device="d",
            boot="b",
            stream="s",
            seq=part.start,
            times_ns=times,
            received_ns=int(times[-1]),
            signals=tuple(columns),
            columns=tuple(c[part] for c in columns.values()),
        )
        for told in fleet.observe([block], trace):
            new = [c for c in told.conditions if c.check is Check.SHIFT and c.onset]
            again = [c for c in told.conditions if c.check is Check.LEVEL and c.severity > NOTICE]
            if day >= COMMISSIONING_D:
                shifts += len(new)
                repeats += sum(c.active and c.since_ns >= times[0] for c in again)
    first = COMMISSIONING_D * DAY_ROWS
    alarms, state = np.concatenate(trace.alarms), np.concatenate(trace.faulty)
    begun = np.flatnonzero(state[int(fault_d * DAY_ROWS) :]) if fault_sigma else np.zeros(0)
    return Told(
        work=work,
        days=days - COMMISSIONING_D,
        notices=int(alarms[first:].sum()),
        shifts=shifts,
        repeats=repeats,
        state_share=float(state[first:].mean()),
        first_state_d=float(begun[0]) / DAY_ROWS if len(begun) else None,
    )


def healthy(
    machines: int, days: int, seed: int = 0, config: Config | None = None
) -> Iterator[Told]:
    """Yield what healthy machines of each way to work told."""
    for work in WORKS:
        for i in range(machines):
            yield watch(work, days, seed + i, config=config)
