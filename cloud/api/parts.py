"""The parts of a machine that are used up: what is left of each, and by when to order."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from fastapi import APIRouter

from cloud.advisories.values import STANDING, WATCHED
from cloud.advisories.window import absorbed, visit, window
from cloud.api.deps import ApiDeps, Deps
from cloud.api.pages import answer
from cloud.api.problems import declared
from cloud.api.why import forecast, recent
from cloud.api.wire import Json
from cloud.ledger import AdvisoryRow, TicketRow
from cloud.ledger.records import Clock
from cloud.tickets.lifecycle import PLANNED
from models.assessment import Assessment, Life
from models.profile import Consumable, FailureMode, Profile, Words

NS: Final = 1_000_000_000
SEVERITY: Final = 2  #: of a part that wears as it should
MOST: Final = 100  #: advisories or tickets of one machine that are looked through
router = APIRouter(prefix="/api/v1/machines", tags=["machines"])


class PartView(msgspec.Struct, frozen=True, kw_only=True):
    """A part with its life as a band; null: insufficient data.

    It ends between `ends_earliest` (10 % have ended by then) and `ends_latest` (90 %), probably at
    `ends`. Ordered by `order_by` it is there when the customer's window opens before
    `ends_earliest`, with the planner's time kept; a visit that is planned anyway takes it along.
    Where an advisory stands for the part, the date is the advisory's, as on its ticket, also
    without a band.
    `fraction` runs from 1 (new) to 0 (used up); `basis` says what the band rests on, `why` in words
    by language: what drives it, what such parts did before, what became of earlier forecasts.
    """

    component: str
    title: Words
    part: str  #: number to order
    lead_time_d: float
    fraction: float | None
    basis: str | None  #: wear, counter, trend, hazard or prior
    ends_earliest_ns: int | None
    ends_ns: int | None
    ends_latest_ns: int | None
    order_by_ns: int | None
    why: Mapping[str, Sequence[str]]


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a machine, what ends first on top; times are on the machine's `clock`."""

    machine: str
    clock: Clock
    at_ns: int | None  #: of the assessment this rests on
    items: list[PartView]


@router.get("/{machine}/parts", responses=answer("Parts") | declared(404))
def list_parts(deps: Deps, machine: str) -> Json:
    """List a machine's parts with what is left of them."""
    row = deps.ledger.machine(machine)
    current = deps.ledger.current(machine)
    profile = deps.profile_of(machine, row.profile)
    assessment = current.assessment if current else None
    at_ns = assessment.at_ns if assessment else None
    work, assessments, items = _Work.of(deps, machine), recent(deps, machine), []
    for name, part in profile.consumables.items():
        life = _life(name, assessment)
        order_by = work.order_by_ns(name, life, profile, at_ns or 0)
        why = forecast(deps, name, life, profile, assessments)
        items.append(_view(name, part, life, at_ns or 0, order_by, why))
    items.sort(key=lambda one: (one.ends_ns is None, one.ends_ns or 0, one.component))
    return Json(Parts(machine=machine, clock=row.clock, at_ns=at_ns, items=items))


class _Work(msgspec.Struct, frozen=True, kw_only=True):
    """What is planned on a machine: its standing advisories with a life, and its tickets."""

    advisories: tuple[AdvisoryRow, ...]
    tickets: tuple[TicketRow, ...]

    @classmethod
    def of(cls, deps: ApiDeps, machine: str) -> "_Work":
        standing = tuple(sorted(STANDING - WATCHED))
        advisories, _ = deps.ledger.advisories(machine=machine, states=standing, limit=MOST)
        planned = tuple(sorted(PLANNED))
        tickets, _ = deps.ledger.tickets(machine=machine, states=planned, limit=MOST)
        return cls(advisories=tuple(advisories), tickets=tuple(tickets))

    def order_by_ns(
        self, component: str, life: Life | None, profile: Profile, at_ns: int
    ) -> int | None:
        """Return by when to order a part: as the advisory says, else as one would now."""
        for row in self.advisories:
            mode = profile.failure_modes.get(row.mode)
            if row.component == component and row.ended_ns is None and mode and mode.life:
                return row.order_by_ns
        if life is None or life.p10_s is None:
            return None
        due = window(at_ns, life, SEVERITY, _mode(component, life, profile), profile)
        return absorbed(due, map(visit, self.tickets), at_ns).order_by_ns


def _mode(component: str, life: Life, profile: Profile) -> FailureMode:
    """Return the failure mode that a life counts down to; one without work where none is named."""
    mode = profile.failure_modes.get(life.mode)
    return mode or FailureMode(component=component, title={}, action={}, duration_h=0.0)


def _life(component: str, assessment: Assessment | None) -> Life | None:
    """Return the life of a component that ends first."""
    lives = [one for one in (assessment.lives if assessment else ()) if one.component == component]
    known = [one for one in lives if one.p50_s is not None]
    return min(known, key=lambda one: one.p50_s or 0.0) if known else next(iter(lives), None)


def _view(  # noqa: PLR0917  one row, one caller
    name: str,
    part: Consumable,
    life: Life | None,
    at_ns: int,
    order_by: int | None,
    why: Mapping[str, Sequence[str]],
) -> PartView:
    def after(seconds: float | None) -> int | None:
        return None if seconds is None else at_ns + int(seconds * NS)

    return PartView(
        component=name,
        title=part.title,
        part=part.part,
        lead_time_d=part.lead_time_d,
        fraction=life.fraction if life else None,
        basis=life.basis if life else None,
        ends_earliest_ns=after(life.p10_s) if life else None,
        ends_ns=after(life.p50_s) if life else None,
        ends_latest_ns=after(life.p90_s) if life else None,
        order_by_ns=order_by,
        why=why,
    )
