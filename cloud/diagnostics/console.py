"""Sends commands until the device has said what came of them, or until they expire."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol, TypeVar

import msgspec

from cloud.diagnostics.signing import Signer
from cloud.diagnostics.values import Asked, CommandRow, CommandStore
from cloud.errors import StoreError
from cloud.ledger.writer import Submit
from models.contract import codec, topics
from models.contract.messages import Command
from models.contract.wire import CommandText

T = TypeVar("T")
FIRST_WAIT_NS: Final = 2_000_000_000  #: before it is sent again; doubles each time
LONGEST_WAIT_NS: Final = 30_000_000_000
GRACE_NS: Final = 10_000_000_000  #: after its end, for an answer that is on its way
LOOK_S: Final = 1.0
SILENT: Final = "no word from the device; it may be away"
UNFINISHED: Final = "the device accepted it, but no result came"
log = logging.getLogger(__name__)


class Sends(Protocol):
    """The link, as far as commands need it."""

    def command(self, topic: str, payload: bytes, *, seconds: int, correlation: bytes) -> None:
        """Publish a command that the broker forgets after `seconds`."""
        ...


class Console:
    """Asks devices. `run` is a task of the service; `ask` may be called from any thread."""

    def __init__(
        self,
        store: CommandStore,
        link: Sends,
        signer: Signer,
        *,
        submit: Submit,
        now: Callable[[], int],
    ) -> None:
        self._store = store
        self._link = link
        self._signer = signer
        self._submit = submit
        self._now = now
        self._tries: dict[str, tuple[int, int]] = {}  #: id -> how often sent, and when last
        self._newest = object()  #: stands for what was asked last
        self._closed: object = None  #: what was asked last when nothing was open any more

    def ask(self, asked: Asked) -> CommandRow:
        """Keep a command and send it."""
        try:
            row = self._store.command_add(asked)
        finally:  # a database that goes away may have kept it all the same
            self._newest = object()
        self._send(row)
        return row

    async def run(self, stop: asyncio.Event) -> None:
        """Send again what nobody answered, and end what expired, until `stop`."""
        while not stop.is_set():
            try:
                await self.look()
            except StoreError as error:
                log.warning("commands: %s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await stop.wait()

    async def look(self) -> None:
        """Do what is due now; the store is not asked where nothing can be open."""
        newest = self._newest
        if newest is self._closed:
            return
        rows = await asyncio.to_thread(self._store.commands_open)
        if not rows:
            self._closed = newest
        now = self._now()
        self._tries = {row.id: self._tries[row.id] for row in rows if row.id in self._tries}
        for row in rows:
            tries, last_ns = self._tries.get(row.id, (0, 0))
            if now >= row.expires_ns + GRACE_NS:
                text = UNFINISHED if row.state == "accepted" else SILENT
                await self._submit(partial(self._store.command_expire, row.id, text))
            elif now < row.expires_ns and now - last_ns >= _wait_ns(tries):
                self._send(row)

    def _send(self, row: CommandRow) -> None:
        now = self._now()
        tries, _ = self._tries.get(row.id, (0, 0))
        self._tries[row.id] = (tries + 1, now)
        text = CommandText(
            id=row.id,
            device=row.device,
            op=row.op,
            not_before=row.recorded_ns,
            expires=row.expires_ns,
            args=row.args,
        )
        command: Command = self._signer.sign(msgspec.json.encode(text).decode())
        self._link.command(
            topics.down(row.device, "cmd", row.op, row.id),
            codec.encode(command, "json"),
            seconds=max((row.expires_ns - now) // 1_000_000_000, 1),
            correlation=bytes.fromhex(row.id.replace("-", "")),
        )


def _wait_ns(tries: int) -> int:
    return min(FIRST_WAIT_NS << min(tries - 1, 8), LONGEST_WAIT_NS) if tries else 0
