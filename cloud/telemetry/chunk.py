"""Blobs of compacted data: packed columns behind a checksum, compressed.

`crc32 u32 · zstd`. The checksum covers the compressed bytes; nothing is decoded before it
fits.
"""

import struct
import threading
import zlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import zstandard
from numba import njit
from numpy.typing import NDArray

from cloud.errors import StoreCorrupt
from cloud.telemetry import codec, rollup
from cloud.telemetry.fresh import MISSING
from cloud.telemetry.rollup import FIRST_NS, MAX_NS, START, Partials
from models.life.compiled import kept

LEVEL: Final = 1
LARGEST: Final = 64 << 20  #: bytes that a blob may claim to unpack to; ours have 0.6 MB a column
QUICK_LEVEL: Final = -1  #: of roll-ups, which are few bytes and written often
MOST_ROWS: Final = 1 << 20  #: that a frame may claim; ours have 8,192
_CRC: Final = struct.Struct("<I")
_STATED: Final = 1
_NO_STATES: Final = np.zeros(0, np.uint8)


class _Engines(threading.local):
    """Compressors may not be shared between threads."""

    def __init__(self) -> None:
        self.pack = zstandard.ZstdCompressor(level=LEVEL)
        self.pack_quickly = zstandard.ZstdCompressor(level=QUICK_LEVEL)
        self.unpack = zstandard.ZstdDecompressor()


_engines = _Engines()


@dataclass(slots=True)
class Column:
    """One signal's values of a frame and their states (None: all good and there)."""

    values: NDArray[np.generic]
    states: NDArray[np.uint8] | None


def seal(raw: NDArray[np.uint8], *, quickly: bool = False) -> bytes:
    """Compress and add the checksum."""
    engine = _engines.pack_quickly if quickly else _engines.pack
    body = engine.compress(raw.data)
    return _CRC.pack(zlib.crc32(body)) + body


def unseal(blob: bytes, where: str) -> NDArray[np.uint8]:
    """Check and decompress. `where` names file and row for `StoreCorrupt`."""
    body = memoryview(blob)[_CRC.size :]
    if len(blob) < _CRC.size or zlib.crc32(body) != _CRC.unpack_from(blob)[0]:
        raise contradicts(where)
    try:
        if zstandard.frame_content_size(body) > LARGEST:
            raise contradicts(where)
        return np.frombuffer(_engines.unpack.decompress(body, LARGEST), np.uint8)
    except zstandard.ZstdError as error:
        raise contradicts(where) from error


def contradicts(where: str) -> StoreCorrupt:
    """Return the error of bytes that are not as they were written."""
    return StoreCorrupt(
        f"{where}: the bytes contradict their checksum. Restore the file from a backup, or "
        "erase this machine's readings"
    )


def _must_end(end: int, raw: NDArray[np.uint8], rows: int, where: str) -> None:
    """See that a kernel will find all it wants: how many rows there are stands elsewhere."""
    if end != len(raw) or rows > MOST_ROWS:
        raise contradicts(where)


def _end_of_ints(raw: Any, at: int, n: int) -> int:
    """Return the place behind packed int64 numbers, -1 where a head is not whole."""
    if n == 0 or at < 0:
        return at
    return at + 26 + int(raw[at + 1]) * n if at + 26 <= len(raw) else -1


def _end_of_floats(raw: Any, at: int, n: int) -> int:
    """Return the place behind packed float64 numbers, -1 where a head is not whole."""
    if n == 0:
        return at
    if at + 7 > len(raw):
        return -1
    odd = codec.EXCEPTION_BYTES * int.from_bytes(raw[at + 3 : at + 7].tobytes(), "little")
    return _end_of_ints(raw, at + 7 + odd + (n + 7) // 8 * int(raw[at + 2]), n)


@kept
@njit(nogil=True)
def _pack_doubles(values: Any, states: Any, out: Any) -> int:
    """Pack one signal's doubles; NaN becomes a state."""
    n = len(values)
    stated = len(states) > 0
    gone = False
    for i in range(n):
        gone |= np.isnan(values[i])
    out[0] = _STATED if stated or gone else 0
    end = codec.pack_floats(values, out, 1)
    if not stated and not gone:
        return end
    for i in range(n):
        state = states[i] if stated else np.uint8(0)
        out[end + i] = state | MISSING if np.isnan(values[i]) else state
    return end + n


def pack_column(column: Column, code: str) -> bytes:
    """Pack one signal of a frame; `code` is its type in the layout."""
    values, states = column.values, column.states
    n = len(values)
    out = np.empty(1 + codec.room(n) + n, np.uint8)
    if code in "df":
        mine = _NO_STATES if states is None else states
        return seal(out[: _pack_doubles(values.astype(np.float64, copy=False), mine, out)])
    whole = values.astype(np.int64)
    if states is not None:
        codec.carry(whole, states, rollup.UNSEEN)
    out[0] = _STATED if states is not None else 0
    end = codec.pack_ints(whole, out, 1)
    if states is not None:
        out[end : end + n] = states
        end += n
    return seal(out[:end])


def unpack_column(blob: bytes, rows: int, code: str, where: str) -> Column:
    """Return `pack_column`'s column: float64, int64 or bool."""
    raw = unseal(blob, where)
    packed_end = _end_of_floats if code in "df" else _end_of_ints
    stated = len(raw) > 0 and raw[0]
    _must_end(packed_end(raw, 1, rows) + (rows if stated else 0), raw, rows, where)
    if code in "df":
        values: NDArray[np.generic] = np.empty(rows, np.float64)
        end = codec.unpack_floats(raw, 1, values)
    else:
        values = np.empty(rows, np.int64)
        end = codec.unpack_ints(raw, 1, values)
        values = values if code == "q" else values.astype(np.bool_)
    if not raw[0]:
        return Column(values, None)
    states = raw[end : end + rows]
    if code in "df":
        values[(states & rollup.UNSEEN) != 0] = np.nan
    return Column(values, states)


def pack_numbers(*columns: NDArray[np.int64]) -> bytes:
    """Pack columns of int64 numbers of one length, e.g. times."""
    out = np.empty(len(columns) * codec.room(len(columns[0])), np.uint8)
    end = 0
    for column in columns:
        end = codec.pack_ints(column, out, end)
    return seal(out[:end])


def unpack_numbers(blob: bytes, rows: int, where: str, columns: int = 1) -> NDArray[np.int64]:
    """Return `pack_numbers`' numbers, shape (columns, rows)."""
    raw = unseal(blob, where)
    end = 0
    for _ in range(columns):
        end = _end_of_ints(raw, end, rows)
    _must_end(end, raw, rows, where)
    out = np.empty((columns, rows), np.int64)
    end = 0
    for column in out:
        end = codec.unpack_ints(raw, end, column)
    return out


@kept
@njit(nogil=True)
def _pack_page(ints: Any, floats: Any, width: int, out: Any) -> int:
    n = ints.shape[1]
    at = codec.put(out, 0, n, 4)
    column = np.empty(n, np.int64)
    for k in range(7):
        if k == START:
            for i in range(n):
                column[i] = ints[k, i] // width
        elif FIRST_NS <= k <= MAX_NS:
            for i in range(n):
                column[i] = ints[k, i] - ints[START, i]
        else:
            column[:] = ints[k]
        at = codec.pack_ints(column, out, at)
    for k in range(5):
        at = codec.pack_floats(floats[k].copy(), out, at)
    return at


@kept
@njit(nogil=True)
def _unpack_page(raw: Any, width: int) -> tuple[Any, Any]:
    n = np.int64(raw[0]) | np.int64(raw[1]) << 8 | np.int64(raw[2]) << 16 | np.int64(raw[3]) << 24
    ints, floats = np.empty((7, n), np.int64), np.empty((5, n))
    at = 4
    for k in range(7):
        at = codec.unpack_ints(raw, at, ints[k])
        for i in range(n):
            if k == START:
                ints[k, i] *= width
            elif FIRST_NS <= k <= MAX_NS:
                ints[k, i] += ints[START, i]
    for k in range(5):
        at = codec.unpack_floats(raw, at, floats[k])
    return ints, floats


@kept
@njit(nogil=True)
def _renew_page(raw: Any, more: Any, values: Any, width: int, out: Any) -> int:
    """Merge later buckets into a packed page and pack it again."""
    ints, floats = _unpack_page(raw, width)
    most = ints.shape[1] + more.shape[1]
    merged, sums = np.empty((7, most), np.int64), np.empty((5, most))
    n = rollup.merge(ints, floats, more, values, merged, sums)
    return _pack_page(merged[:, :n], sums[:, :n], width, out)


def pack_page(parts: Partials, width_ns: int) -> bytes:
    """Pack roll-ups of one width."""
    out = np.empty(4 + 12 * codec.room(len(parts)), np.uint8)
    return seal(out[: _pack_page(parts.ints, parts.floats, width_ns, out)], quickly=True)


def unpack_page(blob: bytes, width_ns: int, where: str) -> Partials:
    """Return `pack_page`'s roll-ups."""
    return Partials(*_unpack_page(unseal(blob, where), width_ns))


def renew_page(blob: bytes, parts: Partials, width_ns: int, where: str) -> bytes:
    """Return a page with roll-ups of later arrivals joined in."""
    raw = unseal(blob, where)
    count = int(raw[:4].view("<u4")[0]) + len(parts)
    out = np.empty(4 + 12 * codec.room(count), np.uint8)
    ints, floats = np.ascontiguousarray(parts.ints), np.ascontiguousarray(parts.floats)
    return seal(out[: _renew_page(raw, ints, floats, width_ns, out)], quickly=True)
