import asyncio
import os
import sys
from pathlib import Path

import pytest

from edge_agent.clock import Now
from edge_agent.drivers import Reading, checks
from edge_agent.drivers.program import BadLine, ProgramDriver, ProgramOptions, read_line
from tests.edge_agent.made import take

MOMENT = Now(wall_ns=1_790_000_000_000_000_000, mono_ns=5)
COUNT = """
import time
i = 0
while True:
    print('{"temp": %d.5}' % i, flush=True)
    i += 1
    time.sleep(0.01)
"""


def program(text: str, *words: str) -> ProgramDriver:
    options = ProgramOptions(command=(sys.executable, "-c", text, *words))
    driver = ProgramDriver(options, interval_s=1.0)
    driver.first_wait_s = 0.01
    return driver


async def test_it_keeps_the_promises_of_a_driver() -> None:
    await checks.run(lambda: program(COUNT))


async def test_bad_lines_are_counted_and_the_next_is_read() -> None:
    driver = program(
        "print('nonsense'); print('[1]'); print('{}'); print('{\"a\": \"text\"}');"
        'print(\'x\' * 300000); print(\'{"temp": 1, "on": true, "gone": null}\')'
    )
    (reading,) = await take(driver, 1)
    assert reading.values == {"temp": 1, "on": True, "gone": None}
    assert driver.bad_lines >= 5


async def test_a_program_that_ends_is_started_again() -> None:
    driver = program("print('{\"temp\": 1}')")
    assert len(await take(driver, 3)) == 3
    assert driver.starts == 3


async def test_a_program_that_does_not_exist_is_tried_again() -> None:
    driver = ProgramDriver(ProgramOptions(command=("/nowhere/at/all",)), interval_s=1.0)
    driver.first_wait_s = 0.001
    task = asyncio.create_task(take(driver, 1))
    async with asyncio.timeout(120):
        while driver.starts < 3:  # noqa: ASYNC110  the driver waits by itself
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("deaf", [False, True])
async def test_it_stops_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaf: bool
) -> None:
    monkeypatch.setattr("edge_agent.drivers.program.STOP_S", 0.2)
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if deaf else ""
    text = f"import os\n{ignore}print('{{\"pid\": %d}}' % os.getpid(), flush=True){COUNT}"
    (reading,) = await take(program(text), 1)
    with pytest.raises(ProcessLookupError):
        os.kill(int(reading.values["pid"] or 0), 0)


def test_a_line_may_bring_its_time() -> None:
    assert read_line(b'{"a": 1}', MOMENT) == Reading(
        values={"a": 1}, wall_ns=MOMENT.wall_ns, mono_ns=5
    )
    for at in ('"2026-09-21T12:53:20.5+02:00"', "1789988000500000000"):
        found = read_line(b'{"t": %s, "a": 1.5}' % at.encode(), MOMENT)
        assert found == Reading(values={"a": 1.5}, wall_ns=1_789_988_000_500_000_000)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"\xff", "not JSON"),
        (b'{"a": NaN}', "not JSON"),
        (b"3", "not a JSON object"),
        (b'{"t": "yesterday", "a": 1}', "RFC 3339"),
        (b'{"t": true, "a": 1}', "RFC 3339"),
        (b'{"a": [1]}', "not a number"),
        (b'{"": 1}', "name"),
        (b'{"a\\u0007": 1}', "printable"),
        (b'{"%s": 1}' % (b"a" * 121), "printable"),
        (b'{"a": null}', "no values"),
    ],
)
def test_a_bad_line_says_what_is_wrong(line: bytes, words: str) -> None:
    with pytest.raises(BadLine, match=words):
        read_line(line, MOMENT)
