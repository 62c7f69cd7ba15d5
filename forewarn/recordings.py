"""Whole recordings of one machine, to train on: CSV as the back-test reads it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.csv_rows import CsvFile
from models.rows import Block

BLOCK_ROWS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Rows of one machine in the order of time. Shapes: `times_ns` (n,), `values` (n, k)."""

    path: Path
    sha256: str
    signals: tuple[str, ...]
    times_ns: NDArray[np.int64]
    values: NDArray[np.float64]  #: NaN where the file has no number

    def __len__(self) -> int:
        return len(self.times_ns)

    def columns(self, signals: Sequence[str]) -> NDArray[np.float64]:
        """Return the values (n, k) of some signals; NaN for one that the recording has not."""
        found = np.full((len(self), len(signals)), np.nan)
        for k, name in enumerate(signals):
            if name in self.signals:
                found[:, k] = self.values[:, self.signals.index(name)]
        return found


def read(path: Path) -> Recording:
    """Read a file whole; rows that go back in time are sorted. `CsvError` names file and line."""
    file = CsvFile(path)
    pieces = list(file.pieces())
    times = np.concatenate([np.zeros(0, np.int64), *(piece.times_ns for piece in pieces)])
    rows = [np.column_stack(piece.columns) for piece in pieces]
    values = np.concatenate([np.zeros((0, len(file.signals))), *rows])
    order = np.argsort(times, kind="stable")
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return Recording(
        path=path,
        sha256=sha256,
        signals=file.signals,
        times_ns=times[order],
        values=np.where(np.isfinite(values), values, np.nan)[order],
    )


def blocks(
    machine: str,
    signals: Sequence[str],
    times_ns: NDArray[np.int64],
    values: NDArray[np.float64],
) -> Iterator[Block]:
    """Yield rows (n, k) as the blocks that the fleet observes."""
    edges = [*range(0, len(times_ns), BLOCK_ROWS), len(times_ns)]
    for first, last in pairwise(edges):
        yield Block(
            n=0,
            machine=machine,
            device=machine,
            boot="recording",
            stream="live",
            seq=first,
            times_ns=times_ns[first:last],
            received_ns=int(times_ns[last - 1]),
            signals=tuple(signals),
            columns=tuple(np.ascontiguousarray(values[first:last].T)),
        )
