"""Children that are killed: cheap as a fork, but of a process without threads.

A fork of a process with threads, as that of the tests is, may hang; Python 3.12 warns of it. The
fork server has none, and each child comes from it in a few milliseconds.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "tests.cloud.test_journal",
        "tests.edge_agent.test_commands",
        "tests.edge_agent.test_outbox_kills",
        "tests.edge_agent.test_power_cut",
    ]
)


def patiently(count: int, *, least: int, within_s: float = 600.0) -> Iterator[int]:
    """Yield the numbers below `count`; on a slow computer fewer, but `least`, and say how many."""
    begin = time.monotonic()
    for n in range(count):
        if n >= least and time.monotonic() > begin + within_s:
            print(f"{n} of {count} in {within_s:.0f} s")
            return
        yield n


class Child:
    """A process that does `work(*given, out)`; what it writes to `out` is read here."""

    def __init__(self, work: Callable[..., None], *given: Any) -> None:
        self._said, out = _CONTEXT.Pipe(duplex=False)
        with out:
            self._process = _CONTEXT.Process(target=_do, args=(work, given, out))
            self._process.start()

    def read(self, size: int) -> bytes:
        """Wait for something that it wrote, at most `size` bytes; `EOFError` after its end."""
        if not (found := os.read(self._said.fileno(), size)):
            raise EOFError("the child has ended by itself; its error is above")
        return found

    def says(self) -> bool:
        """Whether something can be read at once."""
        return self._said.poll()

    def rest(self) -> bytes:
        """Return what it wrote and nobody has read, once it has ended."""
        found = b""
        while more := os.read(self._said.fileno(), 65_536):
            found += more
        return found

    def kill(self) -> None:
        """SIGKILL, at once; `AssertionError` where it had ended before."""
        self._process.kill()
        code = self.ended()
        assert code == -signal.SIGKILL, f"the child has ended by itself, with {code}"

    def ended(self) -> int:
        """Wait until it ends by itself; return its exit code, negative for a signal."""
        self._process.join()
        return self._process.exitcode or 0

    def close(self) -> None:
        """Kill it, if it still runs, and let everything go."""
        self._process.kill()
        self._process.join()
        self._said.close()
        self._process.close()


def _do(work: Callable[..., None], given: tuple[Any, ...], out: Connection) -> None:
    work(*given, out.fileno())
