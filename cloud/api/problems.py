"""Every error as RFC 9457 `application/problem+json`, the framework's own included.

`type` is a stable URN that programs may compare; `detail` says what to do; `errors` points at the
parts of the request that are wrong.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from cloud.accounts.errors import Crowded, NotAllowed, SignInNeeded, Wait
from cloud.api.exports import TooMuch
from cloud.api.forms.render import error_page, wants_page
from cloud.errors import Conflict, NotFound, Refused, StoreBusy, StoreError, StoreFull

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1
#: status -> (last part of the URN, title)
KINDS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad-request", "The request cannot be read"),
    401: ("sign-in-needed", "Sign in first"),
    403: ("forbidden", "You may not do this"),
    404: ("not-found", "There is no such thing"),
    405: ("method-not-allowed", "This address does not take that method"),
    409: ("conflict", "The state forbids it"),
    412: ("changed-meanwhile", "It changed meanwhile"),
    413: ("too-large", "The body is too large"),
    415: ("not-json", "The body must be JSON"),
    421: ("foreign-host", "This service does not answer under that name"),
    422: ("invalid", "The request is wrong"),
    428: ("version-needed", "If-Match is needed"),
    429: ("too-many", "Too many attempts, or too much at once"),
    500: ("fault", "The service has a fault"),
    501: ("not-installed", "This service cannot do that"),
    503: ("busy", "Try again"),
    507: ("full", "There is no room left"),
}
#: kinds that share a status with another one
FOREIGN_ORIGIN: Final = ("foreign-origin", "Another site may not change anything here")
log = logging.getLogger(__name__)


class Fault(msgspec.Struct, frozen=True, kw_only=True, rename={"place": "in"}):
    """One wrong part: `pointer` is a JSON pointer into the query, path, header or body."""

    place: str
    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong and what to do about it (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: tuple[Fault, ...] = ()


class HttpProblem(Exception):
    """An error that is about HTTP alone: preconditions, media types."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def problem(
    status: int,
    detail: str,
    instance: str,
    errors: Sequence[Fault] = (),
    *,
    headers: Mapping[str, str] | None = None,
    kind: tuple[str, str] | None = None,
) -> Response:
    """Return the answer for an error; its kind follows from the status unless it is given."""
    name, title = kind or KINDS.get(status, (f"http-{status}", _phrase(status)))
    body = Problem(
        type=f"urn:forewarn:problem:{name}",
        title=title,
        status=status,
        detail=detail,
        instance=instance,
        errors=tuple(errors),
    )
    return Response(msgspec.json.encode(body), status, headers, media_type=MEDIA_TYPE)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def pointer(parts: Sequence[object]) -> str:
    """Return a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of problems; what every route may answer is among them."""
    return {
        status: {"description": KINDS[status][1]}
        for status in sorted({400, 401, 403, 413, 421, 422, 500, 503, *statuses})
    }


def fault(error: Refused) -> Fault:
    """Return where a refused request is wrong; a field without a place is in the body."""
    place, _, rest = error.field.strip("/").partition("/")
    if place in ("query", "path", "header", "body"):
        return Fault(place=place, pointer=f"/{rest}" if rest else "", detail=error.detail)
    return Fault(place="body", pointer=f"/{error.field.strip('/')}", detail=error.detail)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"{request.url.path} is not an address of this API; see /api/v1/openapi.json"
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        detail = f"{request.method} is not possible here; allowed: {allowed}"
    return problem(error.status_code, detail, request.url.path, headers=error.headers)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        Fault(place=str(found["loc"][0]), pointer=pointer(found["loc"][1:]), detail=found["msg"])
        for found in error.errors()
    ]
    detail = "; ".join(f"{one.place} {one.pointer}: {one.detail}" for one in errors)
    return problem(422, detail, request.url.path, errors)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(422, error.detail, request.url.path, [fault(error)])


def _precondition(request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpProblem)
    return problem(error.status, error.detail, request.url.path)


def _not_found(request: Request, error: Exception) -> Response:
    return problem(404, str(error), request.url.path)


def _conflict(request: Request, error: Exception) -> Response:
    return problem(409, str(error), request.url.path)


def _store(request: Request, error: Exception) -> Response:
    if isinstance(error, StoreFull):
        return problem(507, str(error), request.url.path)
    if isinstance(error, StoreBusy):
        wait = {"Retry-After": str(RETRY_AFTER_S)}
        return problem(503, str(error), request.url.path, headers=wait)
    log.error("%s %s: %s", request.method, request.url.path, error)
    return internal(request.url.path)


def _unknown(request: Request, error: Exception) -> Response:
    how = {"WWW-Authenticate": "Bearer"}
    return problem(401, str(error), request.url.path, headers=how)


def _not_allowed(request: Request, error: Exception) -> Response:
    return problem(403, str(error), request.url.path)


def _wait(request: Request, error: Exception) -> Response:
    assert isinstance(error, Wait | TooMuch)
    after = {"Retry-After": str(error.seconds)}
    return problem(429, str(error), request.url.path, headers=after)


def _crowded(request: Request, error: Exception) -> Response:
    after = {"Retry-After": str(RETRY_AFTER_S)}
    return problem(503, str(error), request.url.path, headers=after)


def internal(path: str) -> Response:
    """Return the answer to a fault of ours; its particulars stay in the log."""
    return problem(500, "this is a fault of the service; its log says more", path)


Handler = Callable[[Request, Exception], Response]
#: error -> what answers it
HANDLERS: Final[Mapping[type[Exception], Handler]] = {
    HTTPException: _http,
    RequestValidationError: _invalid,
    Refused: _refused,
    HttpProblem: _precondition,
    NotFound: _not_found,
    Conflict: _conflict,
    StoreError: _store,
    SignInNeeded: _unknown,
    NotAllowed: _not_allowed,
    Wait: _wait,
    TooMuch: _wait,
    Crowded: _crowded,
}


def _for_people_too(handler: Handler) -> Handler:
    """Return a handler that gives browsers a page, with the headers of the problem."""

    def handle(request: Request, error: Exception) -> Response:
        found = handler(request, error)
        if not wants_page(request):
            return found
        page = error_page(request, found.status_code)
        for name in ("Allow", "Retry-After", "WWW-Authenticate"):
            if name in found.headers:
                page.headers[name] = found.headers[name]
        return page

    return handle


def install(app: FastAPI) -> None:
    """Let every error leave as a problem, or as a page where a browser shows it to a person."""
    for error, handler in HANDLERS.items():
        app.add_exception_handler(error, _for_people_too(handler))
