"""What goes wrong with one source, or once with the outbox, costs no other reading."""

import asyncio
from pathlib import Path

import pytest

from edge_agent import settings as edge_settings
from edge_agent.agent import Agent, Feed
from edge_agent.drivers import Reading
from edge_agent.errors import DriverError, OutboxError, first
from edge_agent.outbox import Outbox
from edge_agent.publisher import Publisher
from edge_agent.settings import MachineSettings, SourceSettings
from models.contract import codec, topics
from models.contract.messages import Batch, Birth, Metric
from tests.edge_agent.made import T0_NS
from tests.edge_agent.test_agent import ID, Scripted, readings, run_until, settings


class Once(Outbox):
    """Does not take the second birth at the first try."""

    births_told = 0

    def remember(self, birth: Birth) -> None:
        type(self).births_told += 1
        if self.births_told == 2:
            raise OutboxError("disk I/O error")
        super().remember(birth)


class Wide(Scripted):
    """Knows more signals than a birth can carry."""

    def signals(self) -> list[Metric]:
        return [Metric(name=f"{i:0>100}") for i in range(3000)]


def stored(folder: Path) -> tuple[int, int, list[str]]:
    """Return samples and lost samples of the outbox, and the signals of its newest birth."""
    outbox = Outbox(folder / "gw1.db", "later", max_bytes=4 * 1024 * 1024)
    try:
        birth = codec.decode(topics.parse(topics.up(ID, "birth")), outbox.births()[-1])
        assert isinstance(birth, Birth)
        for pending in outbox.pending("live"):
            batch = codec.decode(topics.parse(topics.up(ID, "t", "live")), pending.payload)
            assert isinstance(batch, Batch)
        numbers = outbox.stats()
        return numbers.samples, numbers.gap_samples, [metric.name for metric in birth.metrics]
    finally:
        outbox.close()


async def test_a_birth_that_was_not_written_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.agent.RETRY_S", 0.01)
    driver = Scripted([*readings(1), *readings(3, new=1.0), None])
    await run_until(Agent(settings(1, tmp_path), feeds=[Feed(driver=driver)], outbox=Once), driver)
    assert stored(tmp_path) == (4, 0, ["temp", "new"])


@pytest.mark.parametrize(
    "bad",
    [
        Reading(values={"temp": "n/a"}, wall_ns=T0_NS),  # type: ignore[dict-item]
        Reading(values={"temp": 1.0}, wall_ns=2**70),
        Reading(values={"temp": 1.0}, wall_ns=T0_NS, quality={"temp": 300}),
    ],
)
async def test_a_reading_that_no_batch_can_carry_goes_alone(tmp_path: Path, bad: Reading) -> None:
    faulty = Scripted([*readings(1), bad, *readings(1), None])
    sound = Scripted([*readings(1), None])
    agent = Agent(settings(1, tmp_path), feeds=[Feed(driver=faulty), Feed(driver=sound)])
    await run_until(agent, faulty, sound)
    assert stored(tmp_path) == (3, 0, ["temp"])


async def test_a_source_with_too_many_signals_at_the_start_ends_no_other(tmp_path: Path) -> None:
    wide, sound = Wide([None]), Scripted([*readings(1), None])
    agent = Agent(settings(1, tmp_path), feeds=[Feed(driver=wide), Feed(driver=sound)])
    await run_until(agent, wide, sound)
    assert stored(tmp_path) == (1, 0, ["temp"])


def sources(folder: Path) -> tuple[SourceSettings, ...]:
    there = folder / "there.csv"
    there.write_text("t,a\n2026-01-01T00:00:00Z,1\n")
    units = {"b": "Cel"}
    return (
        SourceSettings(driver="replay", machine="x", options={"file": str(there)}),
        SourceSettings(
            driver="replay", machine="y", options={"file": str(folder / "late.csv"), "units": units}
        ),
    )


async def test_a_file_that_comes_later_is_read_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.agent.DRIVER_WAIT_S", 0.01)
    machines = (MachineSettings(key="x"), MachineSettings(key="y"))
    made = settings(1, tmp_path, machines=machines, sources=sources(tmp_path))
    agent = Agent(made)
    (tmp_path / "late.csv").write_text("t,b\n" + "2026-01-01T00:00:00Z,1\n" * 2)
    heard: list[str] = []
    second = asyncio.Event()

    def tap(_: Feed, reading: Reading) -> None:
        heard.extend(reading.values)
        if heard.count("b") == 2:  # the first has been learned
            second.set()

    agent.latest.taps.append(tap)
    running = asyncio.create_task(agent.run())
    async with asyncio.timeout(120):
        await second.wait()
        agent.stop()
        await running
    assert stored(tmp_path)[1:] == (0, ["x/a", "y/b"])
    assert "a" in heard


def test_check_names_the_file_of_a_source_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(
        'tenant = "acme"\ndevice = "gw1"\n[[sources]]\ndriver = "replay"\n'
        'options = { file = "/mnt/gone/x.csv" }\n'
    )
    assert edge_settings.check(path) == []
    (said,) = edge_settings.check(path, here=True)
    assert "sources[0].options.file" in said
    assert "/mnt/gone/x.csv" in said


async def test_without_any_source_that_can_be_opened_nothing_begins(tmp_path: Path) -> None:
    gone = sources(tmp_path)[1:]
    with pytest.raises(DriverError, match=r"late\.csv"):
        Agent(settings(1, tmp_path, sources=gone))


async def test_until_sent_waits_for_no_file_that_may_never_come(tmp_path: Path) -> None:
    machines = (MachineSettings(key="x"), MachineSettings(key="y"))
    agent = Agent(settings(1, tmp_path, machines=machines, sources=sources(tmp_path)))
    with pytest.raises(DriverError, match=r"late\.csv"):
        await agent.run(until_sent=True)


async def test_a_start_that_failed_leaves_the_outbox_to_the_next(tmp_path: Path) -> None:
    class Unwritable(Outbox):
        def __init__(self, *_: object, **__: object) -> None:
            raise OutboxError("disk I/O error")

    failed = Publisher(settings(1, tmp_path), outbox=Unwritable)
    with pytest.raises(OutboxError, match="disk I/O error"):
        await failed.__aenter__()
    async with Publisher(settings(1, tmp_path)):
        pass


async def test_a_start_that_waits_for_the_disk_can_be_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.agent.RETRY_S", 0.01)
    tried = asyncio.Event()

    class Never(Outbox):
        def remember(self, birth: Birth) -> None:
            loop.call_soon_threadsafe(tried.set)
            raise OutboxError("disk I/O error")

    loop = asyncio.get_running_loop()
    agent = Agent(settings(1, tmp_path), feeds=[Feed(driver=Scripted([]))], outbox=Never)
    running = asyncio.create_task(agent.run())
    async with asyncio.timeout(120):
        await tried.wait()
        agent.stop()
        with pytest.raises(ExceptionGroup) as ended:
            await running
    assert str(first(ended.value)) == "disk I/O error"
