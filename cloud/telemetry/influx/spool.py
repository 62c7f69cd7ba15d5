"""Blocks that wait while the server is away or slow: in memory up to a bound, then on disk.

Not a store: after a restart the journal brings the same blocks again, so the files are only ever
read by the process that wrote them, and begin empty.
"""

import io
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np

from cloud.errors import StoreBusy, StoreFull
from models.rows import Block, size_of

SEGMENT_BYTES: Final = 64 << 20
_LENGTH: Final = 8
Waiting = tuple[list[Block], int]  #: blocks, and the position they reach


class _Arrays(msgspec.Struct, array_like=True):
    n: int
    machine: str
    device: str
    boot: str
    stream: str
    seq: int
    received_ns: int
    historical: bool
    times: memoryview
    signals: tuple[str, ...]
    columns: list[tuple[str, memoryview]]
    table: memoryview  #: all columns where they are one array of float64
    quality: dict[str, bytes]
    missing: dict[str, bytes]


class _Group(msgspec.Struct, array_like=True):
    position: int
    blocks: list[_Arrays]


_PACKER: Final = msgspec.msgpack.Encoder()
_READER: Final = msgspec.msgpack.Decoder(_Group)


class Spool:
    """First in, first out. One thread puts, one thread takes.

    `memory_bytes` bounds what waits in memory, `disk_bytes` the files: beyond that `StoreBusy`.
    """

    def __init__(self, folder: Path, *, memory_bytes: int, disk_bytes: int) -> None:
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._disk_bytes = disk_bytes
        self._memory: deque[tuple[Waiting, int]] = deque()
        self._in_memory = 0
        self._on_disk = 0
        self._groups_on_disk = 0
        self._segments: deque[Path] = deque()
        self._writing: io.FileIO | None = None
        self._reading: BinaryIO | None = None
        self._number = 0
        self._lock = threading.Lock()
        for path in folder.glob("waiting-*"):
            path.unlink()

    @property
    def waiting_bytes(self) -> tuple[int, int]:
        """Bytes that wait in memory and on disk."""
        return self._in_memory, self._on_disk

    def put(self, blocks: Sequence[Block], position: int) -> None:
        """Add a group."""
        size = size_of(blocks)
        with self._lock:
            room = self._in_memory + size <= self._memory_bytes or not self._memory
            if not self._groups_on_disk and room:
                self._memory.append(((list(blocks), position), size))
                self._in_memory += size
                return
            self._spill(blocks, position)

    def _spill(self, blocks: Sequence[Block], position: int) -> None:
        body = _PACKER.encode(_Group(position, [_packed(block) for block in blocks]))
        if self._on_disk + len(body) > self._disk_bytes:
            raise StoreBusy(
                f"{self._folder}: {self._on_disk >> 20} MiB already wait for InfluxDB "
                f"(telemetry.spool_mb = {self._disk_bytes >> 20})"
            )
        try:
            if self._writing is None or self._writing.tell() >= SEGMENT_BYTES:
                self._next_segment()
            assert self._writing is not None
            whole = self._writing.tell()
            try:
                for part in (len(body).to_bytes(_LENGTH, "little"), body):
                    left = memoryview(part)
                    while left:  # more than once where the disk is nearly full: the rest says so
                        left = left[self._writing.write(left) :]
            except OSError:
                self._writing.truncate(whole)
                self._writing.seek(whole)
                raise
        except OSError as error:
            raise StoreFull(
                f"{self._folder}: {error.strerror} ({len(body)} bytes to write)"
            ) from error
        self._on_disk += len(body)
        self._groups_on_disk += 1

    def _next_segment(self) -> None:
        if self._writing:
            self._writing.close()
        path = self._folder / f"waiting-{self._number:06d}"
        self._number += 1
        self._writing = path.open("xb", buffering=0)
        self._segments.append(path)

    def take(self) -> Waiting | None:
        """Take the oldest group (None: nothing waits)."""
        with self._lock:
            if self._memory:
                waiting, size = self._memory.popleft()
                self._in_memory -= size
                return waiting
            if not self._groups_on_disk:
                return None
            body = self._read()
            self._groups_on_disk -= 1
            self._on_disk -= len(body)
            if not self._groups_on_disk:
                self._clear()
        group = _READER.decode(body)
        return [_unpacked(one) for one in group.blocks], group.position

    def _read(self) -> bytes:
        while True:
            if self._reading is None:
                self._reading = self._segments[0].open("rb")
            head = self._reading.read(_LENGTH)
            if head:
                return self._reading.read(int.from_bytes(head, "little"))
            self._reading.close()
            self._reading = None
            self._segments.popleft().unlink()

    def _clear(self) -> None:
        for file in (self._reading, self._writing):
            if file:
                file.close()
        self._reading = self._writing = None
        while self._segments:
            self._segments.popleft().unlink(missing_ok=True)

    def close(self) -> None:
        """Delete the files."""
        with self._lock:
            self._clear()


def _bytes(array: Any) -> memoryview:
    return np.ascontiguousarray(array).data.cast("B")


def _packed(block: Block) -> _Arrays:
    whole = isinstance(block.columns, np.ndarray) and block.columns.size > 0
    return _Arrays(
        n=block.n,
        machine=block.machine,
        device=block.device,
        boot=block.boot,
        stream=block.stream,
        seq=block.seq,
        received_ns=block.received_ns,
        historical=block.historical,
        times=_bytes(block.times_ns),
        signals=block.signals,
        columns=[] if whole else [(one.dtype.str, _bytes(one)) for one in block.columns],
        table=_bytes(block.columns) if whole else memoryview(b""),
        quality={name: part.tobytes() for name, part in block.quality.items()},
        missing={name: part.tobytes() for name, part in block.missing.items()},
    )


def _unpacked(one: _Arrays) -> Block:
    if one.table:
        table = np.frombuffer(one.table, np.float64).reshape(len(one.signals), -1)
    columns = tuple(np.frombuffer(body, np.dtype(kind)) for kind, body in one.columns)
    return Block(
        n=one.n,
        machine=one.machine,
        device=one.device,
        boot=one.boot,
        stream=one.stream,
        seq=one.seq,
        received_ns=one.received_ns,
        historical=one.historical,
        times_ns=np.frombuffer(one.times, np.int64),
        signals=one.signals,
        columns=table if one.table else columns,
        quality={name: np.frombuffer(body, np.uint8) for name, body in one.quality.items()},
        missing={name: np.frombuffer(body, np.bool_) for name, body in one.missing.items()},
    )
