"""High-rate channels of a program that writes raw samples to its standard output.

A window is read every `interval_s`; what lies between two windows is skipped. A child process
(`edge_agent.inference`) computes its features, which are published like any other signal. When the
child is slower than the program, windows are left out, never queued.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Annotated, ClassVar, Final

import msgspec

from edge_agent import clock
from edge_agent.drivers import Options, Reading
from edge_agent.drivers.program import FIRST_WAIT_S, LONGEST_WAIT_S, STEADY_S, stop
from edge_agent.windows import Featured, Window, WindowOptions
from models.contract.messages import Metric

PIPE_BYTES: Final = 1024 * 1024
log = logging.getLogger(__name__)


class HighRateOptions(WindowOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`command`: the program and its arguments, one list item each; no shell takes part."""

    command: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class HighRateDriver:
    """Runs a program, reads windows of its samples, has them turned into features."""

    Options: ClassVar[type[Options]] = HighRateOptions
    patient: ClassVar[bool] = False

    def __init__(self, options: HighRateOptions, *, interval_s: float) -> None:
        self._options = options
        self._featured = Featured(options)
        self._gap_bytes = options.gap_rows(interval_s) * options.row_bytes
        self.skipped = 0  #: windows left out because the child was busy
        self.starts = 0  #: of the program
        self.first_wait_s = FIRST_WAIT_S

    def signals(self) -> Sequence[Metric]:
        """Return the features of each channel of the layout, with their units."""
        return self._featured.signals

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """Yield the features of the newest window each time."""
        async with contextlib.aclosing(self._featured.readings(self._newest())) as readings:
            async for reading in readings:
                yield reading

    async def _newest(self) -> AsyncGenerator[Window, None]:
        newest: asyncio.Queue[Window] = asyncio.Queue(1)
        reader = asyncio.create_task(self._read_on(newest))
        try:
            while True:
                yield await newest.get()
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader

    async def _read_on(self, newest: "asyncio.Queue[Window]") -> None:
        """Keep the newest window; start the program again, with growing waits, when it ends."""
        loop = asyncio.get_running_loop()
        wait_s = self.first_wait_s
        while True:
            began = loop.time()
            async with contextlib.aclosing(self._run()) as windows:
                async for window in windows:
                    if newest.full():
                        newest.get_nowait()
                        self.skipped += 1
                    newest.put_nowait(window)
            if loop.time() - began >= STEADY_S:
                wait_s = self.first_wait_s
            log.warning("starting %s again in %.0f s", self._options.command[0], wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    async def _run(self) -> AsyncGenerator[Window, None]:
        self.starts += 1
        command = self._options.command
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                limit=PIPE_BYTES,
                start_new_session=True,  # Ctrl-C stops the agent, which then stops the program
            )
        except OSError as error:
            log.error("cannot start %s: %s", command[0], error.strerror)
            return
        try:
            assert process.stdout is not None
            async for window in self._windows(process.stdout):
                yield window
            log.warning("%s ended with status %d", command[0], await process.wait())
        finally:
            await stop(process)

    async def _windows(self, stream: asyncio.StreamReader) -> AsyncIterator[Window]:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                raw = await stream.readexactly(self._options.window_bytes)
                now = clock.now()
                yield Window(raw=raw, wall_ns=now.wall_ns, mono_ns=now.mono_ns)
                left = self._gap_bytes
                while left:
                    left -= len(await stream.readexactly(min(left, PIPE_BYTES)))
