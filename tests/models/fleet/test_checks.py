"""Each check: when it begins, when it ends, and what it leaves alone."""

from collections.abc import Sequence

import numpy as np
import pytest

from models.assessment import Assessment, Check, Condition, State
from models.fleet import Config, Fleet
from models.fleet.kernel import AT_ONCE
from models.fleet.lanes import contexts
from models.profile import Limits, Profile, Rule, Signal, load_profiles
from models.rows import Tick
from tests.models.fleet.machines import PROFILES, START, S, block

MINUTE = 60 * S


def profile(signal: Signal, name: str = "x", rule: Rule | None = None) -> dict[str, Profile]:
    made = Profile(
        name="p", version=1, title={}, signals={name: signal}, trigger=rule or Rule(n=3, m=5)
    )
    return {"p": made}


def feed(
    fleet: Fleet, values: Sequence[float], first: int = 0, step_ns: int = MINUTE
) -> list[Assessment]:
    times = START + np.arange(first, first + len(values)) * step_ns
    return fleet.observe([block("m", times, {"x": values})])


def made(signal: Signal, rule: Rule | None = None, clock: str = "data") -> Fleet:
    fleet = Fleet(profile(signal, rule=rule))
    fleet.bind("m", "p", "data" if clock == "data" else "wall")
    return fleet


def changes(told: Sequence[Assessment], check: Check) -> list[Condition]:
    return [c for a in told for c in a.conditions if c.check is check and (c.onset or not c.active)]


def test_a_limit_is_reached_at_its_value_by_n_of_m_rows() -> None:
    fleet = made(Signal(limits=Limits(alert_high=10.0)))
    assert changes(feed(fleet, [9.9, 10.0, 9.9, 10.0]), Check.LIMIT_HIGH) == []
    [found] = changes(feed(fleet, [10.0], 4), Check.LIMIT_HIGH)
    assert (found.active, found.severity, found.value) == (True, 2, 10.0)
    assert found.since_ns == START + 4 * MINUTE
    assert fleet.current("m").state is State.ALERT


def test_one_spike_is_no_condition() -> None:
    fleet = made(Signal(limits=Limits(alarm_high=10.0)))
    told = feed(fleet, [5.0, 5.1] * 30 + [99.0, 99.0] + [5.0, 5.1] * 30)
    assert changes(told, Check.LIMIT_HIGH) == []


def test_a_limit_ends_only_clearly_inside() -> None:
    fleet = made(Signal(limits=Limits(alert_high=10.0)))
    noise = np.random.default_rng(1).normal(0, 0.5, 40)
    feed(fleet, list(9.0 + noise))
    feed(fleet, [10.5] * 5, 40)
    assert changes(feed(fleet, [9.9] * 10, 45), Check.LIMIT_HIGH) == []
    [end] = changes(feed(fleet, [7.0] * 10, 55), Check.LIMIT_HIGH)
    assert not end.active
    assert fleet.current("m").state is not State.ALERT


def test_an_alarm_raises_the_alert_that_stands() -> None:
    fleet = made(Signal(limits=Limits(alert_low=2.0, alarm_low=1.0)))
    told = feed(fleet, [5.0] * 5 + [1.5] * 5 + [0.5] * 5)
    low = [c for a in told for c in a.conditions if c.check is Check.LIMIT_LOW]
    assert [c.severity for c in low] == [2, 3]
    assert [c.onset for c in low] == [True, False]
    assert low[0].since_ns == low[1].since_ns
    assert told[-1].state is State.ALARM
    assert told[-1].health <= 20.0


def test_rate_is_per_second_and_needs_time_between_rows() -> None:
    fleet = made(Signal(limits=Limits(rate=1.0)), Rule(n=1, m=1))
    assert changes(feed(fleet, [0.0, 60.0, 120.0]), Check.RATE) == []
    [found] = changes(feed(fleet, [181.0], 3), Check.RATE)
    assert found.active
    fleet.observe([block("m", [START + 3 * MINUTE], {"x": [999.0]})])
    assert [c.value for c in fleet.current("m").conditions] == [999.0]  # no time passed: no vote


def test_stuck_begins_after_its_time_and_ends_with_the_first_change() -> None:
    fleet = made(Signal(stuck_after_s=600.0))
    told = feed(fleet, [1.0, 2.0] + [3.0] * 12 + [3.1])
    begin, end = changes(told, Check.STUCK)
    assert (begin.active, begin.since_ns) == (True, START + 12 * MINUTE)
    assert (end.active, end.since_ns) == (False, START + 14 * MINUTE)


def test_a_silent_machine_on_the_wall_clock_is_noticed_by_ticks() -> None:
    fleet = made(Signal(), clock="wall")
    for second in range(3):
        feed(fleet, [float(second)], second, step_ns=S)
    heard = START + 2 * S
    assert fleet.observe([Tick(n=1, at_ns=heard + 60 * S)]) == []
    [told] = fleet.observe([Tick(n=2, at_ns=heard + 61 * S)])
    assert told.state is State.SILENT
    assert told.n == 2
    assert [(c.check, c.active, c.value) for c in told.conditions] == [(Check.DROPOUT, True, None)]
    [back] = feed(fleet, [2.0], 65, step_ns=S)
    assert [(c.check, c.active) for c in back.conditions] == [(Check.DROPOUT, False)]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_machine_that_was_heard_again_is_told_as_silent_again(restarts: bool) -> None:
    fleet, states = made(Signal(), clock="wall"), []
    awake, away = 2200, 250  # too long apart to be sleeps
    for turn in range(3):
        first = START + turn * (awake + away) * S
        told = fleet.observe([block("m", [first + s * S], {"x": [5.0]}) for s in range(awake)])
        told += fleet.observe([Tick(n=s, at_ns=first + (awake + s) * S) for s in range(away - 1)])
        states.append([a.state for a in told if a.state is State.SILENT])
        if restarts:
            fleet = Fleet.restore(profile(Signal()), fleet.snapshot())
    assert states == [[State.SILENT]] * 3


def test_of_a_site_that_falls_silent_some_machines_are_told_at_each_tick() -> None:
    fleet = Fleet(profile(Signal()))
    names = [f"m{number}" for number in range(2 * AT_ONCE + 1)]
    for name in names:
        fleet.bind(name, "p", "wall")
    fleet.observe([
        block(name, [START + s * S], {"x": [1.0]}) for s in (-1, 0) for name in names
    ])  # fmt: skip
    told = fleet.observe([Tick(n=n, at_ns=START + (61 + n) * S) for n in range(4)])
    assert [a.machine for a in told] == names
    assert [a.n for a in told] == [0] * AT_ONCE + [1] * AT_ONCE + [2]
    assert {a.state for a in told} == {State.SILENT}


def test_batches_that_come_seldom_are_no_silence() -> None:
    fleet = made(Signal(), clock="wall")
    for k in range(5):
        feed(fleet, [1.0] * 300, 300 * k, step_ns=S)
        ticks = [Tick(n=0, at_ns=START + (300 * k + 299 + i) * S) for i in range(0, 300, 10)]
        assert changes(fleet.observe(ticks), Check.DROPOUT) == []


@pytest.mark.parametrize("hours", [2, 40])
def test_who_empties_a_backlog_is_waited_for_as_it_was_made(hours: int) -> None:
    fleet = made(Signal(), clock="wall")
    heard = START + 60 * hours * MINUTE
    for hour in range(hours):  # one message an hour, all of them heard within a second of each
        times = START + np.arange(60 * hour, 60 * hour + 60) * MINUTE
        fleet.observe([block("m", times, {"x": [1.0] * 60}, received_ns=heard + hour * S)])
    last = heard + (hours - 1) * S
    ticks = [Tick(n=k, at_ns=last + k * MINUTE) for k in range(602)]
    told = [fleet.observe([tick]) for tick in ticks]
    assert [k for k, one in enumerate(told) if one] == [601]


def test_who_has_emptied_a_backlog_is_waited_for_as_it_then_reports() -> None:
    fleet = made(Signal(), clock="wall")
    heard = START + 10_000 * MINUTE
    for k in range(10):  # a week of minutes within ten seconds
        times = START + np.arange(1000 * k, 1000 * k + 1000) * MINUTE
        fleet.observe([block("m", times, {"x": np.arange(1000.0) % 7}, received_ns=heard + k * S)])
    last = heard + 3 * MINUTE
    for at in range(heard + MINUTE, last + 1, MINUTE):  # then each as it is read
        fleet.observe([block("m", [at], {"x": [1.0]}, received_ns=at)])
    ticks = [Tick(n=k, at_ns=last + k * MINUTE) for k in range(13)]
    told = [fleet.observe([tick]) for tick in ticks]
    assert [k for k, one in enumerate(told) if one] == [11]


@pytest.mark.parametrize("clock", ["wall", "data"])
@pytest.mark.parametrize("every_s", [60, 3600])
@pytest.mark.parametrize("count", [2, 3, 20])
def test_a_first_reading_that_is_far_older_than_the_others_delays_no_silence(
    clock: str, every_s: int, count: int
) -> None:
    fleet = made(Signal(), clock=clock)
    times = [START - 30 * 86_400 * S, *(START + k * every_s * S for k in range(1, count))]
    for k, t in enumerate(times):
        fleet.observe([block("m", [t], {"x": [float(k % 7)]}, received_ns=START + k * every_s * S)])
    if clock == "data":  # another signal tells the time
        until = range(times[-1] + MINUTE, times[-1] + 45 * 60 * MINUTE, MINUTE)
        told = [fleet.observe([block("m", [t], {"y": [1.0]})]) for t in until]
        told = [[a for a in one if changes([a], Check.DROPOUT)] for one in told]
    else:
        ticks = [Tick(n=k, at_ns=times[-1] + k * MINUTE) for k in range(1, 45 * 60)]
        told = [fleet.observe([tick]) for tick in ticks]
    first = next(k for k, one in enumerate(told, 1) if one) * MINUTE // S
    assert first <= (36 * 3600 + 60 if count == 2 else 41 * every_s + 60)


@pytest.mark.parametrize("after_s", [None, 600.0])
def test_what_was_heard_once_may_come_once_a_day(after_s: float | None) -> None:
    fleet = made(Signal(dropout_after_s=after_s), clock="wall")
    feed(fleet, [1.0])
    wait = 36 * 60 if after_s is None else 10
    told = [
        fleet.observe([Tick(n=k, at_ns=START + k * MINUTE)])
        for k in range(1, wait + 2)
    ]  # fmt: skip
    assert [k for k, one in enumerate(told) if one] == [wait]
    assert told[-1][0].state is State.SILENT


def test_from_its_second_message_on_the_interval_is_known() -> None:
    fleet = made(Signal(), clock="wall")
    feed(fleet, [1.0] * 20, step_ns=S)
    assert fleet.observe([Tick(n=0, at_ns=START + 3000 * S)]) == []
    feed(fleet, [1.0], 3600, step_ns=S)
    again = START + 3600 * S
    gap = 3600 - 19  # from one receipt to the next
    assert fleet.observe([Tick(n=1, at_ns=again + 10 * gap * S)]) == []
    [told] = fleet.observe([Tick(n=2, at_ns=again + (10 * gap + 1) * S)])
    assert told.state is State.SILENT


def test_a_signal_heard_once_on_data_time_is_waited_for() -> None:
    fleet = Fleet(PROFILES)
    fleet.bind("m", "pump", "data")
    rows = 40 * 60
    other = np.full(rows, np.nan)
    other[0] = 60.0
    both = {"vibration": np.linspace(1, 2, rows), "temperature": other}
    told = fleet.observe([block("m", START + np.arange(rows) * MINUTE, both)])
    [found] = [c for c in changes(told, Check.DROPOUT) if c.active]
    assert (found.signal, found.since_ns) == ("temperature", START + (36 * 60 + 1) * MINUTE)


def test_dropout_of_one_signal_of_a_machine_on_data_time() -> None:
    fleet = Fleet(PROFILES)
    fleet.bind("m", "pump", "data")
    times = START + np.arange(40) * MINUTE
    both = {"vibration": np.linspace(1, 2, 40), "temperature": np.linspace(60, 61, 40)}
    fleet.observe([block("m", times, both)])
    assert fleet.observe([Tick(n=0, at_ns=START + 10**18)]) == []
    later = START + np.arange(40, 55) * MINUTE
    gap = {"vibration": np.linspace(1, 2, 15), "temperature": np.full(15, np.nan)}
    [found] = changes(fleet.observe([block("m", later, gap)]), Check.DROPOUT)
    assert (found.signal, found.since_ns) == ("temperature", START + 50 * MINUTE)


def test_late_rows_change_nothing() -> None:
    fleet = made(Signal(limits=Limits(alert_high=10.0)))
    feed(fleet, [1.0, 2.0, 1.0, 2.0, 1.0], first=10)
    before = fleet.snapshot()["lanes"]
    assert feed(fleet, [99.0] * 5) == []
    assert before.tobytes() == fleet.snapshot()["lanes"].tobytes()


def test_a_step_is_an_onset_that_ends_once_it_is_usual() -> None:
    rng = np.random.default_rng(4)
    fleet = Fleet({})
    told = feed(fleet, list(rng.normal(0, 1, 400)) + list(rng.normal(8, 1, 4000)))
    begin, end = changes(told, Check.LEVEL)
    assert START + 400 * MINUTE <= begin.since_ns <= START + 410 * MINUTE
    assert (begin.severity, end.active) == (1, False)


@pytest.mark.parametrize(("scale", "offset"), [(1e-6, 0.0), (-3600.0, 12.0), (1.8, 32.0)])
def test_scores_do_not_depend_on_units(scale: float, offset: float) -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(20, 1, 600)
    values[500:] += 9
    plain, other = Fleet({}), Fleet({})
    onsets = [changes(feed(plain, list(values)), Check.LEVEL)]
    onsets.append(changes(feed(other, list(values * scale + offset)), Check.LEVEL))
    assert [c.since_ns for c in onsets[0]] == [c.since_ns for c in onsets[1]] != []
    assert plain.current("m").score == pytest.approx(other.current("m").score, rel=1e-6)


def test_a_constant_signal_that_flickers_by_its_resolution_is_not_unusual() -> None:
    values = [20.0] * 500
    values[250] = values[400] = 20.1
    told = feed(Fleet({}), values)
    assert changes(told, Check.LEVEL) == []
    assert max(a.score for a in told) < 0.5


def test_constants_must_be_positive() -> None:
    with pytest.raises(ValueError, match="slack must be above 0"):
        Config(slack=0.0)


def test_a_channels_features_have_the_role_and_the_side_that_they_are_known_for() -> None:
    fleet = Fleet(load_profiles())
    fleet.bind("m", "centrifugal-pump", "data")
    rows = 7 * 288
    rng = np.random.default_rng(3)
    columns = {
        name: rng.normal(0.0, 1.0, rows) + middle
        for name, middle in (("speed", 1480.0), ("kurtosis", 9.0), ("bpfo", 30.0))
    }
    columns["speed"][5 * 288 :] -= 50.0  # it turns slower now
    columns["kurtosis"][5 * 288 :] -= 4.0  # smoother than ever
    columns["bpfo"][5 * 288 :] += 4.0
    times = START + np.arange(rows) * 5 * MINUTE
    named = {f"drive-end.{name}": column for name, column in columns.items()}
    told = fleet.observe([block("m", times, named)])
    assert {c.signal for c in changes(told, Check.SHIFT)} == {"drive-end.bpfo"}
    assert "drive-end.speed" not in {c.signal for c in changes(told, Check.LEVEL)}


@pytest.mark.parametrize("profile", load_profiles().values(), ids=lambda one: one.name)
def test_what_only_grows_explains_nothing(profile: Profile) -> None:
    """A context beyond all that was seen shrinks every gap, and keeps references from freezing."""
    grows = {name for name, signal in profile.signals.items() if signal.unit in {"s", "h", "d"}}
    assert not grows & set(contexts(profile))
