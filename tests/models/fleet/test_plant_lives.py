"""Lives of simulated plants by their own profiles: any cut, and parts that are replaced."""

import numpy as np
import pytest

from models.assessment import Life
from models.fleet import Fleet
from models.profile import load_profiles
from models.rows import Block
from simulators.plants import PLANTS, Plant, Specimen, WearFault, true_life_s
from tests.models.fleet.machines import DAY, START, S, block

PROFILES = load_profiles()
PARTS = [
    ("centrifugal-pump", "bearing"),
    ("air-purifier", "filter"),
    ("office-printer", "drum"),
    ("office-printer", "toner"),
    ("battery-pack", "cells"),
]
every_part = pytest.mark.parametrize(("profile", "component"), PARTS)
HOUR = 3600.0


def machine(profile: str) -> Fleet:
    fleet = Fleet(PROFILES)
    fleet.bind("m", profile, "data")
    return fleet


def feed(fleet: Fleet, plant: Plant, times: np.ndarray, values: np.ndarray, unit: int = 0) -> None:
    """Give rows to a fleet, one machine of the plant."""
    times_ns = START + (times * S).astype(np.int64)
    columns = tuple(np.ascontiguousarray(column) for column in values[:, unit].T)
    block = Block(
        n=0,
        machine="m",
        device="d",
        boot="b",
        stream="live",
        seq=0,
        times_ns=times_ns,
        received_ns=int(times_ns[-1]),
        signals=plant.signals,
        columns=columns,
    )
    fleet.observe([block])


def life(fleet: Fleet, component: str) -> Life:
    return next(one for one in fleet.current("m").lives if one.component == component)


@every_part
def test_a_worn_part_is_replaced_and_its_successor_believed(profile: str, component: str) -> None:
    at = 12.0 * DAY
    worn = Specimen(key="w", used={component: 0.8}, replaced_s={component: (at,)})
    plant = PLANTS[profile]([worn], 4)
    times = np.arange(20.0 * 24.0) * HOUR
    values = plant.sample(times)
    k = int(at / HOUR)
    fleet = machine(profile)
    feed(fleet, plant, times[:k], values[:k])
    assert (life(fleet, component).fraction or 1.0) < 0.25
    feed(fleet, plant, times[k : k + 1], values[k : k + 1])
    assert (life(fleet, component).fraction or 0.0) > 0.95
    feed(fleet, plant, times[k + 1 :], values[k + 1 :])
    new = life(fleet, component)
    assert (new.fraction or 0.0) > 0.8
    truth = true_life_s(plant, component, times[-1:])[0, 0]
    assert new.p50_s == pytest.approx(truth, rel=0.6)


@every_part
def test_single_rows_and_days_give_the_same_bits(profile: str, component: str) -> None:
    specimen = Specimen(key="c", used={component: 0.6}, replaced_s={component: (9.3 * DAY,)})
    plant = PLANTS[profile]([specimen], 6)
    times = np.arange(12.0 * 24.0) * HOUR
    values = plant.sample(times)
    days, rows = machine(profile), machine(profile)
    for first in range(0, len(times), 24):
        feed(days, plant, times[first : first + 24], values[first : first + 24])
    for row in range(len(times)):
        feed(rows, plant, times[row : row + 1], values[row : row + 1])
        if row == 200:
            rows = Fleet.restore(PROFILES, rows.snapshot())
    left, right = days.snapshot(), rows.snapshot()
    for name in ("lives", "wears", "wears_before", "taught"):
        assert left[name].tobytes() == right[name].tobytes()
    assert days.current("m").lives == rows.current("m").lives


ODD = [
    ("air-purifier", "filter", "filter_resistance", 300.0),
    ("battery-pack", "cells", "state_of_health", 84.0),
]


@pytest.mark.parametrize(("profile", "component", "signal", "value"), ODD)
@pytest.mark.parametrize("offset", [0, 4, 5])
@pytest.mark.parametrize(("odd", "every_h"), [(6, 1.0), (8, 1.0), (15, 1.0), (8, 2.0), (10, 2.0)])
def test_readings_that_are_odd_for_less_than_two_points_end_no_band(
    profile: str,
    component: str,
    signal: str,
    value: float,
    offset: int,
    odd: int,
    every_h: float,
) -> None:
    plant = PLANTS[profile]([Specimen(key="q", used={component: 0.2})], 5)
    times = np.arange(12.0 * 24.0) * every_h * HOUR
    values = plant.sample(times)
    first = 240 + offset
    values[first : first + odd, :, plant.signals.index(signal)] = value
    fleet = machine(profile)
    feed(fleet, plant, times[:first], values[:first])
    before = life(fleet, component).p50_s or 0.0
    for row in range(first, len(times)):
        feed(fleet, plant, times[row : row + 1], values[row : row + 1])
        assert (life(fleet, component).p50_s or 0.0) > 0.7 * before


@pytest.mark.parametrize("quick", [8, 60])
@pytest.mark.parametrize(("profile", "component", "signal", "value"), ODD)
def test_points_get_as_wide_as_readings_that_come_seldom_after_quick_ones_ask(
    profile: str, component: str, signal: str, value: float, quick: int
) -> None:
    """Set up by the minute, then read every two hours; the same bits row by row, restored."""
    plant = PLANTS[profile]([Specimen(key="q", used={component: 0.2})], 5)
    begin = 60.0 * np.arange(quick)
    times = np.concatenate([begin, begin[-1] + 2.0 * HOUR * np.arange(1.0, 361.0)])
    values = plant.sample(times)
    first = quick + 240
    values[first : first + 4, :, plant.signals.index(signal)] = value
    whole, rows = machine(profile), machine(profile)
    feed(whole, plant, times, values)
    feed(rows, plant, times[:first], values[:first])
    before = life(rows, component).p50_s or 0.0
    rows = Fleet.restore(PROFILES, rows.snapshot())
    for row in range(first, len(times)):
        feed(rows, plant, times[row : row + 1], values[row : row + 1])
        assert (life(rows, component).p50_s or 0.0) > 0.7 * before
    left, right = whole.snapshot(), rows.snapshot()
    for name in ("histories", "wears", "lives"):
        assert left[name].tobytes() == right[name].tobytes()


@pytest.mark.parametrize("hour", range(0, 10, 2))
def test_wear_that_quickens_is_told_by_three_points_of_five_readings(hour: int) -> None:
    """Read every two hours: by points of eight it took two days or more."""
    onset = 20.0 * DAY + hour * HOUR
    fault = WearFault(component="cells", onset_s=onset, life_s=8.0 * DAY)
    plant = PLANTS["battery-pack"]([Specimen(key="q", used={"cells": 0.3}, faults=(fault,))], 5)
    times = np.arange(24.0 * 12.0) * 2.0 * HOUR
    values = plant.sample(times)
    fleet, before = machine("battery-pack"), times <= onset
    feed(fleet, plant, times[before], values[before])
    assert (life(fleet, "cells").p10_s or 0.0) > 1_000.0 * DAY
    soon = ~before & (times <= onset + 46.0 * HOUR)
    feed(fleet, plant, times[soon], values[soon])
    assert 0.0 < (life(fleet, "cells").p10_s or 0.0) < 8.0 * DAY


@pytest.mark.parametrize(("profile", "component", "signal", "value"), ODD)
def test_a_day_of_odd_readings_is_forgotten_when_they_are_over(
    profile: str, component: str, signal: str, value: float
) -> None:
    """The same bits row by row, restored, and day by day."""
    plant = PLANTS[profile]([Specimen(key="q", used={component: 0.3})], 5)
    times = np.arange(15.0 * 24.0) * HOUR
    values = plant.sample(times)
    values[243:267, :, plant.signals.index(signal)] = value
    days, rows = machine(profile), machine(profile)
    left = []
    for first in range(0, len(times), 24):
        feed(days, plant, times[first : first + 24], values[first : first + 24])
    for row in range(len(times)):
        feed(rows, plant, times[row : row + 1], values[row : row + 1])
        if row >= 240:
            rows = Fleet.restore(PROFILES, rows.snapshot())
        left.append(life(rows, component).p50_s or 0.0)
    assert min(left[243:275]) < 0.1 * left[242]
    assert min(left[267 + 24 :]) > 0.6 * left[242]
    assert days.snapshot()["wears"].tobytes() == rows.snapshot()["wears"].tobytes()
    assert days.current("m").lives == rows.current("m").lives


def test_counters_of_a_printer_that_are_set_back_replace_nothing() -> None:
    plant = PLANTS["office-printer"]([Specimen(key="p", used={"toner": 0.5, "drum": 0.5})], 2)
    times = np.arange(20.0 * 24.0) * HOUR
    values = plant.sample(times)
    for name in plant.counters:
        column = plant.signals.index(name)
        values[300:, 0, column] -= values[300, 0, column]
    fleet = machine("office-printer")
    feed(fleet, plant, times[:300], values[:300])
    before = {one.component: one.fraction for one in fleet.current("m").lives}
    for row in range(300, 306):
        feed(fleet, plant, times[row : row + 1], values[row : row + 1])
    feed(fleet, plant, times[306:], values[306:])
    for one in fleet.current("m").lives:
        assert (one.fraction or 0.0) <= (before[one.component] or 0.0) + 0.01


def test_a_counter_that_jumps_ahead_makes_no_part_new() -> None:
    used = {"toner": 0.2, "drum": 0.33, "fuser": 0.3}
    plant = PLANTS["office-printer"]([Specimen(key="j", used=used)], 2)
    times = np.arange(15.0 * 24.0) * HOUR
    values = plant.sample(times)
    for name in plant.counters:
        values[300:, 0, plant.signals.index(name)] += 150_000.0
    fleet = machine("office-printer")
    feed(fleet, plant, times[:300], values[:300])
    before = {one.component: one.fraction or 0.0 for one in fleet.current("m").lives}
    for row in range(300, len(times)):
        feed(fleet, plant, times[row : row + 1], values[row : row + 1])
        for one in fleet.current("m").lives:
            assert (one.fraction or 0.0) < before[one.component] + 0.1


UNITS = 20


@every_part
def test_a_part_in_the_second_half_of_its_life_is_seen_to_be_new_at_once(
    profile: str, component: str
) -> None:
    chance = np.random.default_rng(11)
    at = 10.0 * DAY
    made = [
        Specimen(
            key=f"u{i}",
            used={component: float(chance.uniform(0.5, 0.98))},
            replaced_s={component: (at,)},
        )
        for i in range(UNITS)
    ]
    plant = PLANTS[profile](made, 12)
    times = np.arange(11.0 * 24.0) * HOUR
    values = plant.sample(times)
    k = int(at / HOUR)
    for unit in range(UNITS):
        fleet = machine(profile)
        feed(fleet, plant, times[:k], values[:k], unit)
        feed(fleet, plant, times[k : k + 1], values[k : k + 1], unit)
        assert (life(fleet, component).fraction or 0.0) > 0.9
        feed(fleet, plant, times[k + 1 :], values[k + 1 :], unit)
        assert (life(fleet, component).fraction or 0.0) > 0.9


def drum(used: float, replaced_s: float) -> tuple[Plant, np.ndarray, np.ndarray]:
    """Return a printer whose drum is replaced, and 12 days of it by the hour."""
    made = Specimen(key="d", used={"drum": used}, replaced_s={"drum": (replaced_s,)})
    plant = PLANTS["office-printer"]([made], 15)
    times = np.arange(12.0 * 24.0) * HOUR
    return plant, times, plant.sample(times)


def feed_some(
    fleet: Fleet, plant: Plant, rows: tuple[np.ndarray, np.ndarray], names: tuple[str, ...]
) -> None:
    """Give the fleet rows of some signals alone."""
    times, values = rows
    columns = {name: values[:, 0, plant.signals.index(name)] for name in names}
    fleet.observe([block("m", START + (times * S).astype(np.int64), columns)])


def test_drums_that_are_replaced_early_are_told_by_the_mean_of_a_few_readings() -> None:
    at = 10.0 * DAY
    used = np.random.default_rng(17).uniform(0.3, 0.4, UNITS)
    made = [
        Specimen(key=f"u{i}", used={"drum": float(used[i])}, replaced_s={"drum": (at,)})
        for i in range(UNITS)
    ]
    plant = PLANTS["office-printer"](made, 18)
    times = np.arange(12.0 * 24.0) * HOUR
    values = plant.sample(times)
    for unit in range(UNITS):
        fleet = machine("office-printer")
        feed(fleet, plant, times[:240], values[:240], unit)
        assert (life(fleet, "drum").fraction or 1.0) < 0.8
        feed(fleet, plant, times[240:246], values[240:246], unit)
        assert (life(fleet, "drum").fraction or 0.0) > 0.9
        feed(fleet, plant, times[246:], values[246:], unit)
        assert (life(fleet, "drum").fraction or 0.0) > 0.9


def test_a_drum_is_told_to_be_new_where_its_counter_and_its_density_come_apart() -> None:
    plant, times, values = drum(0.6, 10.0 * DAY)
    fleet = machine("office-printer")
    for row in range(len(times)):
        one = (times[row : row + 1], values[row : row + 1])
        feed_some(fleet, plant, one, ("pages", "drum_pages"))
        if row == 240:
            assert (life(fleet, "drum").fraction or 1.0) < 0.5
        later = (times[row : row + 1] + 60.0, values[row : row + 1])
        feed_some(fleet, plant, later, ("print_density",))
        if row >= 240:
            assert (life(fleet, "drum").fraction or 0.0) > 0.9


def test_a_glitch_is_not_confirmed_by_the_rows_of_a_counter() -> None:
    plant, times, values = drum(0.6, 400.0 * DAY)
    fleet = machine("office-printer")
    feed(fleet, plant, times[:240], values[:240])
    before = life(fleet, "drum").fraction or 0.0
    glitch = values[240:241].copy()
    glitch[0, 0, plant.signals.index("print_density")] = 1.45
    feed(fleet, plant, times[240:241], glitch)
    feed_some(fleet, plant, (times[241:265], values[241:265]), ("pages", "drum_pages"))
    feed(fleet, plant, times[265:], values[265:])
    assert life(fleet, "drum").fraction == pytest.approx(before, abs=0.03)


@pytest.mark.parametrize("component", ["drum", "toner", "fuser"])
@pytest.mark.parametrize(("share", "alone"), [(1.0, False), (0.7, False), (1.0, True)])
def test_a_counter_that_is_set_back_makes_no_part_new_at_any_age(
    component: str, share: float, alone: bool
) -> None:
    chance = np.random.default_rng(13)
    made = [
        Specimen(key=f"u{i}", used={component: float(chance.uniform(0.1, 0.98))})
        for i in range(UNITS)
    ]
    plant = PLANTS["office-printer"](made, 14)
    times = np.arange(13.0 * 24.0) * HOUR
    values = plant.sample(times)
    k = 240
    names = {f"{component}_pages"} if alone else plant.counters
    columns = [plant.signals.index(name) for name in names]
    values[k:, :, columns] -= share * values[k, :, columns].T
    for unit in range(UNITS):
        fleet = machine("office-printer")
        feed(fleet, plant, times[:k], values[:k], unit)
        before = life(fleet, component).fraction or 0.0
        for last in (k + 1, k + 2, len(times)):
            first = k if last == k + 1 else last - 1 if last == k + 2 else k + 2
            feed(fleet, plant, times[first:last], values[first:last], unit)
        assert (life(fleet, component).fraction or 0.0) < before + 0.1


@every_part
def test_a_part_that_the_profile_knows_no_more_is_replaced_without_a_trace(
    profile: str, component: str
) -> None:
    plant = PLANTS[profile]([Specimen(key="w", used={component: 0.8})], 4)
    times = np.arange(10.0 * 24.0) * HOUR
    fleet = machine(profile)
    feed(fleet, plant, times, plant.sample(times))
    before = fleet.snapshot()
    for known in ({}, {"generic": PROFILES["generic"]}):
        left = Fleet.restore(known, before)
        left.restart("m", component, START + int(11 * DAY) * S)
        assert left.snapshot()["taught"].tobytes() == before["taught"].tobytes()
