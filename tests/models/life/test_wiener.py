"""Wear as a process: what is learned of a part, and what is not believed."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.life import online
from models.life.wiener import WEAR, begin
from models.profile import Consumable
from tests.models.life.parts import FALLING, FILTER, band, follow, indicator, state, take


@pytest.mark.parametrize("part", [FILTER, FALLING])
@pytest.mark.parametrize("rate", [0.6, 1.0, 1.5])
def test_the_rate_of_a_part_is_learned(part: Consumable, rate: float) -> None:
    wears, usual = follow(part, rate=rate, noise=0.2)
    assert wears[0]["r"] == pytest.approx(rate, rel=0.06)
    assert wears[0]["w"] == pytest.approx(0.5, abs=0.02)
    assert wears[0]["rr"] < 0.2 * usual[0]["rate_var"]
    found = band(wears, usual)
    assert found[0] < 0.5 / rate * 400 < found[2]
    assert found[1] == pytest.approx(0.5 / rate * 400, rel=0.08)


@pytest.mark.parametrize("part", [FILTER, FALLING])
def test_before_anything_is_learned_the_band_is_the_priors(part: Consumable) -> None:
    wears, usual = follow(part, first=0.3, last=0.301, count=5, noise=0.05)
    found = band(wears, usual)
    assert found[1] == pytest.approx(0.7 * 400, rel=0.05)
    assert found[2] / found[1] == pytest.approx(1 + 1.28 * 0.2, rel=0.06)


def test_bands_cover_what_they_say() -> None:
    """Parts drawn from the prior, with use that differs from day to day: 80 % of 400."""
    chance = np.random.default_rng(3)
    hits = 0
    for seed in range(400):
        rate, days = float(np.exp(0.2 * chance.standard_normal())), 800
        daily = rate / 400.0 * np.maximum(1.0 + 0.3 * chance.standard_normal(days), 0.0)
        wear = np.cumsum(daily)
        fails = int(np.argmax(wear >= 1.0))
        at = int(chance.uniform(0.05, 0.9) * fails) + 4
        wears, usual = state(), online.usual(FILTER)
        uses = np.arange(1, at + 1) / 400.0
        begin(wears[0], usual[0], 0.0, True)
        values = indicator(FILTER, wear[:at], 0.5, seed)
        take(wears, usual, uses, values)
        found = band(wears, usual)
        hits += found[0] <= fails - at + 1 and fails - at <= found[2]
    assert 0.75 <= hits / 400 <= 0.87


def test_wear_that_quickens_is_followed_within_a_few_readings() -> None:
    wears, usual = follow(FILTER, first=0.1, last=0.3)
    used = float(wears[0]["use"])
    uses = used + np.arange(1, 13) * 0.002
    wear = 0.3 + 15.0 * (uses - used)
    values = indicator(FILTER, wear, 0.5, 9)
    take(wears, usual, uses, values)
    left = (1.0 - wear[-1]) / 15.0 * 400
    found = band(wears, usual)
    assert wears[0]["r"] > 8.0
    assert found[0] <= left <= found[2]


def test_no_two_readings_show_that_wear_quickens_and_three_do() -> None:
    wears, usual = follow(FILTER, first=0.1, last=0.3)
    uses = float(wears[0]["use"]) + 0.002 * np.arange(1, 4)
    opened = []
    for used in uses:
        take(wears, usual, [used], [500.0])
        opened.append(int(wears[0]["opened"]))
    assert opened == [0, 0, 1]


@pytest.mark.parametrize("odd", [3, 6])
def test_a_rate_that_a_disturbance_opened_goes_with_it(odd: int) -> None:
    wears, usual = follow(FILTER, first=0.1, last=0.3, count=30)
    before, rate = band(wears, usual), float(wears[0]["r"])
    uses = float(wears[0]["use"]) + 0.0025 * np.arange(1, odd + 3)
    take(wears, usual, uses[:odd], [500.0] * odd)
    assert wears[0]["opened"] == 1
    assert band(wears, usual)[1] < 0.1 * before[1]
    values = indicator(FILTER, 0.3 + 0.0025 * np.arange(odd + 1, odd + 3), 0.5, 5)
    take(wears, usual, uses[odd:], values)
    assert wears[0]["opened"] == 0
    assert wears[0]["r"] == pytest.approx(rate, rel=0.05)
    np.testing.assert_allclose(band(wears, usual)[:3], before[:3], rtol=0.15)


@pytest.mark.parametrize("seed", range(10))
def test_noise_alone_never_quickens(seed: int) -> None:
    wears, usual = follow(FILTER, first=0.3, last=0.33, count=800, noise=2.0, seed=seed)
    assert wears[0]["r"] < 2.0
    assert band(wears, usual)[0] > 150


def test_one_reading_far_off_moves_little() -> None:
    wears, usual = follow(FILTER)
    before = band(wears, usual)
    used = float(wears[0]["use"]) + 0.001
    for value in (500.0, 0.0):
        copy = wears.copy()
        if take(copy, usual, [used], [value]) == 1 and value > 200:
            assert band(copy, usual)[1] == pytest.approx(before[1], rel=0.1)


def test_the_unit_of_the_indicator_changes_nothing() -> None:
    scaled = Consumable(
        title={},
        part="f",
        indicator="drop",
        limit=20_032.0,
        curve=tuple(100.0 * y + 32.0 for y in FILTER.curve),
        new_spread=200.0,
        life_d=400.0,
        spread=0.2,
        varies=0.3,
    )
    ours, theirs = follow(FILTER), follow(scaled, noise=50.0)
    np.testing.assert_allclose(band(*ours), band(*theirs) * [1, 1, 1, 1, 0.01], rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), cuts=st.sets(st.integers(1, 59), max_size=8))
def test_any_cut_of_the_readings_gives_the_same_bits(seed: int, cuts: set[int]) -> None:
    chance = np.random.default_rng(seed)
    uses = np.cumsum(chance.exponential(0.005, 60))
    values = indicator(FILTER, 0.2 + uses * chance.choice([1.0, 8.0]), 3.0, seed)
    values[chance.integers(60)] = 0.0
    usual, states = online.usual(FILTER), []
    for edges in ([0, 60], [0, *sorted(cuts), 60]):
        wears = state()
        begin(wears[0], usual[0], 0.0, False)
        for first, last in pairwise(edges):
            at = first
            while at < last:
                taken = take(wears, usual, uses[at:last], values[at:last])
                at += taken
                if at < last:  # a new part
                    begin(wears[0], usual[0], 0.0, True)
                    at += 1
        states.append(wears.tobytes())
    assert states[0] == states[1]


def test_states_are_plain_numbers() -> None:
    assert {WEAR[name].kind for name in WEAR.names or ()} == {"i", "f"}


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40),
    steps=st.lists(st.floats(0.0, 2.0), min_size=40, max_size=40),
    part=st.sampled_from([FILTER, FALLING]),
)
def test_whatever_is_read_the_state_and_the_band_stay_numbers(
    values: list[float], steps: list[float], part: Consumable
) -> None:
    wears, usual = state(), online.usual(part)
    uses = np.cumsum(steps)[: len(values)]
    begin(wears[0], usual[0], 0.0, False)
    at = 0
    while at < len(values):
        at += take(wears, usual, uses[at:], values[at:])
        if at < len(values):
            begin(wears[0], usual[0], 0.0, True)
            at += 1
    assert all(np.isfinite(wears[0][name]) for name in WEAR.names or ())
    found = band(wears, usual)
    assert np.isfinite(found).all()
    assert 0.0 <= found[0] <= found[1] <= found[2]
