"""The child process that computes features and runs models beside the agent.

`python -m edge_agent.inference` is started by `edge_agent.child`. It reads frames from its standard
input: four bytes of length (big-endian), then as many bytes. The first frame is its `Task` as JSON;
each one after it is a window (raw samples) or, when the task has no channels, a row (JSON). To each
it answers one line of JSON, an `Answer`. It keeps nothing but a forecaster's lags, so it may be
killed at any time. Only here does the edge use numpy and onnxruntime, and only in this process.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import BinaryIO, Final

import msgspec

from models.channels import TACHO, Bearing, Channel

LENGTH: Final = 4  #: bytes of a frame's length
MAX_FRAME: Final = 64 * 1024 * 1024  #: bytes of a frame


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is to do with each window. `model`: path of an ONNX file, or None."""

    channels: Mapping[str, Channel] = msgspec.field(default_factory=dict)
    bearings: Mapping[str, Bearing] = msgspec.field(default_factory=dict)
    layout: tuple[str, ...] = ()  #: column of the samples -> channel, `TACHO` or "" (not used)
    sample: str = "f4"
    scale: float = 1.0  #: of the channels' samples, to the channel's unit
    rate_hz: float = 1.0
    pulses_per_turn: int = 1
    speed_rpm: float | None = None  #: for a machine without a tacho whose speed is fixed
    model: str | None = None
    score: str | None = None  #: the signal that the model's score is


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a frame: values, or the reason why there are none."""

    values: Mapping[str, float] = msgspec.field(default_factory=dict)
    error: str | None = None


Work = Callable[[bytes], Mapping[str, float]]


def work_of(task: Task) -> Work:
    """Return what makes values of a frame. Imports numpy, and onnxruntime for a model."""
    from models import features as f  # noqa: PLC0415  only in the child

    scored = _scored(task)

    def window(raw: bytes) -> Mapping[str, float]:
        columns = f.columns(raw, task.layout, task.sample, task.scale)
        turns = None
        found: dict[str, float] = {}
        if TACHO in columns:
            # a shaft that stands still has no speed, its channels still have features
            with contextlib.suppress(f.WindowError):
                turns = f.turns_of(columns.pop(TACHO), task.pulses_per_turn)
            columns.pop(TACHO, None)
        for name, x in columns.items():
            channel = task.channels[name]
            angle = turns
            if angle is None and task.speed_rpm is not None:
                angle = f.steady_turns(task.speed_rpm / 60.0, len(x), task.rate_hz)
            values = f.features(
                x,
                task.rate_hz,
                channel,
                bearing=task.bearings.get(channel.bearing or ""),
                turns=None if angle is None else angle * channel.shaft_ratio,
            )
            if turns is None:
                values.pop("speed", None)  # known before: no reading
            found |= {channel.signal(name, feature): value for feature, value in values.items()}
        return scored(found)

    def row(raw: bytes) -> Mapping[str, float]:
        return scored(msgspec.json.decode(raw, type=dict[str, float]))

    return window if task.channels else row


def _scored(task: Task) -> Callable[[dict[str, float]], Mapping[str, float]]:
    """Return what adds the model's score to a row of values."""
    if task.model is None or task.score is None:
        return lambda row: row
    from pathlib import Path  # noqa: PLC0415  only in the child

    from models.anomaly.learned import load  # noqa: PLC0415

    name = task.score
    detector = load(Path(task.model))[1]()

    def scored(row: dict[str, float]) -> Mapping[str, float]:
        score = detector.score_one(row)
        detector.learn_one(row)
        return {**row, name: score}

    return scored


def frame(content: bytes) -> bytes:
    """Return the content with its length before it."""
    return len(content).to_bytes(LENGTH, "big") + content


def take(stream: BinaryIO) -> bytes | None:
    """Return the next frame's content; None at the end of the stream."""
    head = stream.read(LENGTH)
    if len(head) < LENGTH:
        return None
    length = int.from_bytes(head, "big")
    if length > MAX_FRAME:
        raise ValueError(f"a frame of {length} bytes is more than {MAX_FRAME}")
    content = stream.read(length)
    return content if len(content) == length else None


def serve(given: BinaryIO, told: BinaryIO) -> None:
    """Answer frames until there are no more."""
    work: Work | None = None
    while (content := take(given)) is not None:
        try:
            if work is None:
                work = work_of(msgspec.json.decode(content, type=Task))
                answer = Answer()
            else:
                answer = Answer(values=work(content))
        except (ValueError, ImportError) as error:  # also of windows, models and JSON
            answer = Answer(error=str(error))
        told.write(msgspec.json.encode(answer) + b"\n")
        told.flush()
        if work is None:
            return


def main() -> int:
    """Serve the parent; it ends the child by closing the stream."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the agent, which then closes
    os.nice(5)  # reading and sending come first
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(0)  # the parent is gone; nothing is left to flush to
    return 0


if __name__ == "__main__":
    sys.exit(main())
