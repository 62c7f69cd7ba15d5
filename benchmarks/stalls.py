"""How long the computer itself holds a process up: beside latencies, which have that in them.

    python -m benchmarks.stalls

A process of its own writes 4 KB over the same place of a file and flushes it, fifty times a second.
For each line on standard input it tells, as JSON, the worst flush and by how much it was woken late
at worst since the line before. The disk is the one that the service under load uses too: a worst
flush is the disk's and that load's together, a late waking the cores'.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

EVERY_S: Final = 0.02
PAGE: Final = bytes(4096)


@contextlib.contextmanager
def watched() -> Iterator[Callable[[], dict[str, float]]]:
    """Run it; what is given asks for the worst since it was asked last: `flush_ms`, `late_ms`."""
    words = [sys.executable, "-m", "benchmarks.stalls"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        asked, told = child.stdin, child.stdout
        assert asked is not None
        assert told is not None

        def worst() -> dict[str, float]:
            asked.write(b"\n")
            asked.flush()
            found: dict[str, float] = json.loads(told.readline())
            return found

        yield worst
        asked.close()


def main() -> None:
    """Run until standard input ends."""
    worst = {"flush_ms": 0.0, "late_ms": 0.0}
    ended = threading.Event()

    def answer() -> None:
        for _ in sys.stdin:
            print(json.dumps(worst), flush=True)
            worst.update(flush_ms=0.0, late_ms=0.0)
        ended.set()

    threading.Thread(target=answer, daemon=True).start()
    with tempfile.TemporaryFile() as file:
        due = time.perf_counter() + EVERY_S
        while not ended.wait(max(0.0, due - time.perf_counter())):
            begin = time.perf_counter()
            os.pwrite(file.fileno(), PAGE, 0)
            os.fdatasync(file.fileno())
            end = time.perf_counter()
            worst["late_ms"] = max(worst["late_ms"], (begin - due) * 1e3)
            worst["flush_ms"] = max(worst["flush_ms"], (end - begin) * 1e3)
            due = end + EVERY_S


if __name__ == "__main__":
    main()
