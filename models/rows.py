"""Decoded readings on their way from the journal into the stores and the models.

A `Block` is one machine's part of one batch, as arrays. It is made once, from the journal's record,
and read by the telemetry store and by the fleet.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

_BESIDE: Final = 600  #: bytes of a block beside its values (measured)
_ARRAY: Final = 160  #: bytes of an array beside its values, with the bytes it views (measured)


class Block(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Rows of one machine, in the order of their sequence numbers.

    Shapes: `times_ns` (n,) int64; `columns` k arrays (n,) of float64, float32, int64 or bool, or
    one contiguous array (k, n) of float64, which is cheaper to make and to pass on;
    `quality` (n,) uint8 for the columns that have one (0 good, 1 uncertain, 2 bad, 3 stale);
    `missing` (n,) bool for int64/bool columns with gaps (float columns: NaN is missing).
    """

    n: int  #: journal position of the record it came from
    machine: str
    device: str  #: tenant.device
    boot: str
    stream: str
    seq: int  #: number of the first row
    times_ns: NDArray[np.int64]
    received_ns: int
    signals: tuple[str, ...]
    columns: tuple[NDArray[np.generic], ...] | NDArray[np.float64]
    quality: dict[str, NDArray[np.uint8]] = msgspec.field(default_factory=dict)
    missing: dict[str, NDArray[np.bool_]] = msgspec.field(default_factory=dict)
    historical: bool = False

    def __len__(self) -> int:
        return len(self.times_ns)


def size_of(blocks: Sequence[Block]) -> int:
    """Return about how many bytes blocks take in memory; a name is held by many of them."""
    return sum([_size_of(block) for block in blocks])


def _size_of(block: Block) -> int:
    rows, columns = len(block.times_ns), block.columns
    size = _BESIDE + 8 * rows
    if isinstance(columns, np.ndarray):
        size += columns.nbytes
    else:
        size += sum([_ARRAY + column.nbytes for column in columns])
    return size + (len(block.quality) + len(block.missing)) * (_ARRAY + rows)


class Tick(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The service's clock as data: once a second, so that silence is noticed and replayed."""

    n: int
    at_ns: int
    stopped_ns: int = 0  #: for so long before it nobody listened: the service was stopped
