"""Recordings as CSV: the time (ISO 8601) first, then one column of numbers for each signal."""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.drivers.replay import to_ns
from models.rows import Block


class RecordingError(ValueError):
    """A recording cannot be used; the message names file and line."""


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
    """Read a file. Rows that go back in time are sorted; an empty or non-numeric cell is NaN."""
    try:
        content = path.read_bytes()
        lines = content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    rows = csv.reader(lines)
    names = tuple(name.strip() for name in next(rows, [])[1:])
    if not names or not all(names) or len(set(names)) < len(names):
        raise RecordingError(f"{path}:1: the first line must name the columns, time first, no two "
                             "alike")  # fmt: skip
    times, values = [], []
    for row in rows:
        if not row:
            continue
        try:
            times.append(to_ns(row[0], UTC))
        except ValueError as error:
            raise RecordingError(f"{path}:{rows.line_num}: {error}") from error
        cells = [_number(cell) for cell in row[1 : len(names) + 1]]
        values.append(cells + [np.nan] * (len(names) - len(cells)))
    order = np.argsort(np.array(times, np.int64), kind="stable")
    return Recording(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        signals=names,
        times_ns=np.array(times, np.int64)[order],
        values=np.array(values, np.float64).reshape(len(times), len(names))[order],
    )


def _number(cell: str) -> float:
    try:
        found = float(cell)
    except ValueError:
        return np.nan
    return found if np.isfinite(found) else np.nan


def blocks(
    machine: str,
    signals: Sequence[str],
    times_ns: NDArray[np.int64],
    values: NDArray[np.float64],
    size: int = 1_000,
) -> Iterator[Block]:
    """Yield rows (n, k) as the blocks that the fleet observes."""
    edges = [*range(0, len(times_ns), size), len(times_ns)]
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
