"""API tokens: programs that act for somebody, with less than that person may."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from fastapi.responses import Response

from cloud.accounts.desk import TOKEN_DAYS
from cloud.accounts.values import Scope, Token
from cloud.api.bodies import Body, body, takes
from cloud.api.deps import ApiDeps
from cloud.api.pages import Paging, answer, tagged
from cloud.api.problems import declared
from cloud.api.session import Nothing
from cloud.api.wire import Json
from cloud.api.writes import Creation, Name
from cloud.errors import Conflict, NotFound

router = APIRouter(prefix="/api/v1/tokens", tags=["tokens"])


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without its secret."""

    id: str
    recorded_ns: int
    name: str
    scope: Scope
    expires_ns: int
    used_ns: int | None
    revoked_ns: int | None


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token with its secret, which is shown this once: send it as `Authorization: Bearer …`."""

    token: TokenView
    secret: str


class TokenWish(Body, frozen=True, kw_only=True):
    """A new token of mine. It may do what I may, within its scope, for so many days."""

    name: Name
    scope: Scope = Scope.READ
    days: Annotated[int, msgspec.Meta(ge=1, le=TOKEN_DAYS)] = 90


def view(token: Token) -> TokenView:
    """Return a token without what is kept of its secret."""
    return msgspec.convert(token, TokenView, from_attributes=True)


def _owner(deps: ApiDeps) -> str:
    if deps.principal.account is None:
        raise Conflict("nobody needs a token on a trial installation: there are no accounts yet")
    return deps.principal.account


@router.get("", responses=answer("TokenPage") | declared(409))
def list_tokens(paging: Paging) -> Json:
    """List my tokens, newest first."""
    return paging.show(paging.deps.desk.tokens, view, account=_owner(paging.deps))


@router.post(
    "",
    status_code=201,
    responses=tagged("NewToken", status=201) | declared(409, 415, 507),
    openapi_extra=takes(TokenWish),
)
async def make_token(
    given: Annotated[TokenWish, Depends(body(TokenWish))],
    creation: Annotated[Creation, Depends()],
) -> Response:
    """Make a token; its secret is in this answer and nowhere else."""
    deps = creation.deps
    owner, actor = _owner(deps), deps.principal.name

    def made() -> NewToken:
        token, secret = deps.desk.make_token(
            owner, given.name, given.scope, given.days, actor=actor
        )
        return NewToken(token=view(token), secret=secret)

    return await creation.add(made, once=False)


@router.post(
    "/{token}/revoke",
    responses=tagged("TokenView") | declared(404, 409, 415, 507),
    openapi_extra=takes(Nothing),
    dependencies=[Depends(body(Nothing))],
)
async def revoke_token(
    token: str,
    creation: Annotated[Creation, Depends()],
) -> Response:
    """End a token of mine at once; again changes nothing."""
    deps = creation.deps
    owner, actor = _owner(deps), deps.principal.name

    def revoked() -> TokenView:
        if deps.desk.token(token).account != owner:
            raise NotFound(f"there is no token '{token}'")
        return view(deps.desk.revoke(token, actor=actor))

    return await creation.add(revoked, status=200)
