"""Alerts: what people were told, over which channel, and whether it went."""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from cloud.api.bodies import body, takes
from cloud.api.deps import Deps
from cloud.api.pages import Paging, answer
from cloud.api.problems import declared
from cloud.api.session import Nothing
from cloud.api.wire import Json
from cloud.errors import NotFound
from cloud.notify.channels import Outlet

router = APIRouter(prefix="/api/v1", tags=["alerts"])


class Channels(msgspec.Struct, frozen=True, kw_only=True):
    """The channels of the settings, without their secrets."""

    items: list[Outlet]


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a test message went; `error` says why not, without secrets."""

    channel: str
    sent: bool
    error: str | None


@router.get("/alerts", responses=answer("AlertPage") | declared())
def list_alerts(
    paging: Paging,
    machine: Annotated[str | None, Query(max_length=200)] = None,
    state: Annotated[Literal["pending", "sent", "given-up"] | None, Query()] = None,
) -> Json:
    """List what people are to be told, newest first."""
    return paging.show(paging.deps.ledger.alerts, machine=machine, state=state)


@router.get("/deliveries", responses=answer("DeliveryPage") | declared())
def list_deliveries(
    paging: Paging, machine: Annotated[str | None, Query(max_length=200)] = None
) -> Json:
    """List attempts to send, newest first; `error` null: it went."""
    return paging.show(paging.deps.ledger.deliveries, machine=machine)


@router.get("/channels", responses=answer("Channels") | declared())
def list_channels(deps: Deps) -> Json:
    """List the channels over which people are told."""
    return Json(Channels(items=list(deps.outlets.outlets())))


@router.post(
    "/channels/{channel}/test",
    responses=answer("Tried") | declared(404, 415),
    openapi_extra=takes(Nothing),
    dependencies=[Depends(body(Nothing))],
)
async def test_channel(deps: Deps, channel: str) -> Response:
    """Send a test message over a channel, and wait for the outcome (at most 30 s)."""
    if channel not in {one.name for one in deps.outlets.outlets()}:
        raise NotFound(f"there is no channel '{channel}'")
    error = await deps.outlets.send_test(channel)
    return Json(Tried(channel=channel, sent=error is None, error=error))
