"""Server-sent events: what changes, pushed once a second to whoever watches.

Each message is an event `changes` with an id; after a cut the browser sends the last id it saw
(`Last-Event-ID`) and gets what it missed, or an event `reset`: read everything anew. `values`
carries the newest readings of the machines asked for. A comment every 15 s keeps proxies from
closing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from cloud.api.board import GlanceView, glance_view
from cloud.api.deps import ApiDeps, Deps, welcome
from cloud.api.problems import HttpProblem, declared
from cloud.api.wire import encode
from cloud.errors import NotFound
from cloud.live import Change, Live, Message, Reading
from cloud.trail import newest

HEARTBEAT_S: Final = 15.0
FORGOTTEN: Final = 10  #: messages after which it is looked up again whose a machine is
WATCHED: Final = 20  #: machines whose values one stream may ask for
MEDIA_TYPE: Final = "text/event-stream"
router = APIRouter(prefix="/api/v1", tags=["live"])
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "events `hello`, `changes`, `values` and `reset` until one side ends it",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Machines that changed, of each trail its newest point; and lines of the event log in short.

    `now` is the wall clock.
    """

    now_ns: int
    machines: list[GlanceView]
    changes: list[Change]


class Values(msgspec.Struct, frozen=True, kw_only=True):
    """Newest readings, in the units of their signals."""

    readings: list[Reading]


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The stream is open; `now` is the wall clock of the service."""

    now_ns: int


@router.get("/events", responses=_STREAM | declared(404), response_class=StreamingResponse)
async def events(
    request: Request,
    deps: Deps,
    machine: Annotated[
        list[str] | None,
        Query(max_length=WATCHED, description="machines whose newest values are wanted too"),
    ] = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=60)] = None,
) -> StreamingResponse:
    """Push what changes, once a second, until one side ends it."""
    if deps.live is None:
        raise HttpProblem(503, "nothing is pushed here: ask again for what you want to know")
    if deps.principal.reach is not None:
        for name in machine or ():
            await asyncio.to_thread(deps.ledger.machine, name)  # 404 for what is not theirs

    async def stays() -> bool:
        return await asyncio.to_thread(welcome, request, deps, machine or ())

    stream = _stream(deps, deps.live, frozenset(machine or ()), last_event_id, stays)
    return StreamingResponse(stream, media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})


async def _stream(
    deps: ApiDeps,
    live: Live,
    machines: frozenset[str],
    last: str | None,
    stays: Callable[[], Awaitable[bool]],
) -> AsyncIterator[bytes]:
    """Yield events until one side ends it, or whoever listens may no longer (`stays`)."""
    made, show = _shower(deps, live)
    watcher = live.watch(machines)
    try:
        missed = live.since(last) if last else []  # with nothing handed out since `watch`
        place = last if missed else live.place()
        yield event("hello", Hello(now_ns=deps.health().now_ns), place)
        if missed is None:
            yield event("reset", Hello(now_ns=deps.health().now_ns), live.place())
        for message in missed or ():
            yield await asyncio.to_thread(made, message)
        while True:
            try:
                delivery = await asyncio.wait_for(watcher.queue.get(), HEARTBEAT_S)
            except TimeoutError:
                if not await stays():
                    return
                yield b": still here\n\n"
                continue
            if delivery is None or not await stays():
                return
            yield await asyncio.to_thread(show, delivery.message)
            if delivery.readings:
                yield event("values", Values(readings=list(delivery.readings)))
            if not delivery.whole:
                yield event("reset", Hello(now_ns=deps.health().now_ns))
    finally:
        live.leave(watcher)


def _shower(
    deps: ApiDeps, live: Live
) -> tuple[Callable[[Message], bytes], Callable[[Message], bytes]]:
    """Return what writes a message that is one watcher's alone, and one that all watchers get."""

    def made(message: Message) -> bytes:
        value = Changes(
            now_ns=message.at_ns,
            machines=[
                glance_view(
                    deps,
                    _profile(deps, live, g.machine),
                    msgspec.structs.replace(g, trail=newest(g.trail)),
                )
                for g in message.machines
            ],
            changes=list(message.changes),
        )
        return event("changes", value, live.place(message.n))

    def show(message: Message) -> bytes:
        kept = live.shown.get(message.n)
        if kept is None:
            kept = live.shown[message.n] = made(message)
        return kept

    if deps.principal.reach is None:
        return made, show
    seen = _Seen(deps)

    def mine(message: Message) -> bytes:
        return made(seen.part(message))

    return mine, mine


def _profile(deps: ApiDeps, live: Live, machine: str) -> str:
    """Return a machine's type, as it is remembered."""
    found = live.profiles.get(machine)
    if found is None:
        try:
            found = live.profiles[machine] = deps.ledger.machine(machine).profile
        except NotFound:  # heard, and not registered yet
            return "generic"
    return found


class _Seen:
    """What of the messages somebody with a reach gets: their machines and tickets."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._mine: dict[str, bool] = {}
        self._parts = 0

    def part(self, message: Message) -> Message:
        """Return a message without what belongs to others."""
        self._parts += 1
        if self._parts % FORGOTTEN == 0:
            self._mine = {}  # a machine may have been placed with somebody else
        machines = tuple(g for g in message.machines if self._sees(g.machine))
        changes = tuple(
            c
            for c in message.changes
            if c.subject in ("machine", "ticket") and c.machine and self._sees(c.machine)
        )
        return replace(message, machines=machines, changes=changes)

    def _sees(self, machine: str) -> bool:
        if machine not in self._mine:
            try:
                self._deps.ledger.machine(machine)
            except NotFound:
                return False
            self._mine[machine] = True
        return self._mine[machine]


def event(kind: str, value: object, id_: str | None = None) -> bytes:
    """Return one event as it goes over the wire (HTML standard, 9.2.5)."""
    head = f"id: {id_}\n" if id_ else ""
    return f"{head}event: {kind}\ndata: ".encode() + encode(value) + b"\n\n"
