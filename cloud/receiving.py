"""paho's client, reading from its socket in pieces of 64 KiB instead of three reads a message.

Each read of a socket lets go of the interpreter's lock; while other threads compute, getting it
back can take as long as their turn lasts (5 ms), three or four times a message. With one read for
many messages a busy service does not fall behind a flood for that reason.
"""

from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import MQTTErrorCode

PIECE: Final = 64 << 10  #: bytes read at once
PACKETS: Final = 128  #: handled before what is to be sent has its turn


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


class Client(mqtt.Client):
    """A client that handles what has been read ahead before it looks at the socket again."""

    def _create_socket(self) -> Any:
        return Buffered(super()._create_socket())

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Handle what is there, `PACKETS` messages at most."""
        for _ in range(PACKETS):
            done = super().loop_read(max_packets)
            socket: Any = self.socket()
            if done != MQTTErrorCode.MQTT_ERR_SUCCESS or socket is None or not socket.pending():
                break
        return done
