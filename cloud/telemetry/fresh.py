"""Rows as they arrived: one packed blob for neighbouring blocks of one machine and one layout.

Writing must cost little, and most of its cost is bytes. So a blob is a short head, `crc32 u32 ·
blocks u16 · columns u16`, a byte of flags a column (1: it has a state plane, 2: it is packed), 20
bytes a block (source i64, first seq i64, rows u32), then times, columns, state planes. Few rows are
the columns' own bytes; where columns are packed (`cloud.telemetry.codec`) so are the times, and the
lengths of times and columns (u32) come before them. All little-endian.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloud.errors import StoreCorrupt
from cloud.telemetry import codec
from models.life.compiled import kept
from models.rows import Block

Layout = tuple[tuple[str, str], ...]  #: (signal, type) of each column; types are those of `DTYPES`
MISSING: Final = 0x40  #: in a state plane: no value
ABSENT: Final = 0x80  #: in a state plane: the batch did not have this signal at all
QUALITY: Final = 0x3F
DTYPES: Final = {"d": "<f8", "f": "<f4", "q": "<i8", "?": "|b1"}
_WIDTHS: Final = {code: np.dtype(text).itemsize for code, text in DTYPES.items()}
_CODES: Final[dict[str, str]] = {
    **{np.dtype(text).char: code for code, text in DTYPES.items()},
    np.dtype(np.longlong).char: "q",  # int64 by its other name
}
GROUP_ROWS: Final = 8_192  #: rows in one fresh row, unless one block alone has more
PACKED_ROWS: Final = 64  #: fewer are not worth packing
_STATED: Final = 1
_PACKED: Final = 2
_HEAD: Final = struct.Struct("<IHH")
_COUNTS: Final = struct.Struct("<HH")
_BLOCK: Final = struct.Struct("<qqI")
_RUNS: Final = np.dtype([("source", "<i8"), ("seq", "<i8"), ("rows", "<u4")])  #: as `_BLOCK`
_CRC: Final = struct.Struct("<I")


@dataclass(slots=True)
class Group:
    """Neighbouring blocks of one machine with the same columns."""

    shape: "_Shape"
    live: bool
    blocks: list[Block]
    rows: int

    @property
    def layout(self) -> Layout:
        """The signals and their types."""
        return self.shape.layout


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


@dataclass(slots=True)
class Packed:
    """A blob, and the first and the last time of its rows."""

    body: bytes
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class _Shape:
    """What is known of blocks with the same columns; `whole` (columns,) bool: int64."""

    layout: Layout
    whole: NDArray[np.bool_]
    packable: bool  #: all columns are 8 bytes wide


def layout_of(block: Block) -> Layout:
    """Return a block's signals and their types."""
    return _shape_of(block).layout


def _shape_of(block: Block) -> _Shape:
    columns = block.columns
    if isinstance(columns, np.ndarray):
        return _shape(block.signals, columns.dtype.char * len(columns))
    return _shape(block.signals, "".join([column.dtype.char for column in columns]))


@lru_cache(maxsize=4_096)
def _shape(signals: tuple[str, ...], chars: str) -> _Shape:
    layout = tuple((name, _CODES[char]) for name, char in zip(signals, chars, strict=True))
    codes = [code for _, code in layout]
    return _Shape(layout, np.array([code == "q" for code in codes], np.bool_), {*codes} <= {*"dq"})


def pack(group: Group, sources: Sequence[int]) -> Packed:
    """Pack a group; `sources` number its blocks' (device, boot, stream)."""
    blocks, shape, rows = group.blocks, group.shape, group.rows
    flags, states = _planes(group)
    parts: list[Any] = [np.ascontiguousarray(block.times_ns, "<i8") for block in blocks]
    for column in zip(*[block.columns for block in blocks], strict=True):
        parts += map(np.ascontiguousarray, column)
    data: Any = bytearray().join(parts)
    if rows >= PACKED_ROWS and shape.packable:
        ints = np.frombuffer(data, np.int64).reshape(-1, rows)
        room = np.empty(len(ints) * (4 + codec.room(rows)), np.uint8)
        mine = np.frombuffer(flags, np.uint8)
        end, first, last = _squeeze(ints, ints.view(np.float64), shape.whole, mine, room)
        if (
            max(flags, default=0) >= _PACKED
        ):  # where each column has a NaN, none says that it is packed
            data = room[:end]
    else:
        times = np.frombuffer(data, np.int64, rows)
        first, last = int(times.min()), int(times.max())
    runs = [
        _BLOCK.pack(source, block.seq, len(block.times_ns))
        for source, block in zip(sources, blocks, strict=True)
    ]
    rest = b"".join([_COUNTS.pack(len(blocks), len(flags)), flags, *runs, data, *states])
    return Packed(_CRC.pack(zlib.crc32(rest)) + rest, first, last)


def _planes(group: Group) -> tuple[bytearray, list[Any]]:
    """Return the flags of the columns that have states, and their state planes."""
    blocks, layout = group.blocks, group.shape.layout
    if not any(block.quality or block.missing for block in blocks):
        return bytearray(len(layout)), []
    flags = bytearray(any(n in b.quality or n in b.missing for b in blocks) for n, _ in layout)
    named = zip(layout, flags, strict=True)
    return flags, [_state(block, name) for (name, _), has in named if has for block in blocks]


@kept
@njit(nogil=True)
def _squeeze(ints: Any, doubles: Any, whole: Any, flags: Any, out: Any) -> tuple[int, int, int]:
    """Pack times and columns behind their lengths; return the end, the first and the last time."""
    n = ints.shape[1]
    at = codec.pack_ints(ints[0], out, 4 * len(ints))
    codec.put(out, 0, at - 4 * len(ints), 4)
    for j in range(len(whole)):
        begin = at
        gone = False
        if not whole[j]:
            for i in range(n):
                gone |= np.isnan(doubles[j + 1, i])
        if gone:  # as it is: a NaN may mean anything
            for i in range(n):
                at = codec.put(out, at, ints[j + 1, i], 8)
        else:
            flags[j] |= _PACKED
            if whole[j]:
                at = codec.pack_ints(ints[j + 1], out, at)
            else:
                at = codec.pack_floats(doubles[j + 1], out, at)
        codec.put(out, 4 * (j + 1), at - begin, 4)
    first = last = ints[0, 0]
    for i in range(n):
        first, last = min(first, ints[0, i]), max(last, ints[0, i])
    return at, first, last


@cache
def warm() -> None:
    """Load (or, the first time, compile) the kernel before the first readings come."""
    block = Block(
        n=0,
        machine="none",
        device="none",
        boot="none",
        stream="none",
        seq=0,
        times_ns=np.arange(PACKED_ROWS),
        received_ns=0,
        signals=("none",),
        columns=(np.zeros(PACKED_ROWS),),
    )
    pack(Group(_shape_of(block), True, [block], PACKED_ROWS), [0])


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


@dataclass(slots=True)
class _Plan:
    """Where what lies in a blob."""

    runs: NDArray[np.void]  #: (blocks,) source, seq, rows
    rows: int
    flags: bytes
    places: list[int]  #: of times, columns and state planes (of each column, if any)
    packed: bool


def _plan(body: bytes, layout: Layout, where: str) -> _Plan:
    blocks, columns = _open(body, where)
    at = _HEAD.size + columns
    flags = body[_HEAD.size : at]
    runs = np.frombuffer(body, _RUNS, blocks, at)
    at += blocks * _BLOCK.size
    rows = int(runs["rows"].sum())
    packed = max(flags, default=0) >= _PACKED
    if packed:
        lengths = np.frombuffer(body, "<u4", columns + 1, at).tolist()
        at += 4 * (columns + 1)
    else:
        lengths = [8 * rows, *[_WIDTHS[code] * rows for _, code in layout]]
    lengths += [rows if flag & _STATED else 0 for flag in flags]
    return _Plan(runs, rows, flags, list(accumulate([at, *lengths])), packed)


def _times(body: bytes, plan: _Plan) -> NDArray[np.int64]:
    if not plan.packed:
        return np.frombuffer(body, "<i8", plan.rows, plan.places[0])
    times = np.empty(plan.rows, np.int64)
    codec.unpack_ints(np.frombuffer(body, np.uint8), plan.places[0], times)
    return times


def _column(body: bytes, plan: _Plan, index: int, code: str) -> NDArray[np.generic]:
    at = plan.places[1 + index]
    if not plan.flags[index] & _PACKED:
        return np.frombuffer(body, DTYPES[code], plan.rows, at)
    values = np.empty(plan.rows, DTYPES[code])
    unpack_values = codec.unpack_floats if code == "d" else codec.unpack_ints
    unpack_values(np.frombuffer(body, np.uint8), at, values)
    return values


def _plane(body: bytes, plan: _Plan, index: int) -> NDArray[np.uint8] | None:
    if not plan.flags[index] & _STATED:
        return None
    return np.frombuffer(body, np.uint8, plan.rows, plan.places[1 + len(plan.flags) + index])


@kept
@njit(nogil=True)
def _expand(body: Any, places: Any, whole: Any, ints: Any, doubles: Any) -> None:
    codec.unpack_ints(body, places[0], ints[0])
    for j in range(len(whole)):
        if whole[j]:
            codec.unpack_ints(body, places[j + 1], ints[j + 1])
        else:
            codec.unpack_floats(body, places[j + 1], doubles[j + 1])


def unpack(body: bytes, layout: Layout, where: str) -> Rows:
    """Unpack a blob. `where` names file and row for `StoreCorrupt`."""
    plan = _plan(body, layout, where)
    counts = plan.runs["rows"].astype(np.int64)
    before = plan.runs["seq"] - (np.cumsum(counts) - counts)
    if min(plan.flags, default=0) >= _PACKED:
        ints = np.empty((1 + len(layout), plan.rows), np.int64)
        doubles = ints.view(np.float64)
        whole = np.array([code == "q" for _, code in layout], np.bool_)
        _expand(np.frombuffer(body, np.uint8), np.array(plan.places), whole, ints, doubles)
        times = ints[0]
        columns: list[NDArray[np.generic]] = [
            (doubles if code == "d" else ints)[j] for j, (_, code) in enumerate(layout, 1)
        ]
    else:
        times = _times(body, plan)
        columns = [_column(body, plan, index, code) for index, (_, code) in enumerate(layout)]
    return Rows(
        times=times,
        columns=columns,
        states=[_plane(body, plan, index) for index in range(len(layout))],
        sources=np.repeat(plan.runs["source"], counts),
        seqs=np.repeat(before, counts) + np.arange(plan.rows),
    )


def column(
    body: bytes, layout: Layout, index: int, where: str
) -> tuple[NDArray[np.int64], NDArray[np.generic], NDArray[np.uint8] | None]:
    """Return times, values and states of one column."""
    plan = _plan(body, layout, where)
    values = _column(body, plan, index, layout[index][1])
    return _times(body, plan), values, _plane(body, plan, index)


def runs(body: bytes, where: str) -> list[tuple[int, int, int]]:
    """Return (source, first seq, rows) of each block."""
    blocks, columns = _open(body, where)
    at = _HEAD.size + columns
    return list(_BLOCK.iter_unpack(body[at : at + blocks * _BLOCK.size]))


def rows_of(group: Group, sources: Sequence[int]) -> Rows:
    """Return what `unpack` makes of the packed group."""
    blocks = group.blocks
    counts = np.array([len(block.times_ns) for block in blocks])
    before = np.array([block.seq for block in blocks]) - (np.cumsum(counts) - counts)
    flags, states = _planes(group)
    planes = iter(states)
    return Rows(
        times=np.concatenate([block.times_ns for block in blocks]),
        columns=_joined(blocks),
        states=[
            np.concatenate([next(planes) for _ in blocks]) if stated else None for stated in flags
        ],
        sources=np.repeat(np.array(sources, np.int64), counts),
        seqs=np.repeat(before, counts) + np.arange(group.rows),
    )


def _joined(blocks: Sequence[Block]) -> list[NDArray[np.generic]]:
    """Return the columns of blocks with the same columns, one behind the other."""
    if all(isinstance(block.columns, np.ndarray) for block in blocks):
        tables: Any = [block.columns for block in blocks]
        return list(np.concatenate(tables, axis=1))
    return [np.concatenate(parts) for parts in zip(*[b.columns for b in blocks], strict=True)]


def groups(
    blocks: Sequence[Block], out: dict[str, list[Group]] | None = None
) -> dict[str, list[Group]]:
    """Group neighbouring blocks of a machine that have the same columns, in order of arrival.

    `out`: the groups of earlier blocks, which these follow.
    """
    out = {} if out is None else out
    for block in blocks:
        count = len(block.times_ns)
        if not count:
            continue
        shape = _shape_of(block)
        mine = out.setdefault(block.machine, [])
        last = mine[-1] if mine else None
        fits = last and last.shape is shape and last.live != block.historical
        if last and fits and last.rows + count <= GROUP_ROWS:
            last.blocks.append(block)
            last.rows += count
        else:
            mine.append(Group(shape, not block.historical, [block], count))
    return out
