import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

from cloud.ledger import Ledger
from cloud.notify import Notifier
from cloud.notify.channels import AppriseChannel, Channel, LogChannel, NotSent
from cloud.notify.texts import Language, Text
from tests.cloud.ledger.made import DAY, MACHINE, SECOND, Clock, assess, high, profiles
from tests.cloud.notify.receiver import receiving

T = TypeVar("T")


async def submit(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


def notifier(ledger: Ledger, clock: Clock, *channels: Channel) -> Notifier:
    return Notifier(
        ledger, channels, submit=submit, now=clock, profiles=profiles(), jitter=lambda: 0.5
    )


class Box:
    """A channel that keeps what it is given, or refuses."""

    def __init__(self, name: str, refuse: int = 0, *, fallback: bool = False) -> None:
        self.name = name
        self.languages: tuple[Language, ...] = ("zh",)
        self.fallback = fallback
        self.refuse = refuse
        self.kept: list[tuple[str, Text]] = []

    def send(self, batch_id: str, texts: Mapping[Language, Text]) -> None:
        if self.refuse:
            self.refuse -= 1
            raise NotSent("no")
        self.kept.append((batch_id, texts["zh"]))


async def test_a_ticket_reaches_a_webhook_once(ledger: Ledger, clock: Clock) -> None:
    async with receiving() as receiver:
        one = notifier(ledger, clock, AppriseChannel("hook", receiver.url, "en"))
        ledger.file(1, [assess(1, high())])
        await one.drain()
        await one.drain()
    ((key, body),) = receiver.got
    assert body["title"] == "[ALERT] Pump 1: Bearing wear"
    assert "Replace both bearings." in body["message"]
    assert key
    assert key in body["message"]
    assert ledger.alerts_next(0) is None
    (sent,), _ = ledger.deliveries()
    assert (sent.channel, sent.error, sent.batch_id) == ("hook", None, key)


@pytest.mark.parametrize("way", ["500", "close", "half"])
async def test_a_receiver_that_fails_gets_it_again_under_the_same_id(
    ledger: Ledger, clock: Clock, way: str
) -> None:
    async with receiving(way, way) as receiver:
        one = notifier(ledger, clock, AppriseChannel("hook", receiver.url, "en"))
        ledger.file(1, [assess(1, high())])
        for _ in range(3):
            await one.drain()
            clock.now += 60 * SECOND
        assert len(receiver.taken) == 1
        assert [key for key, _ in receiver.got] == receiver.taken * 3
    log, _ = ledger.deliveries()
    assert [row.error is None for row in log] == [True, False, False]
    assert [row.attempt for row in log] == [3, 2, 1]


async def test_a_closed_port_is_a_failure_that_names_no_secret(
    ledger: Ledger, clock: Clock
) -> None:
    async with receiving() as receiver:
        url = f"json://user:hunter2@127.0.0.1:{receiver.port}/tok3n"
    one = notifier(ledger, clock, AppriseChannel("hook", url, "en"))
    ledger.file(1, [assess(1, high())])
    await one.drain()
    (row,), _ = ledger.deliveries()
    assert row.error is not None
    assert "hunter2" not in row.error
    assert "tok3n" not in row.error


async def test_a_channel_that_hangs_keeps_only_itself_waiting(
    ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.notify.notifier.SEND_S", 1.0)
    box = Box("box")
    async with receiving("hang") as receiver:
        one = notifier(ledger, clock, AppriseChannel("hook", receiver.url, "en"), box)
        ledger.file(1, [assess(1, high())])
        await one.drain()
        assert len(box.kept) == 1
        clock.now += 60 * SECOND
        await one.drain()  # the first attempt still hangs: no second beside it
        await receiver.arrived.wait()
        assert len(receiver.got) == 1
        errors = [row.error for row in ledger.deliveries()[0] if row.channel == "hook"]
        assert errors == ["the attempt before still hangs", "no answer within 1 s"]
    assert len(box.kept) == 1


async def test_each_channel_has_it_once_whatever_the_others_do(
    ledger: Ledger, clock: Clock
) -> None:
    good, bad = Box("good"), Box("bad", refuse=2)
    one = notifier(ledger, clock, good, bad)
    ledger.file(1, [assess(1, high())])
    for _ in range(4):
        await one.drain()
        clock.now += 60 * SECOND
    assert [len(box.kept) for box in (good, bad)] == [1, 1]
    assert good.kept == bad.kept


async def test_what_comes_within_a_minute_is_one_message(ledger: Ledger, clock: Clock) -> None:
    box = Box("box")
    one = notifier(ledger, clock, box)
    ledger.file(1, [assess(1, high()), assess(1, high(), machine="acme.other")])
    for row in ledger.advisories()[0]:
        if row.ticket_id is None:
            ledger.decide_advisory(row.id, row.version, "accept", actor="ann")
    await one.drain()
    assert len(box.kept) == 2  # one a machine
    ledger.file(2, [assess(2, high(severity=3))])
    await one.drain()
    assert len(box.kept) == 2
    clock.now += 61 * SECOND
    await one.drain()
    assert [text.title[:4] for _, text in box.kept[2:]] == ["【报警】"]


async def test_a_crash_between_sending_and_noting_repeats_the_same_id(
    ledger: Ledger, clock: Clock
) -> None:
    box = Box("box")
    first = notifier(ledger, clock, box)
    ledger.file(1, [assess(1, high())])

    async def dies(work: Callable[[], T]) -> T:
        if box.kept:
            raise asyncio.CancelledError
        return work()

    first._submit = dies
    with pytest.raises(asyncio.CancelledError):
        await first.drain()
    ledger.file(2, [assess(2, high(severity=3))])
    await notifier(ledger, clock, box).drain()
    assert len(box.kept) == 2
    assert len({key for key, _ in box.kept}) == 1


async def test_the_fallback_is_used_after_a_quarter_of_an_hour(
    ledger: Ledger, clock: Clock, tmp_path: Path
) -> None:
    log = LogChannel(tmp_path / "alerts.jsonl", fallback=True)
    one = notifier(ledger, clock, Box("bad", refuse=99), log)
    ledger.file(1, [assess(1, high())])
    await one.drain()
    clock.now += 899 * SECOND
    await one.drain()
    assert not (tmp_path / "alerts.jsonl").exists()
    clock.now += 900 * SECOND
    await one.drain()
    clock.now += 900 * SECOND
    await one.drain()
    (line,) = (tmp_path / "alerts.jsonl").read_text("utf-8").splitlines()
    assert {"id", "en", "zh"} == set(json.loads(line))


async def test_after_a_day_it_is_given_up_and_said(ledger: Ledger, clock: Clock) -> None:
    bad = Box("bad", refuse=9_999)
    one = notifier(ledger, clock, bad)
    ledger.file(1, [assess(1, high())])
    for _ in range(3):
        await one.drain()
        clock.now += DAY // 2
    bad.refuse = 0
    await one.drain()
    assert bad.kept == []
    types = [event.type for event in ledger.events(machine=MACHINE)[0]]
    assert types[-1] == "given-up"


async def test_it_wakes_when_something_is_filed_and_stops_when_told(
    ledger: Ledger, clock: Clock
) -> None:
    async with receiving() as receiver:
        one = notifier(ledger, clock, AppriseChannel("hook", receiver.url, "en"))
        stop = asyncio.Event()
        running = asyncio.create_task(one.run(stop))
        await asyncio.to_thread(ledger.file, 1, [assess(1, high())])
        await receiver.arrived.wait()
        stop.set()
        one.wake()
        await running
        assert len(receiver.taken) == 1
    assert [row.error for row in ledger.deliveries()[0]] == [None]


async def test_a_database_that_is_busy_does_not_end_the_task(
    ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloud.errors import StoreBusy

    monkeypatch.setattr("cloud.notify.notifier.STORE_RETRY_S", 0.0)
    box, busy = Box("box"), [1, 2, 3]
    one = notifier(ledger, clock, box)
    done = asyncio.Event()

    async def sometimes(work: Callable[[], T]) -> T:
        if busy:
            busy.pop()
            raise StoreBusy("locked")
        result = work()
        if box.kept and ledger.alerts_next(0) is None:
            done.set()
        return result

    one._submit = sometimes
    ledger.file(1, [assess(1, high())])
    stop = asyncio.Event()
    running = asyncio.create_task(one.run(stop))
    await done.wait()
    stop.set()
    await running
    assert len(box.kept) == 1


async def test_each_channel_gets_a_link_of_its_own_and_the_log_none(
    ledger: Ledger, clock: Clock, tmp_path: Path
) -> None:
    boxes = Box("maintenance"), Box("planner")
    log = LogChannel(tmp_path / "alerts.log")
    one = Notifier(
        ledger,
        [*boxes, log],
        submit=submit,
        now=clock,
        profiles=profiles(),
        link=lambda channel, ticket: f"https://pm.example.org/acknowledge/{channel}-{ticket}",
    )
    ledger.file(1, [assess(1, high())])
    await one.drain()
    ticket = ledger.tickets()[0][0].id
    for box in boxes:
        ((_, text),) = box.kept
        assert f"确认接手：https://pm.example.org/acknowledge/{box.name}-{ticket}" in text.body
    assert "acknowledge/" not in (tmp_path / "alerts.log").read_text("utf-8")
