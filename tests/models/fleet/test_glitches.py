"""A filter whose own counter falls while its sensor is off, climbs back, or flickers."""

import numpy as np
import pytest

from models.fleet import Fleet
from models.profile import Consumable, Profile, Signal
from tests.models.fleet.machines import START, S, block

HOUR = 3600 * S
CURVE = (100.0, 120.0, 150.0, 200.0)
ROWS, FALLS = 700, 600
FILTER = Consumable(
    title={},
    part="f",
    indicator="drop",
    limit=CURVE[-1],
    curve=CURVE,
    new_spread=2.0,
    counter="hours",
    rated=1000.0,
    life_d=400.0,
    spread=0.2,
    renews=True,
)
PROFILE = Profile(
    name="p",
    version=1,
    title={},
    signals={"drop": Signal(role="condition"), "hours": Signal(role="counter")},
    consumables={"filter": FILTER},
)


def readings(wears: float = 1.0) -> dict[str, np.ndarray]:
    """Return the hours and the pressure drop of a filter, a row an hour."""
    hours = np.arange(1.0, ROWS + 1.0)
    worn = np.interp(wears * hours / 1000.0, np.linspace(0.0, 1.0, len(CURVE)), CURVE)
    return {"drop": worn + 0.5 * np.random.default_rng(1).standard_normal(ROWS), "hours": hours}


def fed(columns: dict[str, np.ndarray], rows: int) -> Fleet:
    """Return a fleet of one machine after so many rows, fed one by one."""
    fleet = Fleet({"p": PROFILE})
    fleet.bind("m", "p", "data")
    for i in range(rows):
        one = {name: column[i : i + 1] for name, column in columns.items()}
        fleet.observe([block("m", np.array([START + i * HOUR]), one)])
    return fleet


def follow(columns: dict[str, np.ndarray], rows: int = ROWS) -> tuple[float, np.void]:
    """Return (share of life left, what is known of the part) after so many rows."""
    fleet = fed(columns, rows)
    return fleet.current("m").lives[0].fraction or 0.0, fleet.snapshot()["wears"][0]


@pytest.mark.parametrize("comes_back", [True, False])
@pytest.mark.parametrize("count", range(1, 7))
@pytest.mark.parametrize("off", [0.0, 70.0])
def test_a_sensor_that_is_off_while_the_counter_falls_makes_no_part_new(
    off: float, count: int, comes_back: bool
) -> None:
    columns = readings()
    columns["drop"][FALLS : FALLS + count] = off
    columns["hours"][FALLS : FALLS + count if comes_back else ROWS] -= FALLS + 1.0
    left, part = follow(columns)
    assert part["fresh"] == 0
    assert left < 0.6


@pytest.mark.parametrize(
    "climbs", [(90.0, 130.0), (60.0, 110.0, 140.0), (0.0,), (101.0,), (75.0, 89.0, 111.0)]
)
def test_a_machine_that_climbs_back_after_its_counter_was_set_back_has_the_old_part(
    climbs: tuple[float, ...],
) -> None:
    columns = readings()
    columns["drop"][FALLS : FALLS + len(climbs)] = climbs
    columns["hours"][FALLS:] -= FALLS + 1.0
    left, part = follow(columns)
    assert part["fresh"] == 0
    assert left < 0.35


SLOW = [
    (96.0, 101.0, 103.0, 111.0),
    (100.0, 100.3, 100.5, 120.0),
    (101.0, 103.0, 111.0, 125.0, 140.0),
    (100.0, 100.2, 100.1, 100.4, 100.3, 100.5, 101.0, 118.0),
]


@pytest.mark.parametrize("falls", [True, False])
@pytest.mark.parametrize("climbs", SLOW)
def test_a_machine_that_starts_slowly_has_the_old_part_again(
    climbs: tuple[float, ...], falls: bool
) -> None:
    """Two like readings near those of a new part show one, until it reads as the old one."""
    columns = readings()
    plain, part = follow(columns, FALLS + 60)
    columns["drop"][FALLS : FALLS + len(climbs)] = climbs
    if falls:
        columns["hours"][FALLS:] -= FALLS + 1.0
    assert follow(columns, FALLS + 4)[0] > 0.9
    left, again = follow(columns, FALLS + 60)
    assert (again["fresh"], again["trial"]) == (0, 0)
    assert left == pytest.approx(plain, abs=0.01)
    assert again["points"] >= part["points"] - 3


@pytest.mark.parametrize("count", [3, 5])
@pytest.mark.parametrize("phase", [0, 3, 6])
def test_a_gap_after_a_slow_start_leaves_the_old_part(phase: int, count: int) -> None:
    """What was read like a new part is not the median of the bucket that the gap closes."""
    columns, at = readings(), FALLS + phase
    columns["drop"][at : at + count] = 100.0 + 0.2 * np.arange(count)
    left = np.r_[0 : at + count + 1, at + count + 9 : FALLS + 90]
    fleet = Fleet({"p": PROFILE})
    fleet.bind("m", "p", "data")
    rows = {name: column[left] for name, column in columns.items()}
    fleet.observe([block("m", START + left * HOUR, rows)])
    assert fleet.snapshot()["wears"][0]["fresh"] == 0
    assert fleet.current("m").lives[0].fraction == pytest.approx(0.315, abs=0.02)


@pytest.mark.parametrize("odd", [60.0, 144.0, 190.0])
def test_an_odd_reading_of_a_new_part_does_not_bring_the_old_one_back(odd: float) -> None:
    columns = readings()
    columns["drop"][FALLS:] = readings()["drop"][: ROWS - FALLS]
    columns["drop"][FALLS + 6] = odd
    columns["hours"][FALLS:] -= FALLS + 1.0
    left, part = follow(columns, FALLS + 60)
    assert (part["fresh"], part["trial"]) == (1, 0)
    assert left == pytest.approx(0.94, abs=0.02)


@pytest.mark.parametrize("rows", [3, 60])
def test_the_old_part_teaches_once_when_the_new_one_is_believed_or_reported(rows: int) -> None:
    columns = readings()
    columns["drop"][FALLS:] = readings()["drop"][: ROWS - FALLS]
    columns["hours"][FALLS:] -= FALLS + 1.0
    fleet = fed(columns, FALLS + rows)
    assert (fleet.snapshot()["taught"]["parts"][0] > 0.0) == (rows == 60)
    fleet.restart("m", "filter", START + (FALLS + rows) * HOUR)
    assert 0.0 < fleet.snapshot()["taught"]["parts"][0] <= 1.0


@pytest.mark.parametrize("every", [4, 5, 8])
@pytest.mark.parametrize("name", ["drop", "hours"])
def test_glitches_that_come_again_and_again_cost_no_points(name: str, every: int) -> None:
    columns = readings(1.35)
    left, part = follow(columns)
    columns[name][100::every] = {"drop": 101.0, "hours": 0.0}[name]
    again, read = follow(columns)
    assert read["points"] >= part["points"] - 2
    assert again == pytest.approx(left, abs=0.02)


def test_a_new_part_that_is_seen_after_a_stop_is_as_old_as_its_counter() -> None:
    columns = readings()
    columns["drop"][FALLS:] = readings()["drop"][: ROWS - FALLS]
    columns["drop"][FALLS : FALLS + 10] = 0.0
    columns["hours"][FALLS:] -= FALLS + 1.0
    left, part = follow(columns, FALLS + 40)
    assert left > 0.9
    assert part["start"] == pytest.approx(FALLS, abs=1.0)


def test_a_new_part_that_several_readings_show_is_as_old_as_its_counter() -> None:
    columns, falls = readings(), 110
    columns["drop"][falls:] = readings()["drop"][: ROWS - falls] + 3.0
    columns["hours"][falls:] -= falls + 1.0
    assert follow(columns, falls + 3)[1]["fresh"] == 0
    left, part = follow(columns, falls + 6)
    assert left > 0.95
    assert part["start"] == pytest.approx(falls, abs=1.0)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("odd", [150.0, 170.0])
@pytest.mark.parametrize("seed", range(4))
def test_an_odd_reading_among_the_first_ones_hides_no_new_part(
    seed: int, odd: float, place: int
) -> None:
    """A part of a fifth of its wear is replaced; its readings are too noisy to show it at once."""
    columns, noise = readings(1 / 3), 4.0 * np.random.default_rng(seed).standard_normal(ROWS)
    columns["drop"] += noise
    columns["drop"][FALLS:] = CURVE[0] + noise[FALLS:]
    columns["hours"][FALLS:] -= FALLS
    shown = follow(columns, FALLS + 6)[1]["fresh"]
    columns["drop"][FALLS + place] = odd
    assert follow(columns, FALLS + 7)[1]["fresh"] == shown == 1
