"""The demo as people run it: a real broker, the real service, and nothing left behind."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from forewarn import stage
from forewarn.broker import find_mosquitto, find_nats, free_port
from forewarn.client import Client, ServiceError
from forewarn.demo import SPEED, TOP_SPEED, main, pace
from forewarn.performance import AFTER_S
from simulators.fleet import Failure
from simulators.scenario import DAY_S

ROOT = Path(__file__).parents[2]
FAILURE = Failure(machine="m", profile="p", component="c", onset_s=0.0, fails_s=40 * DAY_S)
Start = Callable[..., Awaitable[Process]]
broker = pytest.mark.broker
needs_broker = pytest.mark.skipif(
    not (find_mosquitto() or find_nats()), reason="no MQTT broker is installed"
)


def test_the_story_fits_into_the_seconds_that_are_given() -> None:
    assert pace(FAILURE, 0) == SPEED
    assert pace(FAILURE, 600) == SPEED
    assert pace(FAILURE, 1) == TOP_SPEED
    assert pace(FAILURE, 1, 9.0) == 9 * DAY_S
    fitting = pace(FAILURE, 30)
    assert SPEED < fitting < TOP_SPEED
    assert (FAILURE.fails_s + AFTER_S) / fitting < 30


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a demo; at the end none is left, whatever became of the test."""
    started: list[Process] = []

    async def start(*words: str) -> Process:
        started.append(await _started(tmp_path, *words))
        return started[-1]

    yield start
    for process in started:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.communicate(), 120)
        except TimeoutError:
            process.kill()
            await process.communicate()


async def _started(tmp_path: Path, *words: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "forewarn",
        "demo",
        *words,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )


def left_behind(process: Process, tmp_path: Path) -> list[str]:
    """Files in the temporary folder, and processes that the demo started."""
    children = [
        path.name
        for path in Path("/proc").glob("[0-9]*")
        if str(tmp_path).encode() in _command(path)
    ]
    return [*map(str, tmp_path.iterdir()), *children]


def _command(path: Path) -> bytes:
    try:
        return (path / "cmdline").read_bytes()
    except OSError:
        return b""


@broker
@needs_broker
async def test_a_ticket_comes_before_the_failure(demo: Start, tmp_path: Path) -> None:
    process = await demo("--seed", "3", "--speed", "8", "--machines", "12")
    said, _ = await process.communicate()
    text = said.decode()
    assert process.returncode == 0, text
    for word in ("advisory: ", "ticket: ", "alert to customer: ", "fault: ", "lead time "):
        assert word in text
    assert left_behind(process, tmp_path) == []


@broker
@needs_broker
async def test_a_machine_whose_ticket_is_resolved_is_repaired_and_does_not_fail(
    demo: Start, tmp_path: Path
) -> None:
    port = free_port()
    words = ("--seed", "1", "--speed", "1", "--machines", "8", "--port", str(port))
    process = await demo(*words)  # 16 days are left then: 16 s
    assert process.stdout is not None
    said = b""
    while b"] ticket: " not in said:
        assert not process.stdout.at_eof(), said
        said += await process.stdout.readline()
    client = Client(f"http://127.0.0.1:{port}")
    await asyncio.to_thread(_resolve, client)
    text = (said + await process.stdout.read()).decode()
    await process.wait()
    assert process.returncode == 0, text
    assert "repair: battery-02: cells renewed" in text
    assert "before its cells would have failed" in text
    assert ", before the failure on day" in text
    assert "crosses its failure limit" not in text
    assert text.count("alert to customer: ") == 1  # and none that it was opened again
    assert left_behind(process, tmp_path) == []


def _resolve(client: Client) -> None:
    [ticket] = client.items("tickets")
    for step, more in (("resolve", {"verdict": "confirmed"}), ("close", {"confirmed": True})):
        while True:
            try:
                client.change(f"tickets/{ticket['id']}", step, {"actor": "ann", **more})
                break
            except ServiceError as error:  # triage moved its window between reading and writing
                if "changed meanwhile" not in str(error):
                    raise


@broker
@needs_broker
async def test_ctrl_c_leaves_nothing_behind(demo: Start, tmp_path: Path) -> None:
    process = await demo("--seed", "3")
    assert process.stdout is not None
    while b"learn what is healthy" not in await process.stdout.readline():
        assert not process.stdout.at_eof()
    process.send_signal(signal.SIGINT)
    said, _ = await process.communicate()
    assert b"Nothing is left behind" in said
    assert process.returncode == 130
    assert left_behind(process, tmp_path) == []


async def test_an_impossible_fleet_is_refused(demo: Start, tmp_path: Path) -> None:
    process = await demo("--machines", "0")
    said, _ = await process.communicate()
    assert process.returncode == 2
    assert b"argument --machines: expected a whole number from 1" in said


def test_two_demos_at_once_never_listen_at_the_same_port() -> None:
    with stage.api_socket(None) as first, stage.api_socket(None) as second:
        assert first.getsockname()[1] != second.getsockname()[1]


async def test_a_port_that_is_taken_is_refused_with_the_way_out(
    demo: Start, tmp_path: Path
) -> None:
    with stage.api_socket(0) as taken:
        process = await demo("--port", str(taken.getsockname()[1]))
        said, _ = await process.communicate()
    assert process.returncode == 1
    assert b"is taken; choose another with --port" in said
    assert left_behind(process, tmp_path) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--port", "abc"),
        ("--port", "65536"),
        ("--seconds", "nan"),
        ("--seconds", "-5"),
        ("--speed", "-1"),
        ("--seed", "-1"),
    ],
)
def test_a_number_that_is_none_is_refused_by_the_name_of_its_option(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"{option}={value}"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"argument {option}: " in said
    assert "_" not in said.splitlines()[-1]
