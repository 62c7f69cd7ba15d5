"""The OpenAPI 3.1 description: routes from the framework, shapes from the frozen structs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from cloud.api import (
    advisories,
    assessments,
    board,
    health,
    machines,
    profiles,
    quarantine,
    series,
    tickets,
    trend,
    why,
)
from cloud.api.problems import KINDS, MEDIA_TYPE, Problem
from cloud.api.wire import schemas
from cloud.ledger import EventRow, MachineRow, QuarantineRow

#: name of the page -> what is on it
PAGES: Final[Mapping[str, type]] = {
    "MachinePage": MachineRow,
    "AssessmentPage": assessments.AssessmentView,
    "AdvisoryPage": advisories.AdvisoryView,
    "TicketPage": tickets.TicketView,
    "EventPage": EventRow,
    "QuarantinePage": quarantine.QuarantineView,
}
ANSWERS: Final[Sequence[type]] = (
    board.Board,
    profiles.MachineType,
    profiles.MachineTypes,
    trend.Trend,
    machines.MachineDetail,
    machines.Signals,
    series.BucketSeries,
    series.RawSeries,
    advisories.AdvisoryView,
    advisories.Evidence,
    tickets.TicketView,
    why.Why,
    QuarantineRow,
    quarantine.QuarantineCounts,
    health.Probe,
    health.Health,
    Problem,
    *PAGES.values(),
)
BODIES: Final[Sequence[type]] = (
    advisories.Acceptance,
    advisories.Deferral,
    advisories.Rejection,
    tickets.Acknowledgement,
    tickets.Resolution,
    tickets.Closing,
    tickets.Reason,
    tickets.Comment,
)
INTRODUCTION: Final = (
    "Machines, readings, assessments, advisories and tickets. Times are RFC 3339 in UTC; columns "
    "of times are whole ns since 1970 UTC. Units are UCUM codes or stand in the name (`p10_s`: "
    "seconds). Errors are RFC 9457 problems. Lists are paged: follow `next`."
)


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the description of an application's routes."""
    found = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=INTRODUCTION,
        routes=app.routes,
    )
    shapes = schemas(ANSWERS, answers=True) | schemas(BODIES, answers=False)
    shapes |= {name: _page(item) for name, item in PAGES.items()}
    responses = {kind: _problem(status) for status, (kind, _) in KINDS.items()}
    found["components"] = {"schemas": dict(sorted(shapes.items())), "responses": responses}
    for path in found["paths"].values():
        for operation in path.values():
            _shorten(operation["responses"])
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
    return plain


def _page(item: type) -> dict[str, Any]:
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{item.__name__}"}}
    following = {
        "anyOf": [{"type": "string"}, {"type": "null"}],
        "description": "address of what follows; null: that was all",
    }
    return {
        "type": "object",
        "properties": {"items": items, "next": following},
        "required": ["items", "next"],
    }


def _problem(status: int) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    found: dict[str, Any] = {"description": KINDS[status][1], "content": content}
    if status == 503:
        found["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "s"}}
    return found


def _shorten(responses: dict[str, Any]) -> None:
    """Name the problems once, under `components`."""
    for status in responses:
        if int(status) in KINDS:
            responses[status] = {"$ref": f"#/components/responses/{KINDS[int(status)][0]}"}
