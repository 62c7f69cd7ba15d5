"""JSON: a typed envelope, then each column on its own.

Column types follow from the text: only integers = int64, only true/false = bool, a fraction or an
exponent anywhere = float64; null = missing (a column of nulls alone is float64). Equal keys in one
object make the message unreadable, as in CBOR: readers differ in which of them counts.
"""

import json
import re
import struct
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, TypeVar
from zlib import crc32

import msgspec

from models.contract import times
from models.contract.columns import (
    MAX_QUALITY,
    ColumnError,
    assemble,
    batch,
    check_version,
    declared,
    names_allowed,
)
from models.contract.errors import BadPayload, Reason
from models.contract.messages import MAX_DEPTH, Batch, Column
from models.contract.sheet import Sheet, layout
from models.contract.wire import KEYS, BatchWire
from models.counts import counted

_NOT_STRUCTURE: Final = bytes(sorted(set(range(256)) - set(b'[]{}":')))
_STEP: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1, ord(":"): 0}
_ESCAPED: Final = re.compile(rb"\\.", re.DOTALL)
_NAN: Final = float("nan")

_DENSE: Final[Mapping[str, msgspec.json.Decoder[Any]]] = {
    "d": msgspec.json.Decoder(list[float]),
    "q": msgspec.json.Decoder(list[int]),
    "?": msgspec.json.Decoder(list[bool]),
}
_SPARSE: Final[Mapping[str, msgspec.json.Decoder[Any]]] = {
    "d": msgspec.json.Decoder(list[float | None]),
    "q": msgspec.json.Decoder(list[int | None]),
    "?": msgspec.json.Decoder(list[bool | None]),
}
_DENSE_TABLE: Final = msgspec.json.Decoder(list[list[float]])
#: letters of null, true, false and other words, and what begins a text or an object
_NOT_PLAIN: Final = (b"n", b"t", b"f", b'"', b"{")
_PAIRS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

W = TypeVar("W")


class _Read(BatchWire, kw_only=True):
    """A batch that tells a key with its default value from one that is absent."""

    v: int | msgspec.UnsetType = msgspec.UNSET  # type: ignore[assignment]
    h: bool | msgspec.UnsetType = msgspec.UNSET  # type: ignore[assignment]


_BATCH: Final = msgspec.json.Decoder(_Read)


def check_text(payload: bytes) -> int:
    """Refuse bytes that are not UTF-8 and too deep nesting.

    Returns at least the number of pairs: where there are few brackets, colons in texts count too.
    """
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        raise BadPayload(Reason.UNREADABLE, f"not UTF-8 at byte {error.start}") from None
    if payload.count(b"[") + payload.count(b"{") <= MAX_DEPTH:
        return payload.count(b":")
    outside = _outside(payload)
    if max(accumulate(map(_STEP.__getitem__, outside)), default=0) > MAX_DEPTH:
        raise BadPayload(Reason.TOO_DEEP, f"nested deeper than {MAX_DEPTH}")
    return outside.count(b":")


def _outside(payload: bytes) -> bytes:
    """Return the brackets, braces and colons that are not in texts."""
    if b"\\" in payload:
        payload = _ESCAPED.sub(b"", payload)
    return b"".join(payload.translate(None, _NOT_STRUCTURE).split(b'"')[::2])


def _refuse_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    out = dict(pairs)
    if len(out) < len(pairs):
        raise BadPayload(Reason.UNREADABLE, "a key stands twice in an object")
    return out


def check_unique(payload: bytes) -> None:
    """Refuse equal keys in any object (of a text that is otherwise legal)."""
    json.loads(payload, object_pairs_hook=_refuse_twice, parse_int=str, parse_float=str)


def read(payload: bytes, decoder: msgspec.json.Decoder[W]) -> W:
    """Decode a message, or say why it cannot be: `BadPayload`."""
    check_text(payload)
    message = _decode(payload, decoder)
    check_unique(payload)
    return message


def _decode(payload: bytes, decoder: msgspec.json.Decoder[W]) -> W:
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        _check_future(payload)
        raise BadPayload(Reason.WRONG_TYPE, str(error)[:200]) from None
    except msgspec.DecodeError as error:
        raise BadPayload(Reason.UNREADABLE, str(error)[:200]) from None


def _check_future(payload: bytes) -> None:
    """A message of a later major version may have any shape: name the version, not the shape."""
    try:
        version = msgspec.json.decode(_PAIRS.decode(payload).get("v", b"1"))
    except msgspec.DecodeError:
        return
    if type(version) is int:
        check_version(version)


def decode_batch(payload: bytes) -> Batch:
    """Read a batch; only the envelope can fail, a wrong column is set aside."""
    pairs = check_text(payload)
    wire = _decode(payload, _BATCH)
    known = _known_pairs(wire)
    wire.v = 1 if wire.v is msgspec.UNSET else wire.v
    wire.h = wire.h is True
    check_version(wire.v)
    if pairs != known:
        _check_pairs(payload, wire)
    offsets = None
    if wire.dn is not None:
        if wire.dt is not None:
            raise BadPayload(Reason.WRONG_TYPE, "dt and dn together: give one of them")
        offsets = times.from_ns(wire.dn)
    elif wire.dt is not None:
        offsets = times.from_ms(wire.dt)
    count = declared(wire.n, offsets)
    sheet = None if wire.q else _sheet(wire.d, count)
    if sheet is not None:
        return batch(wire, sheet, sheet.layout.count, offsets)
    return assemble(
        wire, wire.d, wire.q or {}, offsets, read=_column, read_quality=_quality, raw=bytes
    )


def _check_pairs(payload: bytes, wire: _Read) -> None:
    """Refuse equal keys where there are more pairs than the keys that were read."""
    top = _PAIRS.decode(payload)
    clock = _PAIRS.decode(top["cq"]) if wire.cq else ()
    counted = len(top) + len(wire.d) + len(wire.q or ()) + len(clock)
    if _outside(payload).count(b":") != counted:
        check_unique(payload)  # or it only nests elsewhere; this takes longer to see


def _known_pairs(wire: _Read) -> int:
    """Return how many pairs the keys that were read make up; a clock and nulls are left out."""
    single = (wire.b, wire.s, wire.n, wire.u, wire.t0, wire.m0, wire.dh, wire.dt, wire.dn, wire.q)
    absent = single.count(None) + (wire.v, wire.h).count(msgspec.UNSET)
    return len(single) + 2 - absent + 1 + len(wire.d) + len(wire.q or ())


def _sheet(parts: Mapping[str, msgspec.Raw], count: int | None) -> Sheet | None:
    """Return columns that are all plain numbers with fractions; None for any others."""
    names = tuple(parts)
    texts = [_list(raw) for raw in parts.values()]
    joined = b"[" + b",".join(texts) + b"]"
    plain = not any(mark in joined for mark in _NOT_PLAIN)
    if not plain or not all(_kind(text) == "d" for text in texts):
        return None
    try:
        rows = _DENSE_TABLE.decode(joined)
    except (msgspec.DecodeError, RecursionError):
        return None
    lengths = set(map(len, rows))
    if count is None:
        count = len(rows[0])
    if not count or lengths != {count} or not names_allowed(names):
        return None
    shape = layout(names, "d" * len(names), count)
    pack = struct.Struct(f"<{count}d").pack
    cells = tuple([pack(*row) for row in rows])
    return Sheet(shape, b"".join(cells), crc32(shape.join(cells)))


def _list(raw: msgspec.Raw) -> bytes:
    text = bytes(raw)
    return text if text[:1] == b"[" else b"[" + text + b"]"


def _kind(text: bytes) -> str:
    """Return the type that a column of legal cells has, by the letters in it."""
    if b"." in text or b"E" in text:
        return "d"
    if b"e" in text:  # true, false, or an exponent
        return "?" if b"t" in text or b"f" in text else "d"
    return "q"


def _column(raw: msgspec.Raw) -> Column:
    text = _list(raw)
    kind = _kind(text)
    sparse = b"n" in text
    try:
        values = (_SPARSE if sparse else _DENSE)[kind].decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        words = f"give numbers, true and false, or null: {error}"
        raise ColumnError(Reason.WRONG_TYPE, words[:120]) from None
    if not values:
        raise ColumnError(Reason.WRONG_LENGTH, "no values")
    return _sparse(kind, values) if sparse else Column(type=kind, data=_pack(kind, values))


def _sparse(kind: str, values: Sequence[Any]) -> Column:
    mask = bytes(value is None for value in values)
    if kind == "d" or 0 not in mask:
        return Column(type="d", data=_pack("d", [_NAN if v is None else v for v in values]))
    return Column(type=kind, data=_pack(kind, [v or 0 for v in values]), missing=mask)


def _pack(kind: str, values: Sequence[Any]) -> bytes:
    if kind == "?":
        return bytes(values)
    try:
        return struct.pack(f"<{len(values)}{kind}", *values)
    except struct.error:
        raise ColumnError(Reason.WRONG_TYPE, "an integer is beyond int64") from None


def _quality(raw: msgspec.Raw, count: int) -> bytes:
    text = bytes(raw)
    try:
        if text[:1] != b"[":
            values = bytes([msgspec.json.decode(text, type=int)]) * count
        else:
            values = bytes(_DENSE["q"].decode(text))
    except (msgspec.DecodeError, ValueError):
        raise ColumnError(Reason.WRONG_TYPE, "quality: give integers from 0 to 3") from None
    return check_quality(values, count)


def check_quality(values: bytes, count: int) -> bytes:
    """Return the qualities, one byte a sample, if there are as many and all are known."""
    if len(values) != count:
        detail = f"quality: {counted(len(values), 'value')} for {counted(count, 'sample')}"
        raise ColumnError(Reason.WRONG_LENGTH, detail)
    if max(values) > MAX_QUALITY:
        raise ColumnError(Reason.WRONG_TYPE, "quality: give integers from 0 to 3")
    return values


def encode_batch(head: Mapping[str, object], batch: Batch) -> bytes:
    """Write a batch; `head` are the envelope's keys, in order. ±Inf becomes null, as NaN does."""
    offsets = batch.offsets_ns
    nanos = [offsets] if isinstance(offsets, int) else offsets.tolist()
    name, unit = ("dn", 1) if any(ns % times.NS_PER_MS for ns in nanos) else ("dt", times.NS_PER_MS)
    steps = [ns // unit for ns in nanos]
    body: dict[str, object] = dict(head)
    if offsets != 0:
        body[name] = steps[0] if isinstance(offsets, int) else steps
    body["d"] = {name: _values(column) for name, column in batch.columns.items()}
    if batch.quality:
        body["q"] = {name: list(quality) for name, quality in batch.quality.items()}
    return msgspec.json.encode(body)


def _values(column: Column) -> list[Any]:
    values: list[Any] = memoryview(column.data).cast(column.type).tolist()  # type: ignore[call-overload]
    if column.missing is None:
        return values
    return [None if gone else v for v, gone in zip(values, column.missing, strict=True)]


def with_unreceipted(payload: bytes, u: int) -> bytes:
    """Return the same batch with another `u`; cheap where `u` stands first."""
    if payload.startswith(b'{"u":'):
        end = payload.find(b",")
        if payload[5:end].isdigit():
            return b'{"u":%d%s' % (u, payload[end:])
    try:
        body: dict[str, object] = dict(_PAIRS.decode(payload))
    except msgspec.DecodeError as error:
        raise BadPayload(Reason.UNREADABLE, str(error)[:200]) from None
    return msgspec.json.encode({"u": u, **{k: v for k, v in body.items() if k != "u"}})


def encode(body: Mapping[str, object]) -> bytes:
    """Write any other message."""
    assert body.keys() <= KEYS.keys()
    return msgspec.json.encode(body)
