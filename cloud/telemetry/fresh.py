"""Rows as they arrived: one packed blob for neighbouring blocks of one machine and one layout.

Writing must cost little, so a blob is the columns' own bytes behind a short head: `crc32 u32 ·
blocks u16 · columns u16`, a byte a column that says whether it has a state plane, 20 bytes a block
(source i64, first seq i64, rows u32), then times, columns, state planes. All little-endian.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.errors import StoreCorrupt
from models.rows import Block

Layout = tuple[tuple[str, str], ...]  #: (signal, type) of each column; types are those of `DTYPES`
MISSING: Final = 0x40  #: in a state plane: no value
ABSENT: Final = 0x80  #: in a state plane: the batch did not have this signal at all
QUALITY: Final = 0x3F
DTYPES: Final = {"d": "<f8", "f": "<f4", "q": "<i8", "?": "|b1"}
_CODES: Final = {np.dtype(text): code for code, text in DTYPES.items()}
GROUP_ROWS: Final = 8_192  #: rows in one fresh row, unless one block alone has more
_HEAD: Final = struct.Struct("<IHH")
_BLOCK: Final = struct.Struct("<qqI")
_CRC: Final = struct.Struct("<I")


@dataclass(slots=True)
class Group:
    """Neighbouring blocks of one machine with the same columns."""

    layout: Layout
    live: bool
    blocks: list[Block]
    rows: int

    def span(self) -> tuple[int, int]:
        """Return the first and the last time."""
        if self.rows == 1:
            only = int(self.blocks[0].times_ns[0])
            return only, only
        return (
            min(int(block.times_ns.min()) for block in self.blocks),
            max(int(block.times_ns.max()) for block in self.blocks),
        )


@dataclass(slots=True)
class Rows:
    """Unpacked rows in order of arrival.

    Shapes (n,): `times` int64, `columns` in the layout's order, `states` uint8 or None (all good),
    `sources` and `seqs` int64.
    """

    times: NDArray[np.int64]
    columns: list[NDArray[np.generic]]
    states: list[NDArray[np.uint8] | None]
    sources: NDArray[np.int64]
    seqs: NDArray[np.int64]


def layout_of(block: Block) -> Layout:
    """Return a block's signals and their types."""
    return _layout(block.signals, tuple([column.dtype for column in block.columns]))


@lru_cache(maxsize=4_096)
def _layout(signals: tuple[str, ...], dtypes: tuple[np.dtype[np.generic], ...]) -> Layout:
    return tuple((name, _CODES[dtype]) for name, dtype in zip(signals, dtypes, strict=True))


def pack(blocks: Sequence[Block], sources: Sequence[int]) -> bytes:
    """Pack blocks of one layout; `sources` number their (device, boot, stream)."""
    names = blocks[0].signals
    stated = [False] * len(names)
    if any(block.quality or block.missing for block in blocks):
        stated = [any(name in b.quality or name in b.missing for b in blocks) for name in names]
    parts: list[Any] = [struct.pack("<HH", len(blocks), len(names)), bytes(stated)]
    parts += [
        _BLOCK.pack(source, block.seq, len(block.times_ns))
        for source, block in zip(sources, blocks, strict=True)
    ]
    parts += [np.ascontiguousarray(block.times_ns, "<i8") for block in blocks]
    if len(blocks) == 1:
        parts += map(np.ascontiguousarray, blocks[0].columns)
    else:
        for column in zip(*[block.columns for block in blocks], strict=True):
            parts += map(np.ascontiguousarray, column)
    for name, has in zip(names, stated, strict=True):
        if has:
            parts += [_state(block, name) for block in blocks]
    rest = b"".join(parts)
    return _CRC.pack(zlib.crc32(rest)) + rest


def _state(block: Block, name: str) -> NDArray[np.uint8]:
    state = np.minimum(block.quality.get(name, np.zeros(len(block), np.uint8)), QUALITY)
    if name in block.missing:
        state = state | np.where(block.missing[name], np.uint8(MISSING), np.uint8(0))
    return np.ascontiguousarray(state, np.uint8)


def _open(body: bytes, where: str) -> tuple[int, int]:
    crc, blocks, columns = _HEAD.unpack_from(body)
    if zlib.crc32(memoryview(body)[4:]) != crc:
        raise StoreCorrupt(
            f"{where}: the bytes contradict their checksum. Restore the file from a backup, or "
            "erase this machine's readings"
        )
    return blocks, columns


def unpack(body: bytes, layout: Layout, where: str) -> Rows:
    """Unpack a blob. `where` names file and row for `StoreCorrupt`."""
    blocks, columns = _open(body, where)
    stated = body[_HEAD.size : _HEAD.size + columns]
    at = _HEAD.size + columns
    runs = list(_BLOCK.iter_unpack(memoryview(body)[at : at + blocks * _BLOCK.size]))
    at += blocks * _BLOCK.size
    counts = [run[2] for run in runs]
    rows = sum(counts)
    times = np.frombuffer(body, "<i8", rows, at)
    at += 8 * rows
    values: list[NDArray[np.generic]] = []
    for _, code in layout:
        dtype = np.dtype(DTYPES[code])
        values.append(np.frombuffer(body, dtype, rows, at))
        at += dtype.itemsize * rows
    states: list[NDArray[np.uint8] | None] = []
    for has in stated:
        states.append(np.frombuffer(body, np.uint8, rows, at) if has else None)
        at += rows if has else 0
    return Rows(
        times=times,
        columns=values,
        states=states,
        sources=np.repeat([run[0] for run in runs], counts),
        seqs=np.concatenate([np.arange(seq, seq + n) for _, seq, n in runs]),
    )


def column(
    body: bytes, layout: Layout, index: int, where: str
) -> tuple[NDArray[np.int64], NDArray[np.generic], NDArray[np.uint8] | None]:
    """Return times, values and states of one column."""
    blocks, columns = _open(body, where)
    stated = body[_HEAD.size : _HEAD.size + columns]
    at = _HEAD.size + columns
    rows = sum(run[2] for run in _BLOCK.iter_unpack(body[at : at + blocks * _BLOCK.size]))
    at += blocks * _BLOCK.size
    times = np.frombuffer(body, "<i8", rows, at)
    at += 8 * rows
    widths = [np.dtype(DTYPES[code]).itemsize for _, code in layout]
    values = np.frombuffer(body, DTYPES[layout[index][1]], rows, at + rows * sum(widths[:index]))
    if not stated[index]:
        return times, values, None
    at += rows * (sum(widths) + sum(stated[:index]))
    return times, values, np.frombuffer(body, np.uint8, rows, at)


def runs(body: bytes, where: str) -> list[tuple[int, int, int]]:
    """Return (source, first seq, rows) of each block."""
    blocks, columns = _open(body, where)
    at = _HEAD.size + columns
    return list(_BLOCK.iter_unpack(body[at : at + blocks * _BLOCK.size]))


def groups(blocks: Sequence[Block]) -> dict[str, list[Group]]:
    """Group neighbouring blocks of a machine that have the same columns, in order of arrival."""
    out: dict[str, list[Group]] = {}
    for block in blocks:
        count = len(block.times_ns)
        if not count:
            continue
        layout = layout_of(block)
        mine = out.setdefault(block.machine, [])
        last = mine[-1] if mine else None
        fits = last and last.layout == layout and last.live != block.historical
        if last and fits and last.rows + count <= GROUP_ROWS:
            last.blocks.append(block)
            last.rows += count
        else:
            mine.append(Group(layout, not block.historical, [block], count))
    return out
