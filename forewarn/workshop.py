"""Who mends the demo's machines: a ticket is resolved, and the simulated machine is repaired.

A service stamps what is done to a replayed machine with its newest reading, and further readings
are on their way at any time. So the machine's gateway stands still while somebody resolves its
ticket: what is on its way arrives first, and what comes afterwards is read from the repaired
machine.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.errors import CloudError
from cloud.ledger import Ledger, TicketRow, TicketState, Verdict
from cloud.live import Live
from simulators.driver import SimulatedDriver

PATH: Final = re.compile(r"/api/v1/tickets/([^/]+)/resolve")
LOOK_S: Final = 0.02
PATIENCE_S: Final = 20.0  #: so long a resolution waits for readings; a demo has them within 1 or 2


class Workshop:
    """Repairs machines when their tickets are resolved with a confirmed fault."""

    def __init__(self, ledger: Ledger, live: Live, drivers: Sequence[SimulatedDriver]) -> None:
        self._ledger = ledger
        self._live = live
        self._drivers = {key: driver for driver in drivers for key in driver.fleet.machines}
        self._one_by_one = asyncio.Lock()
        #: (machine's key, component) -> when it was renewed, s of simulated time
        self.repaired: dict[tuple[str, str], list[float]] = {}

    async def visit(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that resolves a ticket; repair the machine when it was taken."""
        ticket_id = PATH.fullmatch(scope["path"])
        before = None if ticket_id is None else await self._ticket(ticket_id[1])
        key = "" if before is None else before.machine.partition(":")[2]
        driver = self._drivers.get(key)
        if before is None or driver is None:
            await app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                await self._repair(driver, key, before)
            await send(message)

        async with self._one_by_one:
            driver.free.clear()
            try:
                await self._arrived(driver, before.machine)
                await app(scope, receive, answer)
            finally:
                driver.free.set()

    async def _ticket(self, ticket_id: str) -> TicketRow | None:
        try:
            return await asyncio.to_thread(self._ledger.ticket, ticket_id)
        except CloudError:  # the route will say what is wrong
            return None

    async def _arrived(self, driver: SimulatedDriver, machine: str) -> None:
        """Wait until the service has judged every reading that was given."""
        newest_ns = driver.fleet.scenario.start_ns + round(driver.now_s * 1e9)
        loop = asyncio.get_running_loop()
        ends = loop.time() + PATIENCE_S
        while loop.time() < ends:
            glance = self._live.glance(machine)
            if glance is not None and (glance.data_ns or 0) >= newest_ns:
                return
            await asyncio.sleep(LOOK_S)

    async def _repair(self, driver: SimulatedDriver, key: str, before: TicketRow) -> None:
        ticket = await self._ticket(before.id)
        if ticket is None or ticket.version == before.version:  # said again: it was done then
            return
        if ticket.state is TicketState.RESOLVED and ticket.verdict == Verdict.CONFIRMED:
            component = ticket.replaced or ticket.component
            at_s = driver.repair(key, component)
            self.repaired.setdefault((key, component), []).append(at_s)


class Visits:
    """The workshop in front of the service's API (ASGI)."""

    def __init__(self, app: ASGIApp, workshop: Workshop) -> None:
        self._app = app
        self._workshop = workshop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        if scope["type"] == "http" and scope["method"] == "POST":
            await self._workshop.visit(self._app, scope, receive, send)
        else:
            await self._app(scope, receive, send)
