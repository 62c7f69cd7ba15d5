"""How long a machine on the wall clock is waited for, by what it tells of how it reports."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.assessment import Check, State
from models.fleet import Fleet
from models.profile import Profile, Signal, parse_profile
from models.rows import Tick
from tests.models.fleet.machines import START, S, block

MINUTE = 60
HOUR = 3600
DAY = 24 * HOUR
UNKNOWN = 36 * HOUR
LOOKS = 20  #: ticks while nothing comes
Message = tuple[float, list[float]]  #: when it came, when its readings were made, in s
PROFILE = Profile(name="p", version=1, title={}, signals={"x": Signal()})
few = settings(max_examples=10, deadline=None)


def heard(messages: Iterable[Message], look: float = MINUTE) -> tuple[Fleet, list[float]]:
    """Return a machine that said this, and when it was called silent in gaps of at least `look`."""
    fleet = Fleet({"p": PROFILE})
    fleet.bind("m", "p", "wall")
    silent: list[float] = []
    before: float | None = None
    for at, made in messages:
        if before is not None and at - before >= look:
            silent += looked(fleet, before, at)
        times = START + np.array([int(t * S) for t in made])
        values = {"x": np.arange(len(times)) % 7 + 1.0}
        fleet.observe([block("m", times, values, received_ns=START + int(at * S))])
        before = at
    return fleet, silent


def looked(fleet: Fleet, since: float, until: float) -> list[float]:
    """Look at evenly spaced times; return those at which it is newly called silent."""
    told = []
    for at in np.linspace(since, until, LOOKS + 2)[1:-1]:
        for one in fleet.observe([Tick(n=0, at_ns=START + int(at * S))]):
            told += [float(at)] if one.state is State.SILENT else []
    return told


def dies(fleet: Fleet, at: float, within: float) -> bool:
    """Whether it is called silent in so many seconds after its last message, not in a third."""
    early = looked(fleet, at, at + within / 3)
    return not early and bool(looked(fleet, at + within / 3, at + within * (1 + 2 / LOOKS)))


def live(since: float, every: float, count: int) -> Iterator[Message]:
    return ((since + k * every, [since + k * every]) for k in range(count))


def drained(at: float, since: float, span: float, count: int, rows: int = 10) -> Iterator[Message]:
    """A backlog: messages of `span` seconds each from `since` on, ten in a second from `at` on."""
    for k in range(count):
        yield at + k / 10, [since + (k + r / rows) * span for r in range(rows)]


def awake(spells: Iterable[tuple[float, float]], every: float, together: int) -> Iterator[Message]:
    """Report at even times of these spells, in bursts of so many messages a second apart."""
    for begin, end in spells:
        for at in np.arange(begin, end, every):
            yield from live(float(at), 1, together)


def nights(days: int, week: int) -> list[tuple[float, float]]:
    """Sixteen hours of each of the first `week` days of seven."""
    return [(day * DAY, day * DAY + 16 * HOUR) for day in range(days) if day % 7 < week]


def patience(every: float) -> float:
    return max(MINUTE, min(10 * every, max(UNKNOWN, 3 * every)))


def asleep(sleep: float) -> float:
    return max(MINUTE, min(3 * sleep, max(UNKNOWN, 1.5 * sleep)))


@few
@given(st.floats(1, 14 * DAY), st.integers(2, 12))
def test_who_reports_regularly_is_waited_for_by_its_interval(every: float, count: int) -> None:
    fleet, silent = heard(live(0, every, count))
    assert [at for at in silent if at > every] == [], "but for one who was heard once"
    assert not silent or every > UNKNOWN
    assert dies(fleet, (count - 1) * every, patience(every))


def test_who_was_heard_twice_a_week_apart_is_waited_for_in_weeks() -> None:
    fleet, _ = heard(live(0, 7 * DAY, 2))
    assert looked(fleet, 7 * DAY, 14 * DAY) == []
    assert dies(fleet, 7 * DAY, 21 * DAY)


@few
@given(st.floats(MINUTE, 7 * DAY), st.integers(2, 60))
def test_who_dies_after_its_first_backlog_is_waited_for_no_longer_than_if_heard_once(
    span: float, count: int
) -> None:
    end = count * span
    fleet, _ = heard(drained(end, 0, span, count))
    assert dies(fleet, end + (count - 1) / 10, min(10 * span, UNKNOWN))


@few
@given(st.floats(HOUR, 30 * DAY), st.floats(10 * MINUTE, 7 * DAY))
def test_who_is_known_and_dies_after_a_backlog_is_waited_for_as_before_it(
    away: float, span: float
) -> None:
    known = 13 * HOUR
    count = int(away / span) + 1
    before = live(0, 10 * MINUTE, known // (10 * MINUTE) + 1)
    backlog = [*drained(known + away, known, away / count, count)][-50:]
    fleet, _ = heard([*before, *backlog])
    assert dies(fleet, backlog[-1][0], 119 * MINUTE)


@few
@given(st.floats(MINUTE, HOUR), st.floats(1, HOUR), st.integers(2, 100))
def test_who_empties_a_backlog_and_then_reports_hourly_is_called_silent_once_at_most(
    span: float, after: float, count: int
) -> None:
    end = count * span
    last = end + (count - 1) / 10
    fleet, silent = heard([*drained(end, 0, span, count), *live(last + after, HOUR, 24)])
    first = last + after + HOUR
    assert [at for at in silent if at > first] == []
    assert dies(fleet, last + after + 23 * HOUR, 10 * HOUR)


@few
@given(st.integers(2, 20), st.floats(0.1, 10), st.floats(10 * MINUTE, DAY))
def test_who_begins_with_several_messages_is_known_from_the_first_gap_on(
    together: int, apart: float, every: float
) -> None:
    begin = [*live(0, apart, together)]
    since = begin[-1][0] + every
    fleet, silent = heard([*begin, *live(since, every, 10)])
    assert [at for at in silent if at > since] == []
    assert dies(fleet, since + 9 * every, patience(every))


@pytest.mark.parametrize("every", [10 * MINUTE, HOUR, 6 * HOUR])
@pytest.mark.parametrize("together", [3, 36, 100])
def test_who_wakes_up_to_send_what_it_read_is_not_silent_while_it_sleeps(
    every: float, together: int
) -> None:
    messages = [
        message
        for wake in range(1, 12)
        for message in drained(wake * every, (wake - 1) * every, every / together, together, 2)
    ]
    fleet, silent = heard(messages)
    assert [at for at in silent if at > 2 * every] == [], "but before it woke up a second time"
    assert dies(fleet, messages[-1][0], min(10 * every, UNKNOWN))


def test_a_word_of_silence_does_not_wait_for_what_was_thought_before() -> None:
    week = 7 * DAY
    fleet, _ = heard(drained(week, 0, 1000 * MINUTE, 10))
    assert looked(fleet, week + 1, week + 60) == []
    for at in (week + 60, week + 120, week + 180):
        fleet.observe([block("m", [START + at * S], {"x": [1.0]}, received_ns=START + at * S)])
        assert looked(fleet, at, at + 60) == []
    assert dies(fleet, week + 180, 600)


@pytest.mark.parametrize("every", [10 * MINUTE, HOUR, 8 * HOUR, DAY])
@pytest.mark.parametrize("together", [5, 20, 100])
def test_who_reads_and_sends_several_times_while_it_is_awake_is_waited_for_by_its_sleep(
    every: float, together: int
) -> None:
    wakes = 60
    fleet, silent = heard(awake([(0, wakes * every)], every, together))
    assert [at for at in silent if at > 2 * every] == [], "but in its first two sleeps"
    sleep = every - (together - 1)
    assert dies(fleet, wakes * every - sleep, asleep(sleep))


@pytest.mark.parametrize(("every", "spell"), [(1, 2 * HOUR), (MINUTE, 4 * DAY), (HOUR, 20 * DAY)])
@pytest.mark.parametrize("times", [1, 4])
def test_an_outage_that_comes_seldom_is_no_sleep(every: float, spell: float, times: int) -> None:
    outage = spell / 10
    spells = [(k * (spell + outage), k * (spell + outage) + spell) for k in range(times + 1)]
    fleet, silent = heard(awake(spells, every, 1), 2 * every)
    for _, end in spells[:-1]:
        assert any(end < at < end + outage for at in silent), "each is told"
    assert dies(fleet, spells[-1][1] - every, patience(every))


def test_two_outages_on_one_day_are_waited_for_no_longer_than_some_days() -> None:
    outages = [(0, DAY), (30 * HOUR, 40 * HOUR), (46 * HOUR, 6 * DAY)]
    fleet, _ = heard(awake(outages, MINUTE, 1), 2 * MINUTE)
    assert dies(fleet, 6 * DAY - MINUTE, patience(MINUTE))


@pytest.mark.parametrize("together", [1, 30])
def test_who_stops_each_night_is_waited_for_by_its_night(together: int) -> None:
    """By day it sleeps for a quarter of an hour at a time, which is not told either."""
    fleet, silent = heard(awake(nights(14, 7), 15 * MINUTE, together))
    assert [at for at in silent if at > 2 * DAY] == [], "but in its first two nights"
    end = 13 * DAY + 16 * HOUR - 15 * MINUTE + together - 1
    assert dies(fleet, end, asleep(8 * HOUR + 15 * MINUTE - together + 1))


@pytest.mark.parametrize("together", [1, 10])
def test_who_stops_each_night_and_weekend_is_waited_for_by_its_weekend(together: int) -> None:
    fleet, silent = heard(awake(nights(26, 5), 15 * MINUTE, together))
    weekend = [at for at in silent if 4 * DAY < at < 7 * DAY or 11 * DAY < at < 14 * DAY]
    assert [at for at in silent if at > 2 * DAY and at not in weekend] == []
    end = 25 * DAY + 16 * HOUR - 15 * MINUTE + together - 1
    assert dies(fleet, end, asleep(56 * HOUR + 15 * MINUTE - together + 1))


def test_an_outage_takes_nothing_from_what_is_known_of_the_sleep() -> None:
    spells = [(0, 3 * DAY), (5 * DAY, 8 * DAY)]
    _, silent = heard(awake(spells, HOUR, 50))
    assert any(3 * DAY < at < 5 * DAY for at in silent)
    assert [at for at in silent if at > 2 * HOUR and not 3 * DAY < at < 5 * DAY] == []


def test_who_sleeps_no_more_is_waited_for_as_if_it_never_had() -> None:
    every = 10 * MINUTE
    messages = [*awake([(0, 2 * DAY)], 4 * HOUR, 100), *live(2 * DAY, every, 6 * 24 * 3)]
    fleet, _ = heard(messages)
    assert dies(fleet, messages[-1][0], patience(every))


LOADED = parse_profile(
    """
name = "p"
version = 1
title = { en = "Pump" }
signals.load.role = "context"
signals.x.worse = "high"
"""
)


@pytest.mark.parametrize("together", [1, 3])
def test_a_context_that_is_not_heard_while_its_machine_is_explains_nothing(together: int) -> None:
    """Its machine stops each night, so it is told late; by what it was then nothing is judged."""
    fleet, rng, days, every = Fleet({"p": LOADED}), np.random.default_rng(1), 30, 10 * MINUTE
    fleet.bind("m", "p", "wall")
    dies, told = days * DAY + 2 * HOUR, []
    for at, _ in awake(nights(days + 2, 7), every, together):
        idle = at < dies and at % DAY < 4 * HOUR
        load = (20.0 if idle else 80.0) + rng.normal(0.0, 2.0)
        values = {"x": np.array([1.0 + 0.05 * load + rng.normal(0.0, 0.05)])}
        if at < dies:
            values["load"] = np.array([load])
        now = START + int(at * S)
        told += fleet.observe([block("m", np.array([now]), values, received_ns=now)])
        told += fleet.observe([Tick(n=0, at_ns=now + k * MINUTE * S) for k in (1, 9)])
    assert [c for a in told for c in a.conditions if c.check is Check.SHIFT] == []


def test_a_service_that_is_started_often_waits_no_longer_but_for_its_stops() -> None:
    fleet, _ = heard(live(0, HOUR, 100))
    told = []
    for k in range(1, 16):  # stopped for five minutes of each hour after the last reading
        tick = Tick(n=0, at_ns=START + (99 + k) * HOUR * S, stopped_ns=5 * MINUTE * S)
        told += [k for one in fleet.observe([tick]) if one.state is State.SILENT]
    assert told == [11]


@pytest.mark.parametrize("restarts", [False, True])
def test_who_is_not_heard_while_the_service_is_stopped_is_neither_silent_nor_asleep(
    restarts: bool,
) -> None:
    fleet, _ = heard(live(0, 10, 6 * 60))
    for begin in (2 * HOUR, 4 * HOUR):  # an hour each; what was read meanwhile comes as a backlog
        assert fleet.observe([Tick(n=0, at_ns=START + begin * S, stopped_ns=HOUR * S)]) == []
        messages = [*drained(begin + 5, begin - HOUR, HOUR / 6, 6, 60), *live(begin + 10, 10, 354)]
        for at, made in messages:
            now = START + int(at * S)
            read = block(
                "m",
                [START + int(t * S) for t in made],
                {"x": np.arange(len(made)) + 1.0},
                received_ns=now,
            )
            told = fleet.observe([read, Tick(n=0, at_ns=now + S)])
            assert [one for one in told if one.state is State.SILENT] == []
        if restarts:
            fleet = Fleet.restore({"p": PROFILE}, fleet.snapshot())
    assert dies(fleet, 4 * HOUR + 3540, patience(10))
    told = fleet.observe([Tick(n=0, at_ns=START + 7 * HOUR * S, stopped_ns=HOUR * S)])
    assert told == [], "it is silent still"
