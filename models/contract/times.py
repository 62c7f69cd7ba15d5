"""Times on the wire: an instant in three spellings, offsets in ms or ns.

Instants lie between 1970 and 2116 and offsets within 73 years, so that instant + offset always
fits int64 nanoseconds.
"""

import re
from array import array
from collections.abc import Sequence
from datetime import date
from typing import Final

from models.contract.errors import BadPayload, Reason

MAX_INSTANT: Final = 2**62 - 1  #: ns since 1970 UTC: the year 2116
MAX_OFFSET: Final = 2**61  #: ns: 73 years
NS_PER_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000
_EPOCH: Final = date(1970, 1, 1).toordinal()
_DIGITS: Final = re.compile(r"[0-9]{1,19}")
_RFC3339: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


def instant_ns(value: int | str) -> int:
    """Return ns since 1970 UTC of an integer, a decimal string of ns, or an RFC 3339 time."""
    if isinstance(value, int):
        ns: int | None = value
    elif _DIGITS.fullmatch(value):
        ns = int(value)
    else:
        ns = _rfc3339(value)
    if ns is None or not 0 <= ns <= MAX_INSTANT:
        raise BadPayload(
            Reason.WRONG_TYPE,
            f"time {str(value)[:40]!a}: give ns since 1970 or RFC 3339, between 1970 and 2116",
        )
    return ns


def _rfc3339(text: str) -> int | None:
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, zone_hour, zone_minute = match.groups()[6:]
    try:
        days = date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None
    if hour > 23 or minute > 59 or second > 60:  # 60: a leap second is the next minute's first
        return None
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    if sign:
        if int(zone_hour) > 23 or int(zone_minute) > 59:
            return None
        shift = int(zone_hour) * 3600 + int(zone_minute) * 60
        seconds += -shift if sign == "+" else shift
    return seconds * _NS_PER_S + int((fraction or "0").ljust(9, "0"))


def from_ms(value: int | float | Sequence[int | float]) -> "int | array[int]":
    """Return offsets in ns of offsets in ms: one number (constant step) or a list.

    Integers are exact; decimals are IEEE doubles, exact to 1 ns up to 104 days.
    """
    try:
        if isinstance(value, int):
            return _step(value * NS_PER_MS)
        if isinstance(value, float):
            return _step(round(value * 1e6))
        return _offsets([v * NS_PER_MS if type(v) is int else round(v * 1e6) for v in value])
    except (OverflowError, ValueError):  # infinite, NaN or beyond int64
        raise _too_far() from None


def from_ns(value: "int | Sequence[int] | array[int]") -> "int | array[int]":
    """Return offsets in ns: one number (constant step) or `count` of them."""
    try:
        return _step(value) if isinstance(value, int) else _offsets(value)
    except OverflowError:
        raise _too_far() from None


def _too_far() -> BadPayload:
    return BadPayload(Reason.WRONG_TYPE, "offset: give finite numbers within 73 years of t0")


def _step(ns: int) -> int:
    if abs(ns) > MAX_OFFSET:
        raise _too_far()
    return ns


def _offsets(values: "Sequence[int] | array[int]") -> "array[int]":
    out = values if isinstance(values, array) else array("q", values)
    if out and (max(out) > MAX_OFFSET or min(out) < -MAX_OFFSET):
        raise _too_far()
    return out
