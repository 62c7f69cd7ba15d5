"""Rows of an answer as arrays, read from MessagePack by a kernel.

A list for each row would have Python's collector go through the whole process every few dozen
answers (80 ms with the libraries loaded), and costs more than the server takes to answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloud.errors import StoreError
from models.life.compiled import kept

NOTHING: Final = 0
WHOLE: Final = 1
DOUBLE: Final = 2
TRUTH: Final = 3
TEXT: Final = 4  #: its cell is 0
OTHER: Final = 5  #: no field of InfluxDB


def _tags() -> NDArray[np.int64]:
    """Return, for a cell's first byte, its kind, the bytes of its number, and a number without.

    Shape (256, 3). The number of a text is its length. As MessagePack's specification says.
    """
    out = np.full((256, 3), (OTHER, 0, 0), np.int64)
    out[:0x80, 0], out[:0x80, 2] = WHOLE, np.arange(0x80)
    out[0xE0:, 0], out[0xE0:, 2] = WHOLE, np.arange(-0x20, 0)
    out[0xA0:0xC0, 0], out[0xA0:0xC0, 2] = TEXT, np.arange(0x20)
    out[0xC0] = NOTHING, 0, 0
    out[0xC2:0xC4] = (TRUTH, 0, 0), (TRUTH, 0, 1)
    out[0xCB] = DOUBLE, 8, 0
    for size in range(4):
        out[0xCC + size] = out[0xD0 + size] = WHOLE, 1 << size, 0
    for size in range(3):
        out[0xD9 + size] = TEXT, 1 << size, 0
    return out


_TAGS: Final = _tags()


@dataclass(frozen=True, slots=True)
class Grid:
    """n rows of k named columns, the first of them the stored times.

    Shapes: `kinds` (k, n) uint8, `cells` (k, n) int64 (a double's bits).
    """

    names: tuple[str, ...]
    kinds: NDArray[np.uint8]
    cells: NDArray[np.int64]

    @classmethod
    def read(cls, names: Sequence[str], data: bytes | memoryview) -> "Grid":
        """Read an array of rows. `StoreError` for what no field of InfluxDB is."""
        raw = np.frombuffer(data, np.uint8)
        count, begin = _length(raw, 0)
        kinds = np.zeros((len(names), max(count, 0)), np.uint8)
        cells = np.zeros(kinds.shape, np.int64)
        if count < 0 or not _fill(raw, begin, kinds, cells):
            raise StoreError("the telemetry store answered with rows that cannot be read")
        return cls(tuple(names), kinds, cells)

    def __len__(self) -> int:
        return len(self.times)

    @property
    def times(self) -> NDArray[np.int64]:
        """The stored times (n,), ns since 1970 UTC."""
        return self.whole(0)

    def there(self, at: int) -> NDArray[np.bool_]:
        """Return where a column has something (n,)."""
        out: NDArray[np.bool_] = self.kinds[at] != NOTHING
        return out

    def whole(self, at: int) -> NDArray[np.int64]:
        """Return a column of whole numbers or truth values (n,), 0 where nothing is."""
        out: NDArray[np.int64] = self.cells[at]
        return out

    def doubles(self, at: int) -> NDArray[np.float64]:
        """Return a column as doubles (n,), NaN where nothing is."""
        kinds = self.kinds[at]
        out: NDArray[np.float64] = np.where(
            kinds == DOUBLE, self.cells[at].view(np.float64), self.cells[at]
        )
        out[kinds == NOTHING] = np.nan
        return out

    def only(self, columns: Sequence[int]) -> "Grid":
        """Return some of the columns."""
        kept = list(columns)
        return Grid(tuple(self.names[at] for at in kept), self.kinds[kept], self.cells[kept])

    def before(self, end_ns: int) -> "Grid":
        """Return the rows stored before a time; they are in the order of it."""
        end = int(np.searchsorted(self.times, end_ns))
        return Grid(self.names, self.kinds[:, :end], self.cells[:, :end])


@njit(nogil=True)
def _number(data: Any, at: int, size: int) -> Any:
    """Return `size` bytes as an unsigned number, highest first; eight wrap to signed."""
    out = np.int64(0)
    for i in range(size):
        out = (out << 8) | np.int64(data[at + i])
    return out


@kept
@njit(nogil=True)
def _length(data: Any, at: int) -> tuple[int, int]:
    """Return how many items the array at a place has (-1: it is none), and where they begin."""
    tag = data[at]
    if 0x90 <= tag <= 0x9F:
        return tag - 0x90, at + 1
    if tag == 0xDC:
        return _number(data, at + 1, 2), at + 3
    if tag == 0xDD:
        return _number(data, at + 1, 4), at + 5
    return -1, at


@kept
@njit(nogil=True)
def _fill(data: Any, at: int, kinds: Any, cells: Any) -> bool:
    """Read the rows that begin at a place; False when there is something else."""
    for row in range(kinds.shape[1]):
        width, at = _length(data, at)
        if width != kinds.shape[0]:
            return False
        for column in range(width):
            kind, size, cell = _TAGS[data[at]]
            at += 1
            if size:
                cell = _number(data, at, size)
                if 0xD0 <= data[at - 1] <= 0xD3:
                    spare = 64 - 8 * size
                    cell = (cell << spare) >> spare
                at += size
            if kind == OTHER:
                return False
            if kind == TEXT:
                at += cell
                cell = 0
            kinds[column, row] = kind
            cells[column, row] = cell
    return at == len(data)
