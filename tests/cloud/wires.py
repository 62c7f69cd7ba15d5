"""Short ways to say messages in the tests of the service."""

import struct
from collections.abc import Sequence

from cloud.reader import Arrived
from models.contract import codec, topics
from models.contract.messages import Batch, Birth, Column, MachineRef, Metric

BOOT = "0190aaaa-0000-7000-8000-000000000001"
T0 = 1_790_000_000 * 10**9
S = 10**9
DEVICE = "acme.pump1"


def floats(values: Sequence[float]) -> Column:
    return Column(type="d", data=struct.pack(f"<{len(values)}d", *values))


def batch(
    seq: int, values: Sequence[float], *, u: int = 0, name: str = "temp", **more: object
) -> bytes:
    fields = {
        "boot": BOOT,
        "seq": seq,
        "unreceipted": u,
        "t0_ns": T0 + seq * S,
        "offsets_ns": S,
        "count": len(values),
        "columns": {name: floats(values)},
    } | more
    return codec.encode(Batch(**fields), "cbor")  # type: ignore[arg-type]


def birth(machines: dict[str, MachineRef] | None = None, **more: object) -> bytes:
    metrics = (Metric(name="temp", unit="Cel"),)
    fields = {
        "boot": BOOT,
        "dictionary": codec.dictionary_hash(metrics),
        "metrics": metrics,
        "machines": machines or {"": MachineRef()},
    } | more
    return codec.encode(Birth(**fields), "json")  # type: ignore[arg-type]


def up(payload: bytes, *channel: str, device: str = DEVICE, at: int = T0) -> Arrived:
    topic = topics.up(device, *(channel or ("t", "live")))
    return Arrived(topic, payload, at)
