"""A program that prints one JSON object a line: `{"temp": 41.9}`, with `"t"` if it has a time.

`t` is RFC 3339 text or an integer of ns since 1970 UTC; without it the line gets the time at which
it was read. A line that cannot be used is counted and reported; the loop goes on. When the program
ends it is started again, later each time it fails soon.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, ClassVar, Final

import msgspec

from edge_agent import clock
from edge_agent.drivers import Options, Reading, Value, names_signal
from models.contract.errors import ContractError
from models.contract.messages import Metric
from models.contract.times import instant_ns

LINE_BYTES: Final = 256 * 1024
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
STEADY_S: Final = 60.0  #: a run of this length was not a failure
STOP_S: Final = 5.0  #: between SIGTERM and SIGKILL
log = logging.getLogger(__name__)


class ProgramOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`command`: the program and its arguments, one list item each; no shell takes part."""

    command: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    folder: str | None = None


class BadLine(ValueError):
    """A line that gives no reading."""


def read_line(line: bytes, moment: clock.Now) -> Reading:
    """Return a line's reading; `BadLine` says what is wrong with it."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadLine(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadLine("not a JSON object")
    at = found.pop("t", None)
    wall_ns, mono_ns = (moment.wall_ns, moment.mono_ns) if at is None else (_time(at), None)
    values = {name: _value(name, value) for name, value in found.items()}
    if not any(value is not None for value in values.values()):
        raise BadLine("no values")
    return Reading(values=values, wall_ns=wall_ns, mono_ns=mono_ns)


def _time(at: object) -> int:
    if isinstance(at, int | str) and not isinstance(at, bool):
        with contextlib.suppress(ContractError):
            return instant_ns(at)
    raise BadLine(f"t: {str(at)[:40]!r} is neither RFC 3339 with a zone nor an integer of ns")


def _value(name: str, value: object) -> Value:
    if not names_signal(name):
        raise BadLine(f"the name {name[:40]!r} has not 1 to 120 printable characters")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise BadLine(f"{name}: {str(value)[:40]!r} is not a number, true, false or null")


class ProgramDriver:
    """Runs a program and reads its lines."""

    Options: ClassVar[type[Options]] = ProgramOptions
    patient: ClassVar[bool] = False

    def __init__(self, options: ProgramOptions, *, interval_s: float) -> None:
        del interval_s  # the program decides when it prints
        self._command = options.command
        self._folder = options.folder
        self.bad_lines = 0
        self.starts = 0
        self.first_wait_s = FIRST_WAIT_S

    def signals(self) -> Sequence[Metric]:
        """Return nothing: a program's signals show themselves in its lines."""
        return ()

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """Yield what the program prints; start it again, with growing waits, when it ends."""
        loop = asyncio.get_running_loop()
        wait_s = self.first_wait_s
        while True:
            began = loop.time()
            async with contextlib.aclosing(self._run()) as lines:
                async for reading in lines:
                    yield reading
            if loop.time() - began >= STEADY_S:
                wait_s = self.first_wait_s
            log.warning("starting %s again in %.0f s", self._command[0], wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    async def _run(self) -> AsyncGenerator[Reading, None]:
        self.starts += 1
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                cwd=self._folder,
                limit=LINE_BYTES,
                start_new_session=True,  # Ctrl-C stops the agent, which then stops the program
            )
        except OSError as error:
            log.error("cannot start %s: %s", self._command[0], error.strerror)
            return
        try:
            assert process.stdout is not None
            async for reading in self._lines(process.stdout):
                yield reading
            status = await process.wait()
            log.warning("%s ended with status %d", self._command[0], status)
        finally:
            await stop(process)

    async def _lines(self, stream: asyncio.StreamReader) -> AsyncGenerator[Reading, None]:
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                self._bad(f"longer than {LINE_BYTES} bytes")
                continue
            if not line:
                return
            if not line.strip():
                continue
            try:
                yield read_line(line, clock.now())
            except BadLine as error:
                self._bad(str(error))

    def _bad(self, why: str) -> None:
        self.bad_lines += 1
        # The first of each power of ten: enough to see it, not enough to fill a disk.
        if math.log10(self.bad_lines).is_integer():
            log.warning("%s: bad line %d: %s", self._command[0], self.bad_lines, why)


async def stop(process: asyncio.subprocess.Process) -> None:
    """End a process: SIGTERM, and SIGKILL when it is still there after `STOP_S`."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
