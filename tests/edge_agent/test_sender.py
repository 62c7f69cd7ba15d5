import asyncio

from edge_agent.outbox import Outbox
from edge_agent.sender import Sender
from edge_agent.spool import Spool
from models.contract.messages import Receipt
from tests.edge_agent.made import batch

BOOT = "boot-one"


class Held:
    """A wire that tells what was published, and holds births up while `free` is not set."""

    def __init__(self) -> None:
        self.topics: asyncio.Queue[str] = asyncio.Queue()
        self.free = asyncio.Event()

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        await self.topics.put(topic.rpartition("/")[2])
        if topic.endswith("birth"):
            await self.free.wait()

    async def next(self, count: int) -> list[str]:
        async with asyncio.timeout(120):
            return [await self.topics.get() for _ in range(count)]


async def test_what_two_streams_lack_at_the_same_number_is_sent_again_of_both() -> None:
    spool, wire = Spool(Outbox(None, BOOT)), Held()
    sender = Sender("acme.gw1", spool, stall_s=1000.0)
    for stream in ("alarm", "live"):
        await spool.append(stream, batch([1.0]))
    running = asyncio.create_task(sender.run(wire))
    assert sorted(await wire.next(2)) == ["alarm", "live"]
    await spool.call(spool.outbox._db.execute, "INSERT INTO births VALUES (1, 1, '0badcafe', '{}')")
    sender.reborn()
    assert await wire.next(1) == ["birth"]
    for stream in ("alarm", "live"):
        await sender.receipt(Receipt(boot=BOOT, stream=stream, hwm=-1, missing=((0, 0),)))
    wire.free.set()
    assert sorted(await wire.next(2)) == ["alarm", "live"]
    running.cancel()
    await asyncio.wait([running])
    await spool.close()
