"""Times and durations as text: RFC 3339 in UTC, ISO 8601 durations; ns inside."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from cloud.errors import Refused

SECOND: Final = 1_000_000_000
DAY: Final = 86_400 * SECOND
LATEST: Final = 2**63 - 1  #: ns since 1970 UTC: the year 2262
_DIGITS: Final = re.compile(r"\d{1,19}", re.ASCII)
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION: Final = re.compile(
    r"P(?:(\d{1,12})W)?(?:(\d{1,12})D)?(?:T(?:(\d{1,12})H)?(?:(\d{1,12})M)?(?:(\d{1,12})(?:\.(\d{1,9}))?S)?)?",
    re.ASCII,
)


def rfc3339(ns: int) -> str:
    """Return ns since 1970 UTC as RFC 3339 with `Z`, with as many digits as the value has."""
    seconds, rest = divmod(ns, SECOND)
    stamp = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    if rest == 0:
        return f"{stamp}Z"
    digits = f"{rest:09d}"
    for length in (3, 6):
        if digits[length:].strip("0") == "":
            return f"{stamp}.{digits[:length]}Z"
    return f"{stamp}.{digits}Z"


def parse_time(text: str, field: str) -> int:
    """Read RFC 3339 or a whole number of ns since 1970 UTC; `Refused` names the field."""
    found = _TIME.fullmatch(text)
    try:
        if found is None:
            ns = int(text) if _DIGITS.fullmatch(text) else -1
        else:
            date, clock, fraction, zone = found.groups()
            moment = datetime.fromisoformat(f"{date}T{clock}{zone.upper()}") - _EPOCH
            seconds = moment.days * 86_400 + moment.seconds
            ns = seconds * SECOND + int((fraction or "").ljust(9, "0"))
    except (ValueError, OverflowError):
        ns = -1
    if not 0 <= ns <= LATEST:
        raise Refused(
            field,
            f"'{text[:40]}' is not a time with a zone between 1970 and 2261; write "
            "2026-01-31T08:30:00Z (in a URL a '+' is written %2B) or ns since 1970 UTC",
        )
    return ns


def parse_duration(text: str, field: str) -> int:
    """Read an ISO 8601 duration of weeks, days, hours, minutes and seconds as ns; at least 1."""
    found = _DURATION.fullmatch(text)
    if not found or text[-1] in "PT":
        raise Refused(field, f"'{text[:40]}' is not a duration; write PT1M, PT0.5S or P1D")
    weeks, days, hours, minutes, seconds, fraction = (part or "0" for part in found.groups())
    whole = (int(weeks) * 7 + int(days)) * 86_400 + int(hours) * 3_600
    ns = (whole + int(minutes) * 60 + int(seconds)) * SECOND + int(fraction.ljust(9, "0"))
    if not 0 < ns <= LATEST:
        raise Refused(field, f"'{text}' must be more than zero and less than 292 years")
    return ns


def iso_duration(ns: int) -> str:
    """Return a duration in ns as ISO 8601 in seconds, exactly."""
    seconds, rest = divmod(ns, SECOND)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"PT{seconds}{fraction}S"
