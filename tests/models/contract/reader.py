"""A second reader of the contract, written apart from the codec and only for its tests.

It uses the standard library's `json` and a CBOR reader of its own, and says of a message whether it
is valid, partly broken or invalid, and what it holds. Where both readers agree, an error would have
to be made twice.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.models.contract.reader_bytes import Invalid, Tag, need, read_cbor, read_json, typed
from tests.models.contract.reader_rules import (
    STREAMS,
    answer,
    birth,
    command,
    event,
    flag,
    gap,
    instant,
    is_boot,
    is_clock,
    is_int,
    is_number,
    is_text,
    matches,
    optional,
    receipt,
    state,
    version,
)

Verdict = Literal["valid", "partly", "invalid"]
LIMIT = 256 * 1024
SHORT = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
LEVEL = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass
class Seen:
    """What the reader found. `columns` hold Python values, None = missing."""

    verdict: Verdict
    kind: str = ""
    boot: str | None = None
    seq: int | None = None
    count: int = 0
    columns: dict[str, list[Any]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    offsets_ns: list[int] = field(default_factory=list)
    t0_ns: int | None = None
    why: str = ""


def cells(values: Any) -> list[Any]:
    """Return a column's values, the type made one: all int, all bool, or float."""
    if isinstance(values, Tag):
        values = typed(values)
        need(all(type(v) is float or is_int(v, -(2**63)) for v in values), "beyond int64")
        return [None if v != v else v for v in values]
    if isinstance(values, bytes):
        need(all(v < 3 for v in values), "odd bool")
        return [None if v == 2 else bool(v) for v in values]
    if isinstance(values, list) and values and isinstance(values[0], Tag):
        need(len(values) == 2 and isinstance(values[1], bytes), "odd mask")
        numbers, mask = typed(values[0]), values[1]
        need(len(numbers) == len(mask) and set(mask) <= {0, 1}, "odd mask")
        need(all(is_int(v, -(2**63)) for v in numbers), "mask of floats")
        return [None if gone else v for v, gone in zip(numbers, mask, strict=True)]
    plain: list[Any] = values if isinstance(values, list) else [values]
    there = [v for v in plain if v is not None]
    kinds = {type(v) for v in there}
    if kinds <= {int} and there:
        need(all(is_int(v, -(2**63)) for v in there), "beyond int64")
        return plain
    if kinds == {bool}:
        return plain
    need(kinds <= {int, float}, "not a column")
    try:
        return [None if v is None or v != v else float(v) for v in plain]
    except OverflowError:
        raise Invalid("beyond float64") from None


def offsets(body: dict[str, Any]) -> int | list[int] | None:
    need(body.get("dt") is None or body.get("dn") is None, "dt and dn")
    name = "dn" if body.get("dn") is not None else "dt"
    value = body.get(name)
    if value is None:
        return None
    unit = 1 if name == "dn" else 1_000_000
    legal = (int,) if name == "dn" else (int, float)

    def ns(v: Any) -> int:
        need(type(v) in legal and abs(v) < 2**63, "offset")
        exact = v * unit if isinstance(v, int) else round(v * 1e6)
        need(abs(exact) <= 2**61, "offset")
        return exact

    if isinstance(value, (list, Tag)):
        if isinstance(value, Tag) or (value and isinstance(value[0], Tag)):
            value = cells(value)
        elif type(value) is list and float in map(type, value):
            value = [float(v) if isinstance(v, int) and abs(v) >= 2**63 else v for v in value]
        return [ns(v) for v in value]
    return ns(value)


def quality(value: Any, count: int) -> None:
    if isinstance(value, Tag) and value.number == 64:
        value = value.value
    values = [value] * count if type(value) is int else value
    values = list(values) if isinstance(values, bytes) else values
    need(isinstance(values, list) and len(values) == count, "quality")
    need(all(is_int(v, 0, 3) for v in values), "quality")


def batch(body: dict[str, Any], seen: Seen) -> None:
    optional(body, "b", is_boot)
    for name in ("s", "u"):
        optional(body, name, is_number)
    optional(body, "m0", is_int)
    optional(body, "n", lambda n: is_int(n, 1, 65_536))
    optional(body, "cq", is_clock)
    optional(body, "dh", lambda h: matches(r"[0-9a-f]{8}", h))
    flag(body, "h")
    parts: Any = body.get("d")
    marks: Any = body.get("q") or {}
    need("q" not in body or body["q"] is None or isinstance(body["q"], dict), "q")
    need(isinstance(parts, dict) and 1 <= len(parts) <= 4096 and len(marks) <= 4096, "d")
    need(all(isinstance(name, str) for name in (*parts, *marks)), "d")
    seen.boot, seen.seq = body.get("b"), body.get("s")
    seen.t0_ns = None if body.get("t0") is None else instant(body["t0"])
    steps = offsets(body)
    good: dict[str, list[Any]] = {}
    for name, part in parts.items():
        try:
            need(is_text(name), "name")
            good[name] = cells(part)
            need(len(good[name]) > 0, "empty")
        except Invalid:
            good.pop(name, None)
            seen.broken.append(name)
    declared = body.get("n")
    if declared is None and isinstance(steps, list):
        declared = len(steps)
    elif declared is None:
        need(bool(good), "no column")
        declared = len(next(iter(good.values())))
    seen.count = declared
    need(1 <= declared <= 65_536, "count")
    need(not isinstance(steps, list) or len(steps) == declared, "offsets")
    need(seen.seq is None or seen.seq + declared <= 2**53, "numbers")
    if not isinstance(steps, list):
        need(abs(steps or 0) * declared <= 2**61, "step")
        steps = [(steps or 0) * i for i in range(declared)]
    seen.offsets_ns = steps
    for name, values in good.items():
        try:
            need(len(values) == declared, "length")
            if name in marks:
                quality(marks[name], declared)
            seen.columns[name] = values
        except Invalid:
            seen.broken.append(name)


RULES = {
    "birth": birth,
    "state": state,
    "gap": gap,
    "receipt": receipt,
    "command": command,
    "answer": answer,
}


def kind_of(topic: str) -> str:
    need(len(topic) <= 250, "long topic")
    parts = topic.split("/")
    need(parts[:2] == ["pm", "1"] and len(parts) >= 5, "not our topic")
    names = parts[2].split(".", 1)
    need(len(names) == 2 and all(SHORT.fullmatch(name) for name in names), "identity")
    need(parts[3] in ("up", "down") and len(parts) <= 8, "direction")
    need(all(LEVEL.fullmatch(level) for level in parts[4:]), "level")
    rest = parts[3:]
    if rest[:2] == ["up", "t"] and len(rest) == 3 and rest[2] in STREAMS:
        return "batch"
    if rest[1:2] == ["cmd"] and len(rest) == 4:
        return "answer" if rest[0] == "up" else "command"
    known: dict[tuple[str, ...], str] = {
        ("up", "birth"): "birth",
        ("up", "state"): "state",
        ("down", "ack"): "receipt",
    }
    if tuple(rest) in known:
        return known[tuple(rest)]
    need(rest[:2] == ["up", "e"] and len(rest) == 3, "no message for this topic")
    return "gap" if rest[2] == "gap" else "event"


def judge(topic: str, payload: bytes) -> Seen:
    """Say of a message whether it is valid, partly broken or invalid, and what it holds."""
    seen = Seen("valid")
    try:
        seen.kind = kind_of(topic)
        need(len(payload) <= LIMIT, "too large")
        is_json = payload.lstrip(b" \t\r\n").startswith(b"{")
        body = read_json(payload) if is_json else read_cbor(payload)
        version(body)
        if seen.kind == "batch":
            batch(body, seen)
        else:
            RULES.get(seen.kind, event)(body)
            bootless = seen.kind in ("event", "command", "answer")
            seen.boot = None if bootless else body.get("boot")
    except Invalid as error:
        return Seen("invalid", seen.kind, why=str(error))
    if seen.broken:
        seen.verdict = "partly"
    return seen
