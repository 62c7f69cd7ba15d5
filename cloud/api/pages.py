"""Lists as pages, single things with ETags: how every noun is answered."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from fastapi import Depends, Query, Request
from fastapi.responses import Response

from cloud.api.deps import Deps
from cloud.api.wire import Json
from cloud.ledger import Key

T = TypeVar("T")
V = TypeVar("V")
DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="rows a page")]
After = Annotated[
    str | None, Query(max_length=2000, description="where to go on: follow `next` instead")
]


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Some of a list. `next` is the address of what follows; null: that was all."""

    items: Sequence[T]
    next: str | None


ETAG: Final = {"ETag": {"schema": {"type": "string"}, "description": "of this version"}}


def answer(*kinds: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI response of one of these schemas, by component name."""
    refs = [{"$ref": f"#/components/schemas/{kind}"} for kind in kinds]
    schema = refs[0] if len(refs) == 1 else {"oneOf": refs}
    content = {"application/json": {"schema": schema}}
    return {status: {"description": "what was asked for", "content": content}}


def tagged(kind: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI response of `single` to a write."""
    found = answer(kind, status=status)
    found[status]["headers"] = ETAG
    return found


def one(kind: str) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of `single` to a GET."""
    unchanged = {"description": "it is as If-None-Match says", "headers": ETAG}
    return {**tagged(kind), 304: unchanged}


class Pager:
    """A request for one page of a list; a dependency of the routes that list."""

    def __init__(
        self, request: Request, deps: Deps, after: After = None, limit: Limit = DEFAULT_LIMIT
    ) -> None:
        self.deps = deps
        self._request = request
        self._after = after
        self._limit = limit

    def show(
        self,
        read: Callable[..., tuple[list[V], Key | None]],
        view: Callable[[V], Any] | None = None,
        **filters: Any,
    ) -> Json:
        """Read a page with `read`, which takes `after`, `limit` and the filters, and show it."""
        place, cursors = self._request.url.path, self.deps.cursors
        after = cursors.read(place, filters, self._after)
        rows, following = read(after=after, limit=self._limit, **filters)
        cursor = cursors.make(place, filters, following) if following is not None else None
        items: list[Any] = [view(row) for row in rows] if view else rows
        return Json(Page(items=items, next=cursor and next_link(self._request, cursor)))


Paging = Annotated[Pager, Depends()]


def next_link(request: Request, cursor: str) -> str:
    """Return path and query of the page after `cursor`."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
    return f"{request.url.path}?{urlencode([*kept, ('after', cursor)])}"


def single(request: Request, value: Any, version: int | None = None, status: int = 200) -> Response:
    """Answer with one thing and its ETag: of the row version, else of the content."""
    found = Json(value, status)
    tag = version if version is not None else hashlib.sha256(found.body).hexdigest()[:16]
    etag = f'"{tag}"'
    if request.method == "GET" and etag in _tags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers={"ETag": etag})
    found.headers["ETag"] = etag
    return found


def _tags(header: str) -> list[str]:
    """Return the ETags of an If-None-Match header (weak comparison)."""
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]
