"""What every driver must do. Ours pass it in our tests; authors of others run it in theirs.

`await checks.run(lambda: MyDriver(MyDriver.Options(...), interval_s=0.01))`
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from edge_agent.drivers import Driver, Reading, names_signal
from models.contract.messages import Metric

KINDS: Final = ("gauge", "counter", "state", "waveform", "consumable")
#: 2000-01-01 and 2262-04-11, the bounds of a believable time in ns
EARLIEST_NS: Final = 946_684_800 * 10**9
LATEST_NS: Final = 2**63


async def run(make: Callable[[], Driver], *, readings: int = 3, within_s: float = 30.0) -> None:
    """Check a driver; `AssertionError` names the first promise that is broken.

    `make` gives a new driver each time; it must give `readings` readings in `within_s` seconds.
    """
    driver = make()
    assert isinstance(driver.patient, bool), "patient says whether the source can wait"
    _signals(driver)
    async with asyncio.timeout(within_s):
        first = await _take(driver, readings)
    assert first, "a driver gives readings"
    for reading in first:
        _reading(reading)
    _signals(driver)
    await _cancelled(make(), within_s)


def _signals(driver: Driver) -> None:
    signals = driver.signals()
    names = [signal.name for signal in signals]
    assert len(set(names)) == len(names), f"a signal is named twice: {names}"
    for signal in signals:
        assert isinstance(signal, Metric), f"{signal!r} is not a Metric"
        assert names_signal(signal.name), f"{signal.name!r}: give 1 to 120 printable characters"
        assert signal.kind in KINDS, f"{signal.name}: {signal.kind} is none of {KINDS}"


def _reading(reading: Reading) -> None:
    assert reading.values, "a reading has values"
    assert EARLIEST_NS <= reading.wall_ns < LATEST_NS, f"{reading.wall_ns} is not ns since 1970"
    for name, value in reading.values.items():
        assert value is None or isinstance(value, float | int | bool), f"{name}: {value!r}"
    for name, quality in reading.quality.items():
        assert 0 <= quality <= 3, f"{name}: quality {quality} is not 0 to 3"


async def _take(driver: Driver, count: int) -> list[Reading]:
    taken: list[Reading] = []
    stream = driver.readings()
    async with contextlib.aclosing(stream):
        async for reading in stream:
            taken.append(reading)
            if len(taken) == count:
                break
    return taken


async def _cancelled(driver: Driver, within_s: float) -> None:
    """A driver that is cancelled while it waits ends at once and leaves nothing behind."""
    before = asyncio.all_tasks()
    began = asyncio.Event()

    async def read() -> None:
        async for _ in driver.readings():
            began.set()

    task = asyncio.create_task(read())
    async with asyncio.timeout(within_s):
        await began.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert asyncio.all_tasks() <= before, "a cancelled driver leaves no task"
