"""How records of the journal stand in a segment's file.

A record is `magic u16 · kind u8 · topic length u8 · body length u32 · crc32 u32 · n i64 ·
at_ns i64 · skip u32 · take u32`, little-endian, then topic and payload. The checksum covers all
that follows it and what stands before it. The highest bit of `kind` marks the first record of a
group, which has one sync. Zeros, fewer than a block, may stand before such a record, where a large
group begins with a block of the file, and at the end.
"""

import io
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any, BinaryIO, Final
from zlib import crc32

import msgspec
import numpy as np

from cloud.crc import crc32_at, moved_by, product
from cloud.intrinsics import addresses, copy, get_word, put_word
from models.life.compiled import entry as compiled

BLOCK: Final = 4096  #: of a file, and of memory that the disk fetches from
SPARE: Final = 4 << 20  #: bytes of a group that memory is kept for
ALL: Final = 0xFFFFFFFF  #: `take`: every sample from `skip` on
_HEAD: Final = struct.Struct("<HBBI")
_REST: Final = struct.Struct("<qqII")
_CRC: Final = struct.Struct("<I")
_WHOLE: Final = struct.Struct("<HBBIIqqII")  #: these, one behind the other
_MAGIC: Final = 0xF0E1
_CHECKED: Final = _HEAD.size  #: bytes before the checksum
_PREFIX: Final = _HEAD.size + _CRC.size
_GROUP: Final = 0x80
_UNKNOWN: Final = -1  #: checksum of a payload that nobody has read


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


def blocks(size: int) -> int:
    """Return the bytes of the blocks that so many take."""
    return -(-size // BLOCK) * BLOCK


@compiled
def _lay(heads: Any, payloads: Any, checks: Any, at: Any) -> None:
    """Lay records one behind the other from an address on, with their checksums.

    `heads`, `payloads`: where each is, and its bytes, (2, records). `checks` (records,): the CRC-32
    of the payload, or `_UNKNOWN`.
    """
    size, moved = np.int64(0), moved_by(np.int64(0))
    for i in range(len(checks)):
        begin, length = at, payloads[1, i]
        copy(at, heads[0, i], heads[1, i])
        at += heads[1, i]
        check = crc32_at(begin + _PREFIX, at, crc32_at(begin, begin + _CHECKED, np.uint32(0)))
        copy(at, payloads[0, i], length)
        if checks[i] == _UNKNOWN:
            check = crc32_at(at, at + length, check)
        else:
            if length != size:
                size, moved = length, moved_by(length)
            check = product(moved, check) ^ np.uint32(checks[i])
        at += length
        beside = get_word(begin + _CHECKED) >> np.uint64(32) << np.uint64(32)
        put_word(begin + _CHECKED, beside | np.uint64(check))


def _places(parts: Sequence[bytes]) -> Any:
    return np.stack((addresses(parts), np.fromiter(map(len, parts), np.int64, len(parts))))


class Room:
    """Memory in which groups are laid out one after the other, where a block may lie."""

    def __init__(self) -> None:
        self._spare = self._map = mmap.mmap(-1, SPARE)

    def laid(self, records: Sequence[Record]) -> memoryview:
        """Return a group as it stands in a segment, until the next one is laid out."""
        heads, flag = [], _GROUP
        for n, one in [(record.n, record.entry) for record in records]:
            topic = one.topic.encode()
            body = len(topic) + len(one.payload)
            place = (0, n, one.at_ns, one.skip, one.take)
            heads.append(_WHOLE.pack(_MAGIC, one.kind | flag, len(topic), body, *place) + topic)
            flag = 0
        payloads = [record.entry.payload for record in records]
        known = [record.entry.check for record in records]
        checks = np.array([_UNKNOWN if one is None else one for one in known], np.int64)
        places = _places(heads), _places(payloads)
        size = int(sum(place[1].sum() for place in places))
        self._map = self._spare if size <= SPARE else mmap.mmap(-1, blocks(size))
        _lay(*places, checks, np.frombuffer(self._map, np.uint8).ctypes.data)
        return memoryview(self._map)[:size]

    def blocks(self, size: int) -> memoryview:
        """Return what was laid out last, so many bytes, with zeros to the end of its last block."""
        whole = memoryview(self._map)[: blocks(size)]
        whole[size:] = bytes(len(whole) - size)
        return whole


def read(file: BinaryIO) -> Iterator[tuple[int, Record | None]]:
    """Yield (offset after the record, record); one last (offset, None) where the bytes are torn."""
    offset = 0
    while True:
        prefix, zeros = file.read(_PREFIX), 0
        if prefix[:1] == b"\0":
            begin = prefix + file.read(BLOCK - _PREFIX)
            zeros = len(begin) - len(begin.lstrip(b"\0"))
            if zeros == len(begin) < BLOCK:
                return
            file.seek(zeros - len(begin), os.SEEK_CUR)
            prefix = file.read(_PREFIX)
        if not prefix:
            return
        if zeros and not _begins_group(prefix):
            yield offset, None
            return
        offset += zeros
        record, size = _record(file, prefix)
        offset += size
        yield offset, record
        if record is None:
            return


def _begins_group(prefix: bytes) -> bool:
    return len(prefix) == _PREFIX and _HEAD.unpack_from(prefix)[1] & _GROUP > 0


def _record(file: BinaryIO, prefix: bytes) -> tuple[Record | None, int]:
    """Read the rest of a record; return it and its bytes, None and 0 where they are torn."""
    if len(prefix) < _PREFIX:
        return None, 0
    magic, kind, topic_len, body_len = _HEAD.unpack_from(prefix)
    (crc,) = _CRC.unpack_from(prefix, _HEAD.size)
    rest = file.read(_REST.size + body_len) if magic == _MAGIC else b""
    torn = len(rest) < _REST.size + body_len
    if torn or crc32(rest, crc32(prefix[: _HEAD.size])) != crc:
        return None, 0
    n, at_ns, skip, take = _REST.unpack_from(rest)
    topic = rest[_REST.size : _REST.size + topic_len].decode()
    payload = rest[_REST.size + topic_len :]
    entry = Entry(Kind(kind & ~_GROUP), at_ns, topic, payload, skip, take)
    return Record(n, entry), _PREFIX + len(rest)


def group_within(data: bytes, end: int) -> bool:
    """Whether a later group than the one after position `end` begins in damaged data.

    Groups are synced one after the other, so that what lies before a later group was durable. What
    only looks like a record, inside a payload, is not followed by records in order.
    """
    magic = struct.pack("<H", _MAGIC)
    at = data.find(magic, 1)
    while at >= 0:
        head = data[at : at + _HEAD.size]
        if len(head) == _HEAD.size and head[2] & _GROUP:
            chain = list(read(io.BytesIO(data[at:])))
            found = [record.n for _, record in chain if record]
            behind = data[at + chain[-1][0] :][: len(magic)] if chain[-1][1] is None else b""
            ordered = bool(found) and found == list(range(found[0], found[-1] + 1))
            if ordered and found[0] > end + 1 and magic.startswith(behind):
                return True
        at = data.find(magic, at + 1)
    return False
