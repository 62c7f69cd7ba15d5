"""Advisories: the planner's inbox, with what speaks for each, and the planner's decisions."""

from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from cloud.api.bodies import body, takes
from cloud.api.deps import Deps
from cloud.api.machines import Clocks
from cloud.api.pages import Paging, answer, one, single, tagged
from cloud.api.problems import declared
from cloud.api.why import evidence_now, explain
from cloud.api.wire import Json
from cloud.api.writes import PROBLEMS, Creation, Signed, Text, Write
from cloud.ledger import AdvisoryRow, AdvisoryState, EvidenceRow
from cloud.ledger.records import Clock
from cloud.times import parse_time

router = APIRouter(prefix="/api/v1/advisories", tags=["advisories"])


class AdvisoryView(AdvisoryRow, frozen=True, kw_only=True):
    """An advisory; its times are on the machine's `clock`, `recorded` on the wall's."""

    clock: Clock


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What speaks for an advisory, oldest first.

    `severity`, `value`, `expected` and `witnesses` are those of now while a condition lasts and the
    advisory waits or is worked on, afterwards those of when it was worst.
    """

    items: list[EvidenceRow]


class AdvisoryCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many advisories are in each state; `deferred` are snoozed or shelved."""

    states: dict[AdvisoryState, int]


class Acceptance(Signed, frozen=True, kw_only=True):
    """Accept: a ticket is made."""


class Deferral(Signed, frozen=True, kw_only=True):
    """Look at it again later: `until` is RFC 3339 on the machine's clock."""

    until: Annotated[str, msgspec.Meta(max_length=40)]
    reason: Text | None = None


class Shelving(Signed, frozen=True, kw_only=True):
    """Put away until it gets worse."""

    reason: Text


class Seen(Signed, frozen=True, kw_only=True):
    """Somebody looks into it; nothing is decided."""


class Note(Signed, frozen=True, kw_only=True):
    """A remark for the others."""

    text: Text


class Rejection(Signed, frozen=True, kw_only=True):
    """Nothing will be done, because."""

    reason: Text


def _view(row: AdvisoryRow, clocks: Clocks) -> AdvisoryView:
    return AdvisoryView(**msgspec.structs.asdict(row), clock=clocks.of(row.machine))


@router.get("", responses=answer("AdvisoryPage") | declared())
def list_advisories(
    paging: Paging,
    machine: Annotated[str | None, Query(max_length=200)] = None,
    state: Annotated[list[AdvisoryState] | None, Query(description="any of these")] = None,
) -> Json:
    """List advisories, newest first."""
    clocks = Clocks(paging.deps)
    return paging.show(
        paging.deps.ledger.advisories,
        lambda row: _view(row, clocks),
        machine=machine,
        states=tuple(state or ()),
    )


@router.get("/counts", responses=answer("AdvisoryCounts") | declared())
def count_advisories(deps: Deps) -> Json:
    """Count advisories by state: what waits, what was put away, what is only recorded."""
    return Json(AdvisoryCounts(states=deps.ledger.advisory_counts()))


@router.get("/{advisory}", responses=one("AdvisoryView") | declared(404))
def one_advisory(request: Request, deps: Deps, advisory: str) -> Response:
    """Return one advisory."""
    row = deps.ledger.advisory(advisory)
    return single(request, _view(row, Clocks(deps)), row.version)


@router.get("/{advisory}/why", responses=answer("Why") | declared(404))
def advisory_why(deps: Deps, advisory: str) -> Json:
    """Say why the advisory is there, how sure that is and how long is left."""
    return Json(explain(deps, deps.ledger.advisory(advisory)))


@router.get("/{advisory}/evidence", responses=answer("Evidence") | declared(404))
def evidence(deps: Deps, advisory: str) -> Json:
    """Return what speaks for an advisory."""
    return Json(Evidence(items=evidence_now(deps, deps.ledger.advisory(advisory))))


_WRITTEN: Final = tagged("AdvisoryView") | declared(*PROBLEMS)
Decision = Literal["accept", "defer", "shelve", "reject"]


async def _decide(
    write: Write,
    advisory: str,
    decision: Decision,
    *,
    actor: str,
    reason: str | None = None,
    until_ns: int | None = None,
) -> Response:
    ledger = write.deps.ledger
    return await write.change(
        lambda: ledger.advisory(advisory),
        lambda version: ledger.decide_advisory(
            advisory, version, decision, actor=actor, reason=reason, until_ns=until_ns
        ),
        lambda row: _view(row, Clocks(write.deps)),
    )


@router.post("/{advisory}/accept", responses=_WRITTEN, openapi_extra=takes(Acceptance))
async def accept(
    advisory: str,
    given: Annotated[Acceptance, Depends(body(Acceptance))],
    write: Annotated[Write, Depends()],
) -> Response:
    """Accept an advisory: its ticket is made."""
    return await _decide(write, advisory, "accept", actor=write.actor(given))


@router.post("/{advisory}/defer", responses=_WRITTEN, openapi_extra=takes(Deferral))
async def defer(
    advisory: str,
    given: Annotated[Deferral, Depends(body(Deferral))],
    write: Annotated[Write, Depends()],
) -> Response:
    """Defer an advisory until a time."""
    until_ns = parse_time(given.until, "body/until")
    return await _decide(
        write,
        advisory,
        "defer",
        actor=write.actor(given),
        reason=given.reason,
        until_ns=until_ns,
    )


@router.post("/{advisory}/shelve", responses=_WRITTEN, openapi_extra=takes(Shelving))
async def shelve(
    advisory: str,
    given: Annotated[Shelving, Depends(body(Shelving))],
    write: Annotated[Write, Depends()],
) -> Response:
    """Put an advisory away until it gets worse, with the reason."""
    actor = write.actor(given)
    return await _decide(write, advisory, "shelve", actor=actor, reason=given.reason)


@router.post("/{advisory}/acknowledge", responses=_WRITTEN, openapi_extra=takes(Seen))
async def acknowledge_advisory(
    advisory: str,
    given: Annotated[Seen, Depends(body(Seen))],
    write: Annotated[Write, Depends()],
) -> Response:
    """Say that somebody looks into an advisory; the decision stays open."""
    ledger, actor = write.deps.ledger, write.actor(given)
    return await write.change(
        lambda: ledger.advisory(advisory),
        lambda version: ledger.acknowledge_advisory(advisory, version, actor=actor),
        lambda row: _view(row, Clocks(write.deps)),
    )


@router.post("/{advisory}/reject", responses=_WRITTEN, openapi_extra=takes(Rejection))
async def reject(
    advisory: str,
    given: Annotated[Rejection, Depends(body(Rejection))],
    write: Annotated[Write, Depends()],
) -> Response:
    """Reject an advisory, with the reason."""
    return await _decide(write, advisory, "reject", actor=write.actor(given), reason=given.reason)


@router.get("/{advisory}/history", responses=answer("EventPage") | declared(404))
def advisory_history(paging: Paging, advisory: str) -> Json:
    """List what happened to an advisory, oldest first, remarks included."""
    ledger = paging.deps.ledger
    ledger.advisory(advisory)
    return paging.show(ledger.events, subject_id=advisory)


@router.post(
    "/{advisory}/notes",
    status_code=201,
    responses=tagged("EventRow", status=201) | declared(404, 409, 415, 507),
    openapi_extra=takes(Note),
)
async def note_advisory(
    advisory: str,
    given: Annotated[Note, Depends(body(Note))],
    creation: Annotated[Creation, Depends()],
) -> Response:
    """Add a remark to an advisory's history."""
    ledger, actor = creation.deps.ledger, creation.deps.signed(given.actor)
    return await creation.add(lambda: ledger.note(advisory, actor=actor, text=given.text))
