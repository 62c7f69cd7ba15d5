"""Counters that are set ahead or read absurdly high: no use; a burst of work is."""

import numpy as np
import pytest

from models.assessment import Life
from models.fleet import Fleet
from models.profile import parse_profile
from tests.models.fleet.machines import START, S, block

HOUR = 3600
RATED = 50_000.0
PROFILE = parse_profile(
    """
name = "press"
version = 1
title = { en = "Press" }

[signals.strokes]
role = "counter"

[consumables.die]
title = { en = "Die" }
part = "D"
counter = "strokes"
rated = 50000.0
"""
)
AT = 30 * 24  #: row at which something happens


def strokes(days: int = 44, per_day: float = 240.0, seed: int = 0) -> np.ndarray:
    """Return a counter by the hour: two shifts on five days a week, and no hour like another."""
    hour = np.arange(days * 24)
    works = (hour % 24 >= 6) & (hour % 24 < 22) & (hour // 24 % 7 < 5)
    counts = np.random.default_rng(seed).poisson(per_day * 7 / 5 / 16, len(hour)) * works
    total: np.ndarray = np.cumsum(counts).astype(float)
    return total


def die(values: np.ndarray, hours: np.ndarray | None = None, *, cut: int = 24) -> Life:
    """Return the life of the die after a counter, in messages of `cut` readings."""
    fleet = Fleet({"press": PROFILE})
    fleet.bind("m", "press", "data")
    at = np.arange(len(values)) if hours is None else hours
    for first in range(0, len(values), cut):
        part = slice(first, first + cut)
        fleet.observe([block("m", START + at[part] * HOUR * S, {"strokes": values[part]})])
    [found] = fleet.current("m").lives
    return found


def width(life: Life) -> float:
    assert life.p10_s is not None
    assert life.p90_s is not None
    return life.p90_s - life.p10_s


@pytest.mark.parametrize("cut", [1, 24, 1000])
@pytest.mark.parametrize("ahead", [9_000.0, 30_000.0, 1e6])
def test_a_counter_that_is_set_ahead_by_hand_counts_no_use(ahead: float, cut: int) -> None:
    values = strokes()
    plain = die(values)
    values[AT:] += ahead
    found = die(values, cut=cut)
    assert found.fraction == pytest.approx(plain.fraction, abs=0.001)
    assert found.p50_s == pytest.approx(plain.p50_s, rel=0.02)
    assert width(found) == pytest.approx(width(plain), rel=0.05)


@pytest.mark.parametrize("count", [1, 2])
def test_odd_high_readings_of_a_counter_are_glitches(count: int) -> None:
    values = strokes()
    plain = die(values)
    values[AT : AT + 10 * count : 10] = (9e5, 7e5)[:count]
    found = die(values)
    assert found.fraction == plain.fraction
    assert found.p50_s == pytest.approx(plain.p50_s, rel=0.001)
    assert width(found) == pytest.approx(width(plain), rel=0.001)


@pytest.mark.parametrize(
    "odd", [(7e5, 9e5), (65535.0,), (2.0**32 - 1.0,) * 2, (2.0**32,) * 4, (999_999.0,) * 2]
)
@pytest.mark.parametrize("at", [100, AT])
def test_two_odd_high_readings_or_a_full_counter_are_glitches(
    odd: tuple[float, ...], at: int
) -> None:
    """Also in the first week, and when the second is higher than the first."""
    values = strokes()
    plain = die(values)
    values[at : at + len(odd)] = odd
    found = die(values)
    assert found.fraction == pytest.approx(plain.fraction, abs=1e-3)
    assert found.p50_s == pytest.approx(plain.p50_s, rel=0.01)


def test_an_odd_high_reading_of_a_counter_that_stands_is_a_glitch() -> None:
    values = np.full(44 * 24, 5000.0)
    values[AT] = 9e5
    assert die(values).fraction == 0.9


@pytest.mark.parametrize("every", [1, 4, 8, 24])
@pytest.mark.parametrize("outage", [4, 8, 20, 48])
def test_hours_that_can_have_passed_are_use(every: int, outage: int) -> None:
    """A standby set: half an hour each week, and once all hours of an outage."""
    hour = np.arange(60 * 24)
    worked = np.where(hour % 168 == 10, 0.5, 0.0) + ((hour >= 960) & (hour < 960 + outage))
    rows = hour[::every]
    hours = np.cumsum(worked)[rows]
    found = die(200.0 * hours, rows)  # 50,000 strokes or 250 h
    assert found.fraction == pytest.approx(1.0 - hours[-1] / 250.0, abs=0.0025)


def test_a_burst_of_work_is_use() -> None:
    """Two weeks' strokes within an hour."""
    values = strokes()
    plain = die(values)
    values[AT:] += 14 * 240.0
    found = die(values)
    assert plain.fraction is not None
    assert found.fraction == pytest.approx(plain.fraction - 14 * 240.0 / RATED, abs=0.002)


def test_work_that_goes_on_much_faster_is_use() -> None:
    """A press that stood in a shop for weeks and is then put to work."""
    idle = strokes(30, per_day=2.0)
    values = np.concatenate([idle, idle[-1] + strokes(14, per_day=2_000.0)])
    found = die(values)
    assert found.fraction == pytest.approx(1.0 - values[-1] / RATED, abs=0.01)


@pytest.mark.parametrize("busy", [1.0, 4.0])
def test_what_was_done_in_a_gap_of_days_is_use(busy: float) -> None:
    values, hours = strokes(), np.arange(44 * 24)
    gap = slice(AT, AT + 10 * 24)
    more = (busy - 1.0) * (values[gap.stop - 1] - values[gap.start])
    values[gap.stop :] += more
    left = np.r_[0 : gap.start, gap.stop : len(values)]
    found = die(values[left], hours[left])
    assert found.fraction == pytest.approx(1.0 - values[-1] / RATED, abs=0.005)


def test_a_counter_that_is_set_ahead_in_a_gap_of_days_has_the_usual_use() -> None:
    values, hours = strokes(), np.arange(44 * 24)
    plain = die(values)
    left = np.r_[0:AT, AT + 7 * 24 : len(values)]
    values[AT:] += 40_000.0
    found = die(values[left], hours[left])
    assert found.fraction == pytest.approx(plain.fraction, abs=0.005)


def test_a_counter_that_rolls_over_or_is_set_back_is_as_before() -> None:
    values = strokes()
    plain = die(values)
    before = 10_000.0 - values[AT]
    assert plain.fraction is not None
    rolls = die((values + before) % 10_000.0)
    assert rolls.fraction == pytest.approx(plain.fraction - before / RATED, abs=0.002)
    back = values.copy()
    back[AT:] -= values[AT]
    assert die(back).fraction == pytest.approx(plain.fraction, abs=0.002)


def test_a_counter_that_is_set_ahead_before_it_is_known_is_taken_at_its_word() -> None:
    values = strokes()
    values[48:] += 20_000.0
    found = die(values)
    assert found.fraction == pytest.approx(1.0 - values[-1] / RATED, abs=0.002)


def test_a_counter_that_is_told_in_coarse_steps_is_use() -> None:
    values = np.floor(strokes(120) / 12_000.0) * 12_000.0
    found = die(values)
    assert values[-1] == 24_000.0
    assert found.fraction == pytest.approx(1.0 - values[-1] / RATED, abs=0.01)


@pytest.mark.parametrize("at", [100, AT])
@pytest.mark.parametrize("odd", [(2e5, 5e5, 9e5), (7e4, 3e5, 4e6, 4e7)])
def test_rising_readings_beyond_a_whole_life_are_no_use(odd: tuple[float, ...], at: int) -> None:
    """A controller that sends garbage, for as long as it takes to be believed."""
    values = strokes()
    plain = die(values)
    values[at : at + len(odd)] = odd
    found = die(values)
    assert found.fraction == pytest.approx(plain.fraction, abs=0.005)
    assert found.p50_s == pytest.approx(plain.p50_s, rel=0.05)


@pytest.mark.parametrize("hours", [1, 2, 3])
def test_a_burst_that_is_over_within_three_readings_is_use(hours: int) -> None:
    """What stands by prints a fifth of a life at once; a jump within one reading is in doubt."""
    values = strokes(per_day=10.0)
    burst = np.minimum(np.arange(1, len(values) - AT + 1), hours) / hours
    values[AT:] += 10_000.0 * burst
    used = values[-1] if hours > 1 else values[-1] - 10_000.0
    assert die(values).fraction == pytest.approx(1.0 - used / RATED, abs=0.002)


@pytest.mark.parametrize("zeros", [2, 6, 30])
@pytest.mark.parametrize("at", [40, 100, AT])
@pytest.mark.parametrize("before", [3_000.0, 20_000.0])
def test_a_counter_that_reads_nothing_for_a_while_counts_its_use_once(
    before: float, at: int, zeros: int
) -> None:
    values = before + strokes()
    plain = die(values)
    values[at : at + zeros] = 0.0
    found = die(values)
    assert found.fraction == pytest.approx(plain.fraction, abs=0.005)
    assert found.p50_s == pytest.approx(plain.p50_s, rel=0.05)


def test_a_counter_that_was_set_back_keeps_what_it_had_counted() -> None:
    """Also when an outage then hides as much work as it had shown before."""
    values, hours = 3_000.0 + strokes(), np.arange(44 * 24)
    used = values.copy()
    values[100:] -= values[100]
    left = np.r_[0:400, 400 + 21 * 24 : len(values)]
    found = die(values[left], hours[left])
    assert found.fraction == pytest.approx(1.0 - used[-1] / RATED, abs=0.005)
