"""Assessments: what the models said of a machine, newest first."""

from typing import Annotated

from fastapi import APIRouter, Query

from cloud.api.pages import Paging, answer
from cloud.api.problems import declared
from cloud.api.wire import Json
from cloud.times import parse_time

router = APIRouter(prefix="/api/v1/machines", tags=["assessments"])
Moment = Annotated[
    str | None, Query(max_length=40, description="RFC 3339, or whole ns since 1970 UTC")
]


@router.get("/{machine}/assessments", responses=answer("AssessmentPage") | declared(404))
def list_assessments(
    paging: Paging,
    machine: str,
    start: Moment = None,
    end: Moment = None,
) -> Json:
    """List assessments with start <= at < end, newest first, on the machine's clock."""
    ledger = paging.deps.ledger
    ledger.machine(machine)
    return paging.show(
        ledger.assessments,
        machine=machine,
        start_ns=parse_time(start, "query/start") if start else None,
        end_ns=parse_time(end, "query/end") if end else None,
    )
