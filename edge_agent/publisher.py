"""One device's durable way to the cloud: outbox, sender and link, fed by whoever has batches."""

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from edge_agent import clock
from edge_agent.commands import Executor
from edge_agent.link import Link
from edge_agent.outbox import Outbox
from edge_agent.outbox_file import Placed
from edge_agent.sender import Sender
from edge_agent.settings import Settings
from edge_agent.spool import Spool, alone, open_outbox
from models.contract.codec import dictionary_hash
from models.contract.messages import Batch, Birth, Event, MachineRef, Metric


class Publisher:
    """A device that publishes. Several may live in one process, each with its own settings.

    Enter it, `declare` the signals (which begins to connect), `append` batches. With
    `outbox.path = ":memory:"` nothing survives the process (simulations).
    """

    def __init__(
        self,
        settings: Settings,
        *,
        boot: str | None = None,
        machines: Mapping[str, MachineRef] | None = None,
        sender: type[Sender] = Sender,
        outbox: type[Outbox] = Outbox,
        executor: Executor | None = None,
    ) -> None:
        self.settings = settings
        self.boot = boot or clock.new_boot()
        self.dictionary: str | None = None  #: `dh` of the newest birth
        self._machines = dict(machines) if machines is not None else settings.refs()
        self._sender_kind = sender
        self._outbox_kind = outbox
        self._executor = executor
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        settings = self.settings
        async with AsyncExitStack() as stack:  # what fails here leaves no lock behind
            stack.enter_context(alone(settings.outbox))
            self.spool = Spool(open_outbox(settings.outbox, self.boot, self._outbox_kind))
            stack.push_async_callback(self.spool.close)
            self._stack = stack.pop_all()
        self.sender = self._sender_kind(
            settings.identity, self.spool, window=settings.broker.window
        )
        self.link = Link(
            settings.broker,
            self.sender,
            client_id=settings.client_id,
            boot=self.boot,
            executor=self._executor,
        )
        self.spool.mended = self.notice
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def declare(self, metrics: Iterable[Metric]) -> None:
        """Say which signals there are; the first time, also begin to connect.

        May be called again when signals are added: batches after it belong to the new dictionary.
        """
        first = self.dictionary is None
        found = tuple(metrics)
        birth = Birth(
            boot=self.boot,
            dictionary=dictionary_hash(found),
            metrics=found,
            machines=self._machines,
            agent="forewarn-agent",
            clock=clock.quality(self.settings.clock),
            capabilities=tuple(self._executor.verbs) if self._executor else (),
            time=self.settings.time,
        )
        await self.spool.call(self.spool.outbox.remember, birth)
        self.dictionary = birth.dictionary
        self.sender.reborn()
        if first:
            await self._stack.enter_async_context(self.link)

    async def append(self, stream: str, batch: Batch) -> Placed:
        """Return when the batch is durable on this device.

        Raises:
            OutboxError: it could not be written; nothing was taken, try again.
        """
        return await self.spool.append(stream, batch)

    def notice(self, text: str, **fields: object) -> None:
        """Tell the cloud something about the agent itself (an event of type `agent`)."""
        at_ns = clock.now().wall_ns
        self.sender.notify(Event(type="agent", at_ns=at_ns, text=text, fields=fields))

    async def room(self) -> None:
        """Return when half of the outbox is free; for sources that can wait."""
        await self.spool.room()

    async def drained(self) -> None:
        """Return when everything has its receipt."""
        await self.sender.drained()
