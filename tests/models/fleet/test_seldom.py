"""Lives of parts that are read once a day or less, and of those that are used up within hours."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.assessment import Life
from models.fleet import Fleet
from tests.models.fleet.machines import DAY, START, S, block
from tests.models.fleet.test_counters import PROFILE, RATED
from tests.models.fleet.test_lives import CURVED

HOUR = 3600
Columns = dict[str, np.ndarray]


def bound(profile: str = "curved") -> Fleet:
    fleet = Fleet({"curved": CURVED, "press": PROFILE})
    fleet.bind("m", profile, "data")
    return fleet


def feed(fleet: Fleet, first: int, columns: Columns, *, every: float = DAY) -> None:
    count = len(next(iter(columns.values())))
    late = np.random.default_rng(first).uniform(-0.1, 0.1, count)
    times = START + ((first + np.arange(count) + late) * every * S).astype(np.int64)
    fleet.observe([block("m", times, columns)])


def told(fleet: Fleet, component: str) -> Life:
    [found] = [life for life in fleet.current("m").lives if life.component == component]
    return found


def drop(wear: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return readings of the filter's indicator at a wear."""
    clean = np.interp(wear, np.linspace(0, 1, 4), [100.0, 120.0, 150.0, 200.0])
    read: np.ndarray = clean + 0.5 * np.random.default_rng(seed).standard_normal(len(wear))
    return read


@pytest.mark.parametrize("every", [0.25, 0.5, 1.0, 7.0])
def test_the_share_that_is_left_is_that_of_the_last_reading(every: float) -> None:
    fleet = bound("press")
    values = 400.0 * every * np.arange(int(100 / every))
    for k, value in enumerate(values):
        feed(fleet, k, {"strokes": np.array([value])}, every=every * DAY)
        if k >= 12:
            share = told(fleet, "die").fraction
            assert share == pytest.approx(1.0 - value / RATED, abs=0.02)
            assert every < 1.0 or share == pytest.approx(1.0 - value / RATED, abs=1e-9)


def test_a_day_s_reading_counts_at_once() -> None:
    """Wear that quickens: each reading is in the estimate that follows it."""
    fleet = bound()
    wear = np.concatenate([0.1 + 0.01 * np.arange(40), 0.5 + 0.04 * np.arange(1, 12)])
    values = drop(wear)
    for k, value in enumerate(values):
        feed(fleet, k, {"drop": np.array([value])})
        life = told(fleet, "filter")
        assert (life.p50_s is not None) == (k >= 9)
        if k >= 9:
            assert life.fraction == pytest.approx(1.0 - wear[k], abs=0.06)
    assert life.p50_s == pytest.approx((1.0 - wear[-1]) / 0.04 * DAY, abs=2 * DAY)


def test_a_new_part_is_seen_with_a_day_s_reading_and_a_glitch_is_taken_back() -> None:
    fleet = bound()
    feed(fleet, 0, {"drop": drop(0.1 + 0.01 * np.arange(50))})
    feed(fleet, 50, {"drop": np.array([100.3])})
    assert told(fleet, "filter").fraction == pytest.approx(1.0, abs=0.03)
    feed(fleet, 51, {"drop": drop(np.array([0.61]))})
    assert told(fleet, "filter").fraction == pytest.approx(0.39, abs=0.03)
    feed(fleet, 52, {"drop": drop(0.01 * np.arange(6), seed=3)})
    life = told(fleet, "filter")
    assert life.fraction == pytest.approx(0.95, abs=0.03)
    assert life.p50_s is not None
    assert 60 * DAY < life.p50_s < 130 * DAY


@pytest.mark.parametrize("value", [150.0, 400.0, 0.0])
def test_no_other_glitch_of_a_day_moves_the_band(value: float) -> None:
    fleet, plain = bound(), bound()
    values = drop(0.1 + 0.01 * np.arange(60))
    feed(plain, 0, {"drop": values})
    values[50] = value
    feed(fleet, 0, {"drop": values})
    found, usual = told(fleet, "filter"), told(plain, "filter")
    assert found.fraction == pytest.approx(usual.fraction, abs=0.04)
    assert found.p50_s == pytest.approx(usual.p50_s, rel=0.15)


def test_a_day_s_band_holds_and_does_not_flap() -> None:
    held, steps = [], []
    for seed in range(40):
        chance = np.random.default_rng(seed)
        fleet, last = bound(), None
        per_day = 0.01 * np.exp(0.2 * chance.standard_normal())
        wear = 0.1 + per_day * np.arange(int(0.7 / per_day))
        values = drop(wear, seed)
        for k, value in enumerate(values):
            feed(fleet, k, {"drop": np.array([value])})
            life = told(fleet, "filter")
            if life.p50_s is not None and k > 20:
                if last is not None:
                    steps.append(abs(life.p50_s + DAY - last) / last)
                last = life.p50_s
        assert life.p10_s is not None
        assert life.p90_s is not None
        held.append(life.p10_s <= (1.0 - wear[-1]) / per_day * DAY <= life.p90_s)
    assert np.mean(held) > 0.65
    assert np.quantile(steps, 0.95) < 0.05


def test_what_is_used_within_hours_is_told_within_hours() -> None:
    """A press that works off a third of a die in one shift, between two points of its past."""
    fleet = bound("press")
    values = np.cumsum(np.full(40 * 24, 10.0))
    feed(fleet, 0, {"strokes": values}, every=HOUR)
    for k in range(1, 8):
        more = values[-1] + 2_000.0 * k
        feed(fleet, 960 + k, {"strokes": np.array([more])}, every=HOUR)
        # a reading that no use explains waits for two more
        if k >= 3:
            assert told(fleet, "die").fraction == pytest.approx(1.0 - more / RATED, abs=0.02)


@settings(max_examples=10, deadline=None)
@given(data=st.data(), seed=st.integers(0, 30))
def test_any_cut_and_any_restore_give_the_same_lives(data: st.DataObject, seed: int) -> None:
    chance = np.random.default_rng(seed)
    count = 90
    values = drop(0.1 + 0.02 * np.arange(count) % 0.9, seed)
    values[chance.integers(0, count, 5)] = chance.choice([np.nan, 100.0, 0.0], 5)
    pages = np.cumsum(chance.poisson(50.0, count)).astype(float)
    pages[int(chance.integers(count)) :] -= pages[-1] // 2
    times = START + (np.arange(count) * DAY * S + chance.integers(0, HOUR * S, count))
    columns = {"drop": values, "pages": np.maximum(pages, 0.0)}
    fleets = [bound(), bound()]
    lives = [fleets[0].observe([block("m", times, columns)]), []]
    edges = sorted({0, count, *data.draw(st.sets(st.integers(1, count - 1), max_size=12))})
    stop = data.draw(st.sampled_from(edges))
    for first, last in pairwise(edges):
        if first == stop:
            fleets[1] = Fleet.restore({"curved": CURVED, "press": PROFILE}, fleets[1].snapshot())
        part = slice(first, last)
        lives[1] += fleets[1].observe(
            [block("m", times[part], {k: v[part] for k, v in columns.items()})]
        )
    assert [a.lives for a in lives[1]] == [a.lives for a in lives[0]]
    left, right = (fleet.snapshot() for fleet in fleets)
    for name in ("lives", "wears", "wears_before", "taught", "histories"):
        assert left[name].tobytes() == right[name].tobytes()


def test_near_its_end_a_life_is_estimated_more_often() -> None:
    """A filter that is read each ten minutes: a point each 80, and six hours are long then."""
    fleet, rows = bound(), 40 * 144
    values = drop(np.arange(rows) / 144 / 40.5)
    feed(fleet, 0, {"drop": values[: rows - 144]}, every=600.0)
    made = set()
    for k in range(rows - 144, rows):
        feed(fleet, k, {"drop": values[k : k + 1]}, every=600.0)
        made.add(int(fleet.snapshot()["lives"]["at_ns"].max()))
    assert told(fleet, "filter").p10_s is not None
    assert len(made) >= 12
