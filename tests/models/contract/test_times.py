from array import array
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.contract import times
from models.contract.errors import BadPayload

zones = st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))
# hypothesis takes its bounds without a zone
first, last = datetime(1971, 1, 1), datetime(2115, 1, 1)  # noqa: DTZ001
moments = st.datetimes(first, last, timezones=zones)


@given(moments)
def test_rfc3339_agrees_with_the_standard_library(moment: datetime) -> None:
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    ns = (delta.days * 86_400 + delta.seconds) * 10**9 + delta.microseconds * 1000
    assert times.instant_ns(moment.isoformat()) == ns


@given(st.integers(0, times.MAX_INSTANT))
def test_an_instant_may_be_an_integer_or_its_digits(ns: int) -> None:
    assert times.instant_ns(ns) == times.instant_ns(str(ns)) == ns


def test_nanoseconds_and_leap_seconds() -> None:
    assert times.instant_ns("1970-01-01T00:00:00.000000001Z") == 1
    assert times.instant_ns("1970-01-01t00:00:01.5z") == 1_500_000_000
    leap = times.instant_ns("2016-12-31T23:59:60Z")
    assert leap == times.instant_ns("2017-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "-1", "1.5", "1e18", "٣", "2026-01-01", "2026-01-01T00:00:00"),
        *("2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z"),
        *("2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.0000000001Z"),
        *("2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60", "1969-12-31T23:59:59Z"),
        *("2200-01-01T00:00:00Z", "9" * 19, "2026-01-01T00:00:00Z\n", "0000-00-00T00:00:00Z"),
    ],
)
def test_what_is_not_an_instant(text: str) -> None:
    with pytest.raises(BadPayload, match="RFC 3339"):
        times.instant_ns(text)


@given(st.integers(-(2**50), 2**50))
def test_decimals_of_ms_are_exact_to_the_nanosecond(ns: int) -> None:
    assert times.from_ms(float(f"{ns}e-6")) == ns


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1))
def test_integer_ms(values: list[int]) -> None:
    assert times.from_ms(values) == array("q", [v * 1_000_000 for v in values])


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e300, 2**62, -(2**62), 10**40])
def test_offsets_beyond_reach(value: float) -> None:
    with pytest.raises(BadPayload, match="73 years"):
        times.from_ms(value)
    with pytest.raises(BadPayload, match="73 years"):
        times.from_ms([0, value])


def test_an_instant_and_an_offset_always_fit_int64() -> None:
    assert times.MAX_INSTANT + times.MAX_OFFSET < 2**63
