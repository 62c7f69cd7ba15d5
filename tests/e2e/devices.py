"""Many devices in one process that can be killed: each logs what its outbox has accepted.

    python -m tests.e2e.devices PORT FOLDER COUNT INCARNATION VARIANT

Every sample's value is unlike any other of its device, so that the store can be compared with the
log. VARIANT `receipt` is the product; `puback` forgets when the broker has a batch (what ADR 0002
argues against). INCARNATION `drain` sends what is left and ends.
"""

import asyncio
import json
import os
import signal
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from edge_agent.outbox import Outbox
from edge_agent.outbox_file import Placed, Stored
from edge_agent.publisher import Publisher
from edge_agent.sender import Sender
from edge_agent.settings import BrokerSettings, MachineSettings, OutboxSettings, Settings
from models.contract.messages import Batch, Column, Metric

PERIOD_S = 0.25
FAULTY_EVERY = 10  #: every tenth device has a pump with a hot bearing
HEALTHY, FAULTY = 1.0, 9.0  #: mm/s; the pump's alarm limit is 7.1


class LoggedOutbox(Outbox):
    """Writes a line for what is durable, after it is."""

    log = -1
    device: str

    def append(self, batches: Sequence[tuple[str, Batch]]) -> list[Placed]:
        placed = super().append(batches)
        for (_, batch), where in zip(batches, placed, strict=True):
            first = struct.unpack_from("<d", batch.columns["k"].data)[0]
            line = {"device": self.device, "seq": where.seq, "count": batch.count, "first": first}
            os.write(self.log, json.dumps(line).encode() + b"\n")
        return placed


class PubackSender(Sender):
    """Forgets a batch when the broker acknowledges it: the mistake that receipts are there for."""

    async def delivered(self, stored: Stored) -> None:
        last = stored.seq + stored.samples - 1
        await self.spool.forget(stored.boot, stored.stream, last)


def batch(base: int, at: int, count: int, vibration: float, dictionary: str | None) -> Batch:
    values = [float(base + at + i) for i in range(count)]
    now = time.time_ns()
    return Batch(
        columns={
            "k": Column(type="d", data=struct.pack(f"<{count}d", *values)),
            "vibration_rms": Column(type="d", data=struct.pack(f"<{count}d", *[vibration] * count)),
        },
        count=count,
        t0_ns=now,
        offsets_ns=1_000_000,
        dictionary=dictionary,
    )


async def device(index: int, port: int, folder: Path, variant: str, base: int | None) -> None:
    settings = Settings(
        tenant="kill",
        device=f"d{index}",
        broker=BrokerSettings(port=port),
        outbox=OutboxSettings(path=str(folder / f"d{index}.db"), max_mb=16),
        machines=(MachineSettings(profile="centrifugal-pump"),),
    )
    kind = type("Outbox", (LoggedOutbox,), {"device": f"kill.d{index}"})
    sender = PubackSender if variant == "puback" else Sender
    faulty = index % FAULTY_EVERY == 0
    async with Publisher(settings, sender=sender, outbox=kind) as publisher:
        await publisher.declare([Metric(name="k"), Metric(name="vibration_rms", unit="mm/s")])
        if base is None:
            await publisher.drained()
            return
        at = 0
        while True:
            level = FAULTY if faulty and (base > 0 or at > 40) else HEALTHY
            made = batch(
                base, at, 1 + (at + index) % 5, level + (at % 3) / 100, publisher.dictionary
            )
            await publisher.append("live", made)
            at += made.count
            await asyncio.sleep(PERIOD_S)


async def main() -> None:
    port, folder, count, incarnation, variant = sys.argv[1:]
    log = os.open(Path(folder) / "appended.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    LoggedOutbox.log = log
    base = None if incarnation == "drain" else int(incarnation) * 1_000_000
    work = asyncio.gather(
        *(device(i, int(port), Path(folder), variant, base) for i in range(int(count)))
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    print("devices started", flush=True)
    try:
        await work
    except asyncio.CancelledError:
        return
    print("devices drained", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
