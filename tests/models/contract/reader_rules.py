"""The contract's rules for single values and for the messages that are not batches."""

import datetime
import math
import re
from decimal import Decimal
from typing import Any

from tests.models.contract.reader_bytes import Invalid, need, there

NS = 1_000_000_000
STREAMS = ("alarm", "live", "bulk", "backfill")
TURNING = set("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_int(value: Any, low: int = 0, high: int = 2**63 - 1) -> bool:
    return type(value) is int and low <= value <= high


def is_number(value: Any, low: int = 0) -> bool:
    return is_int(value, low, 2**53 - 1)


def is_text(value: Any, most: int = 120) -> bool:
    return (
        isinstance(value, str)
        and 1 <= len(value) <= most
        and not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in TURNING for c in value)
    )


def matches(pattern: str, value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def optional(body: dict[str, Any], name: str, check: Any) -> None:
    if body.get(name) is not None:
        need(check(body[name]), f"{name} is wrong")


def flag(body: dict[str, Any], name: str) -> None:
    """A key that, when it is there, is true or false, and never null."""
    if name in body:
        need(isinstance(body[name], bool), f"{name} is wrong")


def version(body: dict[str, Any]) -> None:
    need(type(body.get("v", 1)) is int and body.get("v", 1) == 1, "version")


def is_boot(value: Any) -> bool:
    return matches(r"[0-9a-z-]{8,36}", value)


def instant(value: Any) -> int:
    if isinstance(value, str):
        need(len(value) <= 40, "long time")
        value = int(value) if re.fullmatch(r"[0-9]{1,19}", value) else rfc3339(value)
    need(is_int(value, 0, 2**62 - 1), "time out of range")
    return int(value)


def rfc3339(text: str) -> int:
    form = r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}):([0-9]{2})(\.[0-9]{1,9})?(.*)"
    match = there(re.fullmatch(form, text, re.DOTALL), "time")
    day, minute, second, part, zone = match.groups()
    zone = "+00:00" if zone in ("Z", "z") else zone
    need(re.fullmatch(r"[+-][0-9]{2}:[0-9]{2}", zone) is not None, "zone")
    need(int(zone[1:3]) < 24 and int(zone[4:]) < 60 and int(second) <= 60, "time")
    shift = (int(zone[1:3]) * 60 + int(zone[4:])) * (60 if zone[0] == "+" else -60)
    try:
        moment = datetime.datetime.fromisoformat(f"{day}T{minute}:00+00:00")
    except ValueError:
        raise Invalid("time") from None
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    delta = moment - epoch
    seconds = delta.days * 86_400 + delta.seconds + int(second) - shift
    return seconds * NS + int(Decimal(part or "0") * NS)


def is_map(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


def is_clock(value: Any) -> bool:
    return (
        is_map(value)
        and isinstance(value.get("src", "none"), str)
        and (value.get("err") is None or is_int(value["err"]))
    )


def birth(body: dict[str, Any]) -> None:
    need(is_boot(body.get("boot")), "boot")
    metrics: Any = body.get("metrics")
    need(isinstance(metrics, list) and len(metrics) <= 4096, "metrics")
    for metric in metrics:
        need(is_map(metric) and is_text(metric.get("name")), "metric")
        need(metric.get("type", "float64") in ("float64", "float32", "int64", "bool"), "type")
        optional(metric, "unit", lambda u: matches("[ -~°²³µ·Ωμ℃℉\u2126]{1,32}", u))
        need(isinstance(metric.get("kind", "gauge"), str), "kind")
        for limit in ("low", "high"):
            optional(metric, limit, is_finite)
        optional(metric, "states", is_states)
    need(len({metric["name"] for metric in metrics}) == len(metrics), "name twice")
    machines = body.get("machines", {})
    need(is_map(machines) and len(machines) <= 1024, "machines")
    for key, machine in machines.items():
        need(matches(r"([a-z0-9][a-z0-9-]{0,30})?", key) and is_map(machine), "machine")
        need(matches(r"[a-z0-9][a-z0-9_-]{0,62}", machine.get("profile", "generic")), "profile")
        optional(machine, "name", is_text)
    optional(body, "dh", lambda h: matches(r"[0-9a-f]{8}", h))
    for name in ("agent", "firmware", "model"):
        optional(body, name, is_text)
    optional(body, "cq", is_clock)
    words = body.get("capabilities", [])
    need(isinstance(words, list) and len(words) <= 256 and all(map(is_text, words)), "words")
    need(body.get("time", "wall") in ("wall", "data"), "time")


def is_finite(value: Any) -> bool:
    try:
        return type(value) in (int, float) and math.isfinite(float(value))
    except OverflowError:
        return False


def is_states(value: Any) -> bool:
    return (
        is_map(value)
        and len(value) <= 256
        and all(is_text(k) and is_int(v, -(2**63)) for k, v in value.items())
    )


def state(body: dict[str, Any]) -> None:
    need(isinstance(body.get("online"), bool) and is_boot(body.get("boot")), "state")


def event(body: dict[str, Any]) -> None:
    if body.get("at") is not None:
        instant(body["at"])
    optional(body, "text", lambda t: isinstance(t, str) and len(t) <= 4000)
    fields = body.get("fields", {})
    need(isinstance(fields, dict) and len(fields) <= 256 and is_plain(fields), "fields")


def is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and is_plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    if type(value) is int:
        return is_int(value, -(2**63))
    return value is None or isinstance(value, (str, bool)) or is_finite(value)


def command(body: dict[str, Any]) -> None:
    text = body.get("command")
    need(isinstance(text, str) and len(text) <= 16_384, "command")
    optional(body, "key", lambda key: matches(r"[0-9a-f]{8}", key))
    optional(body, "sig", lambda sig: matches(r"[A-Za-z0-9+/]{86}==", sig))
    need((body.get("key") is None) == (body.get("sig") is None), "key and sig")


def answer(body: dict[str, Any]) -> None:
    need(matches(r"[0-9a-f-]{36}", body.get("id")), "id")
    need(body.get("state") in ("accepted", "done", "failed", "refused", "expired"), "state")
    need(is_int(body.get("status"), 100, 599), "status")
    instant(body.get("at"))
    optional(body, "text", lambda t: isinstance(t, str) and len(t) <= 4000)
    result = body.get("result", {})
    need(isinstance(result, dict) and len(result) <= 256 and is_plain(result), "result")


def is_ranges(value: Any, size: int = 2) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= 10_000
        and all(
            isinstance(r, list)
            and len(r) == size
            and is_number(r[0])
            and is_number(r[1])
            and r[0] <= r[1]
            for r in value
        )
    )


def gap(body: dict[str, Any]) -> None:
    need(is_boot(body.get("boot")) and body.get("stream") in STREAMS, "stream")
    need(is_ranges(body.get("ranges")) and len(body["ranges"]) > 0, "ranges")
    need(is_text(body.get("reason")), "reason")


def receipt(body: dict[str, Any]) -> None:
    need(is_boot(body.get("boot")) and body.get("stream") in STREAMS, "stream")
    need(is_number(body.get("hwm"), -1), "hwm")
    need(is_ranges(body.get("missing", [])), "missing")
    refused = body.get("refused", [])
    need(is_ranges(refused, 3) and all(isinstance(r[2], str) for r in refused), "refused")
    optional(body, "credit", is_number)
