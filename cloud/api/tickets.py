"""Tickets: list, read, and the steps from new to closed."""

from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from cloud.api.bodies import body, takes
from cloud.api.deps import Deps
from cloud.api.machines import Clocks
from cloud.api.pages import Paging, answer, one, single, tagged
from cloud.api.problems import declared
from cloud.api.why import explain
from cloud.api.wire import Json
from cloud.api.writes import PROBLEMS, Creation, Name, Signed, Text, Write
from cloud.errors import Refused
from cloud.ledger import EventRow, Repair, Resolved, TicketRow, TicketState, Verdict
from cloud.ledger.records import Clock

router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"])


class TicketView(TicketRow, frozen=True, kw_only=True):
    """A ticket; its times are on the machine's `clock`, `recorded` on the wall's."""

    clock: Clock


class Acknowledgement(Signed, frozen=True, kw_only=True):
    """The actor takes the ticket on."""


class Resolution(Signed, frozen=True, kw_only=True):
    """What was found and done. `replaced` names the component that is new now."""

    verdict: Verdict
    as_found: Text | None = None
    note: Text | None = None
    replaced: Name | None = None


class Closing(Signed, frozen=True, kw_only=True):
    """`confirmed`: the customer agrees that it is done; else nothing was heard."""

    confirmed: bool
    note: Text | None = None


class Reason(Signed, frozen=True, kw_only=True):
    """Why it is taken up again or ended without work."""

    note: Text


class Comment(Signed, frozen=True, kw_only=True):
    """A remark; an `internal` one is not for the customer."""

    text: Text
    internal: bool = False


def _view(row: TicketRow, clocks: Clocks) -> TicketView:
    return TicketView(**msgspec.structs.asdict(row), clock=clocks.of(row.machine))


@router.get("", responses=answer("TicketPage") | declared())
def list_tickets(
    paging: Paging,
    machine: Annotated[str | None, Query(max_length=200)] = None,
    state: Annotated[list[TicketState] | None, Query(description="any of these")] = None,
) -> Json:
    """List tickets, newest first."""
    clocks = Clocks(paging.deps)
    return paging.show(
        paging.deps.ledger.tickets,
        lambda row: _view(row, clocks),
        machine=machine,
        states=tuple(state or ()),
    )


@router.get("/{ticket}", responses=one("TicketView") | declared(404))
def one_ticket(request: Request, deps: Deps, ticket: str) -> Response:
    """Return one ticket."""
    row = deps.ledger.ticket(ticket)
    return single(request, _view(row, Clocks(deps)), row.version)


@router.get("/{ticket}/why", responses=answer("Why") | declared(404))
def ticket_why(deps: Deps, ticket: str) -> Json:
    """Say why the ticket is there, how sure that is and how long is left."""
    row = deps.ledger.ticket(ticket)
    return Json(explain(deps, deps.ledger.advisory(row.advisory_id)))


@router.get("/{ticket}/history", responses=answer("EventPage") | declared(404))
def history(paging: Paging, ticket: str) -> Json:
    """List what happened to a ticket, oldest first, comments included."""
    ledger = paging.deps.ledger
    ledger.ticket(ticket)
    return paging.show(ledger.events, subject_id=ticket)


_WRITTEN: Final = tagged("TicketView") | declared(*PROBLEMS)
Writing = Annotated[Write, Depends()]


async def _change(write: Write, ticket: str, work: Callable[[int], TicketRow]) -> Response:
    ledger = write.deps.ledger
    return await write.change(
        lambda: ledger.ticket(ticket), work, lambda row: _view(row, Clocks(write.deps))
    )


@router.post("/{ticket}/acknowledge", responses=_WRITTEN, openapi_extra=takes(Acknowledgement))
async def acknowledge(
    ticket: str,
    given: Annotated[Acknowledgement, Depends(body(Acknowledgement))],
    write: Writing,
) -> Response:
    """Take a new ticket on."""
    ledger, actor = write.deps.ledger, write.actor(given)
    return await _change(write, ticket, lambda v: ledger.acknowledge(ticket, v, actor=actor))


@router.post("/{ticket}/resolve", responses=_WRITTEN, openapi_extra=takes(Resolution))
async def resolve(
    ticket: str, given: Annotated[Resolution, Depends(body(Resolution))], write: Writing
) -> Response:
    """Say what was found and done; a replaced component begins anew in the models."""
    deps, actor = write.deps, write.actor(given)
    repairs: list[Repair] = []

    def resolved(version: int) -> TicketRow:
        done: Resolved = deps.ledger.resolve(
            ticket,
            version,
            actor=actor,
            verdict=given.verdict,
            as_found=given.as_found,
            note=given.note,
            replaced=given.replaced,
        )
        if done.repair is not None:
            repairs.append(done.repair)
        return done.ticket

    answer = await _change(write, ticket, resolved)
    for repair in repairs:  # committed by now
        deps.repaired(repair)
    return answer


@router.post("/{ticket}/reopen", responses=_WRITTEN, openapi_extra=takes(Reason))
async def reopen(
    ticket: str, given: Annotated[Reason, Depends(body(Reason))], write: Writing
) -> Response:
    """Take a resolved ticket up again."""
    ledger, actor = write.deps.ledger, write.actor(given)
    return await _change(
        write,
        ticket,
        lambda v: ledger.reopen(ticket, v, actor=actor, note=given.note),
    )


@router.post("/{ticket}/close", responses=_WRITTEN, openapi_extra=takes(Closing))
async def close(
    ticket: str, given: Annotated[Closing, Depends(body(Closing))], write: Writing
) -> Response:
    """Close a resolved ticket."""
    ledger, actor = write.deps.ledger, write.actor(given)
    return await _change(
        write,
        ticket,
        lambda v: ledger.close_ticket(
            ticket,
            v,
            actor=actor,
            confirmed=given.confirmed,
            note=given.note,
        ),
    )


@router.post("/{ticket}/cancel", responses=_WRITTEN, openapi_extra=takes(Reason))
async def cancel(
    ticket: str, given: Annotated[Reason, Depends(body(Reason))], write: Writing
) -> Response:
    """End a ticket without work."""
    ledger, actor = write.deps.ledger, write.actor(given)
    return await _change(
        write,
        ticket,
        lambda v: ledger.cancel(ticket, v, actor=actor, note=given.note),
    )


_ADDED: Final = tagged("EventRow", status=201) | declared(403, 404, 409, 415, 507)


@router.post("/{ticket}/comments", status_code=201, responses=_ADDED, openapi_extra=takes(Comment))
async def comment(
    ticket: str,
    given: Annotated[Comment, Depends(body(Comment))],
    creation: Annotated[Creation, Depends()],
) -> Response:
    """Add a remark to a ticket's history."""
    if given.internal and creation.deps.principal.reach is not None:
        raise Refused("body/internal", "what a customer writes is for everybody")
    ledger, actor = creation.deps.ledger, creation.deps.signed(given.actor)

    def added() -> EventRow:
        return ledger.comment(ticket, actor=actor, text=given.text, internal=given.internal)

    return await creation.add(added)
