"""Commands: delivered twice, expired, signed wrong, killed in the middle; against a real broker."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiomqtt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.agent import Agent
from edge_agent.command_file import CommandFile, CommandFileError
from edge_agent.commands import Executor, Refusal
from edge_agent.diagnostics import Diagnostics
from edge_agent.loglines import LogLines
from edge_agent.settings import BrokerSettings, CommandSettings, OutboxSettings, Settings
from edge_agent.signature import checker
from models.contract import codec, topics
from models.contract.ids import key_id
from models.contract.messages import Answer, Command
from models.contract.wire import CommandText
from tests.children import Child
from tests.edge_agent.conftest import Broker

ID = "acme.gw1"
UUID = "0190aaaa-0000-7000-8000-0000000000{:02x}"
NOW = 1_790_000_000 * 10**9
S = 10**9


def text(number: int = 1, op: str = "count", **more: object) -> CommandText:
    fields = {"id": UUID.format(number), "device": ID, "op": op, "not_before": NOW}
    return CommandText(**fields | {"expires": NOW + 60 * S} | more)  # type: ignore[arg-type]


def command(said: CommandText) -> Command:
    return Command(text=msgspec.json.encode(said).decode())


def down(said: CommandText) -> topics.Topic:
    return topics.parse(topics.down(ID, "cmd", said.op, said.id))


class Heard:
    """A wire that remembers the answers."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Answer] = asyncio.Queue()

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        found = codec.decode(topics.parse(topic), payload)
        assert isinstance(found, Answer)
        await self.answers.put(found)

    async def next(self) -> Answer:
        async with asyncio.timeout(120):
            return await self.answers.get()


class Counting:
    """A verb that says how often it ran."""

    def __init__(self) -> None:
        self.runs = 0
        self.began = asyncio.Event()
        self.hold: asyncio.Event | None = None

    async def __call__(self, said: CommandText) -> Mapping[str, object]:
        self.runs += 1
        self.began.set()
        if said.args.get("wrong"):
            raise Refusal(422, "args.wrong: leave it out")
        if said.args.get("large"):
            return {"text": "x" * 300_000}
        if self.hold is not None:
            await self.hold.wait()
        return {"runs": self.runs}


@contextlib.asynccontextmanager
async def running(
    path: Path, verb: Counting, key_file: str | None = None, now: int = NOW
) -> AsyncIterator[tuple[Executor, Heard]]:
    check = checker(key_file, trial=key_file is None)
    executor = Executor(ID, CommandFile(path), {"count": verb}, check, lambda: now)
    wire = Heard()
    tasks = [asyncio.create_task(executor.work()), asyncio.create_task(executor.run(wire))]
    try:
        yield executor, wire
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await executor.close()


async def final(wire: Heard) -> Answer:
    answer = await wire.next()
    return await wire.next() if answer.state == "accepted" else answer


async def test_delivered_twice_it_is_executed_once_and_answered_twice(tmp_path: Path) -> None:
    verb = Counting()
    async with running(tmp_path / "c.db", verb) as (executor, wire):
        await executor.take(down(text()), command(text()))
        first = await final(wire)
        await executor.take(down(text()), command(text()))
        again = await wire.next()
    assert (first.state, first.status, first.result) == ("done", 200, {"runs": 1})
    assert again == first
    assert verb.runs == 1


async def test_what_came_before_a_restart_is_known_after_it(tmp_path: Path) -> None:
    verb = Counting()
    async with running(tmp_path / "c.db", verb) as (executor, wire):
        await executor.take(down(text()), command(text()))
        await final(wire)
    async with running(tmp_path / "c.db", verb) as (executor, wire):
        await executor.take(down(text()), command(text()))
        assert (await wire.next()).result == {"runs": 1}
    assert verb.runs == 1


async def test_ended_while_it_ran_it_is_not_executed_again(tmp_path: Path) -> None:
    verb = Counting()
    verb.hold = asyncio.Event()
    async with running(tmp_path / "c.db", verb) as (executor, wire):
        await executor.take(down(text()), command(text()))
        assert (await wire.next()).state == "accepted"
        await verb.began.wait()
    async with running(tmp_path / "c.db", verb) as (_, wire):
        answer = await final(wire)
    assert (answer.state, answer.status) == ("failed", 500)
    assert "not executed again" in str(answer.text)
    assert verb.runs == 1


@pytest.mark.parametrize(
    ("said", "state", "status", "words"),
    [
        (text(expires=NOW), "expired", 408, "expired"),
        (text(not_before=NOW + 301 * S, expires=NOW + 900 * S), "refused", 425, "clock"),
        (text(op="reboot"), "refused", 501, "there are count"),
        (text(v=2), "refused", 505, "supported: 1"),
        (text(device="acme.other"), "refused", 400, "another topic"),
        (text(args={"wrong": True}), "refused", 422, "args.wrong"),
        (text(args={"large": True}), "failed", 413, "ask for less"),
    ],
)
async def test_what_is_wrong_is_said_with_a_status(
    tmp_path: Path, said: CommandText, state: str, status: int, words: str
) -> None:
    async with running(tmp_path / "c.db", Counting()) as (executor, wire):
        await executor.take(down(said), command(said))
        answer = await final(wire)
    assert (answer.id, answer.state, answer.status) == (said.id, state, status)
    assert words in str(answer.text)


async def test_junk_for_a_command_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path / "c.db", Counting()) as (executor, wire):
        await executor.take(down(text()), Command(text='{"id": 7}'))
        assert (await wire.next()).status == 400


def key(folder: Path) -> tuple[Ed25519PrivateKey, str]:
    private = Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    path = folder / "key.pem"
    path.write_bytes(pem)
    return private, str(path)


async def test_with_a_key_only_its_signature_over_the_exact_text_counts(tmp_path: Path) -> None:
    private, path = key(tmp_path)
    name = key_id(private.public_key().public_bytes_raw())
    good = command(text())
    signed = msgspec.structs.replace(good, key=name, signature=private.sign(good.text.encode()))
    other = Ed25519PrivateKey.generate().sign(good.text.encode())
    verb = Counting()
    async with running(tmp_path / "c.db", verb, path) as (executor, wire):
        for wrong in (
            good,
            msgspec.structs.replace(signed, text=good.text + " "),
            msgspec.structs.replace(signed, signature=other),
            msgspec.structs.replace(signed, key="00000000"),
        ):
            await executor.take(down(text()), wrong)
            assert (await wire.next()).status == 401
        assert verb.runs == 0
        await executor.take(down(text()), signed)
        assert (await final(wire)).state == "done"


def test_without_a_key_commands_are_for_a_broker_on_this_computer() -> None:
    assert checker(None, trial=True)(command(text())) is None
    assert "key_file" in str(checker(None, trial=False)(command(text())))


def made(port: int, folder: Path) -> Settings:
    return Settings(
        tenant="acme",
        device="gw1",
        broker=BrokerSettings(port=port),
        outbox=OutboxSettings(path=str(folder / "outbox.db"), max_mb=4),
        commands=CommandSettings(),
    )


async def ask(client: aiomqtt.Client, number: int, op: str, **args: object) -> Answer:
    from edge_agent import clock

    now = clock.now().wall_ns
    said = text(number, op, not_before=now, expires=now + 30 * S, args=args)
    payload = codec.encode(command(said), "json")
    await client.publish(topics.down(ID, "cmd", op, said.id), payload, qos=1)
    async for message in client.messages:
        assert isinstance(message.payload, bytes)
        answer = codec.decode(topics.parse(str(message.topic)), message.payload)
        if isinstance(answer, Answer) and answer.id == said.id and answer.state != "accepted":
            return answer
    raise AssertionError


@pytest.mark.broker
async def test_the_real_host_answers_every_verb(broker: Broker, tmp_path: Path) -> None:
    agent = Agent(made(broker.port, tmp_path))
    running = asyncio.create_task(agent.run())
    async with asyncio.timeout(120), aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe(f"pm/1/{ID}/up/cmd/+/+", qos=1)
        await agent.started.wait()
        await agent.publisher.link.connected.wait()
        captured = await ask(client, 1, "capture", seconds=1.5, rate_hz=20, signals=["cpu"])
        snapshot = await ask(client, 2, "snapshot")
        tested = await ask(client, 3, "selftest")
        network = await ask(client, 4, "network")
        lines = await ask(client, 5, "log", lines=5)
        wrong = await ask(client, 6, "capture", seconds=-1)
        unknown = await ask(client, 7, "capture", signals=["pressure"])
    agent.stop()
    await running
    column = captured.result["signals"]
    assert isinstance(column, dict)
    assert set(column) == {"cpu"}
    assert len(column["cpu"]["values"]) == len(column["cpu"]["at_ns"]) > 10
    assert snapshot.result["boot"] == agent.publisher.boot
    assert "memory" in snapshot.result["signals"]  # type: ignore[operator]
    assert tested.result["ok"] is True, tested.result
    assert network.result["connect_ms"] > 0  # type: ignore[operator]
    assert lines.status == 200
    assert (wrong.status, unknown.status) == (422, 422)
    assert "seconds" in str(wrong.text)


@pytest.mark.parametrize(
    ("op", "args", "words"),
    [
        ("capture", {"seconds": 600}, ["args.seconds: Expected `float` <= 60", "ask again"]),
        ("capture", {"rate_hz": 1000}, ["args.rate_hz: Expected `float` <= 200", "high-rate"]),
        ("capture", {"signals": [1]}, ["args.signals: Expected `str`, got `int`"]),
        ("log", {"lines": 5000}, ["args.lines: Expected `int` <= 1000", "since_ns"]),
        ("log", {"level": "debug"}, ["args.level: Invalid enum value 'debug'"]),
        ("capture", {"second": 5}, ["`second`", "capture takes: seconds, rate_hz, signals"]),
        ("snapshot", {"seconds": 5}, ["`seconds`", "snapshot takes: none"]),
    ],
)
async def test_a_refusal_says_the_limit_and_what_would_do(
    op: str, args: dict[str, object], words: list[str], tmp_path: Path
) -> None:
    verbs = Diagnostics(Agent(made(1, tmp_path)), LogLines()).verbs()
    with pytest.raises(Refusal) as refused:
        await verbs[op](text(op=op, args=args))
    assert refused.value.status == 422
    assert all(word in str(refused.value) for word in words), str(refused.value)


def _executes_then_dies(path: Path, _out: int) -> None:
    """Execute one command, and die by SIGKILL before the answer can go out."""

    class Deadly(Heard):
        async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
            if b'"done"' in payload:
                os.kill(os.getpid(), signal.SIGKILL)

    async def act() -> None:
        check = checker(None, trial=True)
        executor = Executor(ID, CommandFile(path), {"count": Counting()}, check, lambda: NOW)
        await executor.take(down(text()), command(text()))
        await asyncio.gather(executor.work(), executor.run(Deadly()))

    asyncio.run(act())


def test_killed_after_execution_the_answer_goes_out_after_the_restart(tmp_path: Path) -> None:
    with contextlib.closing(Child(_executes_then_dies, tmp_path / "c.db")) as child:
        assert child.ended() == -signal.SIGKILL
    verb = Counting()

    async def look() -> Answer:
        async with running(tmp_path / "c.db", verb) as (_, wire):
            return await final(wire)

    answer = asyncio.run(look())
    assert (answer.state, answer.result) == ("done", {"runs": 1})
    assert verb.runs == 0, "not executed again"


async def test_an_unreadable_file_of_commands_is_kept_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    path.write_bytes(b"not a database" * 1000)
    async with running(path, Counting()) as (executor, wire):
        await executor.take(down(text()), command(text()))
        assert (await final(wire)).state == "done"
    assert (tmp_path / "c.db.unreadable").read_bytes() == b"not a database" * 1000


def test_a_file_of_commands_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandFileError, match=f"{tmp_path}: unable to open"):
        CommandFile(tmp_path)
