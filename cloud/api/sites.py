"""Whose a machine is and where it stands."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from cloud.accounts.values import Site
from cloud.api.bodies import Body, body, takes
from cloud.api.deps import Deps
from cloud.api.pages import one, single, tagged
from cloud.api.problems import declared
from cloud.api.users import Customer, SiteName
from cloud.api.writes import PROBLEMS, Write

router = APIRouter(prefix="/api/v1/machines", tags=["machines"])


class SiteView(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a machine is (unless it is said: the tenant of its id) and where it stands."""

    machine: str
    customer: str
    site: str | None


class Placement(Body, frozen=True, kw_only=True):
    """Whose a machine is from now on, and where it stands."""

    customer: Customer
    site: SiteName | None = None


def _view(site: Site) -> SiteView:
    return msgspec.convert(site, SiteView, from_attributes=True)


@router.get("/{machine}/site", responses=one("SiteView") | declared(404))
def one_site(request: Request, deps: Deps, machine: str) -> Response:
    """Return whose a machine is and where it stands."""
    found = deps.ledger.site(machine)
    return single(request, _view(found), found.version)


@router.post(
    "/{machine}/site",
    responses=tagged("SiteView") | declared(*PROBLEMS),
    openapi_extra=takes(Placement),
)
async def place_machine(
    machine: str,
    given: Annotated[Placement, Depends(body(Placement))],
    write: Annotated[Write, Depends()],
) -> Response:
    """Say whose a machine is and where it stands; its customer's people see it at once."""
    ledger, actor = write.deps.ledger, write.deps.principal.name

    def work(version: int) -> Site:
        return ledger.site_set(
            machine, version, customer=given.customer, site=given.site, actor=actor
        )

    return await write.change(lambda: ledger.site(machine), work, _view)
