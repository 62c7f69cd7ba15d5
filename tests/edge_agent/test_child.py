"""The inference child: what it answers, and what becomes of a question when it dies."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_agent.child import Child, values_of
from edge_agent.errors import DriverError
from edge_agent.inference import MAX_FRAME, Answer, Task, frame, serve, take
from models import features
from models.channels import Bearing, Channel
from tests.models.anomaly.trained import SIGNALS, plant, saved

RATE = 10_000.0
NOISE = np.random.default_rng(0).normal(0.0, 1.0, 4_096)
CHANNEL = Channel(bearing="b", envelope_hz=(1_000.0, 4_000.0), signals={"velocity_rms": "vib"})
BEARING = Bearing(rollers=8, roller_mm=17.462, pitch_mm=72.5)
TASK = Task(
    channels={"de": CHANNEL},
    bearings={"b": BEARING},
    layout=("de",),
    sample="f8",
    rate_hz=RATE,
    speed_rpm=3_000.0,
)
WINDOW = NOISE.tobytes()


def asked(task: Task, *frames: bytes) -> list[Answer]:
    given = io.BytesIO(b"".join(map(frame, (msgspec.json.encode(task), *frames))))
    told = io.BytesIO()
    serve(given, told)
    return [msgspec.json.decode(line, type=Answer) for line in told.getvalue().splitlines()]


def test_a_window_becomes_the_features_under_their_signals() -> None:
    first, answer = asked(TASK, WINDOW)
    assert first == Answer()
    turns = features.steady_turns(50.0, len(NOISE), RATE)
    wanted = features.features(NOISE, RATE, CHANNEL, bearing=BEARING, turns=turns)
    del wanted["speed"]
    wanted = {CHANNEL.signal("de", name): value for name, value in wanted.items()}
    assert {"vib", "de.kurtosis", "de.bpfo"} <= set(wanted)
    assert answer.values == pytest.approx(wanted)


def test_a_tacho_gives_the_speed_and_a_still_one_none() -> None:
    t = np.arange(4_096) / RATE
    pulses = (np.mod(25.0 * t, 1.0) < 0.1).astype(np.float64)
    task = msgspec.structs.replace(TASK, layout=("de", "tacho"), speed_rpm=None)
    turning = np.column_stack([NOISE, pulses]).tobytes()
    still = np.column_stack([NOISE, 0.0 * pulses]).tobytes()
    _, moving, standing = asked(task, turning, still)
    assert moving.values["de.speed"] == pytest.approx(1_500.0, rel=1e-3)
    assert "de.speed" not in standing.values
    assert standing.values["vib"] == pytest.approx(moving.values["vib"])


def test_a_bad_window_is_answered_with_the_reason_and_the_next_is_good() -> None:
    _, short, odd, good = asked(TASK, NOISE[:8].tobytes(), b"12345", WINDOW)
    assert "8 samples are too few" in (short.error or "")
    assert "5 bytes are not rows" in (odd.error or "")
    assert good.error is None
    assert values_of(short) == {}


def test_a_model_scores_the_row(tmp_path: Path) -> None:
    task = Task(model=str(saved(tmp_path)), score="plant.score")
    usual = dict(zip(SIGNALS, plant(1).tolist()[0], strict=True))
    broken = usual | {"flow": 2.0}
    _, one, two = asked(task, msgspec.json.encode(usual), msgspec.json.encode(broken))
    assert one.values["flow"] == usual["flow"]
    assert one.values["plant.score"] < 0.95 < two.values["plant.score"]


def test_a_model_that_is_not_its_cards_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes() + b"x")
    [answer] = asked(Task(model=str(path), score="s"))
    assert "not the one that its card describes" in (answer.error or "")


def test_half_a_frame_is_the_end_and_a_huge_one_is_refused() -> None:
    assert take(io.BytesIO(frame(b"abc")[:-1])) is None
    assert take(io.BytesIO(b"\0")) is None
    with pytest.raises(ValueError, match="is more than"):
        take(io.BytesIO((MAX_FRAME + 1).to_bytes(4, "big")))


def child(task: Task = TASK) -> Child:
    made = Child(task)
    made.first_wait_s = 0.01
    return made


async def test_a_killed_child_is_started_again_and_the_window_asked_again() -> None:
    async with child() as made:
        first = await made.ask(WINDOW)
        assert made.pid is not None
        os.kill(made.pid, signal.SIGKILL)
        again = await made.ask(WINDOW)
        assert again == first
        assert made.starts == 2
        pid = made.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 0, 0)


async def test_a_window_that_kills_twice_is_given_up() -> None:
    async with child(msgspec.structs.replace(TASK, layout=("unheard-of",))) as made:
        assert await made.ask(WINDOW) is None
        assert (made.starts, made.given_up) == (2, 1)
    assert values_of(None) == {}


async def test_a_child_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.drivers.program.STOP_S", 0.1)
    async with child() as made:
        await made.ask(WINDOW)
        made.answer_s = 0.05
        assert made.pid is not None
        os.kill(made.pid, signal.SIGSTOP)
        task = asyncio.create_task(made.ask(WINDOW))
        async with asyncio.timeout(120):
            while made.starts < 2:  # noqa: ASYNC110  the child waits by itself
                await asyncio.sleep(0.01)
        made.answer_s = 30.0
        await task


async def test_a_task_that_is_refused_is_a_driver_error(tmp_path: Path) -> None:
    async with child(Task(model=str(tmp_path / "none.onnx"), score="s")) as made:
        with pytest.raises(DriverError, match="cannot be read"):
            await made.ask(b"{}")
        assert made.pid is None


def test_the_agent_itself_needs_no_numpy() -> None:
    text = """
import sys
import edge_agent.agent, edge_agent.child, edge_agent.drivers.highrate
import edge_agent.drivers.highrate_file
print(*(m for m in sys.modules if m.split(".")[0] in ("numpy", "scipy", "onnxruntime", "river")))
"""
    shown = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.strip() == ""
