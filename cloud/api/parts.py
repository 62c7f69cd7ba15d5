"""The parts of a machine that are used up: what is left of each, and by when to order."""

from typing import Final

import msgspec
from fastapi import APIRouter

from cloud.advisories.window import DAY_S
from cloud.api.deps import Deps
from cloud.api.pages import answer
from cloud.api.problems import declared
from cloud.api.wire import Json
from cloud.ledger.records import Clock
from models.assessment import Assessment, Life
from models.profile import Consumable, Profile, Words

NS: Final = 1_000_000_000
router = APIRouter(prefix="/api/v1/machines", tags=["machines"])


class PartView(msgspec.Struct, frozen=True, kw_only=True):
    """A part with its life as a band; null: insufficient data.

    It ends between `ends_earliest` (10 % have ended by then) and `ends_latest` (90 %), probably at
    `ends`. Ordered by `order_by` it is there before `ends_earliest`, with the planner's time kept.
    `fraction` runs from 1 (new) to 0 (used up); `basis` says what the band rests on.
    """

    component: str
    title: Words
    part: str  #: number to order
    lead_time_d: float
    fraction: float | None
    basis: str | None  #: counter, trend or prior
    ends_earliest_ns: int | None
    ends_ns: int | None
    ends_latest_ns: int | None
    order_by_ns: int | None


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
    profile = deps.profiles.get(row.profile) or deps.profiles["generic"]
    assessment = current.assessment if current else None
    items = [
        _view(name, part, _life(name, assessment), profile, assessment)
        for name, part in profile.consumables.items()
    ]
    items.sort(key=lambda one: (one.ends_ns is None, one.ends_ns or 0, one.component))
    at_ns = assessment.at_ns if assessment else None
    return Json(Parts(machine=machine, clock=row.clock, at_ns=at_ns, items=items))


def _life(component: str, assessment: Assessment | None) -> Life | None:
    """Return the life of a component that ends first."""
    lives = [one for one in (assessment.lives if assessment else ()) if one.component == component]
    known = [one for one in lives if one.p50_s is not None]
    return min(known, key=lambda one: one.p50_s or 0.0) if known else next(iter(lives), None)


def _view(
    name: str, part: Consumable, life: Life | None, profile: Profile, seen: Assessment | None
) -> PartView:
    at_ns = seen.at_ns if seen else 0

    def after(seconds: float | None) -> int | None:
        return None if seconds is None else at_ns + int(seconds * NS)

    order_by = None
    if life is not None and life.p10_s is not None:
        needed = (part.lead_time_d + profile.planning_d) * DAY_S
        order_by = after(max(life.p10_s - needed, 0.0))
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
    )
