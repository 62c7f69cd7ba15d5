"""Line protocol from arrays: one compiled pass from columns to the bytes of a request.

No Python object is made for a value. `cells` hold every value's 64 bits (a double's bits, a whole
number, 0 or 1), so that one kernel serves all kinds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloud.intrinsics import get_word, last_bit, put_byte, put_word
from cloud.telemetry.fresh import MISSING, QUALITY
from cloud.telemetry.influx.digits import (
    MOST,
    SLACK,
    UNROUND,
    digit_words,
    put_float,
    put_int,
    put_words,
    short_texts,
)
from models.life.compiled import kept

DOUBLE, SINGLE, WHOLE, TRUTH = range(4)
KINDS: Final = {"d": DOUBLE, "f": SINGLE, "q": WHOLE, "?": TRUTH}
SPACE, NEWLINE, INTEGER, TRUE, FALSE = (ord(c) for c in " \nitf")
TILE: Final = 72  #: rows whose short texts are made at once; columns so far apart share no cache
FEW: Final = 8  #: rows whose texts are made one by one: all at once would cost more than it saves
PAUSE: Final = 31  #: tiles for which a column is not tried that had no short text
KEPT: Final = 64 << 20  #: bytes of a room; lines take about a third of what they might
SLICE: Final = 32 << 20  #: of what the lines made at once might take
BLOCK: Final = 4_096  #: of a file
BIG: Final = 16 * BLOCK  #: what may be so long begins where a block of a file may
BAD: Final = 2  #: quality of what was infinite
NONE: Final = np.zeros(0, np.int64)
EXPONENT: Final = 0x7FF << 52  #: all of it: not a finite double
_FRACTION: Final = (1 << 52) - 1


@dataclass(slots=True)
class Texts:
    """Byte strings in one array, which is a word longer than they are.

    Shapes: `data` (bytes,) uint8, `ends` (n + 1,) int64 from 0. `longest`: bytes of the longest.
    """

    data: NDArray[np.uint8]
    ends: NDArray[np.int64]
    longest: int

    @classmethod
    def of(cls, texts: Sequence[bytes]) -> "Texts":
        """Join texts."""
        data = np.frombuffer(b"".join([*texts, bytes(SLACK)]), np.uint8)
        sizes = [*map(len, texts)]
        ends = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(sizes, out=ends[1:])
        return cls(data, ends, max(sizes, default=0))

    def __len__(self) -> int:
        return len(self.ends) - 1

    def then(self, more: "Texts") -> "Texts":
        """Return these texts and others behind them."""
        end = self.ends[-1]
        return Texts(
            np.concatenate([self.data[:end], more.data]),
            np.concatenate([self.ends, end + more.ends[1:]]),
            max(self.longest, more.longest),
        )


NO_TEXTS: Final = Texts.of([])


@dataclass(slots=True)
class Fields:
    """The fields of a layout: `,name=` of each value and of each state, and of `extra`."""

    values: Texts
    states: Texts
    kinds: NDArray[np.uint8]
    extra: Texts  #: the field that names the identity, and the one of a sample's own time

    @classmethod
    def of(
        cls, values: Sequence[str], states: Sequence[str], codes: Sequence[str], row: str, own: str
    ) -> "Fields":
        """Return fields by their names; a name "" means that there is no such field.

        `codes` (`KINDS`) says what each value is.
        """
        texts = [
            Texts.of([f",{name}=".encode() if name else b"" for name in names])
            for names in (values, states, (row, own))
        ]
        kinds = np.array([KINDS[code] for code in codes], np.uint8)
        return cls(texts[0], texts[1], kinds, texts[2])


@dataclass(slots=True, kw_only=True)
class Rows:
    """Rows of one layout, n rows of k columns.

    Shapes: `heads` the texts `measurement,tags `; `head` (n,) int32 which of them; `times` (n,)
    int64; `own` (n,) int64 the samples' own times (empty: the same); `ids` (n,) int64 (empty:
    none); `cells` (k, n) int64; `states` (k, n) uint8 or (0, 0) when all is good.
    """

    heads: Texts
    head: NDArray[np.int32]
    times: NDArray[np.int64]
    own: NDArray[np.int64]
    ids: NDArray[np.int64]
    cells: NDArray[np.int64]
    states: NDArray[np.uint8]

    def only(self, mine: NDArray[np.int64] | slice) -> "Rows":
        """Return some of the rows."""
        return Rows(
            heads=self.heads,
            head=self.head[mine],
            times=self.times[mine],
            own=self.own[mine] if len(self.own) else self.own,
            ids=self.ids[mine] if len(self.ids) else self.ids,
            cells=np.ascontiguousarray(self.cells[:, mine]),
            states=np.ascontiguousarray(self.states[:, mine]) if len(self.states) else self.states,
        )


@njit(nogil=True, inline="always")
def _put_text(at: Any, data: int, ends: Any, which: int) -> Any:
    """Write the text of that number; `data` is the address of the texts. Return the next place."""
    first = ends[which]
    size = ends[which + 1] - first
    put_word(at, get_word(data + first))
    for i in range(8, size, 8):
        put_word(at + i, get_word(data + first + i))
    return at + size


@njit(nogil=True, inline="always")
def _put_number(at: int, value: int, words: int, made: bool) -> Any:
    """Write a whole number, whose digits are `made` already unless it is negative."""
    if made and value >= 0:
        return put_words(at, words, 8 * TILE)
    return put_int(at, value)


@njit(nogil=True, inline="always")
def _put_whole(at: int, data: int, ends: Any, which: int, value: int) -> int:
    """Write a whole number as a field; return the next place."""
    at = put_int(_put_text(at, data, ends, which), value)
    put_byte(at, INTEGER)
    return at + 1


@njit(nogil=True)
def _shorten(  # noqa: PLR0917 (a kernel)
    begin: int,
    end: int,
    kinds: Any,
    doubles: Any,
    cells: Any,
    decimals: Any,
    texts: Any,
    pauses: Any,
) -> bool:
    """Make the short texts of some rows of all columns, where any are to be expected.

    Returns whether there are some.
    """
    found = False
    for j in range(len(kinds)):
        if kinds[j] != DOUBLE or decimals[j] == UNROUND or pauses[j]:
            texts[j] = 0
            pauses[j] = max(pauses[j] - 1, 0)
            continue
        values, bits = doubles[j, begin:end], cells[j, begin:end]
        short_texts(values, bits, decimals[j], texts[j])
        if texts[j].any():
            found = True
        else:
            pauses[j] = PAUSE
    return found


@kept
@njit(nogil=True)
def _write(  # noqa: PLR0912, PLR0915, PLR0917 (a kernel; in two parts it takes a sixth longer)
    out: Any,
    heads: Any,
    head_ends: Any,
    head: Any,
    times: Any,
    own: Any,
    ids: Any,
    names: Any,
    name_ends: Any,
    state_names: Any,
    state_ends: Any,
    kinds: Any,
    extra: Any,
    extra_ends: Any,
    cells: Any,
    doubles: Any,
    states: Any,
    decimals: Any,
) -> Any:
    head_data: Any = np.int64(heads.ctypes.data)
    name_data: Any = np.int64(names.ctypes.data)
    state_data: Any = np.int64(state_names.ctypes.data)
    extra_data: Any = np.int64(extra.ctypes.data)
    start: Any = np.int64(out.ctypes.data)
    at: Any = start
    stated = states.shape[0] > 0
    many = not stated and len(times) > FEW
    columns = len(kinds) if many else 0
    texts = np.zeros((columns, TILE), np.uint64)
    text_data: Any = np.int64(texts.ctypes.data)
    id_words, time_words = np.zeros((3, TILE), np.int64), np.zeros((3, TILE), np.int64)
    id_data: Any = np.int64(id_words.ctypes.data)
    time_data: Any = np.int64(time_words.ctypes.data)
    pauses = np.zeros(columns, np.int64)
    # The first row alone: it tells how many decimals there are.
    short, made, tile, tiled = False, False, 0, 1 if many else len(times)
    for r in range(len(times)):
        if r == tiled:
            tile, tiled = r, min(r + TILE, len(times))
            short = _shorten(tile, tiled, kinds, doubles, cells, decimals, texts, pauses)
            made = True
            digit_words(times[tile:tiled], time_words)
            digit_words(ids[tile:tiled], id_words)
        begin = at
        # Each field begins with a comma; that of the first one takes the place of the space.
        fields = at = _put_text(at, head_data, head_ends, head[r]) - 1
        text_at = text_data + 8 * (r - tile)
        for j in range(cells.shape[0]):
            if short:
                text = get_word(text_at)
                text_at += 8 * TILE
                if text:
                    at = _put_text(at, name_data, name_ends, j)
                    put_word(at, text)
                    at += (last_bit(text) >> 3) + 1
                    continue
            bits = cells[j, r]
            state: Any = np.int64(states[j, r]) if stated else 0
            kind = kinds[j]
            gone = state & MISSING
            if kind <= SINGLE and not gone and bits & EXPONENT == EXPONENT:
                gone = MISSING
                endless = bits & _FRACTION == 0
                state = MISSING | (max(state & QUALITY, BAD) if endless else state)
            if not gone:
                at = _put_text(at, name_data, name_ends, j)
                if kind <= SINGLE:
                    value, single = doubles[j, r], kind == SINGLE
                    at, decimals[j] = put_float(at, value, bits, decimals[j], single)
                elif kind == WHOLE:
                    at = put_int(at, bits)
                    put_byte(at, INTEGER)
                    at += 1
                else:
                    put_byte(at, TRUE if bits else FALSE)
                    at += 1
            if state and state_ends[j + 1] > state_ends[j]:
                at = _put_whole(at, state_data, state_ends, j, state)
        if len(ids):
            at = _put_text(at, extra_data, extra_ends, 0)
            at = _put_number(at, ids[r], id_data + 8 * (r - tile), made)
            put_byte(at, INTEGER)
            at += 1
        if len(own) and own[r] != times[r]:
            at = _put_whole(at, extra_data, extra_ends, 1, own[r])
        if at == fields:
            at = begin
            continue
        put_byte(fields, SPACE)
        put_byte(at, SPACE)
        at = _put_number(at + 1, times[r], time_data + 8 * (r - tile), made)
        put_byte(at, NEWLINE)
        at += 1
    return at - start


class Room:
    """Where lines are made, kept for the next ones: fresh pages cost as much as half the lines."""

    def __init__(self) -> None:
        self._bytes = np.empty(0, np.uint8)
        self._used = 0
        self._made = 0  #: since it was cleared, also in what it was before it grew

    def clear(self) -> None:
        """Begin anew: what was made here is written over, or let go where it was unusually much."""
        if self._made > KEPT:
            self._bytes = np.empty(0, np.uint8)
        self._used = self._made = 0

    def free(self, size: int) -> NDArray[np.uint8]:
        """Return so many bytes at least behind what is used, with anything in them.

        They begin where a block may if they are `BIG`: what is small would take too much room.
        """
        if size >= BIG:
            begin = blocks(self._used)
            self._made += begin - self._used
            self._used = begin
        if len(self._bytes) - self._used < size:
            twice = min(2 * max(size, len(self._bytes)), KEPT)
            self._bytes, self._used = _aligned(max(size, twice)), 0
        return self._bytes[self._used :]

    def use(self, size: int) -> memoryview:
        """Return the first bytes of what is free, which are used from now on."""
        made = self._bytes[self._used : self._used + size].data
        self._used += size
        self._made += size
        return made


def blocks(size: int) -> int:
    """Return as many bytes as whole blocks have that hold `size`."""
    return -(-size // BLOCK) * BLOCK


def _aligned(size: int) -> NDArray[np.uint8]:
    """Return room that begins where a block may."""
    room = np.empty(size + BLOCK, np.uint8)
    return room[-room.ctypes.data % BLOCK :][:size]


def pieces(rows: Rows, fields: Fields, room: Room) -> Iterator[memoryview]:
    """Yield the lines of these rows as `write` makes them, of so many rows as need little room."""
    count, step = len(rows.times), max(SLICE // _most(rows, fields), 1)
    if count <= step:
        yield write(rows, fields, room)
        return
    for first in range(0, count, step):
        yield write(rows.only(slice(first, first + step)), fields, room)


def _most(rows: Rows, fields: Fields) -> int:
    """Return how many bytes a row's line may take."""
    names = sum(len(texts.data) for texts in (fields.values, fields.states, fields.extra))
    return rows.heads.longest + names + len(fields.kinds) * (MOST + 6) + 3 * MOST


def write(rows: Rows, fields: Fields, room: Room) -> memoryview:
    """Return the lines of these rows, which stay until the room is cleared.

    A row without any field has no line.
    """
    out = room.free(len(rows.times) * _most(rows, fields) + SLACK)
    length = _write(
        out,
        rows.heads.data,
        rows.heads.ends,
        rows.head,
        rows.times,
        rows.own,
        rows.ids,
        fields.values.data,
        fields.values.ends,
        fields.states.data,
        fields.states.ends,
        fields.kinds,
        fields.extra.data,
        fields.extra.ends,
        rows.cells,
        rows.cells.view(np.float64),
        rows.states,
        np.zeros(len(fields.kinds), np.int64),
    )
    return room.use(length)
