"""A new part is seen by its indicator; noise, disturbed sensors and counters make none."""

from typing import Any

import numpy as np
import pytest

from models.life.online import RAW_NOISE
from models.life.replacement import APART, DISTURBED, NEW, OFF, SAME, fall_line, verdict
from tests.models.life.parts import FALLING, FILTER, follow

AFTER = 0.001


def judge(wears: Any, usual: Any, value: float, *, fell: bool = False) -> int:
    """Return the verdict of one raw reading, which is noisier than a bucket's median."""
    used, noise = float(wears[0]["use"]) + AFTER, RAW_NOISE * float(wears[0]["noise"])
    return int(verdict(wears[0], usual[0], used, value, noise, APART if fell else 0.0))


def say(value: float, *, fell: bool = False, last: float = 0.7) -> int:
    wears, usual = follow(FILTER, last=last)
    return judge(wears, usual, value, fell=fell)


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


@pytest.mark.parametrize("value", [153.0, 150.0, 145.0, 170.0])
def test_a_counter_that_falls_alone_makes_no_new_part(value: float) -> None:
    assert say(value, fell=True) == SAME


def test_a_counter_that_falls_helps_a_doubtful_indicator() -> None:
    assert say(107.0, fell=True, last=0.4) == NEW


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
