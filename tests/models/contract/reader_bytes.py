"""Bytes to maps, for the second reader: a CBOR reader of its own and the standard `json`."""

import json
import math
import struct
from typing import Any, TypeVar

T = TypeVar("T")
KEYS = (
    *("v", "b", "s", "n", "u", "t0", "m0", "cq", "dt", "d", "q", "h", "dh", "dn"),
    *("boot", "stream", "online", "metrics", "machines", "agent", "firmware", "model"),
    *("capabilities", "time", "text", "fields", "at", "ranges", "reason"),
    *("hwm", "missing", "refused", "credit"),
    *("command", "key", "sig", "id", "state", "status", "result"),
)


class Invalid(Exception):
    """The message, or the part being read, breaks a rule."""


def need(condition: bool, why: str) -> None:
    if not condition:
        raise Invalid(why)


def there(value: T | None, why: str) -> T:
    if value is None:
        raise Invalid(why)
    return value


# CBOR --------------------------------------------------------------------------------------------
class Tag:
    def __init__(self, number: int, value: Any) -> None:
        self.number, self.value = number, value


class Simple:
    """undefined and the unassigned simple values."""


class Map(list[tuple[Any, Any]]):
    """The pairs of a map, as they came."""


class Cbor:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, n: int) -> bytes:
        need(self.at + n <= len(self.data), "cut off")
        part = self.data[self.at : self.at + n]
        self.at += n
        return part

    def head(self) -> tuple[int, int, int | None]:
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info, info
        if info < 28:
            return major, info, int.from_bytes(self.take(2 ** (info - 24)))
        need(info == 31, "reserved length")
        return major, info, None

    def broke(self) -> bool:
        need(self.at < len(self.data), "cut off")
        if self.data[self.at] != 0xFF:
            return False
        self.at += 1
        return True

    def item(self, depth: int) -> Any:
        major, info, value = self.head()
        if major in (0, 1):
            whole = there(value, "endless integer")
            return whole if major == 0 else -1 - whole
        if major in (2, 3):
            return self.string(major, value)
        if major == 7:
            return self.simple(info, value)
        need(depth > 0, "too deep")
        if major == 4:
            if value is None:
                items = []
                while not self.broke():
                    items.append(self.item(depth - 1))
                return items
            need(value <= len(self.data), "cut off")
            return [self.item(depth - 1) for _ in range(value)]
        if major == 5:
            return self.map(value, depth)
        return Tag(there(value, "endless tag"), self.item(depth - 1))

    def string(self, major: int, length: int | None) -> bytes | str:
        if length is not None:
            part = self.take(length)
        else:
            parts = []
            while not self.broke():
                inner, _, size = self.head()
                need(inner == major, "odd chunk")
                chunk = self.take(there(size, "odd chunk"))
                if major == 3:
                    utf8(chunk)
                parts.append(chunk)
            part = b"".join(parts)
        return utf8(part) if major == 3 else part

    def simple(self, info: int, value: int | None) -> Any:
        number = there(value, "break")
        if info in (25, 26, 27):
            form = {25: ">e", 26: ">f", 27: ">d"}[info]
            return struct.unpack(form, number.to_bytes(struct.calcsize(form)))[0]
        if info == 24:
            need(number >= 32, "badly written simple value")
        return {20: False, 21: True, 22: None}.get(number, Simple())

    def map(self, count: int | None, depth: int) -> Map:
        out, keys = Map(), set()
        while not self.broke() if count is None else len(out) < count:
            key = self.item(depth - 1)
            if depth < 16:
                need(isinstance(key, (str, bytes)), "a key that is not text")
            else:
                need(type(key) in (int, str), "a key that is neither integer nor text")
            need(key not in keys, "a key twice")
            keys.add(key)
            out.append((key, self.item(depth - 1)))
        return out


def utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid("not UTF-8") from None


def read_cbor(payload: bytes) -> dict[str, Any]:
    reader = Cbor(payload.removeprefix(b"\xd9\xd9\xf7"))
    top = reader.item(16)
    need(isinstance(top, Map), "not a map")
    need(reader.at == len(reader.data), "bytes after the end")
    need(len(top) <= 256, "too many keys")
    out: dict[str, Any] = {}
    for key, value in top:
        name = KEYS[key] if isinstance(key, int) and 0 <= key < len(KEYS) else key
        need(name not in out, "a key twice")
        out[name] = value
    return {name: plain(out[name]) for name in KEYS if name in out}


def plain(value: Any) -> Any:
    if isinstance(value, Map):
        return {key: plain(inner) for key, inner in value}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


TYPED = {
    **{64: "<B", 65: ">H", 66: ">I", 67: ">Q", 68: "<B", 69: "<H", 70: "<I", 71: "<Q", 72: "<b"},
    **{73: ">h", 74: ">i", 75: ">q", 77: "<h", 78: "<i", 79: "<q", 80: ">e", 81: ">f", 82: ">d"},
    **{84: "<e", 85: "<f", 86: "<d"},
}


def typed(value: Tag) -> list[Any]:
    form = there(TYPED.get(value.number), "not a typed array")
    need(isinstance(value.value, bytes), "not a typed array")
    size = struct.calcsize(form)
    need(len(value.value) % size == 0, "not whole items")
    return list(struct.unpack(f"{form[0]}{len(value.value) // size}{form[1]}", value.value))


# JSON --------------------------------------------------------------------------------------------
class Huge(float):
    """A number beyond float64; its text was legal."""


def read_json(payload: bytes) -> dict[str, Any]:
    text = utf8(payload)
    need(depth_of(text) <= 16, "too deep")

    def refuse(token: str) -> Any:
        raise Invalid(token)

    def integer(token: str) -> Any:
        return int(token) if len(token) < 400 else Huge("inf")

    def fraction(token: str) -> Any:
        value = float(token)
        return Huge(value) if math.isinf(value) else value

    try:
        top = json.loads(
            text,
            parse_constant=refuse,
            parse_int=integer,
            parse_float=fraction,
            object_pairs_hook=unlike,
        )
    except (ValueError, RecursionError):
        raise Invalid("not JSON") from None
    need(isinstance(top, dict), "not an object")
    # json.loads lets lone surrogates through; they are not text.
    try:
        json.dumps(top, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Invalid("a lone surrogate") from None
    return {name: top[name] for name in KEYS if name in top}


def unlike(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    need(len({key for key, _ in pairs}) == len(pairs), "a key twice")
    return dict(pairs)


def depth_of(text: str) -> int:
    depth = most = 0
    inside = escaped = False
    for char in text:
        if inside:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                inside = False
        elif char == '"':
            inside = True
        elif char in "[{":
            depth += 1
            most = max(most, depth)
        elif char in "]}":
            depth -= 1
    return most
