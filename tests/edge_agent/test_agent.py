import asyncio
import contextlib
import csv
import sqlite3
import threading
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest

from edge_agent.agent import Agent, Feed
from edge_agent.drivers import Options, Reading
from edge_agent.drivers.replay import ReplayDriver, ReplayOptions
from edge_agent.errors import DriverError, OutboxError, OutboxGone
from edge_agent.outbox import Outbox
from edge_agent.outbox_file import Placed, connect_read_only, stats
from edge_agent.settings import (
    BrokerSettings,
    MachineSettings,
    OutboxSettings,
    Settings,
    SignalSettings,
)
from edge_agent.spool import open_outbox
from models.contract import codec, topics
from models.contract.messages import Batch, Birth, Metric
from tests.edge_agent.cloud import listening
from tests.edge_agent.conftest import Broker
from tests.edge_agent.made import T0_NS

ID = "acme.gw1"


class Scripted:
    """Gives what it was made with; an exception in the list is raised, None waits for ever."""

    Options: ClassVar[type[Options]] = Options
    patient: ClassVar[bool] = True

    def __init__(self, script: Any, *, interval_s: float = 1.0) -> None:
        self.script = list(script)
        self.waiting = asyncio.Event()

    def signals(self) -> Sequence[Metric]:
        return (Metric(name="temp", unit="Cel"),)

    async def readings(self) -> AsyncGenerator[Reading, None]:
        while self.script:
            step = self.script.pop(0)
            if isinstance(step, Exception):
                raise step
            if step is None:
                self.waiting.set()
                await asyncio.Event().wait()
            yield step


def readings(count: int, **more: float) -> list[Reading]:
    return [Reading(values={"temp": float(i), **more}, wall_ns=T0_NS + i) for i in range(count)]


def settings(port: int, folder: Path, device: str = "gw1", **more: Any) -> Settings:
    return Settings(
        tenant="acme",
        device=device,
        time="data",
        broker=BrokerSettings(port=port),
        outbox=OutboxSettings(path=str(folder / f"{device}.db"), max_mb=4),
        **more,
    )


async def run_until(agent: Agent, *drivers: Scripted) -> None:
    """Run until the drivers have given all they have."""
    running = asyncio.create_task(agent.run())
    async with asyncio.timeout(120):
        for driver in drivers:
            await driver.waiting.wait()
        agent.stop()
        await running


async def finish(agent: Agent) -> None:
    async with asyncio.timeout(120):
        await agent.run(until_sent=True)


@pytest.mark.broker
async def test_several_machines_behind_one_device(broker: Broker, tmp_path: Path) -> None:
    machines = (
        MachineSettings(key="pump1", profile="centrifugal-pump"),
        MachineSettings(key="pump2", name="Second"),
    )
    said = SignalSettings(name="temp", high=75.0)
    feeds = [
        Feed(driver=Scripted(readings(150)), machine="pump1", signals=(said,)),
        Feed(driver=Scripted(readings(3)), machine="pump2", stream="bulk"),
    ]
    made = settings(broker.port, tmp_path, machines=machines)
    async with listening(broker.port, ID) as cloud:
        agent = Agent(made, feeds=feeds, boot="boot-one")
        cloud.answer = lambda receipt, _: receipt
        columns: dict[str, int] = {}

        def accepts(sent: Any) -> bool:
            for name, column in sent.columns.items():
                columns[name] = columns.get(name, 0) + len(column)
            sent.columns["temp"] = next(iter(sent.columns.values()))
            return True

        cloud.accepts = accepts
        await finish(agent)
    assert columns == {"pump1/temp": 150, "pump2/temp": 3}
    (birth,) = cloud.births
    assert birth.time == "data"
    assert dict(birth.machines) == made.refs()
    assert [(m.name, m.unit, m.high) for m in birth.metrics] == [
        ("pump1/temp", "Cel", 75.0),
        ("pump2/temp", "Cel", None),
    ]
    assert {batch.dictionary for batch in cloud.batches} == {birth.dictionary}


@pytest.mark.broker
async def test_a_new_signal_comes_with_a_new_birth_before_it(
    broker: Broker, tmp_path: Path
) -> None:
    script = readings(2) + readings(2, rpm=5.0)
    async with listening(broker.port, ID) as cloud:
        await finish(Agent(settings(broker.port, tmp_path), feeds=[Feed(driver=Scripted(script))]))
    assert len(cloud.births) >= 1
    assert {metric.name for metric in cloud.births[-1].metrics} == {"temp", "rpm"}
    known = {birth.dictionary for birth in cloud.births}
    assert {batch.dictionary for batch in cloud.batches} <= known
    assert [batch.count for batch in cloud.batches] == [2, 2]


@pytest.mark.broker
async def test_a_recording_arrives_whole(broker: Broker, tmp_path: Path) -> None:
    path = tmp_path / "recording.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", "temp"])
        for i in range(1000):
            rows.writerow([f"2013-12-02T{i // 60 % 24:02}:{i % 60:02}:00Z", i / 8])
    driver = ReplayDriver(ReplayOptions(file=str(path), speed=0), interval_s=1.0)
    async with listening(broker.port, ID) as cloud:
        agent = Agent(settings(broker.port, tmp_path), feeds=[Feed(driver=driver)], boot="boot-one")
        await finish(agent)
    assert cloud.samples["boot-one", "live"] == {i: i / 8 for i in range(1000)}
    assert sum(batch.count for batch in cloud.batches) == 1000


@pytest.mark.broker
async def test_several_agents_in_one_process(broker: Broker, tmp_path: Path) -> None:
    agents = []
    async with listening(broker.port, "+") as cloud:

        async def reply(key: tuple[str, str], batch: Any, *refused: Any) -> None:
            del batch, refused
            cloud.identity = f"acme.{key[0].removeprefix('boot-')}"
            await type(cloud).reply(cloud, key, None)

        cloud.reply = reply  # type: ignore[method-assign]
        for i in range(5):
            made = settings(broker.port, tmp_path, device=f"dev{i}")
            feed = Feed(driver=Scripted(readings(250)))
            agents.append(Agent(made, feeds=[feed], boot=f"boot-dev{i}"))
        await asyncio.gather(*(finish(agent) for agent in agents))
    assert {key[0]: len(found) for key, found in cloud.samples.items()} == {
        f"boot-dev{i}": 250 for i in range(5)
    }


async def test_at_the_end_what_was_read_is_on_the_disk(tmp_path: Path) -> None:
    driver = Scripted([*readings(42), None])
    agent = Agent(settings(1, tmp_path), feeds=[Feed(driver=driver)])
    await run_until(agent, driver)
    path = tmp_path / "gw1.db"
    db = connect_read_only(path)
    assert stats(db, path).samples == 42
    db.close()


async def test_a_source_that_fails_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.agent.DRIVER_WAIT_S", 0.01)
    driver = Scripted([*readings(2), DriverError("the line is down"), *readings(3), None])
    agent = Agent(settings(1, tmp_path), feeds=[Feed(driver=driver)])
    await run_until(agent, driver)
    outbox = Outbox(tmp_path / "gw1.db", "later", max_bytes=4 * 1024 * 1024)
    assert outbox.stats().samples == 5
    outbox.close()


@pytest.mark.parametrize("content", [b"not a database" * 1000, b"short"])
async def test_an_unreadable_outbox_is_kept_and_a_new_one_begun(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "gw1.db").write_bytes(content)
    driver = Scripted([*readings(1), None])
    agent = Agent(settings(1, tmp_path), feeds=[Feed(driver=driver)], boot="boot-two")
    await run_until(agent, driver)
    kept = tmp_path / "gw1.db.unreadable-boot-two"
    assert kept.read_bytes() == content


async def test_a_fault_in_one_driver_does_not_end_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.agent.DRIVER_WAIT_S", 0.01)
    faulty = Scripted([*readings(2), ZeroDivisionError("a fault"), *readings(3), None])
    sound = Scripted([*readings(4), None])
    agent = Agent(settings(1, tmp_path), feeds=[Feed(driver=faulty), Feed(driver=sound)])
    await run_until(agent, faulty, sound)
    outbox = Outbox(tmp_path / "gw1.db", "later", max_bytes=4 * 1024 * 1024)
    assert outbox.stats().samples == 9
    outbox.close()


async def test_a_name_that_no_birth_can_carry_is_not_announced(tmp_path: Path) -> None:
    driver = Scripted([*readings(1, **{"a\x07": 1.0, "x" * 118: 2.0, "fine": 3.0}), None])
    said = SignalSettings(name="y" * 118)
    agent = Agent(
        settings(1, tmp_path, machines=(MachineSettings(key="p1"),)),
        feeds=[Feed(driver=driver, machine="p1", signals=(said,))],
    )
    await run_until(agent, driver)
    outbox = Outbox(tmp_path / "gw1.db", "later", max_bytes=4 * 1024 * 1024)
    birth = codec.decode(topics.parse(topics.up(ID, "birth")), outbox.births()[-1])
    (stored,) = outbox.pending("live")
    outbox.close()
    assert isinstance(birth, Birth)
    assert [metric.name for metric in birth.metrics] == ["p1/temp", "p1/fine"]
    found = codec.decode(topics.parse(topics.up(ID, "t", "live")), stored.payload)
    assert isinstance(found, Batch)
    assert found.dictionary == birth.dictionary
    assert set(found.columns) == {"p1/temp", "p1/fine"}


async def test_more_signals_than_a_birth_can_carry_end_nothing(tmp_path: Path) -> None:
    many = {f"{i:0>120}": float(i) for i in range(2000)}
    driver = Scripted([*readings(1), *readings(1, **many), *readings(1), None])
    agent = Agent(settings(1, tmp_path), feeds=[Feed(driver=driver)])
    await run_until(agent, driver)
    assert agent.columns == {"temp"}
    outbox = Outbox(tmp_path / "gw1.db", "later", max_bytes=4 * 1024 * 1024)
    assert outbox.stats().samples + outbox.stats().gap_samples == 3
    outbox.close()


async def test_two_agents_do_not_share_an_outbox(tmp_path: Path) -> None:
    driver = Scripted([*readings(1), None])
    agent = Agent(settings(1, tmp_path), feeds=[Feed(driver=driver)])
    running = asyncio.create_task(agent.run())
    async with asyncio.timeout(120):
        await driver.waiting.wait()
        with pytest.raises(OutboxError, match=r"gw1.db is in use by another agent"):
            await Agent(settings(1, tmp_path), feeds=[]).run()
        agent.stop()
        await running
        second = Agent(settings(1, tmp_path), feeds=[Feed(driver=Scripted([]))])
        second.stop()
        await second.run()


class Impatient(Outbox):
    """Gives up at once where another connection holds the file, and says so."""

    refused: ClassVar[threading.Event]

    def _open(self) -> None:
        super()._open()
        self._db.execute("PRAGMA busy_timeout=1")

    def append(self, batches: Sequence[tuple[str, Batch]]) -> list[Placed]:
        try:
            return super().append(batches)
        except OutboxError:
            self.refused.set()
            raise


class Stuck(NamedTuple):
    """An agent whose disk takes nothing while `holder` is in its transaction."""

    agent: Agent
    running: "asyncio.Task[None]"
    holder: sqlite3.Connection


@contextlib.asynccontextmanager
async def taking_nothing(folder: Path) -> AsyncGenerator[Stuck, None]:
    """An agent that runs, has read 42 readings, and whose disk took none of them."""
    Impatient.refused = threading.Event()
    driver = Scripted([*readings(42), None])
    feed = Feed(driver=driver)
    agent = Agent(settings(1, folder), feeds=[feed], boot="boot-one", outbox=Impatient)
    running = asyncio.create_task(agent.run())
    async with asyncio.timeout(120):
        await agent.started.wait()
        with contextlib.closing(sqlite3.connect(folder / "gw1.db", isolation_level=None)) as holder:
            holder.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            holder.execute("BEGIN IMMEDIATE")  # stands for a disk that takes nothing
            await driver.waiting.wait()
            assert await asyncio.to_thread(Impatient.refused.wait, 120)
            yield Stuck(agent, running, holder)


def declared(folder: Path) -> list[tuple[str, str, tuple[tuple[int, int], ...]]]:
    """What an agent that starts now declares."""
    outbox = open_outbox(OutboxSettings(path=str(folder / "gw1.db"), max_mb=4), "boot-two")
    with contextlib.closing(outbox):
        return [(gap.boot, gap.stream, gap.ranges) for gap in outbox.gaps()]


async def test_what_is_read_but_cannot_be_stored_is_declared_after_a_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with taking_nothing(tmp_path) as stuck:
        stuck.agent.stop()
        await stuck.running
    assert "42 readings are lost and will be declared" in caplog.text
    assert declared(tmp_path) == [("boot-one", "live", ((0, 41),))]


async def test_an_agent_that_is_cancelled_waits_no_longer_for_the_disk(tmp_path: Path) -> None:
    async with taking_nothing(tmp_path) as stuck:
        stuck.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck.running
    assert declared(tmp_path) == [("boot-one", "live", ((0, 41),))]


async def test_a_fault_ends_an_agent_whose_disk_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edge_agent.agent.TEND_S", 0.01)
    folder = tmp_path / "stick"
    folder.mkdir()
    async with taking_nothing(folder) as stuck:
        folder.rename(tmp_path / "pulled")
        with pytest.raises(ExceptionGroup) as raised:
            await stuck.running
    assert raised.group_contains(OutboxGone, match=r"gw1\.db: it is no longer there")
    assert "42 readings are lost and cannot be declared" in caplog.text


async def test_an_outbox_in_whose_place_another_one_stands_ends_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.agent.TEND_S", 0.01)
    path = tmp_path / "gw1.db"
    driver = Scripted([*readings(3), None])
    agent = Agent(settings(1, tmp_path), feeds=[Feed(driver=driver)])
    running = asyncio.create_task(agent.run())
    async with asyncio.timeout(120):
        await driver.waiting.wait()
        path.rename(tmp_path / "moved.db")
        path.write_bytes(b"")
        with pytest.raises(ExceptionGroup) as raised:
            await running
    assert raised.group_contains(OutboxGone, match=r"gw1\.db: another file is there now")
    assert path.read_bytes() == b""


async def test_a_damaged_outbox_is_renewed_and_takes_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "gw1.db"
    told: asyncio.Queue[str] = asyncio.Queue()
    async with taking_nothing(tmp_path) as stuck:
        stuck.agent.publisher.spool.mended = told.put_nowait
        sound = path.read_bytes()
        path.write_bytes(sound[:4096] + b"\xff" * (len(sound) - 4096))
        stuck.holder.execute("PRAGMA user_version=1")  # so that the agent reads the file anew
        stuck.holder.execute("COMMIT")
        async with asyncio.timeout(120):
            said = await told.get()
        stuck.agent.stop()
        await stuck.running
    assert (
        said
        == "outbox was damaged, kept as gw1.db.unreadable-boot-one; 0 readings declared as lost"
    )
    outbox = Outbox(path, "boot-two", max_bytes=4 * 1024 * 1024)
    with contextlib.closing(outbox):
        assert outbox.gaps() == []
        assert outbox.stats().samples == 42
