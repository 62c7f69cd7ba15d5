"""A tiny cloud for the agent's tests: stores samples and sends receipts, over a real broker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiomqtt

from models.contract import codec, topics
from models.contract.errors import BadPayload, ContractError
from models.contract.messages import Batch, Birth, Event, Gap, Receipt, Refusal, State

Key = tuple[str, str]


@dataclass
class Cloud:
    """What one device said. `answer` may change or hold back (None) each receipt."""

    client: aiomqtt.Client
    identity: str
    samples: dict[Key, dict[int, float]] = field(default_factory=dict)
    lost: dict[Key, set[int]] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    births: list[Birth] = field(default_factory=list)
    states: list[tuple[State, bool]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    order: list[tuple[str, str, int]] = field(default_factory=list)
    answer: Callable[[Receipt, Batch | None], Receipt | None] = lambda receipt, _: receipt
    readable: Callable[[Batch], bool] = lambda _: True
    accepts: Callable[[Batch], bool] = lambda _: True
    hears: Callable[[Gap], bool] = lambda _: True
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def hwm(self, key: Key) -> int:
        known = self.samples.get(key, {}).keys() | self.lost.get(key, set())
        n = 0
        while n in known:
            n += 1
        return n - 1

    def missing(self, key: Key) -> tuple[tuple[int, int], ...]:
        known = sorted(self.samples.get(key, {}).keys() | self.lost.get(key, set()))
        holes, at = [], self.hwm(key) + 1
        for n in known:
            if n > at:
                holes.append((at, n - 1))
            at = max(at, n + 1)
        return tuple(holes)

    async def run(self) -> None:
        async for message in self.client.messages:
            await self._take(message)
            async with self.changed:
                self.changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(120), self.changed:
            await self.changed.wait_for(condition)

    async def _take(self, message: aiomqtt.Message) -> None:
        topic = topics.parse(str(message.topic))
        if topic.direction == "down":
            return
        assert isinstance(message.payload, bytes)
        try:
            found = codec.decode(topic, message.payload)
        except (BadPayload, ContractError):
            return
        if isinstance(found, Batch):
            await self._batch(topic.channel[-1], found)
        elif isinstance(found, Gap) and self.hears(found):
            key = (found.boot, found.stream)
            for first, last in found.ranges:
                self.lost.setdefault(key, set()).update(range(first, last + 1))
            await self.reply(key, None)
        elif isinstance(found, Birth):
            self.births.append(found)
        elif isinstance(found, State):
            self.states.append((found, bool(message.retain)))
        elif isinstance(found, Event):
            self.events.append(found)

    async def _batch(self, stream: str, batch: Batch) -> None:
        if not self.readable(batch):
            return
        assert batch.boot is not None
        assert batch.seq is not None
        key = (batch.boot, stream)
        self.batches.append(batch)
        self.order.append((batch.boot, stream, batch.seq))
        if self.accepts(batch):
            values = memoryview(batch.columns["temp"].data).cast("d")
            for i, value in enumerate(values):
                self.samples.setdefault(key, {}).setdefault(batch.seq + i, value)
        await self.reply(key, batch)

    async def reply(self, key: Key, batch: Batch | None, *refused: Refusal) -> None:
        receipt = Receipt(
            boot=key[0],
            stream=key[1],
            hwm=self.hwm(key),
            missing=self.missing(key),
            refused=refused,
        )
        answer = self.answer(receipt, batch)
        if answer is not None:
            await self.client.publish(
                topics.down(self.identity, "ack"), codec.encode(answer, "json"), qos=1
            )


@asynccontextmanager
async def listening(port: int, identity: str, version: int = 5) -> AsyncIterator[Cloud]:
    """A cloud that is subscribed when this returns."""
    protocol = aiomqtt.ProtocolVersion(version)
    async with aiomqtt.Client("127.0.0.1", port, protocol=protocol) as client:
        client.pending_calls_threshold = 1000
        await client.subscribe(f"pm/1/{identity}/#", qos=1)
        cloud = Cloud(client, identity)
        task = asyncio.create_task(cloud.run())
        try:
            yield cloud
        finally:
            # Python 3.11's `wait_for`, which the client uses, can swallow a cancellation.
            while not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=1)
