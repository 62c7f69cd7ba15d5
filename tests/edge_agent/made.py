"""Batches and readings for the agent's tests."""

import asyncio
import contextlib
import sqlite3
from array import array
from collections.abc import Sequence

from edge_agent.drivers import Driver, Reading
from edge_agent.outbox import Outbox
from models.contract.messages import Batch, Birth, Column, MachineRef, Metric

T0_NS = 1_790_000_000_000_000_000


def batch(values: Sequence[float], t0_ns: int = T0_NS, pad: int = 0) -> Batch:
    """A batch of one signal, 1 s apart; `pad` adds about that many bytes."""
    columns = {"temp": Column(type="d", data=array("d", values).tobytes())}
    for i in range(pad // 1000):
        columns[f"pad{i:0>1000}"] = columns["temp"]
    return Batch(columns=columns, count=len(values), t0_ns=t0_ns, offsets_ns=1_000_000_000)


def birth(boot: str) -> Birth:
    """What explains these batches, in one start of an agent."""
    return Birth(
        boot=boot,
        dictionary="00000000",
        metrics=(Metric(name="temp"),),
        machines={"": MachineRef()},
    )


async def take(driver: Driver, count: int | None = None) -> list[Reading]:
    """A driver's first `count` readings, or all until it ends."""
    taken: list[Reading] = []
    async with asyncio.timeout(120), contextlib.aclosing(driver.readings()) as stream:
        async for reading in stream:
            taken.append(reading)
            if len(taken) == count:
                break
    return taken


def wrong(outbox: Outbox) -> list[str]:
    """What SQLite finds wrong with an outbox's file."""
    assert outbox.path is not None
    with contextlib.closing(sqlite3.connect(outbox.path)) as db:
        found = [str(row[0]) for row in db.execute("PRAGMA integrity_check")]
    return [] if found == ["ok"] else found
