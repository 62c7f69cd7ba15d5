from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge_agent.drivers import Reading, checks
from edge_agent.drivers.replay import ReplayDriver, ReplayOptions, to_ns, to_zone
from edge_agent.errors import DriverError

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
        ("time,a\n2020-01-01,x\n", "recording.csv:2: could not convert"),
        ("time,a\nyesterday,1\n", "recording.csv:2"),
    ],
)
async def test_a_bad_recording_is_named_by_file_and_line(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(DriverError, match=words):
        await read(make(tmp_path, text))


def test_a_missing_recording_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="cannot read"):
        ReplayDriver(ReplayOptions(file=str(tmp_path / "nowhere.csv")), interval_s=1.0)
