"""Blobs of compacted data: packed columns behind a checksum, compressed.

`crc32 u32 · zstd level 1`. The checksum covers the compressed bytes; nothing is decoded before it
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

LEVEL: Final = 1
_CRC: Final = struct.Struct("<I")
_STATED: Final = 1


class _Engines(threading.local):
    """Compressors may not be shared between threads."""

    def __init__(self) -> None:
        self.pack = zstandard.ZstdCompressor(level=LEVEL)
        self.unpack = zstandard.ZstdDecompressor()


_engines = _Engines()


@dataclass(slots=True)
class Column:
    """One signal's values of a frame and their states (None: all good and there)."""

    values: NDArray[np.generic]
    states: NDArray[np.uint8] | None


def seal(raw: NDArray[np.uint8]) -> bytes:
    """Compress and add the checksum."""
    body = _engines.pack.compress(raw.data)
    return _CRC.pack(zlib.crc32(body)) + body


def unseal(blob: bytes, where: str) -> NDArray[np.uint8]:
    """Check and decompress. `where` names file and row for `StoreCorrupt`."""
    body = memoryview(blob)[_CRC.size :]
    if len(blob) < _CRC.size or zlib.crc32(body) != _CRC.unpack_from(blob)[0]:
        raise StoreCorrupt(
            f"{where}: the bytes contradict their checksum. Restore the file from a backup, or "
            "erase this machine's readings"
        )
    return np.frombuffer(_engines.unpack.decompress(body), np.uint8)


def pack_column(column: Column, code: str) -> bytes:
    """Pack one signal of a frame; `code` is its type in the layout."""
    values, states = column.values, column.states
    if code in "df":
        gone = np.isnan(values)
        if gone.any():
            states = np.zeros(len(values), np.uint8) if states is None else states
            states = states | np.where(gone, np.uint8(MISSING), np.uint8(0))
    n = len(values)
    out = np.empty(1 + codec.room(n) + n, np.uint8)
    out[0] = _STATED if states is not None else 0
    if code in "df":
        end = codec.pack_floats(values.astype(np.float64, copy=False), out, 1)
    else:
        whole = values.astype(np.int64)
        if states is not None:
            codec.carry(whole, states, rollup.UNSEEN)
        end = codec.pack_ints(whole, out, 1)
    if states is not None:
        out[end : end + n] = states
        end += n
    return seal(out[:end])


def unpack_column(blob: bytes, rows: int, code: str, where: str) -> Column:
    """Return `pack_column`'s column: float64, int64 or bool."""
    raw = unseal(blob, where)
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
    out = np.empty((columns, rows), np.int64)
    raw = unseal(blob, where)
    end = 0
    for column in out:
        end = codec.unpack_ints(raw, end, column)
    return out


@njit(cache=True, nogil=True)
def _pack_page(ints: Any, floats: Any, width: int, out: Any) -> int:
    n = ints.shape[1]
    at = codec.put(out, 0, n, 4)
    column = np.empty(n, np.int64)
    for k in range(7):
        for i in range(n):
            column[i] = ints[k, i]
            if k == START:
                column[i] //= width
            elif FIRST_NS <= k <= MAX_NS:
                column[i] -= ints[START, i]
        at = codec.pack_ints(column, out, at)
    for k in range(5):
        at = codec.pack_floats(floats[k].copy(), out, at)
    return at


@njit(cache=True, nogil=True)
def _unpack_page(raw: Any, width: int, ints: Any, floats: Any) -> None:
    n = ints.shape[1]
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


def pack_page(parts: Partials, width_ns: int) -> bytes:
    """Pack roll-ups of one width."""
    out = np.empty(4 + 12 * codec.room(len(parts)), np.uint8)
    return seal(out[: _pack_page(parts.ints, parts.floats, width_ns, out)])


def unpack_page(blob: bytes, width_ns: int, where: str) -> Partials:
    """Return `pack_page`'s roll-ups."""
    raw = unseal(blob, where)
    count = int(raw[:4].view("<u4")[0])
    parts = Partials(np.empty((7, count), np.int64), np.empty((5, count)))
    _unpack_page(raw, width_ns, parts.ints, parts.floats)
    return parts
