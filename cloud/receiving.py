"""A socket that is read in pieces of 64 KiB, where paho alone would read three times a message.

Each read of a socket lets go of the interpreter's lock; while other threads compute, getting it
back can take as long as their turn lasts (5 ms), three or four times a message. With one read for
many messages a busy service does not fall behind a flood for that reason.

Most messages are PUBLISH packets without properties: where one lies whole in what is read, or does
once what has come since is read too, it is taken out here, at a tenth of what paho needs for one
that came in two pieces; every other packet stays with paho.
"""

from typing import Any, Final

PIECE: Final = 64 << 10  #: bytes read at once
_PUBLISH: Final = 3
_PUBACK: Final = 0x40
_ACKED: Final = 4  #: bytes of the shortest acknowledgement; MQTT 5 may give a reason behind it
_LEAST: Final = 5  #: bytes of the shortest PUBLISH with a topic
_LAST_SHIFT: Final = 21  #: of the fourth and last byte of a length


#: a PUBLISH of QoS 0 or 1 without properties: topic, payload, number, QoS
Plain = tuple[bytes, bytes, int, int]


class Buffered:
    """A non-blocking socket that is read ahead; paho asks `pending` before it waits.

    What else paho calls is the socket's own, handed on one by one: a `__getattr__` makes each look
    at an attribute of this, several dozen a message, four times as long.
    """

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self.send, self.close = socket.send, socket.close
        self.fileno, self.setblocking = socket.fileno, socket.setblocking
        self._piece = b""
        self._at = 0

    def recv(self, most: int) -> bytes:
        """Return up to `most` bytes, b"" at the end; `BlockingIOError` when there are none yet."""
        if self._at == len(self._piece):
            self._piece, self._at = self._socket.recv(PIECE), 0
        part = self._piece[self._at : self._at + most]
        self._at += len(part)
        return part

    def fill(self) -> bool:
        """Read ahead if nothing is left; False where nothing can be read (paho finds out why)."""
        if self._at < len(self._piece):
            return True
        try:
            self._piece, self._at = self._socket.recv(PIECE), 0
        except OSError:
            return False
        return bool(self._piece)

    def _more(self) -> bool:
        """Read what has come behind what is left; False where nothing has."""
        try:
            more = self._socket.recv(PIECE)
        except OSError:
            return False
        self._piece, self._at = self._piece[self._at :] + more, 0
        return bool(more)

    def plains(self, most: int, *, properties: bool) -> list[Plain]:
        """Take out the next packets, as far as they lie here whole and are plain.

        `properties`: the packets have that field (MQTT 5). Where another packet is next, or a
        malformed one, none: those are paho's.
        """
        out: list[Plain] = []
        while len(out) < most:
            found = self._plain(properties=properties, wait=not out)
            if found is None:
                break
            plain, self._at = found
            out.append(plain)
        return out

    def _plain(self, *, properties: bool, wait: bool) -> tuple[Plain, int] | None:
        """Return the next packet, and where it ends, if it is plain and lies here whole.

        `wait`: it may do once what has come since is read too.
        """
        piece, first = self._piece, self._at
        left = len(piece) - first
        if left < _LEAST or piece[first] >> 4 != _PUBLISH:
            return None
        qos, at = piece[first] >> 1 & 3, first + 1
        size = shift = 0
        while shift <= _LAST_SHIFT and at < len(piece):
            size |= (piece[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if piece[at - 1] < 128:
                break
        else:
            return None
        if size < 2:  # no room for a topic's length
            return None
        head = at - first
        while self._at + head + size > len(self._piece):
            if not wait or size > PIECE or not self._more():
                return None
        piece, at = self._piece, self._at + head
        end, body = at + size, at + 2
        topic_end = body + (piece[at] << 8 | piece[at + 1])
        begin = topic_end + 2 * qos + properties
        if qos > 1 or topic_end == body or begin > end or (properties and piece[begin - 1]):
            return None
        mid = piece[topic_end] << 8 | piece[topic_end + 1] if qos else 0
        return (piece[body:topic_end], piece[begin:end], mid, qos), end

    def acked(self) -> tuple[int, int] | None:
        """Return number and end of the next packet where it lies here whole and is a PUBACK."""
        piece, at = self._piece, self._at
        if len(piece) - at < _ACKED or piece[at] != _PUBACK or not 2 <= piece[at + 1] < 128:
            return None
        end = at + 2 + piece[at + 1]
        return (int.from_bytes(piece[at + 2 : at + 4]), end) if end <= len(piece) else None

    def skip(self, end: int) -> None:
        """Leave a packet behind that ends there."""
        self._at = end

    def pending(self) -> int:
        """Return how many bytes have been read ahead."""
        beneath = getattr(self._socket, "pending", None)
        return len(self._piece) - self._at + (beneath() if beneath else 0)
