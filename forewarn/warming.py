"""Compiled kernels ready before the service says that it is: loaded, and at a first start compiled.

Compiling takes a minute of a core and two thirds of a gigabyte, once on a computer. It is done by a
child process, which may be stopped at any moment and takes its memory with it; kernels that are in
numba's cache already are loaded in a fraction of a second, and no child is started.
"""

import contextlib
import logging
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import numpy as np
from numba.core import event
from numba.core.dispatcher import Dispatcher

from cloud.errors import StoreError
from cloud.reader import Arrived, Reader
from cloud.records import Entry, Head, Kind, Record, Room
from cloud.telemetry import fresh
from cloud.telemetry.opening import warm_influx
from cloud.telemetry.rehearsed import ALL, NUMBERS, ROWS, rehearsed
from cloud.telemetry.sqlite import SqliteTelemetry
from models.contract import codec, topics
from models.contract.messages import Batch, Column
from models.fleet import Fleet
from models.profile import load_profiles

NOTHING: Final = Column(type="d", data=bytes(8))
COMPILING: Final = "numba:compile"
FEW: Final = {"double": NUMBERS[: fresh.PACKED_ROWS]}
GAPS: Final = {"double": np.where(np.arange(ROWS) % 3, NUMBERS, np.nan), "other": NUMBERS}
log = logging.getLogger(__name__)


class _Cold(Exception):
    """A kernel is not in the cache."""


class _Refusing(event.Listener):
    """Lets nothing be compiled."""

    def on_start(self, event: event.Event) -> None:
        raise _Cold(event.data["dispatcher"].__name__)

    def on_end(self, _event: event.Event) -> None:
        """Nothing was compiled."""


class _Telling(event.Listener):
    """Says of each kernel that Python calls how long compiling it took."""

    def __init__(self) -> None:
        self._begun: list[float] = []

    def on_start(self, _event: event.Event) -> None:
        self._begun.append(time.perf_counter())

    def on_end(self, event: event.Event) -> None:
        took = time.perf_counter() - self._begun.pop()
        if not self._begun:
            print(f"{event.data['dispatcher'].__name__}, {took:.1f} s", flush=True)


def rehearse(store: str = "sqlite") -> None:
    """Have every kernel of the live path run once, on rows that go nowhere."""
    batch = Batch(boot="rehearsed", seq=0, t0_ns=0, count=1, columns={"none": NOTHING})
    message = Arrived(topics.up("none.none", "t", "live"), codec.encode(batch), 0)
    Reader().read([message, message])
    Room().laid([Record(0, Entry(Kind.TICK, 0))], Head())
    profiles = load_profiles()
    fleet = Fleet(profiles)
    for machine in profiles:
        fleet.bind(machine, machine)
        fleet.observe([rehearsed(machine, 0, ALL)])
        fleet.restart(machine, None, 0)
        fleet.sisters(machine)
    if store == "influx":
        warm_influx()
        return
    fresh.warm()
    with tempfile.TemporaryDirectory(prefix="forewarn-") as name:
        kept = SqliteTelemetry(Path(name) / "telemetry.db", background=False)
        try:
            for n, at in enumerate((0, 1, 2, 1)):  # the last comes late
                at_ns = at * ROWS * 10**9
                kept.write([rehearsed("none", at_ns, ALL), rehearsed("gaps", at_ns, GAPS)], n)
                _ask(kept)  # of what is compacted and what is not
                if n != 1:  # two at once
                    kept.compact()
            for n in range(4, 8):  # few rows each
                kept.write([rehearsed("small", n * 10**11, FEW)], n)
            _ask(kept)
            kept.compact()
            _ask(kept)
        finally:
            kept.close()


def _ask(kept: SqliteTelemetry) -> None:
    for machine in ("none", "gaps", "small"):
        kept.series(machine, "double", 0, 2**62, 10)
        for begin, width in ((0, 60), (1, 7)):  # of whole minutes, and of single rows
            kept.buckets(machine, "double", begin, 3_600 * 10**9, width * 10**9)
        kept.latest(machine)


def cold(store: str = "sqlite") -> bool:
    """Whether a kernel of the live path would have to be compiled; those before it are loaded."""
    try:
        with event.install_listener(COMPILING, _Refusing()):
            rehearse(store)
    except _Cold:
        return True
    return False


def ready(store: str = "sqlite", tell: Callable[[str], object] = log.info) -> None:
    """Load the kernels; compile them first where the cache lacks any.

    Called in the main thread before anything is open: SIGTERM ends it as Ctrl-C does, with
    `KeyboardInterrupt`. Where there is no room to rehearse the first readings do it. What is
    damaged in the cache is compiled anew.
    """
    try:
        try:
            missing = cold(store)
        except (OSError, StoreError):
            raise
        except Exception as error:  # what a damaged file raises is its bytes' choice
            damaged = mend(_kernels())
            if not damaged:
                raise
            log.warning("damaged in the cache of compiled models: %s (%s)", damaged, error)
            missing = True
        if missing:
            tell("compiling the models, once on this computer: some two minutes")
            _compile(store, tell)
            rehearse(store)
    except (OSError, StoreError) as error:
        log.warning("models are loaded, and perhaps compiled, with the first readings: %s", error)


def _kernels() -> list[Any]:
    modules = [m for n, m in sys.modules.items() if n.partition(".")[0] in {"cloud", "models"}]
    return [k for module in modules for k in vars(module).values() if isinstance(k, Dispatcher)]


def mend(kernels: Iterable[Any]) -> list[str]:
    """Empty the cache of the kernels whose files cannot be read; return their names."""
    damaged = []
    for kernel in kernels:
        file = getattr(kernel._cache, "_cache_file", None)  # numba has no public way to ask
        if file is None:
            continue
        try:
            for name in file._load_index().values():
                file._load_data(name)
        except Exception:  # unpickling raises anything
            file.flush()
            damaged.append(kernel.__name__)
    return damaged


def _compile(store: str, tell: Callable[[str], object]) -> None:
    """Have a child compile what the cache lacks."""
    words = [sys.executable, "-m", "forewarn.warming", store]
    with _interrupted_by_sigterm(), contextlib.ExitStack() as running:
        with _held(signal.SIGTERM), _held(signal.SIGINT):
            child = running.enter_context(
                subprocess.Popen(words, stdout=subprocess.PIPE, text=True)  # noqa: S603 (ours)
            )
            running.callback(child.kill)  # nothing where it has ended
        assert child.stdout is not None
        for line in child.stdout:
            tell(f"compiled {line.rstrip()}")
        child.wait()
    if child.returncode:
        log.warning("compiling apart failed with status %d; it is done here", child.returncode)


@contextlib.contextmanager
def _held(number: signal.Signals) -> Iterator[None]:
    """Let a signal that comes meanwhile come at the end: a child that is begun is not forgotten."""
    came: list[int] = []
    before = signal.signal(number, lambda which, _frame: came.append(which))
    try:
        yield
    finally:
        signal.signal(number, before)
        if came:
            signal.raise_signal(number)


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    with event.install_listener(COMPILING, _Telling()):
        rehearse(*sys.argv[1:])
