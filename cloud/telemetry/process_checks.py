"""Conformance checks that start other processes: killed while writing, reading along.

The way to open a store must be picklable here: a class, a module's function, a
`functools.partial` of one.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import numpy as np

from cloud.telemetry import TelemetryStore
from cloud.telemetry.checks import EVER, MANY, SECOND_NS, T0, Open, block, settled
from models.rows import Block


def _group(n: int) -> list[Block]:
    """Return the n-th group of the process checks: two machines, a hundred samples each."""
    times = T0 + SECOND_NS * np.arange(100 * n, 100 * n + 100)
    values = np.round(np.arange(100 * n, 100 * n + 100) % 977 * 0.01, 2)
    return [
        block(times, {"temp": values, "flow": -values}, n=n, seq=100 * n, machine=name)
        for name in ("acme.pump1", "acme.pump2")
    ]


def _write_on(open_store: Open, path: Path, pipe: Connection) -> None:
    store = open_store(path)
    n = store.position()
    while True:
        n += 1
        store.write(_group(n), n)
        pipe.send(store.durable_position())


def _complete(store: TelemetryStore) -> int:
    """Check that all groups up to the position are stored, once, and none behind it."""
    position = store.position()
    for name in ("acme.pump1", "acme.pump2"):
        series = store.series(name, "temp", *EVER, MANY)
        assert len(series.times_ns) == 100 * (position + 1)
        assert (np.diff(series.times_ns) == SECOND_NS).all()
    return position


def survives_being_killed(open_store: Open, folder: Path, kills: int = 5) -> None:
    """SIGKILL while writing: position and data agree, nothing reported durable is missing."""
    context = multiprocessing.get_context("spawn")
    rng = np.random.default_rng(kills)
    reported = -1
    for _ in range(kills):
        mine, theirs = context.Pipe(duplex=False)
        writer = context.Process(target=_write_on, args=(open_store, folder / "store", theirs))
        writer.start()
        theirs.close()
        for _ in range(int(rng.integers(1, 150))):
            reported = mine.recv()
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        while mine.poll():
            try:
                reported = mine.recv()
            except EOFError:
                break
        mine.close()
        store = open_store(folder / "store")
        assert _complete(store) >= reported
        store.close()


def _read_on(open_store: Open, path: Path, pipe: Connection) -> None:
    store = open_store(path)
    pipe.send(0)
    seen = 0
    while pipe.poll() is False:
        series = store.series("acme.pump1", "temp", *EVER, MANY)
        assert (np.diff(series.times_ns) == SECOND_NS).all()
        assert len(series.times_ns) >= seen
        seen = len(series.times_ns)
    pipe.recv()
    pipe.send(len(store.series("acme.pump1", "temp", *EVER, MANY).times_ns))
    store.close()


def another_process_reads_along(open_store: Open, folder: Path) -> None:
    """A second process sees whole groups while this one writes, and all of them at the end."""
    store = open_store(folder / "store")
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    reader = context.Process(target=_read_on, args=(open_store, folder / "store", theirs))
    reader.start()
    mine.recv()
    for n in range(300):
        store.write(_group(n), n)
    settled(store, 299)
    mine.send(0)
    assert mine.recv() == 30_000
    reader.join()
    assert reader.exitcode == 0
    mine.close()
    theirs.close()
    store.close()


PROCESS_CHECKS: Final[tuple[Callable[[Open, Path], None], ...]] = (
    survives_being_killed,
    another_process_reads_along,
)
