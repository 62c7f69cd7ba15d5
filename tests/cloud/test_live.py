"""What is pushed: coalesced, bounded, resumable, never older over newer."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.glance import Glance, first_life, past
from cloud.ledger import Ledger, Registration, open_ledger
from cloud.live import (
    AT_MOST,
    BACKLOG,
    EVENTS,
    KEPT,
    Change,
    Live,
)
from cloud.trail import POINTS, STEP_NS, longer, points
from models.assessment import Assessment, Life, State
from models.profile import Profile
from models.rows import Block

T0 = 1_700_000_000_000_000_000
SECOND = 10**9
PROFILES = {"generic": Profile(name="generic", version=1, title={"en": "Machine"})}


def block(machine: str, at_ns: int, value: float = 1.0, **more: object) -> Block:
    values = {
        "n": 0,
        "machine": machine,
        "device": machine.partition(":")[0],
        "boot": "boot-0001",
        "stream": "live",
        "seq": 0,
        "times_ns": np.array([at_ns - 1, at_ns], np.int64),
        "received_ns": at_ns + 5,
        "signals": ("temp",),
        "columns": (np.array([0.0, value]),),
    }
    return Block(**(values | more))  # type: ignore[arg-type]


def change(n: int) -> Change:
    return Change(subject="ticket", subject_id=str(n), machine="a.m", type="opened")


def assessment(machine: str, at_ns: int, health: float = 90.0, n: int = 1) -> Assessment:
    return Assessment(
        machine=machine,
        at_ns=at_ns,
        n=n,
        state=State.NORMAL,
        score=0.1,
        health=health,
        coverage=1.0,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    found = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", lambda: T0, PROFILES)
    yield found
    found.close()


@pytest.fixture
def live(ledger: Ledger) -> Live:
    return Live(ledger, lambda: T0)


def test_a_message_holds_each_machine_once_and_the_rest_comes_next(live: Live) -> None:
    watcher = live.watch(frozenset())
    for round_ in range(3):
        live.heard([block(f"a.m{i}", T0 + round_) for i in range(AT_MOST + 20)], [])
    live.hand_out(())
    live.hand_out(())
    live.hand_out(())
    first, second = watcher.queue.get_nowait(), watcher.queue.get_nowait()
    assert first is not None
    assert second is not None
    assert watcher.queue.empty()
    names = [g.machine for g in (*first.message.machines, *second.message.machines)]
    assert len(first.message.machines) == AT_MOST
    assert sorted(names) == sorted(f"a.m{i}" for i in range(AT_MOST + 20))
    assert first.message.machines[0].data_ns == T0 + 2


def test_values_come_for_watched_machines_alone(live: Live) -> None:
    watcher, other = live.watch(frozenset({"a.m"})), live.watch(frozenset())
    live.heard([block("a.m", T0, 7.5), block("a.other", T0, 1.0)], [])
    live.heard([block("a.m", T0 - SECOND, 1.0)], [])
    live.hand_out(())
    delivery = watcher.queue.get_nowait()
    assert delivery is not None
    assert [(r.machine, r.signal, r.at_ns, r.value) for r in delivery.readings] == [
        ("a.m", "temp", T0, 7.5)
    ]
    unasked = other.queue.get_nowait()
    assert unasked is not None
    assert unasked.readings == ()


def test_missing_values_and_history_are_not_newest_values(live: Live) -> None:
    watcher = live.watch(frozenset({"a.m"}))
    live.heard(
        [block("a.m", T0, float("nan")), block("a.m", T0 + SECOND, 3.0, historical=True)], []
    )
    live.hand_out(())
    delivery = watcher.queue.get_nowait()
    assert delivery is not None
    assert [reading.value for reading in delivery.readings] == [None]
    assert delivery.message.machines[0].data_ns == T0


def test_an_older_assessment_changes_nothing(live: Live) -> None:
    live.heard([], [assessment("a.m", T0, 80.0), assessment("a.m", T0 - SECOND, 20.0)])
    found = live.glance("a.m")
    assert found is not None
    assert (found.seen_ns, found.health) == (T0, 80.0)


def test_who_comes_back_gets_what_was_missed_or_a_reset(live: Live) -> None:
    for n in range(KEPT + 5):
        live.heard([block("a.early" if n < KEPT else f"a.m{n % 2}", T0 + n)], [])
        live.hand_out((change(n),))
    seen = live.since(live.place(live.n - 3))
    assert seen is not None
    (message,) = seen
    assert message.n == live.n
    assert {g.machine: g.data_ns for g in message.machines} == {
        "a.m0": T0 + KEPT + 4,
        "a.m1": T0 + KEPT + 3,
    }
    assert message.changes == (change(KEPT + 2), change(KEPT + 3), change(KEPT + 4))
    assert live.since(live.place()) == []
    assert live.since(live.place(live.n - KEPT)) is not None
    assert live.since(live.place(live.n - KEPT - 1)) is None
    assert live.since(live.place(live.n + 1)) is None


def test_what_was_missed_of_a_large_fleet_comes_in_pieces(live: Live) -> None:
    start, count = live.place(), 2 * AT_MOST + 1
    live.watch(frozenset())
    for n in range(count):
        live.heard([block(f"a.m{n}", T0)], [])
    for n in range(3):
        live.hand_out((change(n),))
    seen = live.since(start)
    assert seen is not None
    assert [len(message.machines) for message in seen] == [AT_MOST, AT_MOST, 1]
    assert len({g.machine for message in seen for g in message.machines}) == count
    assert [c for message in seen for c in message.changes] == [change(n) for n in range(3)]
    assert [live.place(message.n) for message in seen] == [start, start, live.place()]


def test_what_waited_while_nobody_watched_delays_no_news(live: Live) -> None:
    start = live.place()
    live.heard([block(f"a.m{n}", T0) for n in range(3 * AT_MOST)], [])
    watcher = live.watch(frozenset())
    assert live.since(start) is None  # too much: it is read anew
    live.heard([block("a.m7", T0 + 1)], [])
    live.hand_out(())
    delivery = watcher.queue.get_nowait()
    assert delivery is not None
    assert [(g.machine, g.data_ns) for g in delivery.message.machines] == [("a.m7", T0 + 1)]
    place = live.place()
    live.leave(watcher)
    live.heard([block("a.m8", T0 + 1)], [])
    watcher = live.watch(frozenset())
    assert live.since(place) == []  # it comes with the next message
    live.hand_out(())
    delivery = watcher.queue.get_nowait()
    assert delivery is not None
    assert [g.machine for g in delivery.message.machines] == ["a.m8"]


@pytest.mark.parametrize("handed_out", ["before", "after"])
async def test_who_comes_back_to_more_changes_than_a_message_takes_reads_anew(
    live: Live, ledger: Ledger, handed_out: str
) -> None:
    live.hand_out((change(0),))
    place = live.place()
    for n in range(EVENTS + 1):
        ledger.register([Registration(f"a.m{n}", "a", "generic", "Fan", T0, "wall")])
    if handed_out == "before":
        live.hand_out(await live.changes())
        assert live.since(place) is None
        return
    watcher = live.watch(frozenset())
    assert live.since(place) == []
    live.hand_out(await live.changes())
    delivery = watcher.queue.get_nowait()
    assert delivery is not None
    assert (len(delivery.message.changes), delivery.whole) == (EVENTS, False)
    live.hand_out((change(0),))
    delivery = watcher.queue.get_nowait()
    assert delivery is not None
    assert delivery.whole


def test_a_slow_watcher_is_let_go_and_the_others_stay(live: Live) -> None:
    slow, quick = live.watch(frozenset()), live.watch(frozenset())
    for n in range(BACKLOG + 1):
        live.heard([block("a.m", T0 + n)], [])
        live.hand_out(())
        assert quick.queue.get_nowait() is not None
    assert live.dropped == 1
    found = [slow.queue.get_nowait() for _ in range(BACKLOG + 1)]
    assert found[-1] is None
    live.heard([block("a.m", T0 + SECOND)], [])
    live.hand_out(())
    assert quick.queue.get_nowait() is not None
    assert slow.queue.empty()


async def test_changes_of_the_ledger_come_once_and_the_end_ends_the_streams(
    live: Live, ledger: Ledger
) -> None:
    ledger.file(0, [assessment("a.m", T0)])
    stop = asyncio.Event()
    running = asyncio.create_task(live.run(stop))
    watcher = live.watch(frozenset())
    async with asyncio.timeout(120):
        while live.glance("a.m") is None:  # noqa: ASYNC110 - it is read by a thread
            await asyncio.sleep(0.01)
    ledger.register([Registration("a.m", "a", "generic", "Fan", T0, "wall")])
    delivery = await asyncio.wait_for(watcher.queue.get(), 120)
    assert delivery is not None
    assert delivery.message.changes == (
        Change(subject="machine", subject_id="a.m", machine="a.m", type="changed"),
    )
    stop.set()
    await running
    assert await asyncio.wait_for(watcher.queue.get(), 120) is None


def test_what_the_ledger_kept_stands_behind_what_is_heard_now(live: Live, ledger: Ledger) -> None:
    days = [assessment("a.m", T0 + i * STEP_NS, 100.0 - i, n=i) for i in range(5)]
    ledger.file(5, days)
    live.heard([block("a.m", T0 + 9 * STEP_NS)], [assessment("a.m", T0 + 9 * STEP_NS, 50.0)])
    live.remember(past(ledger, "a.m"))
    found = live.glance("a.m")
    assert found is not None
    assert (found.health, found.data_ns) == (50.0, T0 + 9 * STEP_NS)
    assert [health for _, health in points(found.trail)] == [100.0, 99.0, 98.0, 97.0, 96.0, 50.0]


@given(st.lists(st.integers(0, 40 * STEP_NS), max_size=200))
def test_a_trail_is_short_in_order_and_ends_with_the_newest(times: list[int]) -> None:
    trail = b""
    newest = None
    for at_ns in times:
        trail = longer(trail, at_ns, 50.0)
        newest = at_ns if newest is None else max(newest, at_ns)
        assert points(trail)[-1] == (newest, 50.0)
    assert len(trail) == 16 * len(points(trail))
    stamps = [at_ns for at_ns, _ in points(trail)]
    assert stamps == sorted(set(stamps))
    assert len(stamps) <= POINTS
    gaps = [b - a for a, b in pairwise(stamps)]
    assert all(gap >= STEP_NS for gap in gaps[1:-1])


def test_the_life_that_ends_first_counts() -> None:
    def life(component: str, p50_s: float | None) -> Life:
        return Life(
            component=component,
            mode="wear",
            basis="trend",
            p10_s=None,
            p50_s=p50_s,
            p90_s=None,
            fraction=None,
        )

    known = [life("a", 5.0), life("b", None), life("c", 2.0)]
    assert first_life(known) == known[2]
    assert first_life([life("b", None)]) is None
    assert Glance(machine="a.m").first is None
