"""Where readings are kept: the `TelemetryStore` protocol and its implementations."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.rows import Block


class Passing(str):
    """What keeps readings waiting, ends by itself, and is nobody's to mend: a backup."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Raw samples of one signal in time order (ties in order of arrival).

    Shapes (n,): `times_ns` int64, `values` float64 or int64 or bool, `quality` uint8,
    `missing` bool.
    """

    times_ns: NDArray[np.int64]
    values: NDArray[np.generic]
    quality: NDArray[np.uint8]
    missing: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """A signal reduced to buckets of equal width; empty buckets are left out.

    Shapes (n,): `start_ns` int64; `first last min max sum` float64; `min_ns max_ns first_ns
    last_ns` int64; `count` int64; `quality` uint8 (the worst). A spike of one sample is in `max`.
    """

    width_ns: int
    start_ns: NDArray[np.int64]
    first: NDArray[np.float64]
    last: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    sum: NDArray[np.float64]
    count: NDArray[np.int64]
    first_ns: NDArray[np.int64]
    last_ns: NDArray[np.int64]
    min_ns: NDArray[np.int64]
    max_ns: NDArray[np.int64]
    quality: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The newest value of one signal (never from historical batches)."""

    signal: str
    at_ns: int
    value: float | None
    quality: int


class TelemetryStore(Protocol):
    """Keeps readings. `write` is called by one thread; reading is safe from any thread."""

    def position(self) -> int:
        """Journal position up to which everything is taken over (-1: nothing)."""
        ...

    def write(self, blocks: Sequence[Block], position: int) -> None:
        """Take the blocks over; a position reached already is ignored. `StoreBusy`, `StoreFull`.

        After a crash they are there up to `position`, all or none of a group: those behind it are
        given again. What a crash can take back is what `durable_position` does not cover yet.
        """
        ...

    def series(self, machine: str, signal: str, start_ns: int, end_ns: int, limit: int) -> Series:
        """Return the first `limit` samples with start <= time < end, in time order.

        Those of one stream at the same nanosecond come as they arrived; how samples of different
        streams follow each other there is the store's own matter (arrival is not kept everywhere).
        """
        ...

    def buckets(
        self, machine: str, signal: str, start_ns: int, end_ns: int, width_ns: int
    ) -> Buckets:
        """Reduce a span to buckets of `width_ns` (aligned to 0 UTC) without hiding a spike."""
        ...

    def latest(self, machine: str) -> list[Latest]:
        """Return the newest value of each signal."""
        ...

    def signals(self, machine: str) -> list[str]:
        """Return the names of the machine's stored signals, sorted."""
        ...

    def erase(self, machine: str) -> int:
        """Delete everything of one machine; return the number of samples deleted."""
        ...

    def trim(self, now_ns: int, data_time: Collection[str] = ()) -> None:
        """Delete what is past its retention.

        For machines in `data_time` now is their newest; one that has only history keeps it.
        """
        ...

    def durable_position(self) -> int:
        """Make what is written safe against a power cut and return the position covered."""
        ...

    def trouble(self) -> str | None:
        """Return what keeps readings that were taken over from being stored (None: nothing)."""
        ...

    def close(self) -> None:
        """Let go of files and threads."""
        ...
