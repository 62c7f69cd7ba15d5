"""Onset alarms and the early state: what raises them, what must not, and what changes nothing."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.assessment import Check
from models.fleet import Config, Fleet, Trace
from models.fleet.layout import CONTEXTS, LANE, MOST, ONSET, REFERENCE
from models.fleet.terms import KIND as TERM
from models.fleet.terms import size
from models.profile import Profile, Signal
from tests.models.fleet.machines import START, S, block

STEP = 300
DAY_ROWS = 86_400 // STEP


def rows_of(
    columns: dict[str, NDArray[np.float64]],
    config: Config | None = None,
    profile: Profile | None = None,
    start: int = START,
    size: int | None = None,
) -> Trace:
    fleet = Fleet({"p": profile} if profile else {}, config)
    fleet.bind("m", "p" if profile else "generic", "data")
    count = len(next(iter(columns.values())))
    times = start + np.arange(count) * STEP * S
    trace = Trace()
    for i in range(0, count, size or count):
        part = slice(i, i + (size or count))
        fleet.observe([block("m", times[part], {k: v[part] for k, v in columns.items()})], trace)
    return trace


def alarms(trace: Trace) -> list[int]:
    return np.flatnonzero(np.concatenate(trace.alarms)).tolist()


def faulty(trace: Trace) -> NDArray[np.bool_]:
    return np.concatenate(trace.faulty)


def daily(days: int, seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    t = np.arange(days * DAY_ROWS)
    return 50 + 10 * np.sin(2 * np.pi * t / DAY_ROWS) + rng.normal(0, 1, len(t))


def test_a_step_is_alarmed_once_and_soon() -> None:
    x = np.random.default_rng(1).normal(0, 1, 3000)
    x[2000:] += 8.0
    late = [row for row in alarms(rows_of({"x": x})) if row >= 2000]
    assert 2000 <= late[0] <= 2006
    assert len(late) <= 2  # the level has moved; it is not an onset for ever


def test_what_is_usual_at_another_hour_is_strange_at_this_one() -> None:
    x = daily(12)
    night = 10 * DAY_ROWS + 3 * DAY_ROWS // 4
    x[night : night + 12] = 60 + np.random.default_rng(2).normal(0, 1, 12)
    found = alarms(rows_of({"x": x}))
    assert any(night <= row < night + 12 for row in found)
    assert [row for row in found if 3 * DAY_ROWS < row < night] == []


def test_a_pattern_that_stops_is_strange_though_each_value_is_usual() -> None:
    t = np.arange(4000)
    x = 10 * np.sin(2 * np.pi * t / 24) + np.random.default_rng(3).normal(0, 0.4, 4000)
    x[3000:3030] = 10 * np.sin(2 * np.pi * np.arange(30) / 5)
    found = alarms(rows_of({"x": x}))
    assert any(3000 <= row < 3030 for row in found)


@pytest.mark.parametrize(("persistence", "most"), [(0.0, 10), (0.9, 50)])
def test_alarms_of_a_healthy_signal_die_out(persistence: float, most: int) -> None:
    late = 0
    for seed in range(30):
        noise = np.random.default_rng(seed).normal(0, 1, 6000)
        x = noise.copy()
        for i in range(1, len(x)):
            x[i] += persistence * x[i - 1]
        late += len([row for row in alarms(rows_of({"x": x})) if row >= 1000])
    assert late <= most  # of 150,000 rows


def test_a_wider_range_does_not_make_what_is_usual_look_new() -> None:
    found = 0
    for seed in range(10):
        x = np.random.default_rng(seed).choice([-2.0, -1.0, 0.0, 1.0, 2.0], 8000)
        for i, row in enumerate(range(1500, 8000, 1300)):
            x[row] = (4 + i) * (-1) ** i  # single readings, each further out than all before
        found += len(alarms(rows_of({"x": x})))
    assert found <= 5  # of 50


def test_nothing_is_said_before_three_hundred_readings() -> None:
    x = np.random.default_rng(4).normal(0, 1, 500)
    x[100] = x[150] = x[290] = 500.0
    trace = rows_of({"x": x})
    assert [row for row in alarms(trace) if row < 300] == []
    assert not np.concatenate(trace.strengths)[:300].any()


def test_a_start_after_a_long_gap_is_no_onset() -> None:
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(0, 1, 600), rng.normal(20, 1, 600)])
    times = START + np.arange(1200) * STEP * S
    times[600:] += 10 * 86_400 * S
    fleet, trace = Fleet({}), Trace()
    fleet.bind("m", "generic", "data")
    fleet.observe([block("m", times, {"x": x})], trace)
    assert [row for row in alarms(trace) if row >= 600] == []


def test_contexts_raise_no_alarm() -> None:
    profile = Profile(name="p", version=1, title={}, signals={"load": Signal(role="context")})
    x = np.random.default_rng(6).normal(0, 1, 1000)
    x[700:] += 50.0
    assert alarms(rows_of({"load": x}, profile=profile)) == []


def test_the_strength_never_saturates() -> None:
    x = np.random.default_rng(7).normal(0, 1, 2000)
    x[1500:1540] = 1e9 * np.arange(1, 41)
    x[1700] = 1e140
    strength = np.concatenate(rows_of({"x": x}).strengths)
    assert np.isfinite(strength).all()
    score = strength / (1.0 + strength)
    assert (score < 1.0).all()
    assert len(np.unique(score[1500:1510])) == 10


@given(
    seed=st.integers(0, 1000),
    scale=st.sampled_from([-0.25, 1e-6, -3600.0, 1.8, 1e6]),
    offset=st.sampled_from([0.0, 32.0, -7.0]),
    shift_s=st.integers(0, 10**8),
)
@settings(max_examples=20, deadline=None)
def test_other_units_and_another_clock_change_no_alarm(
    seed: int, scale: float, offset: float, shift_s: int
) -> None:
    x = daily(9, seed).round(3)
    x[1500:1505] += 12.0
    x[2000:2200] += 6.0
    plain = rows_of({"x": x})
    other = rows_of({"another name": x * scale + offset * scale}, start=START + shift_s * S)
    assert alarms(plain) == alarms(other)
    assert (faulty(plain) == faulty(other)).all()


@given(seed=st.integers(0, 1000), size=st.integers(1, 700))
@settings(max_examples=20, deadline=None)
def test_any_cut_gives_the_same_bits(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    columns = {"x": daily(5, seed), "y": rng.normal(0, 1, 5 * DAY_ROWS)}
    columns["x"][900:] += 15.0
    columns["y"][rng.integers(0, 1440, 50)] = np.nan
    whole, cut = rows_of(columns), rows_of(columns, size=size)
    for field in ("scores", "strengths", "alarms", "faulty"):
        left, right = (np.concatenate(getattr(t, field)) for t in (whole, cut))
        assert left.tobytes() == right.tobytes()


def test_the_early_state_holds_a_fault_and_ends_with_it() -> None:
    x = np.random.default_rng(8).normal(0, 1, 820)  # less than three days: no slow reference
    x[400:600] -= 6.0
    state = faulty(rows_of({"x": x}))
    assert not state[:400].any()
    assert state[430:600].all()
    assert not state[640:].any()


def test_the_early_state_asks_for_more_the_more_rows_it_has_looked_at() -> None:
    x = np.random.default_rng(12).normal(0, 1, 21_000)
    for first in (500, 20_000):
        x[first : first + 60] -= 3.8
    fleet, trace = Fleet({}), Trace()
    fleet.bind("m", "generic", "data")
    fleet.observe([block("m", START + np.arange(len(x)) * 10 * S, {"x": x})], trace)
    state = faulty(trace)
    assert state[500:560].any()
    assert not state[19_000:].any()


def test_in_the_first_days_an_onset_has_gone_some_of_the_way_to_the_state() -> None:
    x = np.random.default_rng(13).normal(0, 1, 820)
    blip, step = x.copy(), x.copy()
    blip[400:403] += 5.0  # over before the quick mean has moved far
    step[400:] += 5.0
    patient = Config(early_even=1.0)
    assert alarms(rows_of({"x": blip}, patient)) == []
    assert 400 <= alarms(rows_of({"x": step}, patient))[0] <= 410


def test_a_signal_that_wanders_is_not_in_a_state_of_fault() -> None:
    x = np.cumsum(np.random.default_rng(9).normal(0, 1, 820))
    assert faulty(rows_of({"x": x})).mean() < 0.1


def test_entering_the_state_is_no_alarm() -> None:
    t = np.arange(820)
    x = np.random.default_rng(10).normal(0, 1, 820)
    x -= np.clip((t - 400) / 20, 0, 1) * 8.0
    trace = rows_of({"x": x}, Config(onset_limit=1e9))
    assert faulty(trace).any()
    assert alarms(trace) == []


def test_after_three_days_the_slow_reference_alone_decides() -> None:
    x = np.random.default_rng(11).normal(0, 1, 5 * DAY_ROWS)
    x[4 * DAY_ROWS : 4 * DAY_ROWS + 12] += 8.0  # an hour: over before it is a lasting shift
    state = faulty(rows_of({"x": x}))
    assert not state[3 * DAY_ROWS :].any()


def test_a_signal_of_a_machine_with_four_contexts_takes_1656_bytes() -> None:
    terms = size(CONTEXTS) * TERM.itemsize
    assert ONSET.itemsize + LANE.itemsize + REFERENCE.itemsize + terms == 1_656


def test_a_notice_lasts_no_longer_than_the_state_can_count() -> None:
    assert Config(notice_rows=127).notice_rows == 127
    with pytest.raises(ValueError, match="notice_rows must be at most 127"):
        Config(notice_rows=128)


def notice_of(others: int) -> int:
    """Return how many readings a notice lasts, of which so many are those of a context."""
    roles: tuple[Literal["condition", "context"], ...] = ("condition", "context")
    fleet = Fleet(
        {r: Profile(name=r, version=1, title={}, signals={"x": Signal(role=r)}) for r in roles}
    )
    x = np.random.default_rng(1).normal(0, 1, 2100)
    x[2000:] += 8.0
    began, role = 0, "condition"
    for i in range(len(x)):
        wanted = "context" if began and began < i <= began + others else "condition"
        if i == 0 or wanted != role:
            role = wanted
            fleet.bind("m", role, "data")
        told = fleet.observe([block("m", [START + i * STEP * S], {"x": x[i : i + 1]})])
        found = [c for one in told for c in one.conditions if c.check is Check.LEVEL]
        if i >= 2000 and not began and found:
            began = i
        if began and found and not found[-1].active:
            return i - began
    raise AssertionError("it did not end")


def test_a_notice_counts_the_readings_of_its_signal_in_any_role() -> None:
    assert [notice_of(others) for others in (0, 10, 40)] == [30, 30, 41]


@pytest.mark.parametrize("size", [1, 400])
def test_the_readings_of_the_first_days_are_counted_up_to_a_bound(size: int) -> None:
    x = np.random.default_rng(1).normal(0, 1, 1200)
    times = START + np.arange(len(x)) * 60 * S
    fleet = Fleet({})
    fleet.bind("m", "generic", "data")
    fleet.observe([block("m", times[:800], {"x": x[:800]})])
    state = fleet.snapshot()
    state["onsets"]["known"] = MOST - 40
    later = Fleet.restore({}, state)
    for i in range(800, len(x), size):
        part = slice(i, i + size)
        later.observe([block("m", times[part], {"x": x[part]})])
    assert later.snapshot()["onsets"]["known"].tolist() == [MOST]
