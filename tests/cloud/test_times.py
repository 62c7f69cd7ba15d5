import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import Refused
from cloud.times import LATEST, SECOND, iso_duration, parse_duration, parse_time, rfc3339
from models.contract.times import MAX_INSTANT, instant_ns

INSTANTS = st.integers(0, LATEST) | st.integers(0, LATEST // SECOND).map(lambda s: s * SECOND)


@given(INSTANTS)
def test_what_is_written_is_read(ns: int) -> None:
    assert parse_time(rfc3339(ns), "query/start") == ns
    assert parse_time(str(ns), "query/start") == ns


@given(INSTANTS.filter(lambda ns: ns <= MAX_INSTANT))
def test_devices_and_people_read_the_same(ns: int) -> None:
    assert instant_ns(rfc3339(ns)) == ns


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (1_000_000, "1970-01-01T00:00:00.001Z"),
        (1_100_000_000, "1970-01-01T00:00:01.100Z"),
        (1_000_001_000, "1970-01-01T00:00:01.000001Z"),
        (LATEST, "2262-04-11T23:47:16.854775807Z"),
    ],
)
def test_as_many_digits_as_the_time_has(ns: int, text: str) -> None:
    assert rfc3339(ns) == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T16:30:00.5+08:00",
        "2026-01-31t08:30:00.500z",
        "2026-01-31 08:30:00.5Z",
        "2026-01-30T20:00:00.5-12:30",
    ],
)
def test_zones_are_moved_to_utc(text: str) -> None:
    assert rfc3339(parse_time(text, "query/start")) == "2026-01-31T08:30:00.500Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "-1",
        "1.5",
        "2026-01-31",
        "2026-01-31T08:30:00",
        "2026-02-30T08:30:00Z",
        "2026-01-31T24:30:00Z",
        "2026-01-31T08:30:00+24:00",
        "2026-01-31T08:30:00.1234567890Z",
        "1969-12-31T23:59:59Z",
        "2262-04-11T23:47:16.854775808Z",
        "0001-01-01T00:00:00+10:00",
        "9" * 19,
        "٣",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="zone") as refusal:
        parse_time(text, "query/start")
    assert refusal.value.field == "query/start"


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("PT1S", SECOND),
        ("PT0.5S", SECOND // 2),
        ("PT0.000000001S", 1),
        ("PT1H1M1S", 3_661 * SECOND),
        ("P1D", 86_400 * SECOND),
        ("P1W", 604_800 * SECOND),
        ("P1DT12H", 129_600 * SECOND),
    ],
)
def test_durations(text: str, ns: int) -> None:
    assert parse_duration(text, "query/width") == ns
    assert parse_duration(iso_duration(ns), "query/width") == ns


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "PT0S", "1h", "P1Y", "P1M", "PT1.S", "-PT1S", "P" + "9" * 12 + "W"],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        parse_duration(text, "query/width")
