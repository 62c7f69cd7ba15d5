import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_agent.errors import OutboxError
from edge_agent.outbox import Outbox
from edge_agent.outbox_file import Placed
from edge_agent.spool import Spool
from models.contract.messages import Batch
from tests.edge_agent.made import batch


class Counting(Outbox):
    """Counts its transactions, and fails where it is told to."""

    groups: list[int]
    failing = False

    def append(self, batches: Sequence[tuple[str, Batch]]) -> list[Placed]:
        self.groups.append(len(batches))
        if self.failing:
            raise OutboxError("broken")
        return super().append(batches)


def counting(path: Path | None = None) -> Counting:
    outbox = Counting(path, "b", max_bytes=4 * 1024 * 1024)
    outbox.groups = []
    return outbox


async def test_appends_that_wait_share_a_transaction(tmp_path: Path) -> None:
    outbox = counting(tmp_path / "outbox.db")
    spool = Spool(outbox)
    told: list[None] = []
    spool.appended = lambda: told.append(None)
    placed = await asyncio.gather(*(spool.append("live", batch([float(i)])) for i in range(40)))
    assert [p.seq for p in placed] == list(range(40))
    assert sum(outbox.groups) == 40
    assert len(outbox.groups) < 10
    assert len(told) == len(outbox.groups)
    await spool.close()


async def test_a_write_that_fails_is_told_to_everyone_who_waits() -> None:
    outbox = counting()
    outbox.failing = True
    spool = Spool(outbox)
    found = await asyncio.gather(
        *(spool.append("live", batch([1.0])) for _ in range(3)), return_exceptions=True
    )
    assert [type(error) for error in found] == [OutboxError] * 3
    outbox.failing = False
    assert (await spool.append("live", batch([1.0]))).seq == 0
    await spool.close()


async def test_too_little_memory_is_a_write_to_be_tried_again() -> None:
    spool = Spool(counting())

    def step() -> None:
        raise MemoryError

    with pytest.raises(OutboxError, match="out of memory"):
        await spool.call(step)
    await spool.close()


async def test_a_source_that_can_wait_does() -> None:
    outbox = Outbox(None, "b", max_bytes=1024 * 1024)
    spool = Spool(outbox)
    while outbox.fill <= 0.5:
        await spool.append("live", batch([1.0], pad=30_000))
    room = asyncio.create_task(spool.room())
    await spool.call(lambda: None)
    assert not room.done()
    await spool.forget("b", "live", 10**6)
    async with asyncio.timeout(120):
        await room
    assert await spool.empty()
    await spool.close()


async def test_nothing_is_left_behind_when_it_closes(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    spool = Spool(counting(path))
    pending = [asyncio.create_task(spool.append("live", batch([1.0]))) for _ in range(5)]
    await asyncio.sleep(0)
    await spool.close()
    assert [task.result().kept for task in pending] == [True] * 5
    with pytest.raises(RuntimeError):
        await spool.append("live", batch([1.0]))
