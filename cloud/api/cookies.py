"""Where a request says who asks: a cookie of a browser, or a bearer token of a program."""

from typing import Final

from fastapi import Request
from fastapi.responses import Response

from cloud.accounts.desk import LONGEST_NS

PLAIN: Final = "forewarn"
SECURE: Final = "__Host-forewarn"  #: browsers take it over TLS only, and from this host only


def _name(request: Request) -> str:
    return SECURE if request.scope["scheme"] == "https" else PLAIN


def cookie_of(request: Request) -> str | None:
    """Return the secret of the browser's sign-in."""
    return request.cookies.get(_name(request))


def bearer_of(request: Request) -> str | None:
    """Return what stands behind `Bearer` ("" for anything else that claims to authorise)."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    kind, _, token = header.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def set_cookie(request: Request, response: Response, secret: str) -> None:
    """Give the browser its sign-in: not for scripts, not for other sites' writes."""
    response.set_cookie(
        _name(request),
        secret,
        max_age=LONGEST_NS // 10**9,
        path="/",
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="lax",
    )


def clear_cookie(request: Request, response: Response) -> None:
    """Take the browser's sign-in away."""
    response.delete_cookie(
        _name(request),
        path="/",
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="lax",
    )
