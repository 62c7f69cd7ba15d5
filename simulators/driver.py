"""The driver of a simulated gateway: a source of readings for `edge_agent` like any other.

Time is the data's own: readings carry simulated times, `speed` simulated seconds a real one.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from math import isnan
from pathlib import Path
from typing import Any, ClassVar, Final

from edge_agent import drivers
from edge_agent.drivers import Reading, Value
from edge_agent.errors import DriverError
from models.contract.messages import Metric
from models.profile import load_profiles
from simulators.fleet import SimulatedFleet, gateways
from simulators.scenario import Scenario, ScenarioError, load, named, repaired

AHEAD: Final = 48  #: rows simulated at once


class Options(drivers.Options, frozen=True, kw_only=True):
    """What a simulated gateway simulates.

    `scenario` is the name of one of ours or the path of a TOML file. `part` of `size` machines is
    this gateway's share (size 0: all). `speed` 0 means as fast as the outbox takes it.
    """

    scenario: str = "pump-bearing"
    part: int = 0
    size: int = 0
    speed: float = 0.0
    rows: int | None = None


class SimulatedDriver:
    """Gives the readings of one gateway's machines, columns named `key/signal`."""

    Options: ClassVar[type[drivers.Options]] = Options
    patient: ClassVar[bool] = True

    def __init__(self, options: Any, *, interval_s: float = 0.0) -> None:
        """Take checked options; `interval_s` of the source is not used: the scenario has its own.

        Raises `DriverError` when the scenario cannot be read.
        """
        del interval_s
        self._set(_scenario(options), options.speed, options.rows)

    @classmethod
    def of(cls, scenario: Scenario, speed: float = 0.0) -> "SimulatedDriver":
        """Return the driver of a scenario that is at hand."""
        driver = cls.__new__(cls)
        driver._set(scenario, speed, None)
        return driver

    def _set(self, scenario: Scenario, speed: float, rows: int | None) -> None:
        self.fleet = SimulatedFleet(scenario)
        self.speed = speed
        self.rows = scenario.rows if rows is None else rows
        self._ahead: deque[Reading] = deque()
        self.given = 0  #: rows that have been given
        self.free = asyncio.Event()  #: cleared, no row is given until it is set again
        self.free.set()

    @property
    def now_s(self) -> float:
        """Simulated time of the newest row given, s from the start; below 0: none yet."""
        return (self.given - 1) * self.fleet.scenario.interval_s

    def signals(self) -> Sequence[Metric]:
        """Return every machine's signals with their units."""
        profiles, counters = load_profiles(), self.fleet.counters
        return [
            Metric(
                name=f"{key}/{signal}",
                type="q" if signal in counters else "d",
                unit=profiles[profile].signals[signal].unit,
                kind="counter" if signal in counters else "gauge",
            )
            for key, profile in self.fleet.machines.items()
            for signal in self.fleet.signals[profile]
        ]

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """Yield row after row, each when its time has come; called again, it goes on."""
        loop = asyncio.get_running_loop()
        begun, first = loop.time(), self.given
        while self.given < self.rows:
            if self.speed > 0:
                due = begun + (self.given - first) * self.fleet.scenario.interval_s / self.speed
                await asyncio.sleep(max(0.0, due - loop.time()))
            while not self.free.is_set():
                await self.free.wait()
            if not self._ahead:
                self._ahead.extend(self._simulate(min(AHEAD, self.rows - self.given)))
            self.given += 1
            yield self._ahead.popleft()

    def repair(self, machine: str, component: str) -> float:
        """Put a new part into a machine between the newest row given and the next; return when, s.

        `component` as in `simulators.scenario.repaired`. Called from the loop that reads.
        """
        at_s = (self.given - 0.5) * self.fleet.scenario.interval_s
        self.fleet = SimulatedFleet(repaired(self.fleet.scenario, machine, component, at_s))
        self.fleet.read(self.given)  # what has been given stays, and the noise goes on behind it
        self._ahead.clear()
        return at_s

    def _simulate(self, rows: int) -> list[Reading]:
        pieces = self.fleet.read(rows)
        counters = self.fleet.counters
        out = []
        for row, time_ns in enumerate(pieces[0].times_ns.tolist()):
            values: dict[str, Value] = {}
            for piece in pieces:
                for key, numbers in zip(piece.keys, piece.values[row].tolist(), strict=True):
                    for signal, value in zip(piece.signals, numbers, strict=True):
                        values[f"{key}/{signal}"] = _value(value, signal in counters)
            out.append(Reading(values=values, wall_ns=time_ns))
        return out


def _value(value: float, counter: bool) -> Value:
    if isnan(value):
        return None
    return int(value) if counter else value


def _scenario(options: Options) -> Scenario:
    try:
        path = Path(options.scenario)
        scenario = load(path) if path.suffix == ".toml" else named(options.scenario)
        if not options.size:
            return scenario
        parts = gateways(scenario, options.size)
    except ScenarioError as error:
        raise DriverError(f"simulated source: {error}") from error
    if not 0 <= options.part < len(parts):
        raise DriverError(
            f"simulated source: there is no part {options.part}: {len(parts)} parts of "
            f"{options.size} machines are numbered from 0"
        )
    return parts[options.part]
