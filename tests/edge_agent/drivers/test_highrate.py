"""Windows of raw samples from a program and from files become readings of features."""

import asyncio
import contextlib
import sys
import wave
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest

from edge_agent.drivers import checks
from edge_agent.drivers.highrate import HighRateDriver, HighRateOptions
from edge_agent.drivers.highrate_file import HighRateFileDriver, HighRateFileOptions
from edge_agent.errors import DriverError
from edge_agent.settings import check
from models.contract.times import instant_ns
from tests.edge_agent.made import take

RATE = 2_000.0
START = "2026-01-01T00:00:00Z"
#: endless windows of noise, interleaved with a column that is not used
PROGRAM = """
import array, random, sys
random.seed(1)
while True:
    samples = array.array("f", [x for _ in range(500) for x in (random.gauss(0, 1), 7.0)])
    sys.stdout.buffer.write(samples.tobytes())
"""


def program(text: str = PROGRAM, interval_s: float = 0.5, **options: Any) -> HighRateDriver:
    made = HighRateOptions(
        command=(sys.executable, "-c", text),
        rate_hz=RATE,
        layout=("drive-end", ""),
        window_s=0.25,
        **options,
    )
    driver = HighRateDriver(made, interval_s=interval_s)
    driver.first_wait_s = 0.01
    return driver


def samples(seconds: float) -> np.ndarray:
    """Acceleration of a 50 Hz motion that grows by a tenth each second, m/s2."""
    t = np.arange(round(seconds * RATE)) / RATE
    return (1 + 0.1 * np.floor(t)) * 10.0 * np.sin(2 * np.pi * 50.0 * t)


def file(path: Path, interval_s: float = 1.0, **options: Any) -> HighRateFileDriver:
    if not path.exists():
        path.write_bytes(samples(5.5).astype("<f4").tobytes())
    made = HighRateFileOptions(file=str(path), start=START, rate_hz=RATE, **options)
    return HighRateFileDriver(made, interval_s=interval_s)


def children() -> list[psutil.Process]:
    found = psutil.Process().children()
    return [p for p in found if "edge_agent.inference" in p.cmdline()]


async def test_a_program_keeps_the_promises_of_a_driver() -> None:
    await checks.run(program)


async def test_a_file_keeps_the_promises_of_a_driver(tmp_path: Path) -> None:
    await checks.run(lambda: file(tmp_path / "x.f4"))


async def test_features_have_the_profiles_names_and_units(tmp_path: Path) -> None:
    driver = file(tmp_path / "x.f4", speed_rpm=3_000.0)
    units = {metric.name: metric.unit for metric in driver.signals()}
    assert units["vibration_rms"] == "mm/s"
    assert units["drive-end.kurtosis"] == "1"
    readings = await take(driver, 9)
    assert len(readings) == 5, "the half window at the end is left out"
    assert all(set(reading.values) <= set(units) for reading in readings)
    first = instant_ns(START)
    assert [(r.wall_ns - first) / 1e9 for r in readings] == [1.0, 2.0, 3.0, 4.0, 5.0]
    for k, reading in enumerate(readings):
        wanted = (1 + 0.1 * k) * 10.0 / np.sqrt(2) / (2 * np.pi * 50.0) * 1000.0
        assert reading.values["vibration_rms"] == pytest.approx(wanted, rel=1e-3)
        assert reading.values["vibration_running_speed"] == pytest.approx(wanted, rel=1e-3)


async def test_what_lies_between_two_windows_is_skipped(tmp_path: Path) -> None:
    every = await take(file(tmp_path / "x.f4"), 5)
    second = await take(file(tmp_path / "x.f4", interval_s=2.0), 9)
    assert second == every[::2]
    short = await take(file(tmp_path / "x.f4", interval_s=0.1, window_s=2.0), 9)
    assert len(short) == 2, "windows do not overlap"


async def test_integers_are_scaled_and_a_wave_file_gives_the_same(tmp_path: Path) -> None:
    counts = np.rint(samples(3.0) * 1_000).astype("<i2")
    (tmp_path / "x.i2").write_bytes(counts.tobytes())
    with wave.open(str(tmp_path / "x.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(int(RATE))
        sound.writeframes(counts.tobytes())
    options: dict[str, Any] = {"sample": "i2", "scale": 0.001}
    raw = await take(file(tmp_path / "x.i2", **options), 9)
    assert await take(file(tmp_path / "x.wav", **options), 9) == raw
    floats = await take(file(tmp_path / "y.f4"), 9)
    assert raw[1].values["vibration_rms"] == pytest.approx(
        floats[1].values["vibration_rms"], rel=1e-3
    )


async def test_a_wave_file_that_is_otherwise_is_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "x.wav"), "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(44_100)
    with pytest.raises(DriverError, match="44100 Hz, 2 columns of i2"):
        await take(file(tmp_path / "x.wav"), 1)


@pytest.mark.parametrize("name", ["none.wav", "none.f4"])
async def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    driver = file(tmp_path / name)
    with contextlib.suppress(FileNotFoundError):
        (tmp_path / name).unlink()
    with pytest.raises(DriverError, match=name):
        await take(driver, 1)


async def test_a_killed_child_is_replaced_and_readings_go_on() -> None:
    driver = program()
    seen: set[int] = set()
    async with asyncio.timeout(120), contextlib.aclosing(driver.readings()) as stream:
        async for _ in stream:
            [running] = children()
            seen.add(running.pid)
            if len(seen) == 2:
                break
            running.kill()
    assert len(seen) == 2
    assert not children()


async def test_a_program_that_ends_is_started_again() -> None:
    text = "import sys; sys.stdout.buffer.write(bytes(4 * 2 * 600))"
    driver = program(text)
    await take(driver, 2)
    assert driver.starts >= 2


async def test_a_busy_child_leaves_windows_out() -> None:
    driver = program(interval_s=0.01)
    async with asyncio.timeout(120), contextlib.aclosing(driver.readings()) as stream:
        async for _ in stream:
            if driver.skipped:
                break
    assert driver.skipped > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layout": ("fan-end",)}, "has no channel 'fan-end'"),
        ({"layout": ("tacho", "")}, "names no channel"),
        ({"profile": "kettle"}, "there is no 'kettle'"),
        ({"profile": "/nowhere/kettle.toml"}, "kettle.toml"),
    ],
)
def test_options_that_do_not_fit_the_profile(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(DriverError, match=words):
        file(tmp_path / "x.f4", **options)


def test_a_start_without_a_zone_is_refused(tmp_path: Path) -> None:
    options = HighRateFileOptions(file="x", start="2026-01-01", rate_hz=RATE)
    with pytest.raises(DriverError, match="RFC 3339 with a zone"):
        HighRateFileDriver(options, interval_s=1.0)


def test_a_window_has_a_limit() -> None:
    with pytest.raises(msgspec.ValidationError, match="is more than"):
        msgspec.convert({"command": ["x"], "rate_hz": 1e6, "window_s": 600.0}, HighRateOptions)


def test_check_names_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(
        '[[sources]]\ndriver = "high-rate"\n[sources.options]\n'
        'command = ["daq"]\nrate_hz = 20000\nsample = "f2"\n'
    )
    [problem] = check(path)
    assert "edge.toml:6: sources[0].options.sample" in problem
