"""A socket that is read in large pieces, where paho alone would read three times a message.

Each read of a socket lets go of the interpreter's lock; while other threads compute, getting it
back can take as long as their turn lasts (5 ms), three or four times a message. With one read for
many messages a busy service does not fall behind a flood for that reason.

Most messages are PUBLISH packets without properties: where one lies whole in what is read, or does
once what has come since is read too, it is taken out here, at a tenth of what paho needs for one
that came in two pieces; every other packet stays with paho.
"""

from typing import Any, Final

PIECE: Final = 128 << 10  #: bytes read at once, into the same room again and again
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
        self._room = bytearray(PIECE)
        self._view = memoryview(self._room)
        self._at = self._end = 0  #: what has been read ahead

    def recv(self, most: int) -> bytes:
        """Return up to `most` bytes, b"" at the end; `BlockingIOError` when there are none yet."""
        if self._at == self._end:
            self._at, self._end = 0, self._socket.recv_into(self._room)
        first, self._at = self._at, min(self._at + most, self._end)
        return bytes(self._view[first : self._at])

    def fill(self) -> bool:
        """Read ahead if nothing is left; False where nothing can be read (paho finds out why)."""
        return self._at < self._end or self._more()

    def _more(self) -> bool:
        """Read what has come behind what is left; False where nothing has."""
        if self._at:
            left = self._room[self._at : self._end]
            self._room[: len(left)] = left
            self._at, self._end = 0, len(left)
        try:
            more: int = self._socket.recv_into(self._view[self._end :])
        except OSError:
            return False
        self._end += more
        return more > 0

    def plains(self, most: int, *, properties: bool) -> list[Plain]:
        """Take out the next packets, as far as they lie here whole and are plain.

        `properties`: the packets have that field (MQTT 5). Where another packet is next, or a
        malformed one, none: those are paho's.
        """
        out: list[Plain] = []
        while len(out) < most:
            plain = self._plain(properties, not out)
            if plain is None:
                break
            out.append(plain)
        return out

    def _plain(self, properties: bool, wait: bool) -> Plain | None:
        """Take out the next packet if it is plain and lies here whole.

        `wait`: it may do once what has come since is read too.
        """
        room, first, ends = self._room, self._at, self._end
        if ends - first < _LEAST or room[first] >> 4 != _PUBLISH:
            return None
        qos, size, at, shift = room[first] >> 1 & 3, room[first + 1], first + 2, 0
        while size >> shift > 127:  # another byte of the length follows
            shift += 7
            if shift > _LAST_SHIFT or at == ends:
                return None
            size += (room[at] - 1) << shift  # 1: the bit that said so
            at += 1
        if size < 2:  # no room for a topic's length
            return None
        if at + size > ends:
            head = at - first
            while self._at + head + size > self._end:
                if not wait or head + size > PIECE or not self._more():
                    return None
            at = self._at + head
        end, body = at + size, at + 2
        topic_end = body + (room[at] << 8 | room[at + 1])
        begin = topic_end + 2 * qos + properties
        if qos > 1 or topic_end == body or begin > end or (properties and room[begin - 1]):
            return None
        mid = room[topic_end] << 8 | room[topic_end + 1] if qos else 0
        view, self._at = self._view, end
        return bytes(view[body:topic_end]), bytes(view[begin:end]), mid, qos

    def acked(self) -> tuple[int, int] | None:
        """Return number and end of the next packet where it lies here whole and is a PUBACK."""
        piece, at = self._room, self._at
        if self._end - at < _ACKED or piece[at] != _PUBACK or not 2 <= piece[at + 1] < 128:
            return None
        end = at + 2 + piece[at + 1]
        return (int.from_bytes(piece[at + 2 : at + 4]), end) if end <= self._end else None

    def skip(self, end: int) -> None:
        """Leave a packet behind that ends there."""
        self._at = end

    def pending(self) -> int:
        """Return how many bytes have been read ahead."""
        beneath = getattr(self._socket, "pending", None)
        return self._end - self._at + (beneath() if beneath else 0)
