"""HTTP/1.1 over connections that are kept, for bodies that are sent as they lie in memory.

The standard library speaks HTTP; here is the pool. Through urllib3 a request took 0.5 ms of the
processor more, a tenth of what shipping takes.
"""

import contextlib
import select
import ssl
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from socket import SHUT_RDWR, socket
from typing import Final, NamedTuple
from urllib.parse import urlsplit

CONNECT_S: Final = 5.0
READ_S: Final = 30.0  #: for an answer to begin or go on, and for the next piece to be taken,
SLOWEST_KB_S: Final = 32  #: and for what was sent to go so slowly
EARLY_S: Final = 1.0  #: for the answer of a server that takes no more
PIECE: Final = 1 << 20  #: bytes of a body that are sent at once


class Answer(NamedTuple):
    """What a server answered. `after`: the header Retry-After."""

    status: int
    data: bytes = b""
    after: str | None = None


class Late(OSError):
    """The server was reached, but did not take a request, or answer it, in time."""


class Wire:
    """Connections to one server, at most `size` of them idle. Safe from any thread.

    `headers` go with each request; what is sent is given the time that it takes at `slowest_kb_s`.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], *, size: int, slowest_kb_s: int = SLOWEST_KB_S
    ) -> None:
        parts = urlsplit(url)
        self._base = parts.path.rstrip("/")
        self._headers = headers
        self._new: Callable[[], HTTPConnection]
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = ssl.create_default_context()
            port = parts.port or HTTPSConnection.default_port
            self._new = partial(HTTPSConnection, host, port, timeout=CONNECT_S, context=context)
        else:
            port = parts.port or HTTPConnection.default_port
            self._new = partial(HTTPConnection, host, port, timeout=CONNECT_S)
        self._idle: list[HTTPConnection] = []
        self._used: set[HTTPConnection] = set()
        self._ended = False
        self._size = size
        self._slowest_kb_s = slowest_kb_s
        weakref.finalize(self, _let_go, self._idle)

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | memoryview
    ) -> Answer:
        """Return the answer, whatever its status. `OSError` or `HTTPException`: there is none."""
        every = {**self._headers, **headers, "Content-Length": str(len(body))}
        connection = self._connected()
        with contextlib.ExitStack() as failing:
            failing.callback(connection.close)
            self._used.add(connection)
            failing.callback(self._used.discard, connection)
            if self._ended:
                raise OSError("closed")
            piece_s = self._allowed_s(min(len(body), PIECE))
            connection.sock.settimeout(piece_s)
            whole = _send(connection, method, f"{self._base}{path}", every, body)
            answer_s = self._allowed_s(len(body)) if whole else EARLY_S
            connection.sock.settimeout(answer_s)
            try:
                response = connection.getresponse()
                data = response.read()
            except TimeoutError as error:
                raise Late(self._late(len(body), answer_s if whole else piece_s)) from error
            open_still = whole and not response.will_close
            if open_still and len(self._idle) < self._size:
                failing.pop_all()
                self._used.discard(connection)
                self._idle.append(connection)
        return Answer(response.status, data, response.headers.get("Retry-After"))

    def _allowed_s(self, size: int) -> float:
        """Return how long so much may take on its way: most of it may lie in buffers meanwhile."""
        return READ_S + size / (1_000 * self._slowest_kb_s)

    def _late(self, size: int, allowed_s: float) -> str:
        text = f"no answer within {allowed_s:.0f} s"
        if size < 1_000 * self._slowest_kb_s:
            return text
        return f"{text} to {size:,} bytes; telemetry.slowest_kb_s = {self._slowest_kb_s} says so"

    def _connected(self) -> HTTPConnection:
        while self._idle:
            with contextlib.suppress(IndexError):  # another thread took it
                connection = self._idle.pop()
                if not _spoken(connection):
                    return connection
                connection.close()
        connection = self._new()
        connection.connect()
        return connection

    def close(self) -> None:
        """Let go of the idle connections, as happens when nobody knows this any more."""
        _let_go(self._idle)

    def end(self) -> None:
        """End the requests that are under way, from another thread; further ones fail at once."""
        self._ended = True
        for connection in tuple(self._used):
            if (sock := connection.sock) is not None:
                with contextlib.suppress(OSError):  # it has ended by itself
                    socket.shutdown(sock, SHUT_RDWR)  # beneath TLS, which another thread is in


def _let_go(idle: list[HTTPConnection]) -> None:
    while idle:
        with contextlib.suppress(IndexError):  # another thread took it
            idle.pop().close()


def _spoken(connection: HTTPConnection) -> bool:
    """Return whether a server has something to say that was not asked: mostly that it left."""
    waiting = select.poll()
    waiting.register(connection.sock, select.POLLIN)
    return bool(waiting.poll(0))


def _send(
    connection: HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | memoryview,
) -> bool:
    """Send a request; False where the server would not hear all: it may say why."""
    view = memoryview(body)
    pieces = [view[at : at + PIECE] for at in range(0, len(view), PIECE)]  # each has its own time
    try:
        connection.request(method, path, pieces, headers)
    except OSError:
        return False
    return True
