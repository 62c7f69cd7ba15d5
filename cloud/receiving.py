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
        found = self._plains(most, properties)
        return found or (self._plains(1, properties) if self._completed() else found)

    def _plains(self, most: int, properties: bool) -> list[Plain]:
        """Take out what lies here whole, without a call for each: thousands come a second."""
        room, view, first, ends = self._room, self._view, self._at, self._end
        out: list[Plain] = []
        while len(out) < most and ends - first >= _LEAST and room[first] >> 4 == _PUBLISH:
            qos, size, at, shift = room[first] >> 1 & 3, room[first + 1], first + 2, 0
            while size >> shift > 127 and shift < _LAST_SHIFT:  # another byte of the length
                shift += 7
                size += (room[at] - 1) << shift  # 1: the bit that said so
                at += 1
            end, body = at + size, at + 2
            if size < 2 or end > ends or qos > 1:  # 2: a topic's length
                break
            topic_end = body + (room[at] << 8 | room[at + 1])
            begin = topic_end + 2 * qos + properties
            if topic_end == body or begin > end or (properties and room[begin - 1]):
                break
            mid = room[topic_end] << 8 | room[topic_end + 1] if qos else 0
            out.append((view[body:topic_end].tobytes(), view[begin:end].tobytes(), mid, qos))
            first = end
        self._at = first
        return out

    def _completed(self) -> bool:
        """Read what has come of a PUBLISH that has begun; whether it lies here whole now."""
        piece = self._room[self._at : min(self._at + _LEAST, self._end)]
        if len(piece) < _LEAST or piece[0] >> 4 != _PUBLISH:
            return False
        size, length = 0, 1
        for length in range(1, _LEAST):
            size |= (piece[length] & 127) << 7 * (length - 1)
            if piece[length] < 128:
                break
        whole = 1 + length + size
        if piece[length] > 127 or not self._end - self._at < whole <= PIECE:
            return False
        while self._end - self._at < whole:
            if not self._more():
                return False
        return True

    def acks(self, told: set[int]) -> int:
        """Take out the next packets that acknowledge what was told; return how many.

        Their numbers leave `told`. As many come together as receipts were sent together.
        """
        room, first, ends = self._room, self._at, self._end
        count = 0
        while ends - first >= _ACKED and room[first] == _PUBACK and 2 <= room[first + 1] < 128:
            end, mid = first + 2 + room[first + 1], room[first + 2] << 8 | room[first + 3]
            if end > ends or mid not in told:
                break
            told.discard(mid)
            first = end
            count += 1
        self._at = first
        return count

    def pending(self) -> int:
        """Return how many bytes have been read ahead."""
        beneath = getattr(self._socket, "pending", None)
        return self._end - self._at + (beneath() if beneath else 0)
