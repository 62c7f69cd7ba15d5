"""Signing in and out, and what somebody may set about oneself."""

import asyncio
from typing import Annotated
from zoneinfo import available_timezones

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from cloud.accounts import passwords
from cloud.accounts.values import Account, Language, Role, Units
from cloud.api.bodies import Body, body, takes
from cloud.api.cookies import clear_cookie, set_cookie
from cloud.api.deps import ApiDeps, Deps
from cloud.api.pages import answer, one, single, tagged
from cloud.api.problems import declared
from cloud.api.wire import Json
from cloud.api.writes import PROBLEMS, Write
from cloud.errors import NotFound, Refused

router = APIRouter(prefix="/api/v1", tags=["session"])
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=passwords.LONGEST)]


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who is signed in, with what that person has set; null: the browser's or service's choice."""

    id: str
    version: int
    name: str
    full_name: str | None
    role: Role
    customer: str | None
    sites: tuple[str, ...]
    language: Language | None
    zone: str | None  #: IANA time zone
    units: Units | None


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether somebody is signed in.

    `trial`: nobody needs to sign in, everybody on this computer may do everything (`role` says
    what that is). `demo`: it is the demo, a trial for ever.
    """

    signed_in: bool
    trial: bool
    demo: bool
    role: Role | None
    me: Me | None


class SigningIn(Body, frozen=True, kw_only=True):
    """Name and password."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    password: Password


class Nothing(Body, frozen=True, kw_only=True):
    """A body without content: `{}`."""


class Preferences(Body, frozen=True, kw_only=True):
    """What I set about myself; null: the browser's or service's choice."""

    language: Language | None = None
    zone: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    units: Units | None = None
    full_name: Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f]+$")] | None = (
        None
    )


class PasswordChange(Body, frozen=True, kw_only=True):
    """The present password and the new one (12 to 256 characters)."""

    present: Password
    new: Password


def view(account: Account) -> Me:
    """Return an account as its owner sees it."""
    return msgspec.convert(account, Me, from_attributes=True)


def client_of(request: Request) -> str:
    """Return the address a request comes from."""
    return request.client.host if request.client else "unknown"


def _session(deps: ApiDeps, account: Account | None) -> SessionView:
    trial = deps.desk.trial
    role = account.role if account else Role.ADMINISTRATOR if trial else None
    return SessionView(
        signed_in=account is not None,
        trial=trial,
        demo=deps.demo,
        role=role,
        me=view(account) if account else None,
    )


def _account(deps: ApiDeps) -> Account:
    if deps.principal.account is None:
        raise NotFound("nobody is signed in: this is a trial installation")
    return deps.desk.account(deps.principal.account)


@router.get("/session", responses=answer("SessionView") | declared())
def session(deps: Deps) -> Json:
    """Say whether somebody is signed in, and who."""
    own = deps.principal.account
    return Json(_session(deps, deps.desk.account(own) if own else None))


@router.post(
    "/session",
    responses=answer("SessionView") | declared(409, 415, 429, 507),
    openapi_extra=takes(SigningIn),
)
async def sign_in(
    request: Request, deps: Deps, given: Annotated[SigningIn, Depends(body(SigningIn))]
) -> Response:
    """Sign in; the answer sets the cookie."""
    account, secret = await signed_in(deps, given.name, given.password, client_of(request))
    found = Json(await asyncio.to_thread(_session, deps, account))
    set_cookie(request, found, secret)
    return found


async def signed_in(deps: ApiDeps, name: str, password: str, address: str) -> tuple[Account, str]:
    """Check a password and return the account with the secret of a new sign-in."""
    account = await asyncio.to_thread(deps.desk.check, name, password, address)
    return account, await deps.submit(lambda: deps.desk.open(account))


@router.post(
    "/session/end",
    responses=answer("SessionView") | declared(415, 507),
    openapi_extra=takes(Nothing),
    dependencies=[Depends(body(Nothing))],
)
async def sign_out(request: Request, deps: Deps) -> Response:
    """Sign out in this browser."""
    await ended(deps)
    trial = await asyncio.to_thread(lambda: deps.desk.trial)
    found = Json(SessionView(signed_in=False, trial=trial, demo=deps.demo, role=None, me=None))
    clear_cookie(request, found)
    return found


async def ended(deps: ApiDeps) -> None:
    """End the sign-in that the request came with."""
    mine = deps.principal.sign_in
    if mine is not None:
        await deps.submit(lambda: deps.desk.close(mine))


@router.post(
    "/session/end-all",
    responses=answer("SessionView") | declared(404, 415, 507),
    openapi_extra=takes(Nothing),
    dependencies=[Depends(body(Nothing))],
)
async def sign_out_everywhere(request: Request, deps: Deps) -> Response:
    """Sign out in every browser."""
    await deps.submit(lambda: deps.desk.close_all(_account(deps).id))
    found = Json(SessionView(signed_in=False, trial=False, demo=deps.demo, role=None, me=None))
    clear_cookie(request, found)
    return found


@router.get("/me", responses=one("Me") | declared(404))
def me(request: Request, deps: Deps) -> Response:
    """Return who is signed in."""
    account = _account(deps)
    return single(request, view(account), account.version)


_CHANGED = tagged("Me") | declared(*PROBLEMS, 429)


@router.post("/me/settings", responses=_CHANGED, openapi_extra=takes(Preferences))
async def change_me(
    given: Annotated[Preferences, Depends(body(Preferences))], write: Annotated[Write, Depends()]
) -> Response:
    """Set my language, time zone, units and full name."""
    if given.zone is not None and given.zone not in available_timezones():
        raise Refused("body/zone", "write an IANA time zone such as Asia/Shanghai or UTC")
    return await _change(write, **msgspec.structs.asdict(given))


@router.post(
    "/me/password",
    responses=_CHANGED,
    openapi_extra=takes(PasswordChange),
)
async def change_password(
    request: Request,
    given: Annotated[PasswordChange, Depends(body(PasswordChange))],
    write: Annotated[Write, Depends()],
) -> Response:
    """Choose a new password; every browser must sign in again."""
    deps = write.deps
    account = await asyncio.to_thread(_account, deps)
    passwords.check_form(given.new, account.name, "body/new")
    where = client_of(request)
    await asyncio.to_thread(deps.desk.check, account.name, given.present, where)
    kept = await asyncio.to_thread(deps.desk.make_hash, given.new)
    return await _change(write, password=kept)


async def _change(write: Write, **changes: object) -> Response:
    deps = write.deps
    desk, actor = deps.desk, deps.principal.name
    key = (await asyncio.to_thread(_account, deps)).id

    def work(version: int) -> Account:
        new = msgspec.structs.replace(desk.account(key), **changes)
        return desk.change(new, version, actor=actor)

    return await write.change(lambda: desk.account(key), work, view)
