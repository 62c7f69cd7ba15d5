"""A socket that is read in pieces of 64 KiB, where paho alone would read three times a message.

Each read of a socket lets go of the interpreter's lock; while other threads compute, getting it
back can take as long as their turn lasts (5 ms), three or four times a message. With one read for
many messages a busy service does not fall behind a flood for that reason.
"""

from typing import Any, Final

PIECE: Final = 64 << 10  #: bytes read at once


class Buffered:
    """A non-blocking socket that is read ahead; paho asks `pending` before it waits."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._piece = b""
        self._at = 0

    def recv(self, most: int) -> bytes:
        """Return up to `most` bytes, b"" at the end; `BlockingIOError` when there are none yet."""
        if self._at == len(self._piece):
            self._piece, self._at = self._socket.recv(PIECE), 0
        part = self._piece[self._at : self._at + most]
        self._at += len(part)
        return part

    def pending(self) -> int:
        """Return how many bytes have been read ahead."""
        beneath = getattr(self._socket, "pending", None)
        return len(self._piece) - self._at + (beneath() if beneath else 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)
