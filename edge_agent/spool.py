"""The outbox for asyncio: one thread of its own, and appends that wait share one transaction."""

import asyncio
import contextlib
import fcntl
import logging
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from edge_agent.errors import OutboxCorrupt, OutboxError
from edge_agent.outbox import Outbox
from edge_agent.outbox_file import Faults, Placed
from edge_agent.reserve import MIB
from edge_agent.settings import MEMORY, OutboxSettings
from models.contract.messages import STREAMS, Batch

T = TypeVar("T")
ROOM: Final = 0.5  #: of the outbox, which a source that can wait leaves free
TOGETHER: Final = 256  #: batches in one transaction at most
log = logging.getLogger(__name__)


@contextlib.contextmanager
def alone(settings: OutboxSettings) -> Iterator[None]:
    """Keep every other agent from an outbox: two would give the same numbers to other samples.

    Raises:
        OutboxError: another agent has it, or its folder cannot be written.
    """
    if settings.path == MEMORY:
        yield
        return
    path = Path(settings.path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(path.name + ".lock").open("ab")
    except OSError as error:
        raise OutboxError(f"{path}: {error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            words = "is in use by another agent; stop that, or give this one an outbox.path"
            raise OutboxError(f"{path} {words} of its own") from error
        yield


def open_outbox(settings: OutboxSettings, boot: str, kind: type[Outbox] = Outbox) -> Outbox:
    """Return the outbox that the settings describe."""
    path = None if settings.path == MEMORY else Path(settings.path)
    policy = {stream: getattr(settings.policy, stream) for stream in STREAMS}
    max_bytes = settings.max_mb * MIB
    return kind(path, boot, max_bytes=max_bytes, policy=policy, encoding=settings.format)


class Spool:
    """Runs every step of an outbox in one thread; one that meets damage is done on a renewed file.

    `appended` is called after each transaction, `mended` with what was done about damage.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.appended: Callable[[], None] = lambda: None
        self.mended: Callable[[str], None] = lambda _: None
        self.refused = 0  #: batches that had no room
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._waiting: list[tuple[str, Batch, asyncio.Future[Placed]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._eased = asyncio.Event()

    async def call(self, step: Callable[..., T], *values: object) -> T:
        """Run a step of the outbox in its thread."""
        run = asyncio.get_running_loop().run_in_executor
        try:
            return await run(self._thread, self._do, step, *values)
        finally:
            if text := self.outbox.mended:
                self.outbox.mended = None
                self.mended(text)

    def _do(self, step: Callable[..., T], *values: object) -> T:
        with Faults(self.outbox.path):
            try:
                with Faults(self.outbox.path):
                    return step(*values)
            except OutboxCorrupt as error:
                self.outbox.renew(error)
            return step(*values)

    async def append(self, stream: str, batch: Batch) -> Placed:
        """Return when the batch is durable. `OutboxError`: it is not; try again.

        Batches of one stream are numbered in the order of the calls.
        """
        done: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()
        self._waiting.append((stream, batch, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        placed = await done
        if not placed.kept:
            self.refused += 1
            if math.log10(self.refused).is_integer():
                log.error("no room in the outbox: %d batches dropped and declared", self.refused)
        return placed

    async def lose(self, stream: str, samples: int) -> bool:
        """Note that samples were lost that the disk did not take; return whether that is noted."""
        return await self.call(self.outbox.lose, stream, samples)

    async def _write(self) -> None:
        try:
            while self._waiting:
                group = self._take()
                try:
                    placed = await self.call(self.outbox.append, [entry[:2] for entry in group])
                except Exception as error:
                    for *_, done in group:
                        if not done.cancelled():
                            done.set_exception(error)
                else:
                    for (*_, done), where in zip(group, placed, strict=True):
                        if not done.cancelled():
                            done.set_result(where)
                    self.appended()
        finally:
            self._writing = None

    def _take(self) -> list[tuple[str, Batch, asyncio.Future[Placed]]]:
        size, end = 0, 0
        for _, batch, _ in self._waiting[:TOGETHER]:
            size += sum(len(column.data) + len(name) for name, column in batch.columns.items())
            if end and size > self.outbox.quota.transaction:
                break
            end += 1
        group, self._waiting = self._waiting[:end], self._waiting[end:]
        return group

    async def forget(self, boot: str, stream: str, hwm: int) -> None:
        """Delete what the cloud has."""
        await self.call(self.outbox.forget, boot, stream, hwm)
        self._eased.set()

    async def room(self) -> None:
        """Return when half of the outbox is free; for sources that can wait."""
        while self.outbox.fill > ROOM:
            self._eased.clear()
            await self._eased.wait()

    async def empty(self) -> bool:
        """Return whether everything, gaps included, has its receipt."""
        return not self.outbox.bytes and not await self.call(self.outbox.gaps)

    async def close(self) -> None:
        """Finish what is being written and close the file."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
        await self.call(self.outbox.close)
        self._thread.shutdown()
