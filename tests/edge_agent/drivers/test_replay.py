from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge_agent.drivers import Reading, checks
from edge_agent.drivers.replay import ReplayDriver, ReplayOptions, to_ns, to_zone
from edge_agent.errors import DriverError
from tests.edge_agent.made import take

CSV = """timestamp,value,state
2013-12-02 21:15:00,73.96,1
2013-12-02 21:20:00,,1
2013-12-02 21:20:00,75.25,2
"""


def make(folder: Path, text: str = CSV, **options: object) -> ReplayDriver:
    path = folder / "recording.csv"
    path.write_text(text, "utf-8")
    made = ReplayOptions(file=str(path), **({"speed": 0.0} | options))  # type: ignore[arg-type]
    return ReplayDriver(made, interval_s=1.0)


async def read(driver: ReplayDriver) -> list[Reading]:
    return [reading async for reading in driver.readings()]


async def test_it_keeps_the_promises_of_a_driver(tmp_path: Path) -> None:
    await checks.run(lambda: make(tmp_path))


async def test_times_are_the_recordings_own_and_repeats_stay(tmp_path: Path) -> None:
    driver = make(tmp_path, units={"value": "Cel"})
    assert [(m.name, m.unit) for m in driver.signals()] == [("value", "Cel"), ("state", None)]
    readings = await read(driver)
    first = int(datetime(2013, 12, 2, 21, 15, tzinfo=UTC).timestamp()) * 10**9
    assert [r.wall_ns - first for r in readings] == [0, 300 * 10**9, 300 * 10**9]
    assert [r.values["value"] for r in readings] == [73.96, None, 75.25]
    assert all(r.mono_ns is None for r in readings)
    assert driver.patient


async def test_it_is_paced_by_the_recording(tmp_path: Path) -> None:
    assert len(await read(make(tmp_path, speed=100_000.0))) == 3


@pytest.mark.parametrize(
    ("text", "seconds", "ns"),
    [
        ("1970-01-01T00:00:01Z", 1, 0),
        ("1970-01-01 02:00:01+02:00", 1, 0),
        ("1970-01-01T00:00:01", 1 - 8 * 3600, 0),
        ("1970-01-01T00:00:01.123456789Z", 1, 123_456_789),
        ("19700101T000001Z", 1, 0),
    ],
)
def test_a_time_is_exact_to_the_nanosecond(text: str, seconds: int, ns: int) -> None:
    assert to_ns(text, timezone(timedelta(hours=8))) == seconds * 10**9 + ns
    assert to_zone("-03:30").utcoffset(None) == timedelta(hours=-3, minutes=-30)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must name the columns"),
        ("time\n", "must name the columns"),
        (f"time,{'a' * 121}\n", "must name the columns"),
    ],
)
def test_a_recording_must_name_its_columns(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DriverError, match=words):
        make(tmp_path, text)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (b"2020-01-02,x", "could not convert"),
        (b"yesterday,2", "yesterday"),
        (b"0001-01-01T00:00:00+08:00,2", "bad row 1"),
        (b"1969-12-31,2", "between 1970 and 2116"),
        (b"2020-01-02,\xff", "could not convert"),
        (b'2020-01-02,"2', "unexpected end"),
        (b"2020-01-02," + b"9" * 140_000, "field larger than field limit"),
    ],
)
async def test_a_bad_row_is_named_by_file_and_line_and_the_next_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, row: bytes, words: str
) -> None:
    driver = make(tmp_path, "time,a\n")
    text = b"time,a\n2020-01-01,1\n" + row + b"\n2020-01-03,3\n"
    (tmp_path / "recording.csv").write_bytes(text)
    assert [reading.values["a"] for reading in await read(driver)] == [1.0, 3.0]
    assert "recording.csv:3: bad row 1" in caplog.text
    assert words in caplog.text


async def test_begun_again_it_gives_no_row_twice(tmp_path: Path) -> None:
    driver = make(tmp_path)
    (first,) = await take(driver, 1)
    (tmp_path / "recording.csv").rename(tmp_path / "away.csv")
    with pytest.raises(DriverError, match="cannot read"):
        await read(driver)
    (tmp_path / "away.csv").rename(tmp_path / "recording.csv")
    assert [first, *await read(driver)] == await read(make(tmp_path))


def test_a_missing_recording_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="cannot read"):
        ReplayDriver(ReplayOptions(file=str(tmp_path / "nowhere.csv")), interval_s=1.0)
