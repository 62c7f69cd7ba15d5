"""Lives as the fleet tells them: counters that jump, parts that are replaced, bands that hold."""

from itertools import pairwise

import numpy as np
import pytest

from models.assessment import Assessment, Life
from models.fleet import Fleet
from tests.models.fleet.machines import DAY, PROFILES, START, S, block

HOUR = 3600


def run(
    fleet: Fleet, values: np.ndarray, signal: str = "vibration", first: int = 0
) -> list[Assessment]:
    """Feed hourly values a day at a time."""
    told: list[Assessment] = []
    for i in range(0, len(values), 24):
        part = values[i : i + 24]
        times = START + (first + i + np.arange(len(part))) * HOUR * S
        told += fleet.observe([block("m", times, {signal: part})])
    return told


def bound() -> Fleet:
    fleet = Fleet(PROFILES)
    fleet.bind("m", "pump", "data")
    return fleet


def life(assessment: Assessment, component: str) -> Life:
    [found] = [one for one in assessment.lives if one.component == component]
    return found


def wear(days: int, seed: int = 0, from_day: float = 0.0, per_day: float = 0.1) -> np.ndarray:
    t = np.arange(days * 24) / 24
    noise = 0.05 * np.random.default_rng(seed).standard_normal(len(t))
    return 1.5 + per_day * np.maximum(t - from_day, 0.0) + noise


def test_wear_has_a_band_that_names_its_mode() -> None:
    fleet = bound()
    run(fleet, wear(40))
    found = life(fleet.current("m"), "bearing")
    assert (found.mode, found.basis, found.signal) == ("bearing-wear", "trend", "vibration")
    left = (7.1 - 1.5) / 0.1 - 40
    assert found.p10_s is not None
    assert found.p90_s is not None
    assert found.p10_s <= left * DAY <= found.p90_s
    assert found.slope_per_s == pytest.approx(0.1 / DAY, rel=0.2)


def test_a_band_runs_down_with_time_between_estimates() -> None:
    fleet = bound()
    told = run(fleet, wear(30))
    bands = [(a.at_ns, life(a, "bearing").p50_s) for a in told]
    known = [(at, p50) for at, p50 in bands if p50 is not None]
    steps = [
        (before - after) - (later - at) / S for (at, before), (later, after) in pairwise(known)
    ]
    assert any(abs(step) < 1e-3 for step in steps)


def test_healthy_noise_has_no_band() -> None:
    fleet = bound()
    told = run(fleet, wear(40, per_day=0.0))
    assert all(life(a, "bearing").p50_s is None for a in told)


def test_a_new_part_ends_the_trend_of_the_old_one() -> None:
    fleet = bound()
    run(fleet, wear(45))
    assert life(fleet.current("m"), "bearing").p50_s is not None
    run(fleet, wear(6, per_day=0.0, seed=2), first=45 * 24)
    after = life(fleet.current("m"), "bearing")
    assert after.p50_s is None
    assert after.fraction is None or after.fraction > 0.9


def test_a_repair_that_is_reported_ends_it_at_once() -> None:
    fleet = bound()
    run(fleet, wear(45))
    fleet.restart("m", "seal", START + 45 * DAY * S)
    assert life(fleet.current("m"), "bearing").p50_s is not None
    fleet.restart("m", "bearing", START + 45 * DAY * S)
    assert life(fleet.current("m"), "bearing").p50_s is None
    [first, *_] = run(fleet, wear(1), first=45 * 24)
    assert life(first, "bearing").p50_s is None
    fleet.restart("nobody", None, 0)  # not known: nothing to do


def hours(days: int, start: float = 0.0) -> np.ndarray:
    return start + np.arange(days * 24) * 0.5


def test_a_counter_counts_down_at_its_rate() -> None:
    fleet = bound()
    run(fleet, hours(40), "hours")
    found = life(fleet.current("m"), "seal")
    assert (found.basis, found.mode) == ("counter", "")
    assert found.p50_s == pytest.approx((8000 - 480) / 0.5 * HOUR, rel=0.01)
    assert found.fraction == pytest.approx(1 - 480 / 8000, abs=0.005)


def test_one_low_reading_of_a_counter_is_a_glitch() -> None:
    fleet, clean = bound(), bound()
    values = hours(40)
    run(clean, values, "hours")
    values[500] = 0.0
    run(fleet, values, "hours")
    assert life(fleet.current("m"), "seal").p50_s == pytest.approx(
        life(clean.current("m"), "seal").p50_s, rel=0.02
    )


def test_a_counter_that_begins_again_makes_no_new_part() -> None:
    fleet = bound()
    run(fleet, hours(40, start=3000), "hours")
    assert life(fleet.current("m"), "seal").fraction == pytest.approx(0.565, abs=0.01)
    run(fleet, hours(10), "hours", first=40 * 24)
    after = life(fleet.current("m"), "seal")
    assert after.fraction == pytest.approx(1 - 3600 / 8000, abs=0.01)
    assert after.p50_s == pytest.approx((8000 - 3600) / 0.5 * HOUR, rel=0.05)


def test_a_counter_that_rolls_over_goes_on() -> None:
    fleet = bound()
    before = hours(40, start=9_999 - 480)
    run(fleet, before % 10_000, "hours")
    run(fleet, hours(20, start=before[-1] + 0.5) % 10_000, "hours", first=40 * 24)
    assert life(fleet.current("m"), "seal").fraction == 0.0


def test_a_repair_sets_the_base_of_a_counter() -> None:
    fleet = bound()
    run(fleet, hours(40, start=3000), "hours")
    fleet.restart("m", "seal", START + 40 * DAY * S)
    run(fleet, hours(10, start=3480), "hours", first=40 * 24)
    assert life(fleet.current("m"), "seal").fraction == pytest.approx(1 - 120 / 8000, abs=0.01)
