"""A machine beside its sisters: same load, same weather, one of them sick or new."""

import numpy as np
import pytest

from benchmarks.evaluation.healthy import CONDITIONS, PROFILE, PROFILES, machine
from models.fleet import Fleet
from models.words import explain
from tests.models.fleet.machines import START, S, block

STEP = 300
DAY_ROWS = 86_400 // STEP
DAYS = 6


def family(sick: str, shift: float, newcomer_days: int | None = None) -> Fleet:
    """Five machines in one climate that the ambient sensor does not tell; the last may be new."""
    fleet = Fleet(PROFILES)
    weather = 0.5 * np.sin(2 * np.pi * np.arange(DAYS * DAY_ROWS) / (0.3 * DAY_ROWS))
    for i in range(5):
        name = f"m{i}"
        columns = machine("batches", DAYS, seed=i)
        for signal in CONDITIONS:
            columns[signal] = columns[signal] + weather
        if name == sick:
            columns["pressure"][-DAY_ROWS // 2 :] += shift
        first = 0
        if newcomer_days is not None and i == 4:
            first = (DAYS - newcomer_days) * DAY_ROWS
        times = START + np.arange(DAYS * DAY_ROWS) * STEP * S
        fleet.bind(name, "machine", "data")
        fleet.observe([block(name, times[first:], {k: v[first:] for k, v in columns.items()})])
    return fleet


def test_the_sick_machine_stands_out_and_nobody_else() -> None:
    fleet = family("m2", -1.5)
    worst = {name: fleet.sisters(name)[0] for name in fleet.machines()}
    assert worst["m2"].signal == "pressure"
    assert worst["m2"].deviation < -4.5
    assert worst["m2"].expected - worst["m2"].value == pytest.approx(1.5, abs=0.5)
    assert all(abs(one.deviation) < 3.5 for name, one in worst.items() if name != "m2")


def test_a_machine_of_one_day_is_known_from_its_sisters() -> None:
    fleet = family("m4", 1.5, newcomer_days=1)
    found = fleet.sisters("m4")[0]
    assert (found.signal, found.sisters) == ("pressure", 4)
    assert found.deviation > 4.5
    assert fleet.current("m4").coverage < 0.8
    assert explain(found, PROFILE).endswith("above 4 machines like it under the same conditions")
    assert explain(found, PROFILE, "zh").startswith("pressure为")


def test_two_sisters_say_nothing_and_asking_changes_nothing() -> None:
    fleet = family("", 0.0)
    before = {k: v.tobytes() for k, v in fleet.snapshot().items()}
    fleet.sisters("m0")
    assert {k: v.tobytes() for k, v in fleet.snapshot().items()} == before
    few = Fleet(PROFILES)
    few.bind("a", "machine")
    few.bind("b", "machine")
    assert few.sisters("a") == []
    with pytest.raises(KeyError):
        few.sisters("c")
