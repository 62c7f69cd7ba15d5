"""What stands before every route: host, origin, media type, size, safe headers, last resort.

Binding to loopback alone does not keep a browser's other pages out: a page may post to 127.0.0.1,
and a name that is made to point there (DNS rebinding) may read. So the host must be one of ours,
and a write must come from our own origin (or from no page at all) and be JSON. Forms are taken by
the few pages that work without scripts, under the same rule of origin.
"""

import logging
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.api.problems import FOREIGN_ORIGIN, internal, problem

LARGEST_BODY: Final = 1 << 20  #: bytes; the largest write is a comment
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
#: pages that work without scripts: their forms are taken, and nothing else
FORMS: Final = ("/sign-in", "/sign-out", "/setup/", "/password/", "/acknowledge/")
PORTS: Final = {"http": 80, "https": 443}
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
TLS_ONLY: Final = "max-age=31536000"  #: s; browsers come back over TLS for a year
Origin = tuple[str, str, int | None]  #: scheme, host, port
log = logging.getLogger(__name__)


class _TooLarge(Exception):
    pass


def origin_of(text: str) -> Origin | None:
    """Return scheme, host and port of an address; None when it is not one."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.scheme not in PORTS:
        return None
    return parts.scheme, host, port or PORTS[parts.scheme]


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, public_url: str | None = None) -> None:
        self._app = app
        self._public = origin_of(public_url) if public_url else None
        public_host = {self._public[1]} if self._public else set()
        self._hosts = LOOPBACK | public_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with a body that is known to be small."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", TLS_ONLY)
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, marked)
            return
        try:
            await self._app(scope, _once(await _body(headers, receive), receive), marked)
        except _TooLarge:
            detail = f"at most {LARGEST_BODY} bytes (1 MiB) are taken"
            await problem(413, detail, scope["path"])(scope, receive, marked)
        except Exception:
            if started:
                raise
            log.exception("%s %s failed", scope["method"], scope["path"])
            await internal(scope["path"])(scope, receive, marked)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        path = scope["path"]
        if "\0" in path or b"%00" in scope["query_string"]:
            return problem(400, "an address has no NUL character in it", path.replace("\0", ""))
        hosts = headers.getlist("host")
        if len(hosts) != 1:
            return problem(400, "exactly one Host header is needed", path)
        own = origin_of(f"{scope['scheme']}://{hosts[0]}")
        if own is None or own[1] not in self._hosts:
            names = ", ".join(f"[{name}]" if ":" in name else name for name in sorted(self._hosts))
            return problem(421, f"'{hosts[0]}' is not a name of this service; use {names}", path)
        return None if scope["method"] in SAFE_METHODS else self._write(path, own, headers)

    def _write(self, path: str, own: Origin, headers: Headers) -> Response | None:
        for origin in headers.getlist("origin"):
            source = origin_of(origin)
            if source is None or source not in (own, self._public):
                detail = f"a page of '{origin}' may not change anything here"
                return problem(403, detail, path, kind=FOREIGN_ORIGIN)
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            detail = "a page of another site may not change anything here"
            return problem(403, detail, path, kind=FOREIGN_ORIGIN)
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        wanted = FORM if path.startswith(FORMS) else JSON
        if media != wanted:
            return problem(415, f"send the body as Content-Type: {wanted}", path)
        return None


async def _body(headers: Headers, receive: Receive) -> bytes:
    """Read the body; `_TooLarge` beyond the limit, whatever Content-Length said."""
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > LARGEST_BODY:
        raise _TooLarge
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            raise _TooLarge
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _once(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once and then what the connection says."""
    waiting: Iterable[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    ready = iter(waiting)

    async def replay() -> Message:
        message = next(ready, None)
        return message if message is not None else await receive()

    return replay
