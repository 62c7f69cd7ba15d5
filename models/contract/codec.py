"""Messages to bytes and back: `decode` never raises anything but `ContractError`.

The first byte says whether a payload is JSON or CBOR, so that bytes from the journal read the same
as bytes from the broker; a content type that says otherwise is refused.
"""

import struct
import zlib
from array import array
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from models.contract import cbor_codec, json_codec
from models.contract.errors import BadPayload, BadTopic, Reason
from models.contract.messages import (
    MAX_PAYLOAD,
    STREAMS,
    Answer,
    Batch,
    Birth,
    Command,
    Event,
    Gap,
    Receipt,
    State,
)
from models.contract.records import (
    Record,
    Wire,
    clock_to_wire,
    dictionary_hash,
    from_wire,
    to_wire,
)
from models.contract.sheet import Sheet, check_of
from models.contract.topics import Topic
from models.contract.wire import (
    VERSION,
    AnswerWire,
    BirthWire,
    CommandWire,
    EventWire,
    GapWire,
    ReceiptWire,
    StateWire,
)

__all__ = ["decode", "dictionary_hash", "encode", "fingerprint", "sniff", "with_unreceipted"]

Format = Literal["json", "cbor"]
Message = Batch | Birth | State | Event | Gap | Receipt | Command | Answer

CONTENT_TYPES: Final[Mapping[str, Format]] = {
    "application/json": "json",
    "application/vnd.pm.v1+json": "json",
    "application/cbor": "cbor",
    "application/vnd.pm.v1+cbor": "cbor",
}
FINGERPRINTS: Final = 2  #: version of `fingerprint`: those of another cannot be compared
_PRINTED: Final = struct.Struct("<qqqq?")
PRINTED_T0, PRINTED_MONO = 8, 16
_VERSIONED: Final = b'{"v":%d,' % VERSION
_CODECS: Final[Mapping[Format, Any]] = {"json": json_codec, "cbor": cbor_codec}
_WIRES: Final[Mapping[tuple[str, ...], type[Wire]]] = {
    ("up", "birth"): BirthWire,
    ("up", "state"): StateWire,
    ("up", "e", "gap"): GapWire,
    ("down", "ack"): ReceiptWire,
}
_DECODERS: Final[Mapping[type[Wire], msgspec.json.Decoder[Any]]] = {
    wire: msgspec.json.Decoder(wire)
    for wire in (*_WIRES.values(), EventWire, CommandWire, AnswerWire)
}


def sniff(payload: bytes) -> Format:
    """Return the format that the first byte shows."""
    first = payload.lstrip(b" \t\r\n")[:1]
    if first == b"{":
        return "json"
    if payload[:1] and (payload[0] >> 5 == 5 or payload.startswith(cbor_codec.SELF_DESCRIBED)):
        return "cbor"
    raise BadPayload(Reason.UNREADABLE, "neither a JSON object nor a CBOR map")


def decode(topic: Topic, payload: bytes, content_type: str | None = None) -> Message:
    """Read a message.

    Raises:
        BadTopic: no message is defined for the topic.
        BadPayload: the envelope cannot be read; one wrong column is `Batch.broken` instead.
    """
    wire = _wire(topic)
    if len(payload) > MAX_PAYLOAD:
        raise BadPayload(Reason.TOO_LARGE, f"{len(payload)} bytes: send at most {MAX_PAYLOAD}")
    found = sniff(payload)
    said = CONTENT_TYPES.get((content_type or "").partition(";")[0].strip().lower(), found)
    if said != found:
        raise BadPayload(Reason.UNREADABLE, f"the content type says {said}, the bytes {found}")
    if wire is None:
        batch: Batch = _CODECS[found].decode_batch(payload)
        return batch
    return from_wire(_read(wire, found, payload), topic.channel[-1])


def _wire(topic: Topic) -> type[Wire] | None:
    """Return the shape that the topic's messages have; None for batches."""
    key = (topic.direction, *topic.channel)
    if len(key) == 3 and key[:2] == ("up", "t"):
        if key[2] not in STREAMS:
            raise BadTopic(f"stream {key[2]}: use one of {', '.join(STREAMS)}")
        return None
    if len(key) == 3 and key[:2] == ("up", "e"):
        return _WIRES.get(key, EventWire)
    if len(key) == 4 and key[1] == "cmd":
        return CommandWire if key[0] == "down" else AnswerWire
    if key not in _WIRES:
        raise BadTopic(f"no message is defined for {'/'.join(key)}")
    return _WIRES[key]


def _read(wire: type[Wire], found: Format, payload: bytes) -> Wire:
    if found == "json":
        message: Wire = json_codec.read(payload, _DECODERS[wire])
        return message
    body = cbor_codec.read_map(payload)
    try:
        return msgspec.convert(body, wire)
    except msgspec.ValidationError as error:
        raise BadPayload(Reason.WRONG_TYPE, str(error)[:200]) from None


def encode(message: Message, format: Format = "cbor") -> bytes:  # noqa: A002  the word of the trade
    """Write a message. Equal messages give equal bytes.

    JSON has no float32 and no ±Inf (they become float64 and null).

    Raises:
        BadPayload: `too-large`; send the samples in more than one message.
    """
    codec = _CODECS[format]
    if isinstance(message, Batch):
        payload: bytes = codec.encode_batch(_head(message), message)
    elif format == "json" and isinstance(message, Receipt):  # they are many; as `_body` says it
        payload = _VERSIONED + msgspec.json.encode(to_wire(message)).removeprefix(b"{")
    else:
        payload = codec.encode(_body(message))
    if len(payload) > MAX_PAYLOAD:
        raise BadPayload(Reason.TOO_LARGE, f"{len(payload)} bytes: split it below {MAX_PAYLOAD}")
    return payload


def _head(batch: Batch) -> dict[str, object]:
    """Return the envelope of a batch; `u` stands first, so that it is cheap to renew."""
    clock = clock_to_wire(batch.clock)
    head = {
        "u": batch.unreceipted,
        "v": VERSION,
        "b": batch.boot,
        "s": batch.seq,
        "n": batch.count,
        "t0": batch.t0_ns,
        "m0": batch.mono_ns,
        "cq": None if clock is None else msgspec.to_builtins(clock),
        "h": batch.historical or None,
        "dh": batch.dictionary,
    }
    return {key: value for key, value in head.items() if value is not None}


def _body(message: Record) -> dict[str, object]:
    return {"v": VERSION, **msgspec.to_builtins(to_wire(message))}


def with_unreceipted(payload: bytes, u: int) -> bytes:
    """Return an encoded batch with another `u`; nothing else changes."""
    renewed: bytes = _CODECS[sniff(payload)].with_unreceipted(payload, u)
    return renewed


def fingerprint(batch: Batch) -> int:
    """Return 32 bits of the content: the same for a repeat, whatever its `u`."""
    columns = batch.columns
    if type(columns) is Sheet and columns.print is not None:
        return columns.print
    check = zlib.crc32(printed(batch), check_of(columns))
    if batch.quality:
        for name, quality in batch.quality.items():
            check = zlib.crc32(name.encode() + quality, check)
    for part in batch.broken:
        check = zlib.crc32(part.name.encode() + part.raw, check)
    return check


def printed(batch: Batch) -> bytes:
    """Return what follows the columns in a fingerprint: numbers, and offsets that are no step.

    At `PRINTED_T0` and `PRINTED_MONO` stand these times, int64, -1 for none.
    """
    offsets = batch.offsets_ns
    t0_ns = -1 if batch.t0_ns is None else batch.t0_ns
    mono_ns = -1 if batch.mono_ns is None else batch.mono_ns
    several = isinstance(offsets, array)
    step_ns = 0 if several else offsets
    head = _PRINTED.pack(batch.count, t0_ns, mono_ns, step_ns, batch.historical)
    return head + bytes(offsets) if several else head
