"""The agent's side of the inference child: starts it, asks it, and starts it again when it dies."""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Mapping
from typing import Final

import msgspec

from edge_agent.drivers.program import stop
from edge_agent.errors import DriverError
from edge_agent.inference import Answer, Task, frame

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
START_S: Final = 60.0  #: a small device may import for long
ANSWER_S: Final = 30.0
TRIES: Final = 2  #: deaths on one frame until that frame is given up
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
LINE_BYTES: Final = 1024 * 1024
log = logging.getLogger(__name__)


class ChildDied(Exception):
    """The child gave no answer."""


class Child:
    """A process of `edge_agent.inference` with one task. One question at a time.

    Use it as `async with`; it is started with the first question.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._process: asyncio.subprocess.Process | None = None
        self.first_wait_s = FIRST_WAIT_S
        self.answer_s = ANSWER_S
        self._wait_s: float | None = None
        self._due_s = 0.0  #: when it may be started again, in the loop's time
        self.starts = 0
        self.given_up = 0  #: frames on which the child died twice

    async def __aenter__(self) -> "Child":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        return None if self._process is None else self._process.pid

    async def ask(self, content: bytes) -> Answer | None:
        """Return the answer to a frame; None when the child died on it `TRIES` times.

        Between two starts is a growing wait. `DriverError`: the task itself is refused.
        """
        for _ in range(TRIES):
            await asyncio.sleep(self._left_s())
            answer = await self.ask_at_once(content)
            if answer is not None:
                return answer
        self.given_up += 1
        return None

    async def ask_at_once(self, content: bytes) -> Answer | None:
        """Return the answer; None when the child died, or may not be started again yet."""
        if self._process is None and self._left_s() > 0.0:
            return None
        try:
            if self._process is None:
                await self._start()
            answer = await self._exchange(content, self.answer_s)
        except ChildDied as error:
            await self._end()
            self._wait_s = min((self._wait_s or self.first_wait_s / 2) * 2, LONGEST_WAIT_S)
            self._due_s = asyncio.get_running_loop().time() + self._wait_s
            log.warning("%s; starting it again in %.0f s", error, self._wait_s)
            return None
        self._wait_s = None
        return answer

    def _left_s(self) -> float:
        return max(self._due_s - asyncio.get_running_loop().time(), 0.0)

    async def _start(self) -> None:
        self.starts += 1
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "edge_agent.inference",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **ONE_THREAD},
            limit=LINE_BYTES,
        )
        answer = await self._exchange(msgspec.json.encode(self._task), START_S)
        if answer.error is not None:
            await self._end()
            raise DriverError(f"inference: {answer.error}")

    async def _exchange(self, content: bytes, within_s: float) -> Answer:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(within_s):
                process.stdin.write(frame(content))
                await process.stdin.drain()
                line = await process.stdout.readline()
        except TimeoutError:
            raise ChildDied(f"the inference child gave no answer in {within_s:.0f} s") from None
        except (ConnectionError, ValueError) as error:
            raise ChildDied(f"the inference child broke off: {error}") from error
        if not line.endswith(b"\n"):
            raise ChildDied("the inference child ended")
        try:
            return msgspec.json.decode(line, type=Answer)
        except msgspec.DecodeError as error:
            raise ChildDied(f"the inference child said what is no answer: {error}") from error

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(ConnectionError):
            await process.stdin.wait_closed()
        await stop(process)


def values_of(answer: Answer | None) -> Mapping[str, float]:
    """Return an answer's values; empty, and said in the log, where there are none."""
    if answer is None:
        log.error("a window was given up: the inference child died on it twice")
        return {}
    if answer.error is not None:
        log.warning("a window gave no features: %s", answer.error)
    return answer.values
