"""A new part is seen by its indicator; noise, disturbed sensors and counters make none."""

from typing import Any

import numpy as np
import pytest

from models.life.online import RAW_NOISE
from models.life.replacement import DISTURBED, NEW, OFF, SAME, fall_line, shown_new, verdict
from models.life.wiener import curve_at
from tests.models.life.parts import FALLING, FILTER, NOISE, follow

AFTER = 0.001


def judge(wears: Any, usual: Any, value: float) -> int:
    """Return the verdict of one raw reading, which is noisier than a bucket's median."""
    used, noise = float(wears[0]["use"]) + AFTER, RAW_NOISE * float(wears[0]["noise"])
    return int(verdict(wears[0], usual[0], used, value, noise))


def say(value: float, *, last: float = 0.7) -> int:
    wears, usual = follow(FILTER, last=last)
    return judge(wears, usual, value)


def fell(mean: float, *, count: int = 1, last: float = 0.7) -> bool:
    """Return whether so many readings since the part's own counter fell are a new part's."""
    wears, usual = follow(FILTER, last=last)
    used, noise = float(wears[0]["use"]) + AFTER, RAW_NOISE * float(wears[0]["noise"])
    return shown_new(wears[0], usual[0], used, mean, count, noise)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (100.0, NEW),
        (104.0, NEW),
        (95.0, NEW),  # a cleaner one than usual
        (0.0, OFF),  # a broken wire
        (-40.0, OFF),
        (153.0, SAME),
        (170.0, SAME),  # worse is never new
        (130.0, DISTURBED),
    ],
)
def test_what_a_reading_says_of_a_part(value: float, verdict: int) -> None:
    assert say(value) == verdict


def test_a_part_that_is_nearly_new_cannot_be_told_from_a_new_one() -> None:
    assert say(100.0, last=0.12) == SAME


@pytest.mark.parametrize("part", [FILTER, FALLING])
def test_a_counter_that_jumps_ahead_makes_no_new_part(part: object) -> None:
    wears, usual = follow(part, last=0.15)  # type: ignore[arg-type]
    truth = curve_at(usual[0], 0.15)[0]
    used, noise = float(wears[0]["use"]) + 3.0, RAW_NOISE * float(wears[0]["noise"])
    assert verdict(wears[0], usual[0], used, truth, noise) == DISTURBED


@pytest.mark.parametrize("value", [153.0, 150.0, 145.0, 170.0, 0.0])
def test_a_counter_that_falls_alone_makes_no_new_part(value: float) -> None:
    assert not fell(value)


def test_noise_makes_no_new_part_of_one_that_reads_nearly_like_it() -> None:
    assert say(92.0, last=0.14) == SAME


def test_a_counter_that_falls_lets_a_smaller_step_count() -> None:
    assert say(103.0, last=0.17) == SAME
    assert fell(103.0, last=0.17)


def test_the_mean_of_readings_since_a_counter_fell_tells_more_than_one() -> None:
    assert not fell(103.0, last=0.14)
    assert fell(103.0, count=6, last=0.14)


@pytest.mark.parametrize("part", [FILTER, FALLING])
def test_few_counters_that_are_set_back_are_taken_for_a_part(part: object) -> None:
    wears, usual = follow(part, last=0.3)  # type: ignore[arg-type]
    used = float(wears[0]["use"]) + AFTER
    truth = curve_at(usual[0], 0.3 + AFTER)[0]
    readings = truth + NOISE * np.random.default_rng(3).standard_normal(20_000)
    noise = RAW_NOISE * float(wears[0]["noise"])
    wrong = sum(shown_new(wears[0], usual[0], used, y, 1, noise) for y in readings.tolist())
    assert wrong <= 2


def test_the_line_asks_for_an_estimate_where_a_verdict_is_possible() -> None:
    for part in (FILTER, FALLING):
        wears, usual = follow(part, last=0.7)
        used = float(wears[0]["use"]) + AFTER
        line = fall_line(wears[0], usual[0], used)
        low, high = sorted((part.curve[0], line))
        for value in np.linspace(low, high, 20)[1:-1]:
            far = judge(wears, usual, float(value))
            assert far in {SAME, NEW, DISTURBED}
        beyond = line + (1.0 if part.worse == "high" else -1.0)
        assert judge(wears, usual, beyond) == SAME


@pytest.mark.parametrize("part", [FILTER, FALLING])
def test_no_line_for_a_part_that_was_hardly_used(part: object) -> None:
    wears, usual = follow(part, first=0.0, last=0.05)  # type: ignore[arg-type]
    line = fall_line(wears[0], usual[0], float(wears[0]["use"]))
    assert np.isinf(line)
