"""The shape of every message on the wire: one set of classes for reading, schemas and documents.

Names are the JSON keys; `KEYS` gives the integers that CBOR uses for them at the top level of a
message. Keys that are not named here are ignored, so that a later minor version may add some.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from models.contract.messages import MAX_COLUMNS, MAX_NUMBER, MAX_SAMPLES
from models.contract.times import MAX_INSTANT, MAX_OFFSET

VERSION: Final = 1
MAX_RANGES: Final = 10_000
MAX_FIELDS: Final = 256
MAX_MACHINES: Final = 1024

#: `$` alone would also match before a last line feed in Python; this also reads as ECMA 262.
_END: Final = r"$(?!\n)"
#: No control characters, line or paragraph separators, or marks that turn the reading direction.
_TEXT: Final = r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"
#: A signal's name, with the machine's key before it where a device has several machines.
NAME_PATTERN: Final = rf"^{_TEXT}{{1,120}}{_END}"

Number = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
Boot = Annotated[str, Meta(pattern=rf"^[0-9a-z-]{{8,36}}{_END}")]
Hash = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{8}}{_END}")]
Text = Annotated[str, Meta(pattern=rf"^{_TEXT}{{1,120}}{_END}")]
LongText = Annotated[str, Meta(max_length=4000)]
#: ASCII, as UCUM's codes are, and what people write in units: spaces, ° ² ³ µ · Ω ℃ ℉
_UNIT: Final = r"[ -~\xb0\xb2\xb3\xb5\xb7\u03a9\u03bc\u2103\u2109\u2126]"
Unit = Annotated[str, Meta(pattern=rf"^{_UNIT}{{1,32}}{_END}", description="UCUM code")]
ProfileName = Annotated[str, Meta(pattern=rf"^[a-z0-9][a-z0-9_-]{{0,62}}{_END}")]
MachineKey = Annotated[str, Meta(pattern=rf"^([a-z0-9][a-z0-9-]{{0,30}})?{_END}")]
Stream = Literal["alarm", "live", "bulk", "backfill"]
Instant = (
    Annotated[
        int,
        Meta(ge=0, le=MAX_INSTANT, description="ns since 1970 UTC"),
    ]
    | Annotated[
        str,
        Meta(max_length=40, description="ns since 1970 UTC as digits, or RFC 3339"),
    ]
)
OffsetNs = Annotated[int, Meta(ge=-MAX_OFFSET, le=MAX_OFFSET)]

_CELL: Final = {"type": ["number", "boolean", "null"]}
ColumnText = Annotated[
    msgspec.Raw,
    Meta(
        description="samples: all integers = int64, all true/false = bool, else float64; "
        "null = missing; a single value = a column of one",
        extra_json_schema={
            "anyOf": [_CELL, {"type": "array", "items": _CELL, "maxItems": MAX_SAMPLES}]
        },
    ),
]
_QUALITY: Final = {"type": "integer", "minimum": 0, "maximum": 3}
QualityText = Annotated[
    msgspec.Raw,
    Meta(
        description="0 good, 1 uncertain, 2 bad, 3 stale; a single value holds for all samples",
        extra_json_schema={
            "anyOf": [_QUALITY, {"type": "array", "items": _QUALITY, "maxItems": MAX_SAMPLES}]
        },
    ),
]


class ClockWire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Quality of the device's clock."""

    src: Annotated[
        str,
        Meta(
            description="an unknown source counts as none",
            extra_json_schema={"enum": ["none", "rtc", "ntp", "ptp"]},
        ),
    ] = "none"
    err: Annotated[int, Meta(ge=0, le=2**63 - 1, description="error bound in ns")] | None = None


class Head(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All of a batch but its columns, qualities and offsets."""

    v: int = VERSION
    b: Boot | None = None
    s: Number | None = None
    n: Annotated[int, Meta(ge=1, le=MAX_SAMPLES)] | None = None
    u: Number | None = None
    t0: Instant | None = None
    m0: Annotated[int, Meta(ge=0, le=2**63 - 1, description="monotonic ns")] | None = None
    cq: ClockWire | None = None
    h: bool = False
    dh: Hash | None = None


class BatchWire(Head, kw_only=True, omit_defaults=True):
    """Samples of one stream, column by column. Only `d` is required."""

    d: Annotated[dict[str, ColumnText], Meta(min_length=1, max_length=MAX_COLUMNS)]
    q: Annotated[dict[str, QualityText], Meta(max_length=MAX_COLUMNS)] | None = None
    dt: (
        Annotated[int, Meta(description="constant step in ms")]
        | float
        | Annotated[
            list[int | float],
            Meta(max_length=MAX_SAMPLES, description="offsets from t0 in ms"),
        ]
        | None
    ) = None
    dn: (
        OffsetNs
        | Annotated[
            list[OffsetNs],
            Meta(max_length=MAX_SAMPLES, description="offsets from t0 in ns, instead of dt"),
        ]
        | None
    ) = None


class MetricWire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One signal of the dictionary."""

    name: Text
    type: Literal["float64", "float32", "int64", "bool"] = "float64"
    unit: Unit | None = None
    kind: Annotated[
        str,
        Meta(
            description="an unknown kind counts as gauge",
            extra_json_schema={"enum": ["gauge", "counter", "state", "waveform", "consumable"]},
        ),
    ] = "gauge"
    low: float | None = None
    high: float | None = None
    states: (
        Annotated[
            dict[Text, Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]],
            Meta(max_length=MAX_FIELDS, description="names of an enumeration's integers"),
        ]
        | None
    ) = None


class MachineWire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A machine behind a device."""

    profile: ProfileName = "generic"
    name: Text | None = None


class BirthWire(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a device says of itself when it starts (retained)."""

    boot: Boot
    metrics: Annotated[list[MetricWire], Meta(max_length=MAX_COLUMNS)]
    v: int = VERSION
    dh: Hash | None = None
    machines: Annotated[dict[MachineKey, MachineWire], Meta(max_length=MAX_MACHINES)] = (
        msgspec.field(default_factory=dict)
    )
    agent: Text | None = None
    firmware: Text | None = None
    model: Text | None = None
    cq: ClockWire | None = None
    capabilities: Annotated[list[Text], Meta(max_length=MAX_FIELDS)] = msgspec.field(
        default_factory=list
    )
    time: Literal["wall", "data"] = "wall"


class StateWire(msgspec.Struct, kw_only=True):
    """Whether a device is there (retained; the last will says `online: false`)."""

    online: bool
    boot: Boot
    v: int = VERSION


class EventWire(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Something a device reports in words; its type is the topic's last level."""

    v: int = VERSION
    at: Instant | None = None
    text: LongText | None = None
    fields: Annotated[dict[str, Any], Meta(max_length=MAX_FIELDS)] = msgspec.field(
        default_factory=dict
    )


class CommandWire(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A command: its text is a JSON object `CommandText`, signed with Ed25519 as it stands."""

    command: Annotated[str, Meta(max_length=16_384)]
    v: int = VERSION
    key: Hash | None = None
    sig: Annotated[str, Meta(pattern=rf"^[A-Za-z0-9+/]{{86}}=={_END}")] | None = None


class CommandText(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a device is asked to do: `op` with `args`, from `not_before` to `expires`."""

    id: Annotated[str, Meta(pattern=rf"^[0-9a-f-]{{36}}{_END}")]
    device: Text
    op: Annotated[str, Meta(pattern=rf"^[a-z0-9][a-z0-9-]{{0,30}}{_END}")]
    not_before: Annotated[int, Meta(ge=0, le=MAX_INSTANT)]
    expires: Annotated[int, Meta(ge=0, le=MAX_INSTANT)]
    v: int = VERSION
    args: dict[str, Any] = msgspec.field(default_factory=dict)


AnswerState = Literal["accepted", "done", "failed", "refused", "expired"]


class AnswerWire(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How far a device is with a command; sent again until the command expires."""

    id: Annotated[str, Meta(pattern=rf"^[0-9a-f-]{{36}}{_END}")]
    state: AnswerState
    status: Annotated[int, Meta(ge=100, le=599)]
    at: Instant
    v: int = VERSION
    text: LongText | None = None
    result: Annotated[dict[str, Any], Meta(max_length=MAX_FIELDS)] = msgspec.field(
        default_factory=dict
    )


class GapWire(msgspec.Struct, kw_only=True):
    """Numbers of samples that the device no longer has; ranges are inclusive."""

    boot: Boot
    stream: Stream
    ranges: Annotated[list[tuple[Number, Number]], Meta(min_length=1, max_length=MAX_RANGES)]
    reason: Text
    v: int = VERSION


class ReceiptWire(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the cloud has of one stream; the device forgets only what is at or below `hwm`."""

    boot: Boot
    stream: Stream
    hwm: Annotated[int, Meta(ge=-1, le=MAX_NUMBER)]
    v: int = VERSION
    missing: Annotated[list[tuple[Number, Number]], Meta(max_length=MAX_RANGES)] = msgspec.field(
        default_factory=list
    )
    refused: Annotated[list[tuple[Number, Number, str]], Meta(max_length=MAX_RANGES)] = (
        msgspec.field(default_factory=list)
    )
    credit: Number | None = None


#: Top-level keys in CBOR. Numbers are never reused; text keys are accepted as well.
KEYS: Final[Mapping[str, int]] = {
    name: number
    for number, name in enumerate(
        (
            *("v", "b", "s", "n", "u", "t0", "m0", "cq", "dt", "d", "q", "h", "dh", "dn"),
            *("boot", "stream", "online", "metrics", "machines", "agent", "firmware", "model"),
            *("capabilities", "time", "text", "fields", "at", "ranges", "reason"),
            *("hwm", "missing", "refused", "credit"),
            *("command", "key", "sig", "id", "state", "status", "result"),
        )
    )
}
NAMES: Final[Mapping[int, str]] = {number: name for name, number in KEYS.items()}
