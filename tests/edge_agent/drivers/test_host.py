import contextlib
from pathlib import Path

import pytest

from edge_agent.drivers import checks
from edge_agent.drivers.host import HostDriver, HostOptions
from tests.edge_agent.made import take


def make() -> HostDriver:
    return HostDriver(HostOptions(), interval_s=0.01)


async def test_it_keeps_the_promises_of_a_driver() -> None:
    await checks.run(make)


async def test_it_reads_this_computer() -> None:
    driver = make()
    units = {metric.name: metric.unit for metric in driver.signals()}
    assert units["cpu"] == "%"
    assert units["uptime"] == "s"
    readings = []
    async with contextlib.aclosing(driver.readings()) as stream:
        async for reading in stream:
            readings.append(reading)
            if len(readings) == 3:
                break
    last = readings[-1].values
    assert set(last) <= set(units)
    assert 0 < float(last["memory"] or 0) <= 100
    assert 0 < float(last["disk"] or 0) <= 100
    assert float(last["uptime"] or 0) > 0
    for name in ("net-received", "net-sent"):
        assert name not in readings[0].values, "a rate needs two looks"
        assert float(last[name] or 0) >= 0
    monotonic = [reading.mono_ns for reading in readings]
    assert monotonic == sorted(monotonic)  # type: ignore[type-var]


async def test_a_disk_that_is_not_there_is_said_once_and_the_rest_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    driver = HostDriver(HostOptions(disk=str(tmp_path / "gone")), interval_s=0.01)
    readings = await take(driver, 3)
    assert [reading.values["disk"] for reading in readings] == [None] * 3
    assert all(reading.values["memory"] for reading in readings)
    assert caplog.text.count(f"disk: {tmp_path}/gone: No such file") == 1
    (tmp_path / "gone").mkdir()
    (reading,) = await take(driver, 1)
    assert reading.values["disk"]
