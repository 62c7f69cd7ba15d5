"""The shipment in hand on disk, so that after a crash the very same bytes are sent again.

A repeated request changes nothing in InfluxDB when its bytes are the same; roll-ups computed anew
from half of them would. Two files take turns: one always holds a whole shipment.

A file is `magic u32 · crc32 u32 · length u64 · position i64`, then for each body `bucket length u16
· body length u32`, the bucket's name and the body. Little-endian.
"""

import fcntl
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cloud.errors import StoreBusy, StoreFull
from cloud.telemetry.influx.crc import crc32
from cloud.telemetry.influx.shipment import Shipment

_HEAD: Final = struct.Struct("<IIQq")
_BODY: Final = struct.Struct("<HI")
_MAGIC: Final = 0xF0E1_0001
GUARD: Final = "shipping.lock"


class Copied(StoreBusy):
    """A backup is being made, or another process ships."""


class ShipmentLog:
    """Two files in a folder. `last` is the newest whole shipment found at the start."""

    def __init__(self, folder: Path) -> None:
        self._guard = folder / GUARD
        self._paths = (folder / "shipment-a", folder / "shipment-b")
        found = [(_read(path), path) for path in self._paths]
        whole = sorted(
            ((shipment.position, path, shipment) for shipment, path in found if shipment),
            key=lambda item: item[0],
        )
        self.last: Shipment | None = whole[-1][2] if whole else None
        self._turn = self._paths.index(whole[-1][1]) if whole else 1

    def seize(self) -> int:
        """Return a descriptor that keeps other processes from shipping or copying until closed.

        `Copied` when one of them does.
        """
        fd = os.open(self._guard, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise Copied(f"{self._guard.parent}: a backup is being made") from error
        return fd

    def note(self, shipment: Shipment) -> None:
        """Make a shipment safe before it is sent. `StoreFull` names the path."""
        parts: list[bytes | memoryview] = [shipment.position.to_bytes(8, "little", signed=True)]
        for bucket, body in shipment.bodies:
            name = bucket.encode()
            parts += [_BODY.pack(len(name), len(body)), name, body]
        crc = length = 0
        for part in parts:
            crc = crc32(part, crc)
            length += len(part)
        head = _HEAD.pack(_MAGIC, crc, length, shipment.position)
        turn = 1 - self._turn
        path = self._paths[turn]
        try:
            _overwrite(path, [head, *parts])
        except OSError as error:
            raise StoreFull(f"{path}: {error.strerror} ({length} bytes)") from error
        self._turn = turn

    def wipe(self, position: int) -> None:
        """Forget the bytes of both shipments, keep the position."""
        for _ in self._paths:
            os.truncate(self._paths[self._turn], 0) if self._paths[self._turn].exists() else None
            self.note(Shipment(position, []))


def _read(path: Path) -> Shipment | None:
    """Return what a file holds; None when it is not there or not whole."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(data) < _HEAD.size:
        return None
    magic, crc, length, position = _HEAD.unpack_from(data)
    rest = data[_HEAD.size : _HEAD.size + length]
    if magic != _MAGIC or len(rest) != length or crc32(rest) != crc:
        return None
    bodies: list[tuple[str, bytes | memoryview]] = []
    at = 8
    while at < length:
        name_bytes, body_bytes = _BODY.unpack_from(rest, at)
        at += _BODY.size
        bucket = rest[at : at + name_bytes].decode()
        at += name_bytes
        bodies.append((bucket, rest[at : at + body_bytes]))
        at += body_bytes
    return Shipment(position, bodies)


def _overwrite(path: Path, parts: Sequence[bytes | memoryview]) -> None:
    """Write over what a file has from its start on; what is behind may stay."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.writelines(parts)
        os.fdatasync(fd)
    finally:
        os.close(fd)
