"""A sensor that is not to be trusted is left out, and what it explains is not judged."""

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation.healthy import CONDITIONS, DAY_ROWS, PROFILE, STEP_S, machine
from models.assessment import Assessment, Check
from models.fleet import Fleet, Trace
from models.profile import Signal
from tests.models.fleet.machines import START, S, block

DAYS = 16
SICK = 12 * DAY_ROWS  #: from here on
SENSORS = {
    name: Signal(role=signal.role, unit=signal.unit, stuck_after_s=3600.0)
    for name, signal in PROFILE.signals.items()
}


def fed(columns: dict[str, NDArray[np.float64]]) -> tuple[list[Assessment], Trace, Fleet]:
    fleet = Fleet({"machine": msgspec.structs.replace(PROFILE, signals=SENSORS)})
    fleet.bind("m", "machine", "data")
    trace, told = Trace(), []
    for day in range(DAYS):
        part = slice(day * DAY_ROWS, (day + 1) * DAY_ROWS)
        times = START + np.arange(part.start, part.stop) * STEP_S * S
        cells = {k: v[part] for k, v in columns.items()}
        told += fleet.observe([block("m", times, cells)], trace)
    return told, trace, fleet


def test_a_stuck_context_makes_no_fault_of_what_it_explains() -> None:
    columns = machine("shifts", DAYS, seed=1)
    columns["load"][SICK:] = columns["load"][SICK]
    told, trace, fleet = fed(columns)
    assert {c.check for c in fleet.current("m").conditions} == {Check.STUCK}
    assert not np.concatenate(trace.faulty)[SICK:].any()
    assert not any(c.check is Check.SHIFT for a in told for c in a.conditions)


def test_a_silent_context_is_not_taken_for_what_it_said_last() -> None:
    columns = machine("shifts", DAYS, seed=2)
    columns["load"][SICK:] = np.nan
    _, trace, _ = fed(columns)
    assert not np.concatenate(trace.faulty)[SICK:].any()


def test_a_stuck_sensor_has_no_part_in_the_score_and_others_say_what_it_should_be() -> None:
    columns = machine("shifts", DAYS, seed=3)
    columns["temperature"][SICK:] = columns["temperature"][SICK] + 40.0
    _, trace, fleet = fed(columns)
    now = fleet.current("m")
    [stuck] = [c for c in now.conditions if c.check is Check.STUCK]
    assert stuck.signal == "temperature"
    truth = 5.0 + 0.15 * columns["load"][-1] + 0.8 * columns["ambient"][-1]
    assert stuck.expected == pytest.approx(truth, abs=1.5)
    assert all(c.signal != "temperature" for c in now.contributions)
    assert np.concatenate(trace.scores)[SICK + DAY_ROWS :].mean() < 0.2
    assert now.coverage == pytest.approx((len(CONDITIONS) + 1) / (len(CONDITIONS) + 2), abs=0.01)


def test_a_fault_that_lasts_is_still_seen_when_the_context_is_back() -> None:
    columns = machine("shifts", DAYS, seed=4)
    columns["load"][SICK : SICK + DAY_ROWS] = columns["load"][SICK]
    columns["pressure"][SICK + DAY_ROWS :] += 0.3
    _, trace, _ = fed(columns)
    assert np.concatenate(trace.faulty)[SICK + 2 * DAY_ROWS + DAY_ROWS // 2 :].all()
