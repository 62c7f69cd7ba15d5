"""Accounts of people, for administrators."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from cloud.accounts.desk import blank
from cloud.accounts.values import Account, Language, Role
from cloud.api.bodies import Body, body, takes
from cloud.api.deps import ApiDeps, Deps
from cloud.api.pages import Paging, answer, one, single, tagged
from cloud.api.problems import declared
from cloud.api.session import Nothing
from cloud.api.wire import Json
from cloud.api.writes import PROBLEMS, Creation, Write
from cloud.errors import Refused

router = APIRouter(prefix="/api/v1/users", tags=["users"])
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$"
Customer = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
SiteName = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
FullName = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Places = Annotated[tuple[SiteName, ...], msgspec.Meta(max_length=200)]


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """An account. `has_password` is false until its owner has used the link."""

    id: str
    recorded_ns: int
    version: int
    name: str
    full_name: str | None
    role: Role
    customer: str | None
    sites: tuple[str, ...]
    active: bool
    has_password: bool
    language: Language | None
    signed_in_ns: int | None


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """A person and the link, shown once and valid for a day, to choose the password."""

    user: UserView
    link: str


class Invitation(Body, frozen=True, kw_only=True):
    """A new person. A customer's person needs `customer`; `sites` empty: all sites of it."""

    name: Annotated[str, msgspec.Meta(pattern=NAME)]
    role: Role
    full_name: FullName | None = None
    customer: Customer | None = None
    sites: Places = ()
    language: Language | None = None


class UserChange(Body, frozen=True, kw_only=True):
    """What a person is from now on; whatever changes here ends the person's sign-ins."""

    role: Role
    active: bool = True
    full_name: FullName | None = None
    customer: Customer | None = None
    sites: Places = ()


def view(account: Account) -> UserView:
    """Return an account as administrators see it."""
    return msgspec.convert(account, UserView, from_attributes=True)


def check_reach(role: Role, customer: str | None, sites: tuple[str, ...]) -> None:
    """Raise `Refused` where a customer's person has no customer, or another one has."""
    if role is Role.CUSTOMER and customer is None:
        raise Refused("body/customer", "say whose machines this person may see")
    if role is not Role.CUSTOMER and (customer is not None or sites):
        raise Refused("body/customer", f"a {role} sees all machines: leave customer and sites out")


def link_to(deps: ApiDeps, request: Request, secret: str) -> str:
    """Return the address at which a password is chosen."""
    base = deps.public_url or f"{request.url.scheme}://{request.url.netloc}"
    return f"{base.rstrip('/')}/password/{secret}"


@router.get("", responses=answer("UserPage") | declared())
def list_users(paging: Paging) -> Json:
    """List people, newest first."""
    return paging.show(paging.deps.desk.accounts, view)


@router.get("/{user}", responses=one("UserView") | declared(404))
def one_user(request: Request, deps: Deps, user: str) -> Response:
    """Return one person."""
    account = deps.desk.account(user)
    return single(request, view(account), account.version)


@router.post(
    "",
    status_code=201,
    responses=tagged("Invited", status=201) | declared(409, 415, 507),
    openapi_extra=takes(Invitation),
)
async def add_user(
    request: Request,
    given: Annotated[Invitation, Depends(body(Invitation))],
    creation: Annotated[Creation, Depends()],
) -> Response:
    """Add a person; the answer holds the link with which that person chooses a password."""
    check_reach(given.role, given.customer, given.sites)
    deps = creation.deps
    values = msgspec.structs.asdict(given)
    account = blank(values.pop("name"), values.pop("role"), **values)

    def added() -> Invited:
        user, secret = deps.desk.invite(account, actor=deps.principal.name)
        return Invited(user=view(user), link=link_to(deps, request, secret))

    return await creation.add(added, once=False)


@router.post(
    "/{user}/change",
    responses=tagged("UserView") | declared(*PROBLEMS),
    openapi_extra=takes(UserChange),
)
async def change_user(
    user: str,
    given: Annotated[UserChange, Depends(body(UserChange))],
    write: Annotated[Write, Depends()],
) -> Response:
    """Change a person's role, reach or name, or let nobody sign in under it any more."""
    check_reach(given.role, given.customer, given.sites)
    desk, actor = write.deps.desk, write.deps.principal.name

    def work(version: int) -> Account:
        new = msgspec.structs.replace(desk.account(user), **msgspec.structs.asdict(given))
        return desk.change(new, version, actor=actor)

    return await write.change(lambda: desk.account(user), work, view)


@router.post(
    "/{user}/invite",
    status_code=201,
    responses=tagged("Invited", status=201) | declared(404, 409, 415, 507),
    openapi_extra=takes(Nothing),
    dependencies=[Depends(body(Nothing))],
)
async def invite_user(
    request: Request,
    user: str,
    creation: Annotated[Creation, Depends()],
) -> Response:
    """Make a new link to choose a password; the one before is void."""
    deps = creation.deps

    def invited() -> Invited:
        account = deps.desk.account(user)
        secret = deps.desk.password_link(account)
        return Invited(user=view(account), link=link_to(deps, request, secret))

    return await creation.add(invited, once=False)
