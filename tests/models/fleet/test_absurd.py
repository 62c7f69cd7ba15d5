"""Readings that nothing can be, or next to nothing, leave the state sound, however they come."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.assessment import Assessment, Check
from models.fleet import Fleet, Trace
from models.fleet.plans import LAYOUTS
from models.fleet.terms import SLOPE
from models.profile import parse_profile
from models.rows import Block
from tests.models.fleet.machines import START, S, block

DAY_ROWS = 288
LIMITED = parse_profile(
    """
name = "limited"
version = 1
title = { en = "Limited" }
[signals.a]
worse = "high"
limits = { alarm_high = 1e6 }
"""
)


def blocks(columns: dict[str, NDArray[np.float64]], size: int, step_s: int = 300) -> list[Block]:
    rows = len(next(iter(columns.values())))
    times = START + np.arange(rows) * step_s * S
    times[100:] += 7 * 3600 * S
    cuts = [slice(i, i + size) for i in range(0, rows, size)]
    at = int(times[-1])
    cells = [(times[c], {k: v[c] for k, v in columns.items()}) for c in cuts]
    return [block("m", *one, n=0, received_ns=at) for one in cells]


def fed(
    columns: dict[str, NDArray[np.float64]], size: int = 10**6, profile: str = "generic"
) -> tuple[Fleet, Trace]:
    fleet, trace = Fleet({"limited": LIMITED}), Trace()
    fleet.bind("m", profile, "data")
    fleet.observe(blocks(columns, size), trace)
    return fleet, trace


@pytest.mark.parametrize("value", [1e160, 1e300, 1.7e308, np.inf])
@pytest.mark.parametrize("profile", ["generic", "limited"])
def test_a_reading_that_cannot_be_is_missing(profile: str, value: float) -> None:
    rng = np.random.default_rng(1)
    columns = {"a": rng.normal(0, 1, 1500), "b": rng.normal(0, 1, 1500)}
    columns["a"][[400, 402]] = np.nan
    left, _ = fed(columns, profile=profile)
    columns["a"][[400, 402]] = value, -value
    right, _ = fed(columns, profile=profile)
    was, would = left.snapshot(), right.snapshot()
    assert all(was[key].tobytes() == would[key].tobytes() for key in was)


@given(
    unit=st.sampled_from([5e-324, 1e-310, 6e-308, 1e-300, 1e-200, 1e-151, 1e-149, 1e140]),
    seed=st.integers(0, 99),
)
@settings(max_examples=12, deadline=None)
def test_steps_near_the_smallest_number_give_the_same_bits_in_any_cut(
    unit: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 3, 1200).astype(np.float64) * unit
    x[:3], x[10], x[100] = (0.0, unit, 2 * unit), 1.0 if seed % 2 else unit, 0.0
    columns = {"a": x, "b": rng.normal(0, 1, 1200)}
    (whole, left), (single, right) = fed(columns), fed(columns, size=1)
    assert np.array_equal(np.concatenate(left.strengths), np.concatenate(right.strengths))
    was, would = whole.snapshot(), single.snapshot()
    assert all(was[key].tobytes() == would[key].tobytes() for key in was)
    numbers = [name for name in would["onsets"].dtype.names or () if name != "step"]
    assert all(np.isfinite(would["onsets"][name].astype(float)).all() for name in numbers)


@pytest.mark.parametrize("unit", [1e-13, 1.0, 1e10, 1e25])
def test_what_a_partner_says_is_a_number_in_any_unit(unit: float) -> None:
    rng = np.random.default_rng(1)
    rows = 14 * DAY_ROWS
    common, own = rng.normal(50, 1, rows), rng.normal(0, 0.2, (2, rows))
    own[0, 11 * DAY_ROWS :] += 8.0
    fleet, _ = fed({"x": unit * (common + own[0]), "y": unit * (common + own[1])})
    now = fleet.current("m")
    assert msgspec.json.decode(msgspec.json.encode(now), type=Assessment) == now
    said = [one for condition in now.conditions for one in condition.witnesses]
    assert bool(said) == (unit < 1e20)
    assert all(one.value - one.expected == pytest.approx(8.0 * unit, rel=0.2) for one in said)


def test_signals_that_come_and_go_take_no_memory_for_ever() -> None:
    rng = np.random.default_rng(0)
    names = [f"s{i}" for i in range(40)]
    fleet = Fleet({})
    fleet.bind("m", "generic", "data")
    for i in range(2000):
        there = [name for name in names if rng.random() < 0.9]
        row = {name: np.zeros(1) for name in there}
        fleet.observe([block("m", np.array([START + i * S]), row, n=i)])
    plans = fleet._plans
    assert plans._count <= LAYOUTS + 6 * len(names)
    assert 2 * len(plans.known) <= LAYOUTS
    assert len(plans._sets) == len(plans.known)


@pytest.mark.parametrize("glitch", [np.nan, 3276.7, 65535.0, 1e140])
def test_one_absurd_reading_does_not_blind_the_healthy_reference(glitch: float) -> None:
    x = np.random.default_rng(1).normal(50, 1, 18 * DAY_ROWS)
    x[100] = glitch
    x[14 * DAY_ROWS :] += 10.0
    fleet, _ = fed({"a": x})
    assert {c.check for c in fleet.current("m").conditions} == {Check.SHIFT}
    assert fleet.snapshot()["lanes"]["sigma"][0] == pytest.approx(1.0, rel=0.05)


def test_a_second_mode_of_work_is_part_of_the_healthy_reference() -> None:
    rng = np.random.default_rng(1)
    mode = np.repeat(rng.integers(0, 2, 18 * 24), DAY_ROWS // 24)
    fleet, _ = fed({"a": 40.0 * mode + rng.normal(50, 1, len(mode))})
    assert fleet.snapshot()["lanes"]["sigma"][0] == pytest.approx(20.0, rel=0.1)
    assert not any(c.check is Check.SHIFT for c in fleet.current("m").conditions)


@pytest.mark.parametrize("at", [0, 3, 100, 10 * DAY_ROWS + 3], ids=str)
@pytest.mark.parametrize("fault", [2, 20], ids=["early", "late"])
def test_one_absurd_reading_hides_no_fault_that_comes_later(at: int, fault: int) -> None:
    found = []
    for seed in range(3):
        x = np.random.default_rng(seed).normal(0, 1, 21 * DAY_ROWS)
        x[fault * DAY_ROWS :][:60] += 6.0
        times = START + np.arange(len(x)) * 300 * S
        times[10 * DAY_ROWS :] += 8 * 3600 * S  # a long gap
        x[at] = 65535.0
        fleet, trace = Fleet({}), Trace()
        fleet.bind("m", "generic", "data")
        fleet.observe([block("m", times, {"x": x})], trace)
        strengths = np.concatenate(trace.strengths)
        found.append(strengths[fault * DAY_ROWS :][:60].max())
    assert min(found) >= 1.0


def after_a_fault(absurd: list[int], value: float) -> tuple[float, float, set[Check]]:
    """Return the evidence of a sudden fault on day 2, and sigma and conditions after a lasting one.

    Among the first readings the `absurd` ones are `value`.
    """
    x = np.random.default_rng(1).normal(20, 1, 18 * DAY_ROWS)
    x[absurd] = value
    x[2 * DAY_ROWS :][:60] += 6.0
    x[14 * DAY_ROWS :] += 5.0
    fleet, trace = Fleet({}), Trace()
    fleet.bind("m", "generic", "data")
    fleet.observe([block("m", START + np.arange(len(x)) * 300 * S, {"a": x})], trace)
    evidence = np.concatenate(trace.strengths)[2 * DAY_ROWS :][:60].max()
    sigma = float(fleet.snapshot()["lanes"]["sigma"][0])
    return evidence, sigma, {c.check for c in fleet.current("m").conditions}


@pytest.mark.parametrize("value", [65535.0, -1e12])
@pytest.mark.parametrize(
    "at", [*([i] for i in range(40)), *([i, i + 1] for i in range(40)), [1, 4], [2, 9]], ids=str
)
def test_absurd_first_readings_blind_neither_onset_nor_reference(
    at: list[int], value: float
) -> None:
    evidence, sigma, conditions = after_a_fault(at, value)
    assert evidence >= 1.0
    assert sigma == pytest.approx(after_a_fault([], value)[1], rel=0.05)
    assert conditions == {Check.SHIFT}


def test_a_machine_that_begins_to_work_among_its_first_readings_is_no_absurd_one() -> None:
    rng = np.random.default_rng(1)
    x = np.r_[rng.normal(0.1, 0.001, 7), rng.normal(90.0, 0.001, 60)]
    fleet, _ = fed({"a": x})
    assert fleet.snapshot()["onsets"]["spread"][0] > 1.0


@pytest.mark.parametrize("still", [18, 20, 60])
@pytest.mark.parametrize("at", [0, 1, 5], ids=str)
def test_absurd_first_readings_of_a_signal_that_stands_still_blind_nothing(
    at: int, still: int
) -> None:
    x = np.round(np.random.default_rng(1).normal(20, 1, 18 * DAY_ROWS), 1)
    x[14 * DAY_ROWS :] += 5.0
    x[:still] = 20.0
    sound, _ = fed({"a": x})
    x[at] = 65535.0
    fleet, _ = fed({"a": x})
    sigma = sound.snapshot()["lanes"]["sigma"][0]
    assert fleet.snapshot()["lanes"]["sigma"][0] == pytest.approx(sigma, rel=0.05)
    assert {c.check for c in fleet.current("m").conditions} == {Check.SHIFT}


@pytest.mark.parametrize("at", [[0, 1], [2, 9], [14, 15]], ids=str)
def test_absurd_first_readings_are_forgotten_while_the_rate_is_out_of_range(at: list[int]) -> None:
    profile = parse_profile(
        'name="r"\nversion=1\ntitle={en="R"}\n[signals.a]\nlimits={rate=0.05}\n'
        "[trigger]\nn=2\nm=3\n"
    )
    x = np.random.default_rng(1).normal(60, 1, 12 * DAY_ROWS)
    x[at] = 65535.0
    x[9 * DAY_ROWS :] += 8.0
    fleet = Fleet({"r": profile})
    fleet.bind("m", "r", "data")
    fleet.observe([block("m", START + np.arange(len(x)) * 300 * S, {"a": x})])
    assert fleet.snapshot()["lanes"]["sigma"][0] == pytest.approx(1.0, rel=0.1)
    assert {c.check for c in fleet.current("m").conditions} == {Check.SHIFT}


def test_after_a_repair_the_level_begins_as_that_of_a_new_machine() -> None:
    rng = np.random.default_rng(1)
    fleet, fresh = Fleet({}), Fleet({})
    for one in (fleet, fresh):
        one.bind("m", "generic", "data")
    times = START + np.arange(640) * 300 * S
    x = rng.normal(80, 0.2, 640)
    fleet.observe([block("m", times[:400], {"a": x[:400]})])
    fleet.restart("m", None, int(times[399]))
    for one in (fleet, fresh):
        one.observe([block("m", times[400:], {"a": x[400:]})])
    left, right = fleet.snapshot()["lanes"], fresh.snapshot()["lanes"]
    assert left["level"][0] == right["level"][0]
    assert left["spread"][0] == right["spread"][0]


def test_a_fleet_has_a_reference_to_look_at_also_where_no_signal_is_watched() -> None:
    counter = parse_profile('name="c"\nversion=1\ntitle={en="C"}\n[signals.a]\nrole="counter"\n')
    fleet = Fleet({"c": counter})
    fleet.bind("m", "c", "data")
    fleet.observe([block("m", START + np.arange(50) * S, {"a": np.arange(50.0)})])
    again = Fleet.restore({"c": counter}, fleet.snapshot())
    assert len(fleet.snapshot()["references"]) == 0
    assert min(len(one._references) for one in (fleet, again)) > 0


@pytest.mark.parametrize("at", [0, 3, 4, 10, 100, 3 * DAY_ROWS + 5, 9 * DAY_ROWS], ids=str)
def test_one_absurd_reading_of_a_context_spoils_no_reference_that_it_explains(at: int) -> None:
    profile = parse_profile(
        'name="p"\nversion=1\ntitle={en="P"}\n[signals.load]\nrole="context"\n[signals.a]\n'
    )
    rng = np.random.default_rng(1)
    rows = 18 * DAY_ROWS
    load = 50.0 + 20.0 * np.sin(np.arange(rows) / 40.0) + rng.normal(0, 1, rows)
    x = 2.0 * load + rng.normal(0, 1, rows)
    x[14 * DAY_ROWS :] += 10.0
    load[at] = 65535.0
    fleet = Fleet({"p": profile})
    fleet.bind("m", "p", "data")
    fleet.observe([block("m", START + np.arange(rows) * 300 * S, {"load": load, "a": x})])
    kept = fleet.snapshot()
    lane = kept["lanes"][fleet.signals("m")["a"]]
    assert kept["terms"][lane["terms"] + SLOPE * lane["wide"]] == pytest.approx(2.0, rel=0.05)
    assert {c.check for c in fleet.current("m").conditions} == {Check.SHIFT}


@pytest.mark.parametrize("seed", range(5))
def test_a_machine_that_is_off_at_its_first_readings_gets_its_reference(seed: int) -> None:
    x = np.random.default_rng(seed).normal(20, 1, 18 * DAY_ROWS)
    x[14 * DAY_ROWS :] += 15.0
    x = np.round(x, 2)
    x[:20], x[20] = 0.0, 0.01
    fleet, _ = fed({"a": x})
    assert 0.8 < fleet.snapshot()["lanes"]["sigma"][0] < 3.0  # it was off for an hour and a half
    assert Check.SHIFT in {c.check for c in fleet.current("m").conditions}
