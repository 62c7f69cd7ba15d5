"""Quarantine: what could not be read, why, and how much of it there is."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from cloud.api.deps import Deps
from cloud.api.pages import Paging, answer, one, single
from cloud.api.problems import declared
from cloud.api.wire import Json
from cloud.ledger import QuarantineCount, QuarantineRow

HEAD = 64  #: bytes shown in a list
router = APIRouter(prefix="/api/v1/quarantine", tags=["quarantine"])


class QuarantineView(msgspec.Struct, frozen=True, kw_only=True):
    """A message or column that was set aside. `head` is the first 64 bytes, null beyond bounds."""

    id: str
    recorded_ns: int
    device: str
    n: int
    topic: str
    reason: str
    detail: str
    sha256: str
    size: int
    head: bytes | None


class QuarantineCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many were set aside since the beginning, by device and reason."""

    items: list[QuarantineCount]


def _view(row: QuarantineRow) -> QuarantineView:
    known = msgspec.structs.asdict(row)
    payload = known.pop("payload")
    return QuarantineView(**known, head=payload[:HEAD] if payload is not None else None)


@router.get("", responses=answer("QuarantinePage") | declared())
def list_quarantine(
    paging: Paging,
    device: Annotated[str | None, Query(max_length=200, description="tenant.device")] = None,
    reason: Annotated[str | None, Query(max_length=200)] = None,
) -> Json:
    """List what was set aside, newest first; times are wall time."""
    return paging.show(paging.deps.ledger.quarantine, _view, device=device, reason=reason)


@router.get("/counts", responses=answer("QuarantineCounts") | declared())
def counts(deps: Deps) -> Json:
    """Count what was set aside, kept or not."""
    return Json(QuarantineCounts(items=deps.ledger.quarantine_counts()))


@router.get("/{item}", responses=one("QuarantineRow") | declared(404))
def one_item(request: Request, deps: Deps, item: str) -> Response:
    """Return one item with all its bytes (base64)."""
    return single(request, deps.ledger.quarantine_item(item))
