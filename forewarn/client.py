"""The HTTP API as the command line uses it: read, follow pages, change, and say what went wrong."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

TOKEN: Final = "FOREWARN_TOKEN"  # noqa: S105 - the name of the variable
DEFAULT_URL: Final = "http://127.0.0.1:8470"
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
TIMEOUT_S: Final = 30.0
PUTS_AWAY: Final = frozenset({"reject", "shelve", "defer", "cancel"})  #: steps that end attention
Item = dict[str, Any]


class ServiceError(Exception):
    """The service did not do what was asked; the text says what to do."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status  #: of the answer; None where none came


class Client:
    """One service. Raises `ServiceError` whenever something goes wrong."""

    def __init__(self, url: str | None = None) -> None:
        self.url = (url or os.environ.get("FOREWARN_URL") or DEFAULT_URL).rstrip("/")
        try:
            parts = urlsplit(self.url)
            host, scheme, _ = parts.hostname, parts.scheme, parts.port
        except ValueError:
            host, scheme = None, ""
        plain = not {" ", "@"} & set(self.url)
        if host is None or scheme not in ("http", "https") or not plain:
            raise ServiceError(f"'{self.url}' is not an address; write {DEFAULT_URL}")
        self._opener = _opener(direct=host in LOOPBACK)
        token = os.environ.get(TOKEN)
        if token and scheme == "http" and host not in LOOPBACK:
            raise ServiceError(f"{TOKEN} would go to {self.url} in the clear: use https")
        if token and not (token.isascii() and token.isprintable()):
            raise ServiceError(f"{TOKEN} holds what is no token: `forewarn token add` makes one")
        if token:
            self._opener.addheaders.append(("Authorization", f"Bearer {token}"))

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Item:
        """Return what is at a path below `/api/v1`."""
        return self._read(_address(path, query))[0]

    def pages(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[Item]:
        """Return a list page by page, as the service gives it."""
        address: str | None = _address(path, query)
        while address is not None:
            page, _ = self._read(address)
            address = self._of(page, "next")
            yield page

    def items(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[Item]:
        """Return all things of a list."""
        for page in self.pages(path, query):
            yield from self._of(page, "items")

    def _of(self, page: Item, name: str) -> Any:
        if name not in page:
            raise ServiceError(f"{self.url} answers, but not as forewarn does")
        return page[name]

    def change(
        self,
        path: str,
        step: str,
        body: Mapping[str, Any],
        acted: Callable[[Item, Item], bool] | None = None,
    ) -> Item:
        """Do a step with the newest version of the thing at a path.

        `acted` says of what was read first and what is there now whether somebody did something in
        between. Where it changed meanwhile and nobody did, only the service moved dates or
        severity: then the step is taken once more, but for one that puts away what is more severe
        by now. Without `acted` any change refuses it.
        """
        seen, etag = self._read(_address(path))
        address = _address(f"{path}/{step}")
        try:
            return self._send(address, body, {"If-Match": etag})
        except ServiceError as error:
            if error.status != HTTPStatus.PRECONDITION_FAILED or acted is None:
                raise
            now, etag = self._read(_address(path))
            worse = step in PUTS_AWAY and now["severity"] > seen["severity"]
            if worse or acted(seen, now):
                what = "it became more severe" if worse else "somebody changed it"
                text = f"{what} meanwhile: `show` it and decide anew"
                raise ServiceError(text, error.status) from error
        return self._send(address, body, {"If-Match": etag})

    def add(self, path: str, body: Mapping[str, Any]) -> Item:
        """Add something to the list at a path."""
        return self._send(_address(path), body, {})

    def _send(self, address: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Item:
        given = {name: value for name, value in body.items() if value is not None}
        content = {"Content-Type": "application/json", **headers}
        request = Request(  # noqa: S310 - the scheme was checked
            self.url + address, json.dumps(given).encode(), content, method="POST"
        )
        return self._open(request)[0]

    def _read(self, address: str) -> tuple[Item, str]:
        return self._open(Request(self.url + address))  # noqa: S310 - the scheme was checked

    def _open(self, request: Request) -> tuple[Item, str]:
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as reply:
                found = json.loads(reply.read())
                if not isinstance(found, dict):
                    raise ValueError("not an object")
                return found, reply.headers.get("ETag", "")
        except HTTPError as error:
            said = _problem(error)
            if error.code == HTTPStatus.UNAUTHORIZED:
                said += f"; `forewarn token add` makes one, this command line reads it from {TOKEN}"
            raise ServiceError(said, error.code) from error
        except (URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise ServiceError(
                f"no service answers at {self.url} ({reason}): start it with `forewarn serve`, "
                "or give its address with --url or FOREWARN_URL"
            ) from error
        except (ValueError, HTTPException) as error:
            raise ServiceError(f"{self.url} answers, but not as forewarn does: {error}") from error


class _NoRedirects(HTTPRedirectHandler):
    """Goes nowhere else: the token is for the service that was named, over what was named."""

    def redirect_request(self, *_: Any) -> None:
        """Follow no redirect; it is told as the error that it is."""


def part(name: str) -> str:
    """Return a name as one step of a path."""
    return quote(name, safe=":")


def _address(path: str, query: Mapping[str, Any] | None = None) -> str:
    chosen = {name: value for name, value in (query or {}).items() if value is not None}
    return f"/api/v1/{path}" + (f"?{urlencode(chosen, doseq=True)}" if chosen else "")


def _opener(*, direct: bool) -> OpenerDirector:
    """Return what opens addresses; a proxy of the environment must not stand before loopback."""
    proxies = [ProxyHandler({})] if direct else []
    return build_opener(HTTPHandler, HTTPSHandler, _NoRedirects, *proxies)


def _problem(error: HTTPError) -> str:
    try:
        problem = json.loads(error.read())
        places = [
            f"{one['pointer'].removeprefix('/') or one['in']}: {one['detail']}"
            for one in problem["errors"]
        ]
        return f"{problem['title']}: {'; '.join(places) or problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{error.url} answers {error.code} {error.reason}; is this a forewarn service?"
