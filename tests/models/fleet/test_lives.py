"""Lives as the fleet tells them: counters that jump, parts that are replaced, bands that hold."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.assessment import Assessment, Life
from models.fleet import Fleet
from models.fleet.persist import SnapshotError
from models.profile import parse_profile
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


def test_a_counters_band_grows_with_how_use_varies() -> None:
    widths = []
    for swing in (0.1, 0.3, 0.48):
        fleet = bound()
        weeks = np.repeat(0.5 + swing * (-1.0) ** np.arange(12), 7 * 24)
        run(fleet, np.cumsum(weeks), "hours")
        found = life(fleet.current("m"), "seal")
        assert found.p10_s is not None
        assert found.p50_s is not None
        assert found.p90_s is not None
        assert found.p10_s < found.p50_s < found.p90_s
        widths.append(found.p90_s - found.p10_s)
    assert widths == sorted(widths)


def test_a_counter_that_is_used_up_or_stands_still() -> None:
    over, idle = bound(), bound()
    run(over, hours(40, start=9000), "hours")
    assert life(over.current("m"), "seal").p50_s == 0.0
    assert life(over.current("m"), "seal").fraction == 0.0
    run(idle, np.zeros(40 * 24), "hours")
    assert life(idle.current("m"), "seal").p50_s is None
    assert life(idle.current("m"), "seal").fraction == 1.0


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


CURVED_TEXT = """
name = "curved"
version = 1
title = { en = "Curved" }

[signals.drop]
worse = "high"

[signals.flow]
role = "context"

[signals.pages]
role = "counter"

[consumables.filter]
title = { en = "Filter" }
part = "F"
indicator = "drop"
limit = 200.0
curve = [100.0, 120.0, 150.0, 200.0]
new_spread = 1.0
life_d = 100.0
spread = 0.2

[consumables.roller]
title = { en = "Roller" }
part = "R"
counter = "pages"
rated = 3000.0
spread = 0.1

[consumables.belt]
title = { en = "Belt" }
part = "B"
life_d = 60.0
spread = 0.2
"""
CURVED = parse_profile(CURVED_TEXT)


def curved(**columns: np.ndarray) -> Fleet:
    fleet = Fleet({"curved": CURVED})
    fleet.bind("m", "curved", "data")
    for first in range(0, len(next(iter(columns.values()))), 24):
        feed(fleet, first, {k: v[first : first + 24] for k, v in columns.items()})
    return fleet


def feed(fleet: Fleet, first: int, columns: dict[str, np.ndarray]) -> list[Assessment]:
    count = len(next(iter(columns.values())))
    times = START + (first + np.arange(count)) * HOUR * S
    return fleet.observe([block("m", times, columns)])


def drop(days: float, per_day: float = 0.01, start: float = 0.1, seed: int = 0) -> np.ndarray:
    """Return hourly readings of the filter's indicator as it wears."""
    wear = start + per_day * np.arange(int(days * 24)) / 24
    clean = np.interp(wear, np.linspace(0, 1, 4), [100.0, 120.0, 150.0, 200.0])
    read: np.ndarray = clean + 0.5 * np.random.default_rng(seed).standard_normal(len(wear))
    return read


def test_a_curve_makes_a_band_of_the_part_s_own_rate() -> None:
    found = life(curved(drop=drop(40, per_day=0.014)).current("m"), "filter")
    left = (1 - 0.1 - 0.014 * 40) / 0.014
    assert found.basis == "wear"
    assert found.p10_s is not None
    assert found.p90_s is not None
    assert found.p10_s <= left * DAY <= found.p90_s
    assert found.fraction == pytest.approx(0.34, abs=0.03)


def test_a_new_part_is_seen_with_its_first_reading_and_a_glitch_is_taken_back() -> None:
    fleet = curved(drop=drop(40, per_day=0.014))
    before = life(fleet.current("m"), "filter")
    feed(fleet, 960, {"drop": np.array([100.3])})
    tried = life(fleet.current("m"), "filter")
    assert tried.fraction == pytest.approx(1.0, abs=0.02)
    assert tried.p90_s is None
    feed(fleet, 961, {"drop": drop(40, per_day=0.014)[-1:]})
    after = life(fleet.current("m"), "filter")
    assert after.fraction == pytest.approx(before.fraction, abs=0.01)
    assert after.p50_s == pytest.approx(before.p50_s, rel=0.05)
    told = feed(fleet, 962, {"drop": drop(2, start=0.0, seed=5)})
    assert all(life(a, "filter").fraction == pytest.approx(1.0, abs=0.05) for a in told)
    new = life(fleet.current("m"), "filter")
    assert new.p50_s is not None
    assert 60 * DAY < new.p50_s < 110 * DAY


@pytest.mark.parametrize("value", [150.0, 400.0, 130.0])
def test_no_other_glitch_makes_a_new_part(value: float) -> None:
    fleet = curved(drop=drop(40, per_day=0.014))
    before = life(fleet.current("m"), "filter")
    feed(fleet, 960, {"drop": np.array([value])})
    feed(fleet, 961, {"drop": drop(41, per_day=0.014)[961:]})
    after = life(fleet.current("m"), "filter")
    assert after.fraction == pytest.approx(before.fraction, abs=0.04)


def test_a_sensor_that_reads_nothing_makes_no_new_part() -> None:
    fleet = curved(drop=drop(40, per_day=0.014))
    before = life(fleet.current("m"), "filter")
    feed(fleet, 960, {"drop": np.zeros(96)})
    after = life(fleet.current("m"), "filter")
    assert after.p50_s == pytest.approx((before.p50_s or 0.0) - 4 * DAY, rel=0.05)


def test_a_gap_in_the_readings_is_bridged_by_the_rate() -> None:
    values = drop(50, per_day=0.014)
    values[500:900] = np.nan
    found = life(curved(drop=values).current("m"), "filter")
    assert found.fraction == pytest.approx(1 - 0.1 - 0.014 * 50, abs=0.03)


def test_old_parts_teach_what_new_ones_will_do() -> None:
    """Filters here last half as long as the profile says."""
    fleet = curved(drop=drop(45, per_day=0.02, start=0.0))
    expected = []
    for k in range(6):
        first = 24 * 45 + 24 * 45 * k
        feed(fleet, first, {"drop": drop(3, per_day=0.02, start=0.0, seed=k)})
        p50 = life(fleet.current("m"), "filter").p50_s
        assert p50 is not None
        expected.append(p50 / DAY)
        feed(fleet, first + 72, {"drop": drop(42, per_day=0.02, start=0.06, seed=50 + k)})
    assert expected[-1] < 0.85 * expected[0]


def test_a_counter_that_is_set_back_or_rolls_over_leaves_the_roller_as_it_is() -> None:
    pages = np.arange(960) * 2.0
    plain = life(curved(pages=pages).current("m"), "roller").fraction
    for changed in (np.where(pages >= 1000, pages - 1000, pages), (pages + 98_500) % 1e5):
        found = life(curved(pages=changed).current("m"), "roller").fraction
        used = 98_500 / 3000 if changed[0] else 0.0
        assert found == pytest.approx(max((plain or 0.0) - used, 0.0), abs=0.01)


@settings(max_examples=15, deadline=None)
@given(data=st.data(), seed=st.integers(0, 30))
def test_any_cut_and_any_restore_give_the_same_lives(data: st.DataObject, seed: int) -> None:
    chance = np.random.default_rng(seed)
    count = 24 * 20
    values = drop(20, per_day=0.03, seed=seed)
    at = int(chance.integers(200, count))
    values[at:] = drop(20, start=0.0, seed=seed + 1)[: count - at]
    values[chance.integers(0, count, 5)] = chance.choice([np.nan, 100.0, 0.0], 5)
    pages = np.cumsum(chance.poisson(5.0, count)).astype(float)
    pages[int(chance.integers(count)) :] -= pages[-1] // 2
    columns = {"drop": values, "pages": np.maximum(pages, 0.0)}
    whole = Fleet({"curved": CURVED})
    whole.bind("m", "curved", "data")
    told = feed(whole, 0, columns)
    edges = sorted({0, count, *data.draw(st.sets(st.integers(1, count - 1), max_size=12))})
    stop = data.draw(st.sampled_from(edges))
    fleet, again = Fleet({"curved": CURVED}), []
    fleet.bind("m", "curved", "data")
    for first, last in pairwise(edges):
        if first == stop:
            fleet = Fleet.restore({"curved": CURVED}, fleet.snapshot())
        again += feed(fleet, first, {k: v[first:last] for k, v in columns.items()})
    assert [a.lives for a in again] == [a.lives for a in told]
    left, right = fleet.snapshot(), whole.snapshot()
    for name in ("lives", "wears", "wears_before", "taught", "histories"):
        assert left[name].tobytes() == right[name].tobytes()


def test_a_snapshot_without_states_of_wear_is_refused() -> None:
    arrays = curved(drop=drop(5)).snapshot()
    del arrays["wears"]
    with pytest.raises(SnapshotError, match="wear"):
        Fleet.restore({"curved": CURVED}, arrays)


def test_a_part_that_nothing_measures_has_the_band_of_its_age() -> None:
    fleet = curved(drop=drop(20))
    unsure = life(fleet.current("m"), "belt")
    assert unsure.basis == "prior"  # nobody saw it new
    fleet.restart("m", "belt", START + 20 * DAY * S)
    new = life(fleet.current("m"), "belt")
    assert new.basis == "hazard"
    assert new.p50_s == pytest.approx(60 * DAY, rel=0.05)
    feed(fleet, 480, {"drop": drop(40, start=0.3)})
    old = life(fleet.current("m"), "belt")
    assert old.p10_s is not None
    assert old.p50_s is not None
    assert old.p10_s < old.p50_s < 30 * DAY
    again = Fleet.restore({"curved": CURVED}, fleet.snapshot())
    assert again.current("m") == fleet.current("m")
    for k in range(8):  # belts end after 40 days here
        again.restart("m", "belt", START + (60 + 40 * k) * DAY * S)
    taught = life(again.current("m"), "belt")
    assert taught.p50_s is not None
    assert taught.p50_s < 55 * DAY


def test_an_indicator_is_read_as_at_the_nominal_load() -> None:
    """Pressure over a filter at 60 to 100 % of its flow, which now and then stands still."""
    norm = 'indicator = "drop"\nnorm = { by = "flow", nominal = 600.0, power = 1.2 }'
    profile = parse_profile(CURVED_TEXT.replace('indicator = "drop"', norm))
    chance, values = np.random.default_rng(3), drop(45, per_day=0.014)
    share = chance.choice([0.6, 0.8, 1.0], len(values) // 12).repeat(12)
    share[300:312] = 0.0
    fleet = Fleet({"curved": profile})
    fleet.bind("m", "curved", "data")
    for first in range(0, len(values), 24):
        part = slice(first, first + 24)
        feed(fleet, first, {"flow": 600.0 * share[part], "drop": (values * share**1.2)[part]})
    found = life(fleet.current("m"), "filter")
    left = (1 - 0.1 - 0.014 * 45) / 0.014
    assert found.fraction == pytest.approx(1 - 0.1 - 0.014 * 45, abs=0.04)
    assert found.p10_s is not None
    assert found.p90_s is not None
    assert found.p10_s <= left * DAY <= found.p90_s
