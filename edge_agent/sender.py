"""Takes batches out of the outbox and keeps sending them until the cloud has them.

It knows no MQTT: it publishes on a `Wire`, which one connection of `Link` is.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from edge_agent.errors import OutboxError, OutboxGone
from edge_agent.flow import STALL_S, Flow, permanent
from edge_agent.outbox_file import BEGINNING, Place, Stored
from edge_agent.spool import Spool
from models.contract import codec, topics
from models.contract.errors import Reason
from models.contract.messages import STREAMS, Event, Receipt

#: publishes without PUBACK; brokers allow 20 without being told otherwise
UNACKNOWLEDGED: Final = 16
GAPS_S: Final = 1.0  #: between two declarations while the outbox is full
GAP_STALLS: Final = 15  #: of `stall_s` without its receipt before a gap is declared again
NOTICES: Final = 100  #: events of the agent itself that wait for a connection
log = logging.getLogger(__name__)


class Wire(Protocol):
    """A connection to the broker."""

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Return when the broker has the message (QoS 1)."""


class Sender:
    """Sends one device's batches, gaps, births and notices. Outlives connections."""

    def __init__(
        self, identity: str, spool: Spool, *, window: int = 64, stall_s: float = STALL_S
    ) -> None:
        self.identity = identity
        self.spool = spool
        self.flows = {stream: Flow(stream, window, stall_s) for stream in STREAMS}
        self.receipts = 0
        self._wake = asyncio.Event()
        self._receipted = asyncio.Event()
        self._again: dict[tuple[str, Place], Stored] = {}  #: by stream and place
        self._notices: deque[Event] = deque(maxlen=NOTICES)
        self._births_due = True
        self._gaps_due = True
        self._declared = (0, 0.0)
        self._declare_again_s: float | None = None  #: when, while gaps have no receipt
        self._gap_stall_s = GAP_STALLS * stall_s
        self._unnoted = False  #: the disk does not take receipts
        spool.appended = self._wake.set

    def reborn(self) -> None:
        """The outbox has a new birth: send it before the next batch."""
        self._births_due = True
        self._wake.set()

    def notify(self, event: Event) -> None:
        """Send an event of the agent itself, as soon as there is a connection."""
        self._notices.append(event)
        self._wake.set()

    async def drained(self) -> None:
        """Return when everything in the outbox has its receipt."""
        while True:
            self._receipted.clear()  # before looking: a receipt meanwhile must not be missed
            if await self.spool.empty():
                return
            await self._receipted.wait()

    async def run(self, wire: Wire) -> None:
        """Send over one connection until it breaks (the wire raises) or until cancelled."""
        for flow in self.flows.values():
            flow.begin(self._now())
        self._births_due = self._gaps_due = True
        self._again.clear()
        places = asyncio.Semaphore(UNACKNOWLEDGED)
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                stored = await self._next(wire)
                if not stored:
                    await self._rest()
                for one in stored:
                    await places.acquire()
                    group.create_task(self._deliver(wire, one, places))

    async def _next(self, wire: Wire) -> Sequence[Stored]:
        """Send what is small and urgent, and return the batches to send after it."""
        if self._births_due:
            await self._send_births(wire)
        noted, since_s = self._declared
        again_s = self._declare_again_s
        if (
            self._gaps_due
            or (noted != self.spool.outbox.noted and self._now() >= since_s + GAPS_S)
            or (again_s is not None and self._now() >= again_s)
        ):
            await self._send_gaps(wire)
        while self._notices:
            event = self._notices[0]
            topic = topics.up(self.identity, "e", event.type)
            await wire.publish(topic, codec.encode(event, "json"))
            self._notices.popleft()
        if self._again:
            again, self._again = list(self._again.values()), {}
            return again
        for stream, flow in self.flows.items():
            room = min(flow.room(), 8)
            if room:
                pending = self.spool.outbox.pending
                found = await self.spool.call(pending, stream, flow.cursor, room)
                for stored in found:
                    flow.sent(stored, self._now())
                if found:
                    return found
        return ()

    async def _send_births(self, wire: Wire) -> None:
        """Send the births of earlier boots that still have batches here, then our own, retained."""
        self._births_due = False
        births = await self.spool.call(self.spool.outbox.births)
        topic = topics.up(self.identity, "birth")
        for i, birth in enumerate(births, 1):
            await wire.publish(topic, birth, retain=i == len(births))

    async def _send_gaps(self, wire: Wire) -> None:
        self._gaps_due = False
        self._declared = (self.spool.outbox.noted, self._now())
        topic = topics.up(self.identity, "e", "gap")
        gaps = await self.spool.call(self.spool.outbox.gaps)
        self._declare_again_s = self._now() + self._gap_stall_s if gaps else None
        for gap in gaps:
            await wire.publish(topic, codec.encode(gap, "json"))

    async def _deliver(self, wire: Wire, stored: Stored, places: asyncio.Semaphore) -> None:
        try:
            u = self.spool.outbox.unreceipted(stored.boot, stored.stream)
            topic = topics.up(self.identity, "t", stored.stream)
            await wire.publish(topic, codec.with_unreceipted(stored.payload, min(u, stored.seq)))
            await self.delivered(stored)
        finally:
            places.release()

    async def delivered(self, stored: Stored) -> None:
        """The broker has the batch, which means nothing: only the receipt lets the device forget.

        (A proof of what deleting here would lose overrides this.)
        """

    async def _rest(self) -> None:
        """Wait for something to do, or for the time at which something has to be sent again."""
        deadlines = [flow.deadline() for flow in self.flows.values()]
        deadlines.append(self._declare_again_s)
        until = min((deadline for deadline in deadlines if deadline is not None), default=None)
        try:
            async with asyncio.timeout_at(until):
                await self._wake.wait()
        except TimeoutError:
            for flow in self.flows.values():
                place = flow.due(self._now())
                if place is not None:
                    await self._set_aside(flow.stream, place)

    async def _set_aside(self, stream: str, place: Place) -> None:
        outbox = self.spool.outbox
        for stored in await self.spool.call(outbox.pending, stream, BEGINNING, 1):
            if stored.place == place:
                log.error(
                    "%s %s %d: the service cannot read this batch; it is kept aside",
                    stored.boot,
                    stream,
                    stored.seq,
                )
                await self.spool.call(outbox.set_aside, stored, Reason.UNREADABLE.value)
                self._gaps_due = True

    async def receipt(self, receipt: Receipt) -> None:
        """Take a receipt: forget what the cloud has, and send what it lacks."""
        flow = self.flows.get(receipt.stream)
        if flow is None:
            return
        self.receipts += 1
        if any(refusal.code is Reason.UNKNOWN_DICTIONARY for refusal in receipt.refused):
            self._births_due = True  # the service has the batch, but not what explains it
        now_s = self._now()
        outbox = self.spool.outbox
        try:
            await self.spool.forget(receipt.boot, receipt.stream, receipt.hwm)
            for first, last, code in permanent(receipt):
                span = (receipt.boot, receipt.stream, first, last)
                await self.spool.call(outbox.discard, *span, code)
                self._gaps_due = True
        except OutboxGone:
            raise
        except OutboxError as error:  # what waits behind is sent all the same
            if not self._unnoted:
                log.error("receipts cannot be noted on the disk: %s", error)
            self._unnoted = True
        else:
            self._unnoted = False
        flow.receipt(receipt, now_s)
        for first, last in flow.wanted(receipt, now_s):
            held = await self.spool.call(outbox.holding, receipt.boot, receipt.stream, first, last)
            self._again |= {
                (one.stream, one.place): one for one in held if one.place <= flow.cursor
            }
            self._gaps_due |= not held
        self._receipted.set()
        self._wake.set()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
