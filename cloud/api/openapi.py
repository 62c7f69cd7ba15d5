"""The OpenAPI 3.1 description: routes from the framework, shapes from the frozen structs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from cloud.api import (
    advisories,
    alerts,
    assessments,
    board,
    commands,
    health,
    machines,
    parts,
    profiles,
    quarantine,
    series,
    session,
    sites,
    tickets,
    tokens,
    trend,
    users,
    why,
)
from cloud.api.access import shown
from cloud.api.cookies import PLAIN
from cloud.api.problems import KINDS, MEDIA_TYPE, Problem
from cloud.api.wire import schemas
from cloud.diagnostics.values import CommandRow
from cloud.ledger import AlertNote, DeliveryRow, EventRow, QuarantineRow

#: name of the page -> what is on it
PAGES: Final[Mapping[str, type]] = {
    "MachinePage": machines.MachineView,
    "AssessmentPage": assessments.AssessmentView,
    "AdvisoryPage": advisories.AdvisoryView,
    "TicketPage": tickets.TicketView,
    "EventPage": EventRow,
    "QuarantinePage": quarantine.QuarantineView,
    "AlertPage": AlertNote,
    "DeliveryPage": DeliveryRow,
    "UserPage": users.UserView,
    "TokenPage": tokens.TokenView,
    "CommandPage": CommandRow,
}
ANSWERS: Final[Sequence[type]] = (
    board.Board,
    profiles.MachineType,
    profiles.MachineTypes,
    trend.Trend,
    machines.MachineDetail,
    machines.Signals,
    parts.Parts,
    sites.SiteView,
    series.BucketSeries,
    series.RawSeries,
    advisories.AdvisoryView,
    advisories.Evidence,
    advisories.AdvisoryCounts,
    tickets.TicketView,
    why.Why,
    CommandRow,
    QuarantineRow,
    quarantine.QuarantineCounts,
    health.Probe,
    health.Health,
    alerts.Channels,
    alerts.Tried,
    session.SessionView,
    session.Me,
    users.UserView,
    users.Invited,
    tokens.NewToken,
    tokens.TokenView,
    Problem,
    *PAGES.values(),
)
BODIES: Final[Sequence[type]] = (
    advisories.Acceptance,
    advisories.Deferral,
    advisories.Shelving,
    advisories.Rejection,
    advisories.Seen,
    advisories.Note,
    tickets.Acknowledgement,
    tickets.Resolution,
    tickets.Closing,
    tickets.Reason,
    tickets.Comment,
    session.SigningIn,
    session.Nothing,
    session.Preferences,
    session.PasswordChange,
    users.Invitation,
    users.UserChange,
    tokens.TokenWish,
    sites.Placement,
    commands.Question,
)
INTRODUCTION: Final = (
    "Machines, readings, assessments, advisories and tickets. Times are RFC 3339 in UTC; columns "
    "of times are whole ns since 1970 UTC. Units are UCUM codes or stand in the name (`p10_s`: "
    "seconds). Errors are RFC 9457 problems; a query parameter that is not described is one. "
    "Lists are paged: follow `next`. `x-roles` says who may call an operation, `x-scope` what "
    "scope a token needs; another customer's things are 404."
)
SCHEMES: Final = {
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": PLAIN,
        "description": "a browser that has signed in; `__Host-forewarn` over TLS",
    },
    "token": {"type": "http", "scheme": "bearer", "description": "an API token, `fw_…`"},
}


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
    found["components"] = {
        "schemas": dict(sorted(shapes.items())),
        "responses": responses,
        "securitySchemes": SCHEMES,
    }
    for path in found["paths"].values():
        for operation in path.values():
            operation.update(shown(operation["operationId"]))
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
    if status in (429, 503):
        found["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "s"}}
    return found


def _shorten(responses: dict[str, Any]) -> None:
    """Name the problems once, under `components`."""
    for status in responses:
        if int(status) in KINDS:
            responses[status] = {"$ref": f"#/components/responses/{KINDS[int(status)][0]}"}
