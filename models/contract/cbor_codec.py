"""CBOR (RFC 8949): the same map with integer keys, columns as typed arrays (RFC 8746).

A column is one of
- a typed array: tags 64-75, 77-79 (integers -> int64), 80/84 (float16 -> float32), 81/85 (float32),
  82/86 (float64); tags 85, 86 and 79 are taken as they are, without a loop;
- a byte string: bools, one byte a sample, 0 false, 1 true, 2 missing;
- `[typed array of integers, byte string]`: int64 with a mask, 1 = missing;
- an array of numbers, bools and nulls, or one of them alone, typed as in JSON.

No other tag is ever interpreted: dates, big numbers, shared references and the like stay opaque, so
that they cost a column and not the process. Maps below the top level have text keys.
"""

import struct
from array import array
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any, Final

import cbor2
import msgspec

from models.contract import times
from models.contract.columns import ColumnError, assemble, check_version
from models.contract.errors import BadPayload, Reason
from models.contract.json_codec import check_quality
from models.contract.messages import MAX_COLUMNS, MAX_DEPTH, Batch, Column
from models.contract.wire import KEYS, NAMES, Head
from models.counts import counted

SELF_DESCRIBED: Final = b"\xd9\xd9\xf7"  #: tag 55799, a magic number before the map
MAX_KEYS: Final = 256  #: top-level pairs, known or not
FLOAT64: Final = 86
FLOAT32: Final = 85
INT64: Final = 79
_INDEFINITE: Final = 31
_BREAK: Final = 0xFF
_NAN: Final = float("nan")

#: RFC 8746: tag -> (item as in `struct`, column type)
TYPED: Final[Mapping[int, tuple[str, str]]] = {
    **{64: ("<B", "q"), 68: ("<B", "q"), 72: ("<b", "q")},
    **{65: (">H", "q"), 66: (">I", "q"), 67: (">Q", "q")},
    **{69: ("<H", "q"), 70: ("<I", "q"), 71: ("<Q", "q")},
    **{73: (">h", "q"), 74: (">i", "q"), 75: (">q", "q")},
    **{77: ("<h", "q"), 78: ("<i", "q"), INT64: ("<q", "q")},
    **{80: (">e", "f"), 81: (">f", "f"), 82: (">d", "d")},
    **{84: ("<e", "f"), FLOAT32: ("<f", "f"), FLOAT64: ("<d", "d")},
}
_AS_THEY_ARE: Final = {FLOAT64: "d", FLOAT32: "f", INT64: "q"}
#: Python types of an array's cells (null aside) -> column type
_CELLS: Final[Mapping[frozenset[type], str]] = {
    **{frozenset(): "d", frozenset({float}): "d", frozenset({float, int}): "d"},
    **{frozenset({int}): "q", frozenset({bool}): "?"},
}
_TO_MASK: Final = bytes([0, 0, 1]) + bytes(253)
_TO_BOOL: Final = bytes([0, 1, 0]) + bytes(253)

#: Tags that cbor2 would turn into objects; a test asks it for others.
INTERPRETED: Final = (
    *(0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54),
    *(100, 256, 258, 260, 261, 1004, 43000, 55799),
)


def _opaque(tag: int) -> Callable[[Any, bool], Any]:
    return lambda value, _immutable: cbor2.CBORTag(tag, value)


_OPAQUE: Final = {tag: _opaque(tag) for tag in INTERPRETED}


def pairs(payload: bytes) -> Iterator[tuple[int | str, Any, int, int]]:
    """Yield the top-level pairs as (key, value, start, end in the payload).

    `BadPayload` for anything but one well-formed map.
    """
    buffer = BytesIO(payload)
    decoder = cbor2.CBORDecoder(
        buffer,
        semantic_decoders=_OPAQUE,
        max_depth=MAX_DEPTH - 1,
        allow_duplicate_keys=False,
        strict_hashable_types=True,
    )
    try:
        left = _head(payload, buffer)
        seen = 0
        while left != 0 and not (left < 0 and payload[buffer.tell()] == _BREAK):
            left -= 1
            seen += 1
            if seen > MAX_KEYS:
                raise BadPayload(Reason.TOO_LARGE, f"more than {MAX_KEYS} keys")
            start = buffer.tell()
            key = decoder.decode()
            if type(key) is not int and type(key) is not str:
                raise BadPayload(Reason.UNREADABLE, "a key is neither integer nor text")
            yield key, decoder.decode(), start, buffer.tell()
        end = buffer.tell() + (left < 0)
    except (cbor2.CBORError, ValueError, IndexError) as error:
        deep = "nesting depth" in str(error)
        reason = Reason.TOO_DEEP if deep else Reason.UNREADABLE
        raise BadPayload(reason, str(error)[:200]) from None
    if end != len(payload):
        raise BadPayload(Reason.UNREADABLE, f"{counted(len(payload) - end, 'byte')} after the end")


def _head(payload: bytes, buffer: BytesIO) -> int:
    """Read the map's head; return the number of pairs, or -1 when a break ends them."""
    start = len(SELF_DESCRIBED) if payload.startswith(SELF_DESCRIBED) else 0
    initial = payload[start]
    info = initial & 31
    if initial >> 5 != 5 or 27 < info < _INDEFINITE:
        raise BadPayload(Reason.UNREADABLE, "not a map")
    width = 1 << (info - 24) if 24 <= info <= 27 else 0
    buffer.seek(start + 1 + width)
    if info == _INDEFINITE:
        return -1
    digits = payload[start + 1 : start + 1 + width]
    if len(digits) < width:
        raise BadPayload(Reason.UNREADABLE, "cut off")
    return int.from_bytes(digits) if width else info


def read_map(payload: bytes) -> dict[str, Any]:
    """Return the message by key name; keys that this version does not know are left out."""
    out: dict[str, Any] = {}
    seen: set[int | str] = set()
    for key, value, _, _ in pairs(payload):
        name = NAMES.get(key, key) if isinstance(key, int) else key
        if name in seen:
            raise BadPayload(Reason.UNREADABLE, f"key {str(key)[:40]!a} twice")
        seen.add(name)
        if isinstance(name, str) and name in KEYS:
            out[name] = value
    version = out.get("v", 1)
    if type(version) is int:
        check_version(version)
    return out


def decode_batch(payload: bytes) -> Batch:
    """Read a batch; only the envelope can fail, a wrong column is set aside."""
    body = read_map(payload)
    parts, qualities = body.pop("d", None), body.pop("q", None)
    qualities = {} if qualities is None else qualities
    offsets = _offsets(body.pop("dt", None), body.pop("dn", None))
    for name, part in (("d", parts), ("q", qualities)):
        if not isinstance(part, dict) or not all(isinstance(key, str) for key in part):
            raise BadPayload(Reason.WRONG_TYPE, f"{name}: give a map with text keys")
        if len(part) > MAX_COLUMNS or (name == "d" and not part):
            raise BadPayload(Reason.WRONG_TYPE, f"{name}: give 1 to {MAX_COLUMNS} columns")
    try:
        head = msgspec.convert(body, Head)
    except msgspec.ValidationError as error:
        raise BadPayload(Reason.WRONG_TYPE, str(error)[:200]) from None
    return assemble(
        head, parts, qualities, offsets, read=_column, read_quality=_quality, raw=cbor2.dumps
    )


def _offsets(ms: Any, ns: Any) -> "int | array[int] | None":
    if ms is not None and ns is not None:
        raise BadPayload(Reason.WRONG_TYPE, "dt and dn together: give one of them")
    if ns is not None:
        return times.from_ns(ns if type(ns) is int else _numbers("dn", ns, "q"))
    if ms is not None:
        return times.from_ms(ms if type(ms) in (int, float) else _numbers("dt", ms, "qdf"))
    return None


def _numbers(name: str, value: Any, kinds: str) -> "array[Any]":
    try:
        column = _column(value)
    except ColumnError as error:
        raise BadPayload(error.reason, f"{name}: {error.detail}") from None
    if column.missing is not None or column.type not in kinds:
        raise BadPayload(Reason.WRONG_TYPE, f"{name}: give numbers without gaps")
    return array(column.type, column.data)


def _column(part: Any) -> Column:
    if isinstance(part, cbor2.CBORTag):
        column = _typed(part)
    elif isinstance(part, bytes):
        column = _bools(part)
    elif isinstance(part, list):
        column = _masked(part) if part and isinstance(part[0], cbor2.CBORTag) else _cells(part)
    else:
        column = _cells([part])
    if not column.data:
        raise ColumnError(Reason.WRONG_LENGTH, "no values")
    return column


def _typed(part: cbor2.CBORTag) -> Column:
    data = part.value
    item, kind = TYPED.get(part.tag, ("", ""))
    if not item or not isinstance(data, bytes):
        raise ColumnError(Reason.WRONG_TYPE, f"tag {part.tag} is not a typed array that we know")
    size = struct.calcsize(item)
    if len(data) % size:
        raise ColumnError(
            Reason.WRONG_LENGTH,
            f"{counted(len(data), 'byte is', 'bytes are')} not whole items of {size}",
        )
    if part.tag in _AS_THEY_ARE:
        return Column(type=kind, data=data)
    order, code = item[0], item[1]
    if code == "e":
        values: array[Any] = array("f", struct.unpack(f"{order}{len(data) // 2}e", data))
        return Column(type="f", data=values.tobytes())
    values = array(code, data)
    if order == ">":
        values.byteswap()
    try:
        return Column(type=kind, data=array(kind, values).tobytes())
    except OverflowError:
        raise ColumnError(Reason.WRONG_TYPE, "an integer is beyond int64") from None


def _bools(part: bytes) -> Column:
    if part and max(part) > 2:
        raise ColumnError(Reason.WRONG_TYPE, "bools: give bytes 0, 1 or 2")
    if 2 not in part:
        return Column(type="?", data=part)
    return Column(type="?", data=part.translate(_TO_BOOL), missing=part.translate(_TO_MASK))


def _masked(part: list[Any]) -> Column:
    if len(part) != 2 or not isinstance(part[1], bytes):
        raise ColumnError(Reason.WRONG_TYPE, "give [typed array of integers, mask bytes]")
    column, mask = _typed(part[0]), part[1]
    if column.type != "q" or (mask and max(mask) > 1):
        raise ColumnError(Reason.WRONG_TYPE, "give [typed array of integers, mask of 0 and 1]")
    if len(mask) != len(column):
        raise ColumnError(
            Reason.WRONG_LENGTH, f"a mask of {len(mask)} for {counted(len(column), 'value')}"
        )
    return Column(type="q", data=column.data, missing=mask if 1 in mask else None)


def _cells(part: list[Any]) -> Column:
    kinds = set(map(type, part))
    sparse = type(None) in kinds
    kinds.discard(type(None))
    code = _CELLS.get(frozenset(kinds))
    if code is None:
        raise ColumnError(Reason.WRONG_TYPE, "give numbers, or bools, and null for missing")
    hole = _NAN if code == "d" else 0
    values = [hole if v is None else v for v in part] if sparse else part
    try:
        data = struct.pack(f"<{len(part)}{code}", *values)
    except struct.error:
        raise ColumnError(Reason.WRONG_TYPE, "an integer is beyond int64") from None
    mask = bytes(v is None for v in part) if sparse and code != "d" else None
    return Column(type=code, data=data, missing=mask)


def _quality(part: Any, count: int) -> bytes:
    if isinstance(part, cbor2.CBORTag) and part.tag == 64:
        part = part.value
    if type(part) is int:
        part = [part] * count
    if isinstance(part, list) and set(map(type, part)) == {int}:
        try:
            part = bytes(part)
        except ValueError:
            part = None
    if not isinstance(part, bytes):
        raise ColumnError(Reason.WRONG_TYPE, "quality: give integers from 0 to 3")
    return check_quality(part, count)


def encode_batch(head: Mapping[str, object], batch: Batch) -> bytes:
    """Write a batch; `head` are the envelope's keys, in order."""
    offsets = batch.offsets_ns
    body: dict[str, object] = dict(head)
    if not isinstance(offsets, int):
        body["dn"] = cbor2.CBORTag(INT64, offsets.tobytes())
    elif offsets % times.NS_PER_MS:
        body["dn"] = offsets
    elif offsets:
        body["dt"] = offsets // times.NS_PER_MS
    body["d"] = {name: _part(column) for name, column in batch.columns.items()}
    if batch.quality:
        body["q"] = dict(batch.quality)
    return encode(body)


def _part(column: Column) -> object:
    if column.type == "?":
        if column.missing is None:
            return column.data
        return bytes(2 if gone else v for v, gone in zip(column.data, column.missing, strict=True))
    typed = cbor2.CBORTag({"d": FLOAT64, "f": FLOAT32, "q": INT64}[column.type], column.data)
    return typed if column.missing is None else [typed, column.missing]


def with_unreceipted(payload: bytes, u: int) -> bytes:
    """Return the same batch with another `u`; cheap where `u` stands first."""
    if payload[:1] < b"\xb8" and payload[1:2] == bytes([KEYS["u"]]) and payload[2:3] <= b"\x1b":
        info = payload[2] & 31
        width = 1 << (info - 24) if info >= 24 else 0
        return payload[:2] + cbor2.dumps(u) + payload[3 + width :]
    keys = ("u", KEYS["u"])
    rest = [payload[start:end] for key, _, start, end in pairs(payload) if key not in keys]
    head = bytearray(cbor2.dumps(len(rest) + 1))
    head[0] |= 5 << 5
    return b"".join((head, cbor2.dumps(KEYS["u"]), cbor2.dumps(u), *rest))


def encode(body: Mapping[str, object]) -> bytes:
    """Write any message with the integer keys of the contract."""
    return cbor2.dumps({KEYS[name]: value for name, value in body.items()})
