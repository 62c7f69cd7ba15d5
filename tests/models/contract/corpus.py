"""Good messages of every kind, in both formats, as (topic, payload)."""

import json
import struct
from array import array
from collections.abc import Mapping
from typing import Any, Final

import cbor2

from models.contract import codec, topics
from models.contract.errors import Reason
from models.contract.messages import (
    Answer,
    Batch,
    Birth,
    Clock,
    Column,
    Command,
    Event,
    Gap,
    MachineRef,
    Metric,
    Receipt,
    Refusal,
    State,
)

BOOT: Final = "01990000-0000-7000-8000-000000000001"
T0: Final = 1_790_000_000_000_000_000

BATCH: Final = Batch(
    boot=BOOT,
    seq=18_231,
    count=3,
    unreceipted=18_200,
    t0_ns=T0,
    mono_ns=815_533_000_000,
    clock=Clock(src="ntp", err_ns=3_000_000),
    offsets_ns=array("q", [0, 1_000_000_000, 2_000_000_000]),
    columns={
        "temp": Column(type="d", data=struct.pack("<3d", 41.9, 42.0, float("nan"))),
        "rpm": Column(type="q", data=struct.pack("<3q", 1480, 1481, 0), missing=b"\0\0\1"),
        "p1/on": Column(type="?", data=b"\1\0\1"),
        "flow": Column(type="f", data=struct.pack("<3f", 1.5, 2.25, -0.0)),
        "count": Column(type="q", data=struct.pack("<3q", -(2**63), 0, 2**63 - 1)),
        "ok": Column(type="?", data=b"\1\0\0", missing=b"\0\0\1"),
    },
    quality={"temp": b"\0\0\2"},
    historical=True,
    dictionary="0badcafe",
)
STEADY: Final = Batch(
    boot=BOOT,
    seq=0,
    count=4,
    unreceipted=0,
    t0_ns=T0,
    offsets_ns=100_000_001,
    columns={"压力 kPa": Column(type="d", data=struct.pack("<4d", 1e300, 1e-300, 0.1, -5))},
)
BIRTH: Final = Birth(
    boot=BOOT,
    dictionary="0badcafe",
    metrics=(
        Metric(name="temp", unit="Cel", low=-40.0, high=120.0),
        Metric(name="on", type="?", kind="state"),
        Metric(name="mode", type="q", kind="state", states={"off": 0, "run": 1}),
        Metric(name="pages", type="q", kind="counter", unit="1"),
    ),
    machines={"p1": MachineRef(profile="centrifugal-pump", name="一号泵"), "p2": MachineRef()},
    agent="forewarn-agent 0.1.0",
    firmware="7.2",
    model="GW-20",
    clock=Clock(src="rtc"),
    capabilities=("diagnostics",),
    time="data",
)
EVENT: Final = Event(
    type="fault",
    at_ns=T0,
    text="E42: 轴承过热",
    fields={
        "code": 42,
        "load": 0.75,
        "parts": ["bearing", None],
        "seen": {"by": "vib", "ok": True},
    },
)
GAP: Final = Gap(boot=BOOT, stream="bulk", ranges=((5, 9), (20, 2**40)), reason="disk-full")
RECEIPT: Final = Receipt(
    boot=BOOT,
    stream="live",
    hwm=18_233,
    missing=((18_240, 18_250),),
    refused=(Refusal(first=18_260, last=18_261, code=Reason.QUOTA),),
    credit=5000,
)
COMMAND: Final = Command(
    text='{"id":"0190aaaa-0000-7000-8000-0000000000c1","device":"acme.gw1","op":"snapshot",'
    '"not_before":1790000000000000000,"expires":1790000060000000000}',
    key="0badcafe",
    signature=bytes(range(64)),
)
ANSWER: Final = Answer(
    id="0190aaaa-0000-7000-8000-0000000000c1",
    state="done",
    status=200,
    at_ns=T0,
    text="ok",
    result={"waiting": 12, "signals": {"temp": [41.5, None]}},
)
MESSAGES: Final[Mapping[str, tuple[str, Any]]] = {
    "batch": (topics.up("acme.gw1", "t", "live"), BATCH),
    "steady": (topics.up("acme.gw1", "t", "bulk"), STEADY),
    "birth": (topics.up("acme.gw1", "birth"), BIRTH),
    "state": (topics.up("acme.gw1", "state"), State(online=True, boot=BOOT)),
    "will": (topics.up("acme.gw1", "state"), State(online=False, boot=BOOT)),
    "event": (topics.up("acme.gw1", "e", "fault"), EVENT),
    "gap": (topics.up("acme.gw1", "e", "gap"), GAP),
    "receipt": (topics.down("acme.gw1", "ack"), RECEIPT),
    "command": (topics.down("acme.gw1", "cmd", "snapshot", ANSWER.id), COMMAND),
    "answer": (topics.up("acme.gw1", "cmd", "snapshot", ANSWER.id), ANSWER),
}
LIVE: Final = topics.up("acme.gw1", "t", "live")


def _hand_written() -> list[tuple[str, bytes]]:
    """Spellings that our encoder never uses but that a firmware may."""
    bodies: list[Any] = [
        {"d": {"temp": 41.9}},
        {"v": 1, "b": BOOT, "s": 7, "t0": str(T0), "dt": 250, "d": {"a": [1, 2.5, None, 4e-2]}},
        {
            "t0": "2026-09-21T14:13:20.000000001+02:00",
            "dt": [0, 0.5, 1.000001],
            "d": {"a": [1, 2, 3]},
        },
        {
            "n": 2,
            "dn": [0, 7],
            "d": {"ok": [True, False], "x": [0, -0.0]},
            "q": {"ok": 1, "y": [9]},
        },
        {
            "d": {"a": [1, 2], "b": [1], "c": "text", "e": [[1], 2], "f": [True, 1]},
            "new": {"k": [1]},
        },
        {"d": {"a": [2**63, 1], "b": [None, None], "c": [2**64, 0.5]}, "cq": {"src": "gps"}},
    ]
    out = [(LIVE, json.dumps(body).encode()) for body in bodies]
    out += [(LIVE, cbor2.dumps(body)) for body in bodies[:5]]
    out.append((LIVE, b'{"d":{"a":[1e999,1],"b":[1,2],"c":[0.1,1E2]},"h":false}'))
    tags = {
        f"t{tag}": cbor2.CBORTag(tag, bytes(range(16)))
        for tag in (*range(64, 76), *range(77, 83), 84, 85, 86)
    }
    for name, column in tags.items():
        out.append((LIVE, cbor2.dumps({9: {name: column, "b": cbor2.CBORTag(1, 5)}})))
    out.append(
        (LIVE, cbor2.dumps({9: {"m": [cbor2.CBORTag(78, bytes(8)), b"\0\1"], "b": b"\2\1"}}))
    )
    out.append(
        (LIVE, cbor2.dumps({9: {"a": [1, 2]}, 8: cbor2.CBORTag(86, struct.pack("<2d", 0, 0.5))}))
    )
    out.append((LIVE, b"\xd9\xd9\xf7\xbf\x61d\xbf\x61a\x9f\xf9\x3c\x00\xf6\xff\xff\xff"))
    return out


def corpus() -> list[tuple[str, bytes]]:
    """Return good messages as (topic, payload)."""
    out = [
        (topic, codec.encode(message, form))
        for topic, message in MESSAGES.values()
        for form in ("json", "cbor")
    ]
    return out + _hand_written()
