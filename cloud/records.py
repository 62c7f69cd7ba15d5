"""How records of the journal stand in a segment's file.

A record is `mark u16 · kind u8 · topic length u8 · body length u32 · crc32 u32 · n i64 ·
at_ns i64 · skip u32 · take u32`, little-endian, then topic and payload. The checksum covers all
that follows it and what stands before it. The highest bit of `kind` marks the first record of a
group, which has one sync. Where a large group begins with a block of the file, zeros stand before
it up to there, and may at the end. Each `n` is one more than the one before.

A segment begins with a record of a kind of its own: its `n` is the position before the segment,
its payload the mark of all other records and the number, the salt, from which their checksums
begin. No sender knows them, so that nothing inside a payload passes for a record. Segments of
earlier versions begin with their first record; their mark is that of a head, their salt 0.
"""

import io
import mmap
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
_POSITION: Final = struct.Struct("<q")
_WHOLE: Final = struct.Struct("<HBBIIqqII")  #: these, one behind the other
_MARK: Final = 0xF0E1  #: of heads, and of all records of earlier versions
_CHECKED: Final = _HEAD.size  #: bytes before the checksum
_PREFIX: Final = _HEAD.size + _CRC.size
_GROUP: Final = 0x80
_UNKNOWN: Final = -1  #: checksum of a payload that nobody has read
_BEGIN: Final = 0x7F  #: kind of a head; earlier versions refuse it. No bit away from a record's
_SECRET: Final = struct.Struct("<HI")
_LEAST: Final = _WHOLE.size  #: bytes of a record
HEAD_BYTES: Final = _LEAST + _SECRET.size


class Kind(IntEnum):
    """What a record is."""

    MESSAGE = 1  #: a message from a device, as it came
    TICK = 2  #: the service's clock; the payload of the first since it began is `BEGINS`
    RELEASE = 3  #: batches that waited for an earlier one were let go
    ACTION = 4  #: what a person did that the models must know, e.g. a replaced part
    ASIDE = 5  #: a message that could not be taken; the payload starts with the reason


BEGINS: Final = b"first"
_FIRST: Final = {kind | flag for kind in Kind for flag in (0, _GROUP)}


class Head(msgspec.Struct, frozen=True, gc=False):
    """What a segment begins with; as it is made here, that of an earlier version's.

    `after`: the position before the segment (None: not known). `size`: its bytes in the file.
    """

    after: int | None = None
    mark: int = _MARK
    salt: int = 0
    size: int = 0


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
def _lay(heads: Any, payloads: Any, checks: Any, salt: Any, at: Any) -> None:
    """Lay records one behind the other from an address on, with their checksums.

    `heads`, `payloads`: where each is, and its bytes, (2, records). `checks` (records,): the CRC-32
    of the payload, or `_UNKNOWN`. `salt`: from where each checksum begins.
    """
    size, moved = np.int64(0), moved_by(np.int64(0))
    for i in range(len(checks)):
        begin, length = at, payloads[1, i]
        copy(at, heads[0, i], heads[1, i])
        at += heads[1, i]
        check = crc32_at(begin + _PREFIX, at, crc32_at(begin, begin + _CHECKED, salt))
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

    def laid(self, records: Sequence[Record], segment: Head) -> memoryview:
        """Return a group as it stands in a segment, until the next one is laid out."""
        heads, flag = [], _GROUP
        for record in records:
            one, topic = record.entry, record.entry.topic.encode()
            body = len(topic) + len(one.payload)
            place = (0, record.n, one.at_ns, one.skip, one.take)
            heads.append(
                _WHOLE.pack(segment.mark, one.kind | flag, len(topic), body, *place) + topic
            )
            flag = 0
        payloads = [record.entry.payload for record in records]
        known = [record.entry.check for record in records]
        checks = np.array([_UNKNOWN if one is None else one for one in known], np.int64)
        places = _places(heads), _places(payloads)
        size = int(sum(place[1].sum() for place in places))
        self._map = self._spare if size <= SPARE else mmap.mmap(-1, blocks(size))
        at = np.frombuffer(self._map, np.uint8).ctypes.data
        _lay(*places, checks, np.uint32(segment.salt), at)
        return memoryview(self._map)[:size]

    def blocks(self, size: int) -> memoryview:
        """Return what was laid out last, so many bytes, with zeros to the end of its last block."""
        whole = memoryview(self._map)[: blocks(size)]
        whole[size:] = bytes(len(whole) - size)
        return whole


def begin(after: int, secret: bytes) -> tuple[bytes, Head]:
    """Return what a segment behind a position begins with; `secret`: six random bytes."""
    mark, salt = _SECRET.unpack(secret)
    head = Head(after, mark | 1, salt, HEAD_BYTES)  # zeros before a record are told from its mark
    body = _SECRET.pack(head.mark, salt)
    prefix = _HEAD.pack(_MARK, _BEGIN, 0, len(body))
    rest = _REST.pack(after, 0, 0, ALL) + body
    return prefix + _CRC.pack(crc32(rest, crc32(prefix))) + rest, head


def head_of(file: BinaryIO) -> Head | None:
    """Read what a segment begins with, None where it is damaged; the file stands behind it then."""
    data = file.read(HEAD_BYTES)
    mark, kind, _, _ = _HEAD.unpack_from(data.ljust(_HEAD.size, b"\0"))
    if mark == _MARK and kind == _BEGIN:
        body, rest = data[_LEAST:], data[_PREFIX:]
        (crc,) = _CRC.unpack_from(data.ljust(_PREFIX, b"\0"), _CHECKED)
        if len(data) < HEAD_BYTES or crc32(rest, crc32(data[:_CHECKED])) != crc:
            return None
        own, salt = _SECRET.unpack(body)
        return Head(_REST.unpack_from(rest)[0], own, salt, HEAD_BYTES)
    file.seek(0)
    earlier = len(data) < HEAD_BYTES or (mark == _MARK and kind in _FIRST)
    return Head() if earlier else None


def read(file: BinaryIO, segment: Head, n: int) -> Iterator[tuple[int, Record | None]]:
    """Yield (offset after the record, record) from behind the head on, the first one `n`.

    One last (offset, None) where the bytes are torn.
    """
    offset = segment.size
    while True:
        at, prefix = offset, file.read(_PREFIX)
        if prefix[:1] == b"\0":
            at = blocks(offset)
            file.seek(offset)
            zeros = not file.read(at - offset).strip(b"\0")
            prefix = file.read(_PREFIX)
            if prefix and not (zeros and _begins_group(prefix)):
                yield offset, None
                return
        if not prefix:
            return
        record, size = _record(prefix, file, segment)
        if record is None or record.n != n:
            yield offset, None
            return
        offset, n = at + size, n + 1
        yield offset, record


def _begins_group(prefix: bytes) -> bool:
    return len(prefix) == _PREFIX and prefix[2] & _GROUP > 0


def _record(prefix: bytes, file: BinaryIO, segment: Head) -> tuple[Record | None, int]:
    """Read the rest of a record; return it and its bytes, None and 0 where they are torn."""
    if len(prefix) < _PREFIX:
        return None, 0
    mark, kind, topic_len, body_len = _HEAD.unpack_from(prefix)
    (crc,) = _CRC.unpack_from(prefix, _CHECKED)
    rest = file.read(_REST.size + body_len) if mark == segment.mark else b""
    torn = len(rest) < _REST.size + body_len
    if torn or crc32(rest, crc32(prefix[:_CHECKED], segment.salt)) != crc:
        return None, 0
    n, at_ns, skip, take = _REST.unpack_from(rest)
    begin = _REST.size + topic_len
    try:
        topic, what = rest[_REST.size : begin].decode(), Kind(kind & ~_GROUP)
    except ValueError:  # not ours, in a segment without a salt
        return None, 0
    return Record(n, Entry(what, at_ns, topic, rest[begin:], skip, take)), _PREFIX + len(rest)


def group_within(data: bytes, segment: Head, end: int) -> bool:
    """Whether a later group than the one after position `end` begins in damaged data.

    Groups are synced one after the other, so that what lies before a later group was durable.
    """
    mark = struct.pack("<H", segment.mark)
    last = end + 1 + len(data) // _LEAST
    file = io.BytesIO(data)
    at = data.find(mark)
    while 0 <= at <= len(data) - _LEAST:
        (n,) = _POSITION.unpack_from(data, at + _PREFIX)
        if data[at + 2] & _GROUP and end + 1 < n <= last:
            file.seek(at + _PREFIX)
            if _record(data[at : at + _PREFIX], file, segment)[0]:
                return True
        at = data.find(mark, at + 1)
    return False
