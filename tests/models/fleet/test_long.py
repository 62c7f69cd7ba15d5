"""Weeks of simulated machines: what is healthy stays quiet, what lasts is held."""

import numpy as np
import pytest

from benchmarks.evaluation.healthy import WORKS, Work, watch
from models.assessment import Assessment, Check, State
from models.fleet import Fleet
from tests.models.fleet.machines import DAY, PROFILES, START, S, block

STEP = 600
PER_DAY = DAY // STEP


def days(
    count: int,
    seed: int,
    *,
    fault_day: float | None = None,
    end_day: float = 1e9,
    size: float = 4.0,
    explained: bool = True,
) -> list[dict[str, np.ndarray]]:
    """Noise 1, a daily cycle of amplitude 1.5 and load steps worth up to 6, by day."""
    rng = np.random.default_rng(seed)
    t = np.arange(count * PER_DAY) / PER_DAY
    steps = rng.uniform(30, 70, count * 3).repeat(PER_DAY // 3)
    load = steps + rng.normal(0, 0.5, len(t))
    cycle = 1.5 * np.sin(2 * np.pi * t + seed)
    own = steps if explained else 50.0
    x = 20 + 0.15 * own + cycle + rng.normal(0, 1, len(t))
    if fault_day is not None:
        x = x + size * np.sqrt(1 + 1.5**2 / 2) * ((t >= fault_day) & (t < end_day))
    vibration = 1.5 + 0.05 * rng.normal(0, 1, len(t))
    columns = {"load": load, "x": x, "vibration": vibration}
    return [
        {k: v[i * PER_DAY : (i + 1) * PER_DAY] for k, v in columns.items()} for i in range(count)
    ]


def run(parts: list[dict[str, np.ndarray]]) -> tuple[Fleet, list[Assessment]]:
    fleet = Fleet(PROFILES)
    fleet.bind("m", "pump", "data")
    told: list[Assessment] = []
    for i, columns in enumerate(parts):
        times = START + (i * PER_DAY + np.arange(PER_DAY)) * STEP * S
        told += fleet.observe([block("m", times, columns)])
    return fleet, told


def begun(told: list[Assessment], *checks: Check) -> list[tuple[str, Check, float]]:
    return [
        (c.signal, c.check, (c.since_ns - START) / (DAY * S))
        for a in told
        for c in a.conditions
        if c.onset and c.check in checks
    ]


@pytest.mark.parametrize("seed", range(20))
def test_a_healthy_machine_stays_quiet_for_sixty_days(seed: int) -> None:
    fleet, told = run(days(60, seed))
    assert begun(told, Check.SHIFT, Check.LIMIT_HIGH, Check.LIMIT_LOW) == []
    assert fleet.current("m").state is State.NORMAL
    assert fleet.current("m").health >= 90
    assert all(life.p10_s is None or life.p10_s > 28 * DAY for a in told for life in a.lives)


@pytest.mark.parametrize("seed", range(5))
def test_a_lasting_shift_is_held_until_it_ends(seed: int) -> None:
    fleet, told = run(days(60, seed, fault_day=30, end_day=50))
    [(signal, _, day)] = begun(told, Check.SHIFT)
    assert signal == "x"
    assert 30 <= day <= 32
    end = [c for a in told for c in a.conditions if c.check is Check.SHIFT and not c.active]
    assert len(end) == 1
    assert 50 <= (end[0].since_ns - START) / (DAY * S) <= 53
    during = [a for a in told if day + 0.1 < (a.at_ns - START) / (DAY * S) < 50]
    assert {a.state for a in during} == {State.ALERT}
    assert fleet.current("m").state is State.NORMAL


def test_learning_ends_after_three_days_and_coverage_grows() -> None:
    _, told = run(days(5, 1))
    normal = next(a for a in told if a.state is State.NORMAL)
    assert 3.0 <= (normal.at_ns - START) / (DAY * S) < 3.2
    learning = [a.coverage for a in told if a.state is State.LEARNING]
    assert learning == sorted(learning)
    assert 0.0 < learning[0] < learning[-1] < normal.coverage


def test_an_assessment_comes_at_least_every_six_hours() -> None:
    _, told = run(days(10, 2))
    times = np.array([a.at_ns for a in told])
    assert np.diff(times).max() <= 6 * 3600 * S
    assert len(told) < 100


def test_health_never_rises_when_a_fault_grows() -> None:
    healths = []
    for size in (0.0, 3.0, 4.0, 6.0, 9.0):
        fleet, _ = run(days(20, 3, fault_day=10, size=size))
        healths.append(fleet.current("m").health)
    assert healths == sorted(healths, reverse=True)


def test_after_a_repair_the_reference_begins_anew() -> None:
    fleet, _ = run(days(20, 3, fault_day=10))
    assert fleet.current("m").state is State.ALERT
    at = START + 20 * DAY * S
    told = fleet.restart("m", None, at)
    assert told is not None
    assert [c.active for c in told.conditions if c.check is Check.SHIFT] == [False]
    columns = days(1, 3, fault_day=0)[0]
    fleet.observe([block("m", at + np.arange(PER_DAY) * STEP * S, columns)])
    assert fleet.current("m").state is State.LEARNING


@pytest.mark.parametrize("work", WORKS)
def test_two_sigma_on_all_conditions_is_held_within_a_day_and_for_thirty(work: Work) -> None:
    for seed in range(5):
        told = watch(work, 14 + 32, 500 + seed, fault_sigma=2.0, fault_d=14.0)
        assert told.first_state_d is not None
        assert told.first_state_d <= 1.0
        assert told.state_share * told.days == pytest.approx(
            told.days - told.first_state_d, abs=0.1
        )


@pytest.mark.parametrize("work", WORKS)
def test_healthy_machines_in_weather_raise_few_notices_and_no_lasting_shift(work: Work) -> None:
    told = [watch(work, 64, 700 + seed) for seed in range(10)]
    days = sum(one.days for one in told)
    assert sum(one.tickets for one in told) == 0
    assert sum(one.state_share for one in told) == 0.0
    assert sum(one.notices for one in told) <= 0.01 * days + 3
