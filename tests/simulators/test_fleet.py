import numpy as np
import pytest

from simulators.fleet import SimulatedFleet, blocks, gateways
from simulators.plants import Array
from simulators.scenario import Scenario, named


@pytest.fixture
def scenario() -> Scenario:
    return named("bad-sensors")


def by_machine(fleet: SimulatedFleet, rows: int) -> dict[str, Array]:
    return {
        key: reading.values[:, i]
        for reading in fleet.read(rows)
        for i, key in enumerate(reading.keys)
    }


def test_cutting_into_gateways_changes_no_reading(scenario: Scenario) -> None:
    whole = by_machine(SimulatedFleet(scenario), 900)
    cut = [by_machine(SimulatedFleet(part), 900) for part in gateways(scenario, 2)]
    assert sorted(k for part in cut for k in part) == sorted(whole)
    for part in cut:
        for key, values in part.items():
            np.testing.assert_array_equal(values, whole[key])


def test_reading_in_pieces_changes_no_reading(scenario: Scenario) -> None:
    whole = by_machine(SimulatedFleet(scenario), 850)
    fleet = SimulatedFleet(scenario)
    pieces = [by_machine(fleet, n) for n in (1, 719, 30, 100)]
    for key, values in whole.items():
        np.testing.assert_array_equal(np.concatenate([p[key] for p in pieces]), values)


def test_blocks_carry_every_row_once_in_order(scenario: Scenario) -> None:
    rows = 100
    seen: dict[str, list[int]] = {}
    for group in blocks(SimulatedFleet(scenario), rows, "demo.gw", piece=24):
        for block in group:
            assert all(len(column) == len(block) for column in block.columns)
            seen.setdefault(block.machine, []).extend(block.times_ns.tolist())
    step = round(scenario.interval_s * 1e9)
    expected = [scenario.start_ns + i * step for i in range(rows)]
    assert set(seen) == {f"demo.gw:{key}" for m in scenario.machines for key in m.names()}
    assert all(times == expected for times in seen.values())


def test_the_truth_is_told_in_shares_of_the_life_after_onset() -> None:
    fleet = SimulatedFleet(named("pump-bearing"))
    [failure] = fleet.failures()
    assert failure.machine == "pump-worn"
    assert failure.share_left(failure.onset_s) == 1.0
    assert failure.share_left(failure.fails_s) == 0.0
