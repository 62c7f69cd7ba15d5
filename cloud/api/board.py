"""The board: every machine at a glance, and what stands open on it, in one answer."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec
from fastapi import APIRouter

from cloud.api.deps import ApiDeps, Deps
from cloud.api.pages import answer
from cloud.api.problems import declared
from cloud.api.wire import Json
from cloud.glance import Glance, first_life
from cloud.ledger import AdvisoryRow, AdvisoryState, Key, MachineRow, TicketRow, TicketState
from cloud.ledger.records import Clock
from cloud.trail import points
from models.assessment import Life, State
from models.profile import Words

router = APIRouter(prefix="/api/v1", tags=["board"])
R = TypeVar("R")
PAGE: Final = 200
OPEN_ADVISORIES: Final = (AdvisoryState.OPEN, AdvisoryState.DEFERRED)
OPEN_TICKETS: Final = (TicketState.NEW, TicketState.IN_PROGRESS)


class LifeLeft(msgspec.Struct, frozen=True, kw_only=True):
    """The part that ends first: a band (p10, p50, p90) in seconds from `seen` of the machine."""

    component: str
    title: Words
    p10_s: float | None
    p50_s: float | None
    p90_s: float | None
    fraction: float | None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """The most urgent open advisory or ticket of a machine; `number` is a ticket's."""

    id: str
    number: int | None
    title: Words
    severity: int
    priority: int
    state: str
    due_earliest_ns: int
    due_latest_ns: int


class GlanceView(msgspec.Struct, frozen=True, kw_only=True):
    """A machine at a glance: `seen` and `data` on its own clock, `heard` on the wall's.

    `trail_ms` and `trail` are columns: times in ms since 1970 UTC on the machine's clock, and its
    health (0..100).
    """

    machine: str
    state: State
    score: float | None
    health: float | None
    coverage: float | None
    seen_ns: int | None
    data_ns: int | None
    heard_ns: int | None
    left: LifeLeft | None
    trail_ms: list[int]
    trail: list[float]


class BoardRow(GlanceView, frozen=True, kw_only=True):
    """A machine on the board."""

    name: str | None
    device: str
    profile: str
    type: Words
    clock: Clock
    advisory: Work | None
    ticket: Work | None


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """All machines by id; `now` is the wall clock of the service."""

    now_ns: int
    demo: bool
    items: list[BoardRow]


def left_view(deps: ApiDeps, profile: str, life: Life | None) -> LifeLeft | None:
    """Return a life with the title of its part."""
    if life is None:
        return None
    known = deps.profiles.get(profile)
    part = known.consumables.get(life.component) if known else None
    return LifeLeft(
        component=life.component,
        title=part.title if part else {},
        p10_s=life.p10_s,
        p50_s=life.p50_s,
        p90_s=life.p90_s,
        fraction=life.fraction,
    )


def glance_view(deps: ApiDeps, profile: str, glance: Glance) -> GlanceView:
    """Return a glance as people get it."""
    trail = points(glance.trail)
    return GlanceView(
        machine=glance.machine,
        state=glance.state,
        score=glance.score,
        health=glance.health,
        coverage=glance.coverage,
        seen_ns=glance.seen_ns,
        data_ns=glance.data_ns,
        heard_ns=glance.heard_ns,
        left=left_view(deps, profile, glance.first),
        trail_ms=[at_ns // 1_000_000 for at_ns, _ in trail],
        trail=[health for _, health in trail],
    )


@router.get("/board", responses=answer("Board") | declared())
def board(deps: Deps) -> Json:
    """Return every machine at a glance."""
    open_advisories = _all(deps.ledger.advisories, states=OPEN_ADVISORIES)
    open_tickets = _all(deps.ledger.tickets, states=OPEN_TICKETS)
    advisories, tickets = _worst(open_advisories), _worst(open_tickets)
    rows = []
    for row in _all(deps.ledger.machines):
        glance = _glance(deps, row)
        profile = deps.profiles.get(row.profile)
        rows.append(
            BoardRow(
                **msgspec.structs.asdict(glance_view(deps, row.profile, glance)),
                name=row.name,
                device=row.device,
                profile=row.profile,
                type=profile.title if profile else {},
                clock=row.clock,
                advisory=advisories.get(row.id),
                ticket=tickets.get(row.id),
            )
        )
    return Json(Board(now_ns=deps.health().now_ns, demo=deps.demo, items=rows))


def _glance(deps: ApiDeps, row: MachineRow) -> Glance:
    known = deps.live.glance(row.id) if deps.live else None
    if known is not None and known.seen_ns is not None:
        return known
    current = deps.ledger.current(row.id) if row.seen_ns is not None else None
    return Glance(
        machine=row.id,
        seen_ns=row.seen_ns,
        data_ns=known.data_ns if known else row.seen_ns,
        heard_ns=known.heard_ns if known else None,
        state=row.state,
        score=row.score,
        health=row.health,
        coverage=row.coverage,
        first=first_life(current.assessment.lives) if current else None,
    )


def _all(read: Callable[..., tuple[list[R], Key | None]], **filters: object) -> list[R]:
    found: list[R] = []
    after: Key | None = None
    while True:
        rows, after = read(after=after, limit=PAGE, **filters)
        found += rows
        if after is None:
            return found


def _worst(rows: Sequence[AdvisoryRow | TicketRow]) -> dict[str, Work]:
    """Return the gravest of each machine; of equal ones that which is due first."""
    ordered = sorted(rows, key=lambda one: (one.severity, -one.due_latest_ns))
    return {row.machine: _work(row) for row in ordered}


def _work(row: AdvisoryRow | TicketRow) -> Work:
    return Work(
        id=row.id,
        number=row.number if isinstance(row, TicketRow) else None,
        title=row.title,
        severity=row.severity,
        priority=row.priority,
        state=row.state,
        due_earliest_ns=row.due_earliest_ns,
        due_latest_ns=row.due_latest_ns,
    )
