"""A fleet of simulated machines in one process: plants grouped by type, read together.

Machines do not depend on each other, so a fleet may be cut into gateways of any size: each gateway
simulates its own machines and all readings stay what they were.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from models.rows import Block
from simulators.faults import SensorFault, apply
from simulators.plants import PLANTS, Array, Plant, Specimen
from simulators.plants.chance import number
from simulators.scenario import MachineEntry, Scenario, sensor_faults, singles, specimens


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All signals of one type's machines over some rows: values (n, m, signals), NaN missing."""

    profile: str
    keys: tuple[str, ...]
    signals: tuple[str, ...]
    times_ns: NDArray[np.int64]
    values: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The truth about one faulty part: when wear quickened and when the limit was crossed."""

    machine: str
    profile: str
    component: str
    onset_s: float
    fails_s: float

    def share_left(self, at_s: float) -> float:
        """Return the share of the life after onset that was left at a time (1 at onset, 0 end)."""
        return (self.fails_s - at_s) / (self.fails_s - self.onset_s)


class _Group:
    """The machines of one type."""

    def __init__(self, profile: str, entries: Sequence[MachineEntry], seed: int) -> None:
        made = [(s, e) for e in entries for s in specimens(e)]
        self.profile = profile
        self.specimens: list[Specimen] = [s for s, _ in made]
        self.keys = tuple(s.key for s in self.specimens)
        self.plant: Plant = PLANTS[profile](self.specimens, seed)
        self._faults: list[tuple[int, int, SensorFault]] = []
        for machine, (specimen, entry) in enumerate(made):
            salt = number(f"{seed}/{specimen.key}")
            self._faults += [
                (machine, self.plant.signals.index(f.signal), f) for f in sensor_faults(entry, salt)
            ]
        self._held: list[float | None] = [None] * len(self._faults)

    def sample(self, times_s: Array) -> Array:
        values = self.plant.sample(times_s)
        for i, (machine, signal, fault) in enumerate(self._faults):
            column, self._held[i] = apply(fault, times_s, values[:, machine, signal], self._held[i])
            values[:, machine, signal] = column
        return values


class SimulatedFleet:
    """All machines of a scenario, read row after row."""

    def __init__(self, scenario: Scenario) -> None:
        by_type: dict[str, list[MachineEntry]] = {}
        for entry in scenario.machines:
            by_type.setdefault(entry.profile, []).append(entry)
        self.scenario = scenario
        self._groups = [_Group(p, e, scenario.seed) for p, e in by_type.items()]
        self.row = 0

    @property
    def machines(self) -> dict[str, str]:
        """Key -> profile of every machine."""
        return {key: group.profile for group in self._groups for key in group.keys}

    @property
    def counters(self) -> frozenset[str]:
        """Signals that are whole numbers and only grow."""
        return frozenset().union(*(group.plant.counters for group in self._groups))

    @property
    def signals(self) -> dict[str, tuple[str, ...]]:
        """Profile -> names of its signals."""
        return {group.profile: group.plant.signals for group in self._groups}

    def read(self, rows: int) -> list[Reading]:
        """Read the next rows of every machine; in pieces it gives the same as at once."""
        step = self.scenario.interval_s
        times_s = np.arange(self.row, self.row + rows, dtype=float) * step
        times_ns = self.scenario.start_ns + np.round(times_s * 1e9).astype(np.int64)
        self.row += rows
        return [
            Reading(
                profile=group.profile,
                keys=group.keys,
                signals=group.plant.signals,
                times_ns=times_ns,
                values=group.sample(times_s),
            )
            for group in self._groups
        ]

    def failures(self) -> list[Failure]:
        """Return the truth about every part that a fault was put into."""
        found = []
        for group in self._groups:
            fails = {c: group.plant.fails_at(c) for c in group.plant.components}
            found += [
                Failure(
                    machine=specimen.key,
                    profile=group.profile,
                    component=fault.component,
                    onset_s=fault.onset_s,
                    fails_s=float(fails[fault.component][i]),
                )
                for i, specimen in enumerate(group.specimens)
                for fault in specimen.faults
            ]
        return found


def gateways(scenario: Scenario, size: int) -> list[Scenario]:
    """Cut a fleet into parts of at most `size` machines, one for each simulated gateway."""
    one_by_one = singles(scenario)
    return [
        structs.replace(scenario, machines=tuple(one_by_one[i : i + size]), expect=())
        for i in range(0, len(one_by_one), size)
    ]


def blocks(fleet: SimulatedFleet, rows: int, device: str, piece: int = 24) -> Iterator[list[Block]]:
    """Yield the next rows as the models take them, `piece` rows a machine at a time."""
    seq = fleet.row
    while seq < rows:
        count = min(piece, rows - seq)
        group: list[Block] = []
        for reading in fleet.read(count):
            for i, key in enumerate(reading.keys):
                columns = tuple(
                    np.ascontiguousarray(reading.values[:, i, k])
                    for k in range(len(reading.signals))
                )
                group.append(
                    Block(
                        n=seq,
                        machine=f"{device}:{key}",
                        device=device,
                        boot="simulated",
                        stream="live",
                        seq=seq,
                        times_ns=reading.times_ns,
                        received_ns=int(reading.times_ns[-1]),
                        signals=reading.signals,
                        columns=columns,
                    )
                )
        seq += count
        yield group
