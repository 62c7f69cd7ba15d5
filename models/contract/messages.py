"""The messages of native v1 as frozen values; the codecs turn them into bytes and back.

Times are integer nanoseconds since 1970 UTC (`*_ns`). Unknown keys are ignored when reading.
"""

from array import array
from collections.abc import Mapping
from typing import Final

import msgspec

from models.contract.errors import Reason

#: bytes by a sample's type tag: float64, float32, int64, bool (the codes of `array` and `struct`)
ITEM_SIZE: Final[Mapping[str, int]] = {"d": 8, "f": 4, "q": 8, "?": 1}

MAX_PAYLOAD: Final = 256 * 1024  #: bytes a message; larger is refused as `too-large`
MAX_DEPTH: Final = 16  #: nesting levels; deeper is refused as `too-deep`
MAX_COLUMNS: Final = 4096
MAX_SAMPLES: Final = 65_536
MAX_NUMBER: Final = 2**53 - 1  #: of a sample: every JSON reader keeps it exact
STREAMS: Final = ("alarm", "live", "bulk", "backfill")


class Column(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One signal's samples: `count` little-endian items of `type`, one after the other.

    In float columns NaN means missing. `missing` (one byte a sample, 1 = missing) is only there
    for int64 and bool columns that have gaps.
    """

    type: str
    data: bytes
    missing: bytes | None = None

    def __len__(self) -> int:
        return len(self.data) // ITEM_SIZE[self.type]


class BrokenColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column that could not be read; the batch's other columns are good."""

    name: str
    reason: Reason
    detail: str
    raw: bytes


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """How good the device's clock is: source `none|rtc|ntp|ptp`, error bound in ns."""

    src: str = "none"
    err_ns: int | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Samples of one stream. Sample i has the number `seq + i` and the time `times_ns()[i]`.

    `boot`, `seq` and `t0_ns` together give the full delivery guarantee; without them the cloud
    stamps its own and sends no receipt.
    """

    columns: Mapping[str, Column]
    count: int
    boot: str | None = None
    seq: int | None = None
    unreceipted: int | None = None  #: `u`: the first number of this stream without a receipt
    t0_ns: int | None = None
    mono_ns: int | None = None
    clock: Clock | None = None
    #: offsets from t0: a constant step in ns, or `count` int64 offsets in ns
    offsets_ns: int | array = 0  # type: ignore[type-arg]
    quality: Mapping[str, bytes] = msgspec.field(default_factory=dict)
    historical: bool = False
    dictionary: str | None = None  #: `dh`: 8 hex digits of the birth's dictionary hash
    broken: tuple[BrokenColumn, ...] = ()

    @property
    def guaranteed(self) -> bool:
        """Whether the batch names its samples, so that repeats can be recognised."""
        return self.boot is not None and self.seq is not None and self.t0_ns is not None


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One signal in the birth's dictionary. `unit` is a UCUM code."""

    name: str
    type: str = "d"
    unit: str | None = None
    kind: str = "gauge"  #: gauge | counter | state | waveform | consumable
    low: float | None = None
    high: float | None = None
    states: Mapping[str, int] | None = None  #: names of an enumeration's integers


class MachineRef(msgspec.Struct, frozen=True, kw_only=True):
    """A machine behind a device: its profile and a name for people."""

    profile: str = "generic"
    name: str | None = None


class Birth(msgspec.Struct, frozen=True, kw_only=True):
    """What a device says of itself when it starts (retained)."""

    boot: str
    dictionary: str  #: `dh`
    metrics: tuple[Metric, ...]
    machines: Mapping[str, MachineRef]  #: key "" = the only machine, columns without a prefix
    agent: str | None = None
    firmware: str | None = None
    model: str | None = None
    clock: Clock | None = None
    capabilities: tuple[str, ...] = ()
    time: str = "wall"  #: a hint; the registration decides between `wall` and `data`


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a device is there (retained; the last will says `online = false`)."""

    online: bool
    boot: str


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something a device reports in words: a fault code, a replaced part."""

    type: str
    at_ns: int | None = None
    text: str | None = None
    fields: Mapping[str, object] = msgspec.field(default_factory=dict)


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Something a device is asked to do, as its exact text, so that a signature can cover it.

    `key` names the key (8 hex digits of its hash); both are None on a trial installation.
    """

    text: str
    key: str | None = None
    signature: bytes | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How far a device is with a command. `state` ends with done, failed, refused or expired.

    `status` follows HTTP: 202 accepted, 200 done, 4xx the command is wrong, 5xx the device could
    not.
    """

    id: str
    state: str
    status: int
    at_ns: int
    text: str | None = None
    result: Mapping[str, object] = msgspec.field(default_factory=dict)


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Samples that the device no longer has: ranges are inclusive `[first, last]`."""

    boot: str
    stream: str
    ranges: tuple[tuple[int, int], ...]
    reason: str


class Refusal(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Inclusive range that was not stored, and why. With `quota` the device keeps the samples."""

    first: int
    last: int
    code: Reason


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the cloud has of one stream, sent after the durable write.

    `hwm` is the largest number such that every sample up to it is stored, quarantined or declared
    lost (-1: nothing yet). The device forgets only what is at or below it.
    """

    boot: str
    stream: str
    hwm: int
    missing: tuple[tuple[int, int], ...] = ()
    refused: tuple[Refusal, ...] = ()
    credit: int | None = None  #: samples the device may have in flight
