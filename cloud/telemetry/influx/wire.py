"""HTTP/1.1 over connections that are kept, for bodies that are sent as they lie in memory.

The standard library connects and reads every answer that has a body. What a write is answered with
has none: its status and the end of its headers are all that is read. Through urllib3 such a request
took 0.5 ms of the processor more, a tenth of what shipping takes.
"""

import contextlib
import select
import socket
import ssl
import weakref
from collections.abc import Mapping
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any, BinaryIO, Final, NamedTuple
from urllib.parse import urlsplit

CONNECT_S: Final = 5.0
READ_S: Final = 30.0
TOGETHER: Final = 16_384  #: bytes of a body that is copied behind its headers: one call less
_EMPTY: Final = b"HTTP/1.1 204 "
_LONGEST_LINE: Final = 65_536


class Answer(NamedTuple):
    """What a server answered. `after`: the header Retry-After."""

    status: int
    data: bytes = b""
    after: str | None = None


class _Begun:
    """What has been read of a socket, for a response that wants one."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source

    def makefile(self, _mode: str) -> BinaryIO:
        return self._source


class Wire:
    """Connections to one server, at most `size` of them idle. Safe from any thread.

    `headers` go with each request; `ValueError` where one cannot.
    """

    def __init__(self, url: str, headers: Mapping[str, str], *, size: int) -> None:
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise ValueError("a token has only printable characters of ASCII, in one line")
        parts = urlsplit(url)
        self._base = parts.path.rstrip("/")
        self._headers = {"Host": parts.netloc.rpartition("@")[2], **headers}
        host, port = parts.hostname or "", parts.port
        self._new = partial(HTTPConnection, host, port, CONNECT_S)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            self._new = partial(HTTPSConnection, host, port, timeout=CONNECT_S, context=context)
        self._idle: list[socket.socket] = []
        self._size = size
        weakref.finalize(self, _let_go, self._idle)

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | memoryview
    ) -> Answer:
        """Return the answer, whatever its status. `OSError` or `HTTPException`: there is none."""
        every = {**self._headers, **headers, "Content-Length": str(len(body))}
        lines = [f"{method} {self._base}{path} HTTP/1.1", *map(": ".join, every.items())]
        head = "\r\n".join([*lines, "\r\n"]).encode("latin-1")
        with contextlib.ExitStack() as failing:
            sock = failing.enter_context(self._connected())
            whole = _send(sock, head, body)
            answer, open_still = _read(sock, method)
            if whole and open_still and len(self._idle) < self._size:
                failing.pop_all()
                self._idle.append(sock)
        return answer

    def _connected(self) -> socket.socket:
        while self._idle:
            with contextlib.suppress(IndexError):  # another thread took it
                sock = self._idle.pop()
                if not _spoken(sock):
                    return sock
                sock.close()
        connection = self._new()
        connection.connect()
        sock = connection.sock
        sock.settimeout(READ_S)
        return sock

    def close(self) -> None:
        """Let go of the idle connections, as happens when nobody knows this any more."""
        _let_go(self._idle)


def _let_go(idle: list[socket.socket]) -> None:
    while idle:
        with contextlib.suppress(IndexError):  # another thread took it
            idle.pop().close()


def _spoken(sock: socket.socket) -> bool:
    """Return whether a server has something to say that was not asked: mostly that it left."""
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    return bool(waiting.poll(0))


def _send(sock: socket.socket, head: bytes, body: bytes | memoryview) -> bool:
    """Send a request; False where the server would not hear all: it may say why."""
    try:
        if len(body) > TOGETHER:
            sock.sendall(head)
            sock.sendall(body)
        else:
            sock.sendall(b"".join((head, body)))
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _read(sock: socket.socket, method: str) -> tuple[Answer, bool]:
    """Read an answer; return it, and whether the connection stays open."""
    with sock.makefile("rb") as source:
        if source.peek(len(_EMPTY)).startswith(_EMPTY):
            line, kept = source.readline(_LONGEST_LINE), True
            while line not in {b"\r\n", b""}:
                line = source.readline(_LONGEST_LINE)
                kept &= not line.lower().startswith(b"connection: close")
            return Answer(204), kept and line != b""
        begun: Any = _Begun(source)
        response = HTTPResponse(begun, method=method)
        response.begin()
        data = response.read()
        after = response.headers.get("Retry-After")
        return Answer(response.status, data, after), not response.will_close
