"""The shipment in hand on disk, so that after a crash the very same bytes are sent again.

A repeated request changes nothing in InfluxDB when its bytes are the same; roll-ups computed anew
from half of them would. Two files take turns: one always holds a whole shipment.

A file is `magic u32 · crc32 u32 · length u64 · position i64`, then `length` bytes that say what
there is: `position i64 · bytes outside u64`, and for each body `bucket length u16 · body length
inside u32 · outside u32`, the bucket's name and the body's end. Zeros fill the last block of that.
Outside follow the bodies' beginnings, whole blocks, which the disk fetches from where they lie in
memory. The sum is of all but the first 24 bytes and the zeros. Little-endian. Before, all of a body
was inside, without a second length; such a file is still read.
"""

import errno
import fcntl
import mmap
import os
import struct
from collections import deque
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from cloud.crc import crc32
from cloud.errors import StoreBusy, StoreFull
from cloud.telemetry.influx.lines import BLOCK, blocks
from cloud.telemetry.influx.shipment import Shipment

_HEAD: Final = struct.Struct("<IIQq")
_REST: Final = struct.Struct("<qQ")
_OLD_REST: Final = struct.Struct("<q")
_BODY: Final = struct.Struct("<HII")
_OLD_BODY: Final = struct.Struct("<HI")
_MAGIC: Final = 0xF0E1_0002
_OLD: Final = 0xF0E1_0001
_PARTS: Final = 1_000  #: written by one call, which takes 1,024
_DIRECT: Final = getattr(os, "O_DIRECT", 0)
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
        self._inside = mmap.mmap(-1, BLOCK)

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
        outside = [body[: _whole(body)] for _, body in shipment.bodies]
        parts: list[bytes | memoryview]
        parts = [_REST.pack(shipment.position, sum(len(part) for part in outside))]
        for (bucket, body), out in zip(shipment.bodies, outside, strict=True):
            name = bucket.encode()
            parts += [_BODY.pack(len(name), len(body) - len(out), len(out)), name, body[len(out) :]]
        outside = [part for part in outside if len(part)]
        length, crc = sum(len(part) for part in parts), 0
        for part in (*parts, *outside):
            crc = crc32(part, crc)
        inside = self._joined([_HEAD.pack(_MAGIC, crc, length, shipment.position), *parts])
        turn = 1 - self._turn
        path = self._paths[turn]
        try:
            _overwrite(path, [inside, *outside])
        except OSError as error:
            size = len(inside) + sum(len(part) for part in outside)
            raise StoreFull(f"{path}: {error.strerror} ({size} bytes)") from error
        self._turn = turn

    def _joined(self, parts: Sequence[bytes | memoryview]) -> memoryview:
        """Return parts in whole blocks at a place where a block may lie."""
        size = blocks(sum(len(part) for part in parts))
        if len(self._inside) < size:
            self._inside = mmap.mmap(-1, size)
        at = 0
        for part in parts:
            self._inside[at : at + len(part)] = part
            at += len(part)
        self._inside[at:size] = bytes(size - at)
        return memoryview(self._inside)[:size]

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
    magic, crc, length, _ = _HEAD.unpack_from(data)
    rest = data[_HEAD.size : _HEAD.size + length]
    first = {_MAGIC: _REST, _OLD: _OLD_REST}.get(magic)
    if first is None or len(rest) != length or length < first.size:
        return None
    position, *sizes = first.unpack_from(rest)
    at, begin = first.size, blocks(_HEAD.size + length)
    outside = data[begin : begin + sizes[0]] if sizes else b""
    if crc32(outside, crc32(rest)) != crc:
        return None
    bodies: list[tuple[str, bytes | memoryview]] = []
    kind, taken = _BODY if magic == _MAGIC else _OLD_BODY, 0
    while at < length:
        name_bytes, *sizes = kind.unpack_from(rest, at)
        at += kind.size
        bucket = rest[at : at + name_bytes].decode()
        at += name_bytes
        out = sizes[1] if magic == _MAGIC else 0
        bodies.append((bucket, outside[taken : taken + out] + rest[at : at + sizes[0]]))
        taken += out
        at += sizes[0]
    return Shipment(position, bodies)


def _whole(body: bytes | memoryview) -> int:
    """Return how many bytes of a body the disk can fetch from where they lie, in whole blocks."""
    there = np.frombuffer(body, np.uint8).ctypes.data % BLOCK == 0 if len(body) >= BLOCK else False
    return len(body) // BLOCK * BLOCK if there else 0


def _overwrite(path: Path, parts: Sequence[memoryview | bytes]) -> None:
    """Write blocks over what a file has from its start on; what is behind may stay.

    Where the file system lets us they do not go through its cache: nobody reads them there.
    """
    try:
        _write(path, parts, _DIRECT)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP} or not _DIRECT:
            raise
        _write(path, parts, 0)


def _write(path: Path, parts: Sequence[memoryview | bytes], flags: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)
    try:
        at, left = 0, deque(memoryview(part) for part in parts)
        while left:
            done = os.pwritev(fd, [*islice(left, _PARTS)], at)
            if not done:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            at += done
            while left and done >= len(left[0]):
                done -= len(left.popleft())
            if done:
                left[0] = left[0][done:]
        os.fdatasync(fd)
    finally:
        os.close(fd)
