"""The journal: everything the service accepted, in one order, durable before anybody is told.

All state behind it (telemetry, models, tickets) can be computed again from it, bit for bit. The
embedded default keeps segment files; at scale the same protocol is a Kafka log.

A record on disk is `magic u16 · kind u8 · topic length u8 · body length u32 · crc32 u32 · n i64 ·
at_ns i64 · skip u32 · take u32`, little-endian, then topic and payload. The checksum covers all
that follows it. The highest bit of `kind` marks the first record of a group, which has one sync.
"""

import fcntl
import io
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from zlib import crc32

import msgspec
import numpy as np

from cloud.crc import crc32s, of_each, of_joined
from cloud.durable import sync
from cloud.errors import StoreBusy, StoreCorrupt, StoreFull

_HEAD: Final = struct.Struct("<HBBI")
_REST: Final = struct.Struct("<qqII")
_CRC: Final = struct.Struct("<I")
_WHOLE: Final = struct.Struct("<HBBIIqqII")  #: these, one behind the other
_MAGIC: Final = 0xF0E1
_PREFIX: Final = _HEAD.size + _CRC.size
_GROUP: Final = 0x80
_TOGETHER: Final = 256  #: records that are written in one call, two pieces each: it takes 1,024
ALL: Final = 0xFFFFFFFF  #: `take`: every sample from `skip` on
_Pieces = Sequence[bytes | memoryview]


class Kind(IntEnum):
    """What a record is."""

    MESSAGE = 1  #: a message from a device, as it came
    TICK = 2  #: the service's clock
    RELEASE = 3  #: batches that waited for an earlier one were let go
    ACTION = 4  #: what a person did that the models must know, e.g. a replaced part
    ASIDE = 5  #: a message that could not be taken; the payload starts with the reason


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One thing to record. Of a batch, samples `skip … skip + take - 1` count.

    `check`: the CRC-32 of the payload, from who has read it.
    """

    kind: Kind
    at_ns: int
    topic: str = ""
    payload: bytes = b""
    skip: int = 0
    take: int = ALL
    check: int | None = None


class Record(msgspec.Struct, frozen=True, gc=False):
    """An entry with its position."""

    n: int
    entry: Entry


class Journal(Protocol):
    """One durable order of entries. Positions grow by one from 0."""

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        """Make the entries durable and return them with their positions. `StoreFull`."""
        ...

    def since(self, n: int) -> Iterator[Record]:
        """Yield the records after position `n` in order."""
        ...

    def end(self) -> int:
        """Return the newest position (-1: empty)."""
        ...

    def forget(self, n: int) -> None:
        """Records up to `n` are no longer needed; whole segments of them may go."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


def _laid(records: Sequence[Record], flag: int = 0) -> Iterator[_Pieces]:
    """Yield the records as they stand in a segment, many at a time; `flag`: of the first one."""
    for first in range(0, len(records), _TOGETHER):
        part, heads = records[first : first + _TOGETHER], []
        for record in part:
            entry = record.entry
            topic, kind = entry.topic.encode(), entry.kind | flag
            body = len(topic) + len(entry.payload)
            place = (0, record.n, entry.at_ns, entry.skip, entry.take)
            heads.append(_WHOLE.pack(_MAGIC, kind, len(topic), body, *place) + topic)
            flag = 0
        yield _summed(heads, [record.entry for record in part])


def _summed(heads: Sequence[bytes], entries: Sequence[Entry]) -> _Pieces:
    """Return each head, with the checksum of its record, and the payload behind it."""
    payloads = [entry.payload for entry in entries]
    unknown = iter(of_each([one.payload for one in entries if one.check is None]).tolist())
    known = [next(unknown) if one.check is None else one.check for one in entries]
    joined = bytearray().join(heads)
    data, ends = np.frombuffer(joined, np.uint8), np.cumsum([*map(len, heads)])
    firsts = np.concatenate(([0], ends[:-1]))
    checks = crc32s(data, firsts, firsts + _HEAD.size)
    checks = crc32s(data, firsts + _PREFIX, ends, checks)
    checks = of_joined(checks, np.array(known, np.uint32), np.array([*map(len, payloads)]))
    places = firsts[:, None] + np.arange(_HEAD.size, _PREFIX)
    data[places] = checks.astype("<u4")[:, None].view(np.uint8)
    view = memoryview(joined)
    spans = zip(firsts.tolist(), ends.tolist(), payloads, strict=True)
    return [piece for first, end, payload in spans for piece in (view[first:end], payload)]


def _behind(pieces: _Pieces, size: int) -> _Pieces:
    """Return what is left of pieces behind so many bytes."""
    for at, piece in enumerate(pieces):
        if size < len(piece):
            return [memoryview(piece)[size:], *pieces[at + 1 :]]
        size -= len(piece)
    return []


def _read(file: BinaryIO) -> Iterator[tuple[int, Record | None]]:
    """Yield (offset after the record, record); one last (offset, None) where the bytes are torn."""
    offset = 0
    while True:
        prefix = file.read(_PREFIX)
        if not prefix:
            return
        if len(prefix) < _PREFIX:
            yield offset, None
            return
        magic, kind, topic_len, body_len = _HEAD.unpack_from(prefix)
        (crc,) = _CRC.unpack_from(prefix, _HEAD.size)
        rest = file.read(_REST.size + body_len) if magic == _MAGIC else b""
        torn = len(rest) < _REST.size + body_len
        if torn or crc32(rest, crc32(prefix[: _HEAD.size])) != crc:
            yield offset, None
            return
        n, at_ns, skip, take = _REST.unpack_from(rest)
        topic = rest[_REST.size : _REST.size + topic_len].decode()
        payload = rest[_REST.size + topic_len :]
        offset += _PREFIX + len(rest)
        yield offset, Record(n, Entry(Kind(kind & ~_GROUP), at_ns, topic, payload, skip, take))


def _group_within(data: bytes, end: int) -> bool:
    """Whether a later group than the one after position `end` begins in damaged data.

    Groups are synced one after the other, so that what lies before a later group was durable. What
    only looks like a record, inside a payload, is not followed by records in order.
    """
    magic = struct.pack("<H", _MAGIC)
    at = data.find(magic, 1)
    while at >= 0:
        head = data[at : at + _HEAD.size]
        if len(head) == _HEAD.size and head[2] & _GROUP:
            chain = list(_read(io.BytesIO(data[at:])))
            found = [record.n for _, record in chain if record]
            behind = data[at + chain[-1][0] :][: len(magic)]
            ordered = bool(found) and found == list(range(found[0], found[-1] + 1))
            if ordered and found[0] > end + 1 and magic.startswith(behind):
                return True
        at = data.find(magic, at + 1)
    return False


class SegmentJournal:
    """Segment files in one folder, one `fdatasync` a group. One process at a time.

    A torn tail (the machine died while writing, nobody was told) is cut off at opening and kept
    beside the segment as `*.torn`. A damaged record before a later group is `StoreCorrupt`.
    """

    def __init__(self, folder: Path, *, segment_bytes: int = 64 << 20) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StoreBusy(f"{folder} is in use by another process; stop it first") from error
        self._end = -1
        self._fd = -1
        self._size = 0
        self._failed: str | None = None
        try:
            self._open_last()
        except BaseException:
            self.close()
            raise

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        """See `Journal.append`."""
        if self._failed:
            raise StoreCorrupt(self._failed)
        if not entries:
            return []
        records = [Record(n, e) for n, e in enumerate(entries, self._end + 1)]
        if self._fd < 0 or self._size >= self._segment_bytes:
            self._roll(records[0].n)
        self._size += self._write(_laid(records, _GROUP))
        self._end = records[-1].n
        return records

    def since(self, n: int) -> Iterator[Record]:
        """See `Journal.since`."""
        segments = self._segments()
        for index, path in enumerate(segments):
            if index + 1 < len(segments) and _first(segments[index + 1]) <= n + 1:
                continue
            with path.open("rb") as file:
                for _, record in _read(file):
                    if record is None:
                        if index + 1 < len(segments):
                            raise StoreCorrupt(_damaged(path))
                        break
                    if record.n > n:
                        yield record

    def end(self) -> int:
        """See `Journal.end`."""
        return self._end

    def first(self) -> int:
        """Return the oldest position still kept."""
        segments = self._segments()
        return _first(segments[0]) if segments else self._end + 1

    def advance(self, n: int) -> None:
        """Go on after position `n`: positions that the stores know are never given out again."""
        if n > self._end:
            self._roll(n + 1)
            self._end = n

    def forget(self, n: int) -> None:
        """See `Journal.forget`."""
        segments = self._segments()
        for path, following in pairwise(segments):
            if _first(following) > n + 1:
                break
            path.unlink()

    def close(self) -> None:
        """See `Journal.close`."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob("*.journal"))

    def _open_last(self) -> None:
        segments = self._segments()
        if not segments:
            return
        path = segments[-1]
        self._end = _first(path) - 1
        good = 0
        with path.open("rb") as file:
            for offset, record in _read(file):
                if record is None:
                    break
                good, self._end = offset, record.n
            file.seek(good)
            torn = file.read()
        if _group_within(torn, self._end):
            raise StoreCorrupt(_damaged(path))
        if torn:
            path.with_suffix(".torn").write_bytes(torn)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        if torn:
            os.ftruncate(self._fd, good)
            os.fsync(self._fd)
        self._size = good

    def _roll(self, n: int) -> None:
        path = self._folder / f"{n:020d}.journal"
        try:
            fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC, 0o600)
            try:
                sync(self._folder)
            except OSError:
                os.close(fd)
                raise
        except OSError as error:
            raise StoreFull(f"cannot start {path}: {error.strerror}; free some space") from error
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size = fd, 0

    def _write(self, parts: Iterator[_Pieces]) -> int:
        """Write all parts and sync; return how many bytes they are."""
        size = 0
        try:
            for part in parts:
                pieces, left = part, sum(map(len, part))
                size += left
                while left:  # more than once where the disk is nearly full: the rest says so
                    done = os.writev(self._fd, pieces)
                    pieces, left = _behind(pieces, done) if done < left else (), left - done
        except Exception as error:
            os.ftruncate(self._fd, self._size)
            if not isinstance(error, OSError):
                raise
            size += sum(len(piece) for part in parts for piece in part)  # not tried any more
            raise StoreFull(
                f"cannot write {size} bytes to {self._folder}: {error.strerror}; "
                "free some space, the service resumes by itself"
            ) from error
        try:
            os.fdatasync(self._fd) if hasattr(os, "fdatasync") else os.fsync(self._fd)
        except OSError as error:
            # After a failed sync the kernel may drop the pages: what follows would be a guess.
            self._failed = f"{self._folder}: sync failed ({error.strerror}); restart the service"
            raise StoreCorrupt(self._failed) from error
        return size


def examine(folder: Path) -> int:
    """Read every record without changing anything; return the newest position (-1: none).

    A service may append meanwhile. `StoreCorrupt` names a damaged segment.
    """
    end = -1
    segments = sorted(folder.glob("*.journal"))
    for path in segments:
        end = _first(path) - 1
        good = 0
        with path.open("rb") as file:
            for offset, record in _read(file):
                if record is None:
                    file.seek(good)
                    if path != segments[-1] or _group_within(file.read(), end):
                        raise StoreCorrupt(_damaged(path))
                    break
                good, end = offset, record.n
    return end


def blank(folder: Path, gone: Callable[[Entry], bool]) -> int:
    """Put a tick of the same time in the place of each entry that must be gone; return how many.

    Positions stay as they are. Each segment is replaced whole. Nobody may append meanwhile: hold
    the journal open, and close it afterwards without appending.
    """
    count = 0
    for path in sorted(folder.glob("*.journal")):
        with path.open("rb") as file:
            records = [record for _, record in _read(file) if record is not None]
        found = [record.n for record in records if gone(record.entry)]
        if not found:
            continue
        count += len(found)
        out = set(found)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            for one in records:
                tick = Entry(Kind.TICK, one.entry.at_ns)
                for pieces in _laid([Record(one.n, tick) if one.n in out else one], _GROUP):
                    file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    for path in folder.glob("*.torn"):
        path.unlink()
    sync(folder)
    return count


def _first(path: Path) -> int:
    return int(path.stem)


def _damaged(path: Path) -> str:
    return (
        f"{path}: a record is damaged. Restore the file from a backup, or move it and all later "
        "segments away to start from the last snapshot; devices send again what has no receipt."
    )
