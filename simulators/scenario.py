"""A scenario: which machines there are, what happens to them when, and what should be noticed.

One TOML file; unknown keys are refused by name. Times are in days of simulated time from `start`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from math import inf
from pathlib import Path
from typing import Literal

import msgspec

from models.contract.times import MAX_INSTANT
from models.toml import TomlError, parse
from simulators.faults import Kind, SensorFault
from simulators.plants import PLANTS, Plant, Specimen, WearFault

DAY_S = 86_400.0
FOLDER = Path(__file__).parent / "scenarios"
_names_machine = re.compile("[a-z0-9][a-z0-9-]{0,30}").fullmatch  # as the device contract does


class ScenarioError(ValueError):
    """A scenario is wrong; the text names the file and the key."""


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class WearEntry(_Strict, frozen=True, kw_only=True):
    """A component wears faster from `onset_d` on and has then about `life_d` days left."""

    component: str
    onset_d: float
    life_d: float


class SensorEntry(_Strict, frozen=True, kw_only=True):
    """A sensor fails (see `simulators.faults`)."""

    signal: str
    kind: Literal["drift", "spike", "stuck", "dropout", "step", "intermittent"]
    from_d: float
    to_d: float | None = None
    size: float = 0.0
    share: float = 0.05


class MachineEntry(_Strict, frozen=True, kw_only=True):
    """`count` machines of one type. More than one are numbered: pump-01, pump-02.

    `replaced`: component -> days on which a new part takes its place.
    """

    key: str
    profile: str
    count: int = 1
    used: Mapping[str, float] = msgspec.field(default_factory=dict)
    faults: tuple[WearEntry, ...] = ()
    sensor_faults: tuple[SensorEntry, ...] = ()
    replaced: Mapping[str, tuple[float, ...]] = msgspec.field(default_factory=dict)

    def names(self) -> tuple[str, ...]:
        """Return the keys of the machines that this entry stands for."""
        if self.count == 1:
            return (self.key,)
        width = max(2, len(str(self.count)))
        return tuple(f"{self.key}-{i + 1:0{width}d}" for i in range(self.count))


class Expectation(_Strict, frozen=True, kw_only=True):
    """A ticket that must be there, at least `share` of the life after onset before the failure."""

    machine: str
    mode: str
    share: float = 0.05


class Scenario(_Strict, frozen=True, kw_only=True):
    """Machines, time and truth. Every ticket that is not expected is a false one."""

    name: str
    title: str = ""
    seed: int = 0
    start: datetime = datetime(2026, 1, 5, tzinfo=UTC)  #: a Monday
    days: float = 60.0
    interval_s: float = 3600.0
    machines: tuple[MachineEntry, ...]
    expect: tuple[Expectation, ...] = ()

    def __post_init__(self) -> None:
        if not (0 < self.days < inf and 0 < self.interval_s < inf):
            raise ValueError("days and interval_s must be greater than 0")
        if not self.machines or not self.rows:
            raise ValueError("there must be a machine, and days enough for a reading")
        if self.start.tzinfo is None:
            raise ValueError("start needs a time zone, such as 2026-01-05T00:00:00Z")
        if not 0 <= self.start_ns <= MAX_INSTANT - self.days * DAY_S * 1e9:
            raise ValueError("start and the last day must lie between 1970 and 2116")
        keys: set[str] = set()
        faulty = {key for entry in self.machines if entry.faults for key in entry.names()}
        for i, entry in enumerate(self.machines):
            _check(entry, f"machines[{i}]")
            for key in entry.names():
                if key in keys:
                    raise ValueError(f"machines[{i}].key: there is already a machine '{key}'")
                keys.add(key)
        for i, expected in enumerate(self.expect):
            if expected.machine not in faulty:
                raise ValueError(
                    f"expect[{i}].machine: no machine '{expected.machine}' with faults"
                )

    @property
    def rows(self) -> int:
        """How many readings of each signal the scenario has."""
        return round(self.days * DAY_S / self.interval_s)

    @property
    def start_ns(self) -> int:
        """Time of the first reading, ns since 1970 UTC."""
        return round(self.start.timestamp() * 1_000_000_000)


def _check(entry: MachineEntry, where: str) -> None:
    if entry.profile not in PLANTS:
        raise ValueError(
            f"{where}.profile: no plant '{entry.profile}', there are {', '.join(PLANTS)}"
        )
    if entry.count < 1:
        raise ValueError(f"{where}.count must be 1 or more")
    if not _names_machine(entry.names()[-1]):
        raise ValueError(
            f"{where}.key: give a-z, 0-9 and '-', at most 31 with the machine's number"
        )
    plant = _example(entry.profile)
    parts = [("used", component) for component in entry.used]
    parts += [("replaced", component) for component in entry.replaced]
    parts += [("faults", fault.component) for fault in entry.faults]
    for key, component in parts:
        if component not in plant.components:
            raise ValueError(f"{where}.{key}: {entry.profile} has no component '{component}'")
    for fault in entry.sensor_faults:
        if fault.signal not in plant.signals:
            raise ValueError(f"{where}.sensor_faults: {entry.profile} has no '{fault.signal}'")
    specimens(entry)
    sensor_faults(entry, 0)


@cache
def _example(profile: str) -> Plant:
    return PLANTS[profile]([Specimen(key="example")], 0)


def specimens(entry: MachineEntry) -> list[Specimen]:
    """Return what a plant is asked to build for an entry."""
    faults = tuple(
        WearFault(component=f.component, onset_s=f.onset_d * DAY_S, life_s=f.life_d * DAY_S)
        for f in entry.faults
    )
    replaced = {part: tuple(d * DAY_S for d in days) for part, days in entry.replaced.items()}
    return [
        Specimen(key=key, used=entry.used, faults=faults, replaced_s=replaced)
        for key in entry.names()
    ]


def singles(scenario: Scenario) -> list[MachineEntry]:
    """Return an entry for each machine of a scenario."""
    return [
        msgspec.structs.replace(entry, key=key, count=1)
        for entry in scenario.machines
        for key in entry.names()
    ]


def repaired(scenario: Scenario, machine: str, component: str, at_s: float) -> Scenario:
    """Return a scenario in which a machine gets a new part at `at_s` s; before it all is the same.

    A component that the simulation does not know changes nothing. A part that was new already at
    `at_s` or later stays.
    """
    return msgspec.structs.replace(
        scenario,
        machines=tuple(
            _renewed(entry, component, at_s / DAY_S) if entry.key == machine else entry
            for entry in singles(scenario)
        ),
    )


def _renewed(entry: MachineEntry, component: str, at_d: float) -> MachineEntry:
    days = entry.replaced.get(component, ())
    known = component in _example(entry.profile).components
    if not known or at_d <= max(days, default=0.0):
        return entry
    return msgspec.structs.replace(entry, replaced={**entry.replaced, component: (*days, at_d)})


def sensor_faults(entry: MachineEntry, seed: int) -> list[SensorFault]:
    """Return the sensor faults of each machine of an entry."""
    return [
        SensorFault(
            signal=f.signal,
            kind=Kind(f.kind),
            from_s=f.from_d * DAY_S,
            to_s=float("inf") if f.to_d is None else f.to_d * DAY_S,
            size=f.size,
            share=f.share,
            seed=seed,
        )
        for f in entry.sensor_faults
    ]


def load(path: Path) -> Scenario:
    """Read and check a scenario; `ScenarioError` names the file and the key."""
    try:
        return parse(path.read_text("utf-8"), Scenario, str(path))
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    except TomlError as error:
        raise ScenarioError(str(error)) from error


def named(name: str) -> Scenario:
    """Load one of the scenarios that come with forewarn; `ScenarioError` lists them."""
    path = FOLDER / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.toml")))
        raise ScenarioError(f"there is no scenario '{name}', there are: {known}")
    return load(path)
