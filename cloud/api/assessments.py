"""Assessments: what the models said of a machine, newest first."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from msgspec.structs import replace

from cloud.api.pages import Paging, answer
from cloud.api.problems import declared
from cloud.api.wire import Json
from cloud.ledger import AssessmentRow
from cloud.ledger.records import Clock
from cloud.times import parse_time
from models.assessment import Assessment
from models.profile import Profile

router = APIRouter(prefix="/api/v1/machines", tags=["assessments"])
Moment = Annotated[
    str | None, Query(max_length=40, description="RFC 3339, or whole ns since 1970 UTC")
]


class AssessmentView(Assessment, frozen=True, kw_only=True):
    """An assessment as filed; its times are on the machine's `clock`, `recorded` on the wall's."""

    id: str
    recorded_ns: int
    clock: Clock


@router.get("/{machine}/assessments", responses=answer("AssessmentPage") | declared(404))
def list_assessments(
    paging: Paging,
    machine: str,
    start: Moment = None,
    end: Moment = None,
) -> Json:
    """List assessments with start <= at < end, newest first, on the machine's clock."""
    ledger = paging.deps.ledger
    known = ledger.machine(machine)
    profile = paging.deps.profile_of(machine, known.profile)
    since_ns = ledger.units_since_ns(machine)

    def view(row: AssessmentRow) -> AssessmentView:
        said = msgspec.structs.asdict(in_units(row.assessment, profile, since_ns))
        return AssessmentView(**said, id=row.id, recorded_ns=row.recorded_ns, clock=known.clock)

    return paging.show(
        ledger.assessments,
        view,
        machine=machine,
        start_ns=parse_time(start, "query/start") if start else None,
        end_ns=parse_time(end, "query/end") if end else None,
    )


def in_units(assessment: Assessment, profile: Profile, since_ns: int | None) -> Assessment:
    """Return an assessment in which what makes up the score has the units that devices tell.

    `profile`: as the API knows it, with the units told since `since_ns`; scoring knows the machine
    type's alone. What was told before is not kept: an older assessment stays as it was filed.
    """
    if since_ns is None or assessment.at_ns < since_ns:
        return assessment
    told = [
        replace(one, unit=said.unit) if (said := profile.said(one.signal)) else one
        for one in assessment.contributions
    ]
    return replace(assessment, contributions=tuple(told))
