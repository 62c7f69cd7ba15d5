"""Onsets that come back: three within a week are evidence, one or two are notices."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation.healthy import DAY_ROWS, PROFILES, STEP_S, machine
from models.assessment import Assessment, Check, Condition
from models.fleet import Fleet
from tests.models.fleet.machines import START, S, block

DAYS = 34


def bumped(days: list[float]) -> dict[str, NDArray[np.float64]]:
    """A steady machine whose pressure jumps for half an hour on some days."""
    columns = machine("steady", DAYS, seed=3)
    for day in days:
        first = int(day * DAY_ROWS)
        columns["pressure"][first : first + 6] += 4.0
    return columns


def fed(columns: dict[str, NDArray[np.float64]], size: int = DAY_ROWS) -> list[Assessment]:
    fleet = Fleet(PROFILES)
    fleet.bind("m", "machine", "data")
    told: list[Assessment] = []
    for first in range(0, DAYS * DAY_ROWS, size):
        part = slice(first, first + size)
        count = len(columns["load"][part])
        times = START + (first + np.arange(count)) * STEP_S * S
        told += fleet.observe([block("m", times, {k: v[part] for k, v in columns.items()})])
    return told


def repeated(told: list[Assessment]) -> list[tuple[float, Condition]]:
    return [
        ((a.at_ns - START) / (86_400 * S), c)
        for a in told
        for c in a.conditions
        if c.check is Check.LEVEL and c.severity == 2
    ]


def test_the_third_onset_within_a_week_is_more_than_a_notice() -> None:
    found = repeated(fed(bumped([20.0, 21.5, 23.0])))
    begun, _ = found[0]
    assert begun == pytest.approx(23.0, abs=0.05)
    ended = [day for day, c in found if not c.active]
    assert ended == [pytest.approx(30.0, abs=0.05)]  # after a week without one
    assert all(c.signal == "pressure" for _, c in found)


@pytest.mark.parametrize("days", [[20.0, 21.5], [12.0, 20.0, 28.0], [4.0, 5.0, 6.0]])
def test_two_or_far_apart_or_while_learning_are_not(days: list[float]) -> None:
    assert repeated(fed(bumped(days))) == []


def test_how_the_stream_is_cut_changes_nothing() -> None:
    columns = bumped([20.0, 21.5, 23.0])
    whole = [(a.at_ns, a.conditions, a.score) for a in fed(columns)]
    assert [(a.at_ns, a.conditions, a.score) for a in fed(columns, 37)] == whole
