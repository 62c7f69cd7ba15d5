"""Reading one signal back: the pieces that touch a span, decoded and put in time order."""

import sqlite3
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from cloud.telemetry import Series, fresh
from cloud.telemetry.database import MACHINE_BITS
from cloud.telemetry.names import fresh_range
from cloud.telemetry.readers import Readers


@dataclass(frozen=True, slots=True)
class Span:
    """Times with start_ns <= t < end_ns."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """A stored piece that holds a signal's samples; ordered by its first time."""

    start_ns: int
    end_ns: int
    rows: int
    column: int
    layout: int
    id: int
    frame: bool


@dataclass(slots=True)
class Samples:
    """Decoded samples of one signal, (n,) each; `arrivals` number them in order of arrival."""

    times: NDArray[np.int64]
    values: NDArray[np.generic]
    states: NDArray[np.uint8]
    arrivals: NDArray[np.int64]

    def take(self, index: slice | NDArray[np.generic]) -> "Samples":
        """Return a part or another order."""
        return Samples(
            self.times[index], self.values[index], self.states[index], self.arrivals[index]
        )


def empty() -> Samples:
    """Return no samples."""
    none = np.zeros(0, np.int64)
    return Samples(none, np.zeros(0), np.zeros(0, np.uint8), none)


def pieces(
    readers: Readers, db: sqlite3.Connection, machine: int, signal: str, span: Span
) -> list[Piece]:
    """Return the pieces that may hold samples of the span, by first time."""
    found: list[Piece] = []
    for frame, rows in ((True, _frames(db, machine, span)), (False, _fresh(db, machine, span))):
        for piece, layout, count, first, last in rows:
            for column, (name, _) in enumerate(readers.layout(db, layout)):
                if name == signal:
                    found.append(Piece(first, last, count, column, layout, piece, frame))
    return sorted(found)


def _fresh(
    db: sqlite3.Connection, machine: int, span: Span
) -> list[tuple[int, int, int, int, int]]:
    return db.execute(
        "SELECT id, layout, rows, start_ns, end_ns FROM fresh "
        "WHERE id >= ? AND id < ? AND start_ns < ? AND end_ns >= ?",
        (*fresh_range(machine), span.end_ns, span.start_ns),
    ).fetchall()


def _frames(
    db: sqlite3.Connection, machine: int, span: Span
) -> list[tuple[int, int, int, int, int]]:
    return db.execute(
        "SELECT id, layout, rows, start_ns, end_ns FROM frame "
        "WHERE machine = ? AND start_ns < ? AND end_ns >= ?",
        (machine, span.end_ns, span.start_ns),
    ).fetchall()


def enough(found: list[Piece], span: Span, limit: int | None) -> list[Piece]:
    """Return the leading pieces that surely hold the first `limit` samples of the span."""
    if limit is None:
        return found
    reach = list(accumulate((piece.end_ns for piece in found), max))
    sure = 0
    for index, piece in enumerate(found[:-1]):
        inside = span.start_ns <= piece.start_ns and piece.end_ns < span.end_ns
        sure += piece.rows if inside else 0
        if sure >= limit and reach[index] < found[index + 1].start_ns:
            return found[: index + 1]
    return found


def read_fresh(readers: Readers, db: sqlite3.Connection, piece: Piece) -> Samples:
    """Decode a signal's samples of a fresh row."""
    row = db.execute("SELECT body FROM fresh WHERE id = ?", (piece.id,)).fetchone()
    where = f"{readers.path}, table fresh, row {piece.id}"
    layout = readers.layout(db, piece.layout)
    times, values, states = fresh.column(row[0], layout, piece.column, where)
    if states is None:
        states = np.zeros(len(times), np.uint8)
    first = piece.id & ((1 << MACHINE_BITS) - 1)
    return Samples(times, values, states, np.arange(first, first + len(times)))


def in_order(parts: list[Samples], span: Span) -> Samples:
    """Join parts, put them in time order (ties in order of arrival), cut to the span."""
    if not parts:
        return empty()
    kinds = {part.values.dtype.kind for part in parts}
    common = parts[0].values.dtype if len(kinds) == 1 and kinds != {"f"} else np.dtype(np.float64)
    joined = Samples(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.values.astype(common, copy=False) for part in parts]),
        np.concatenate([part.states for part in parts]),
        np.concatenate([part.arrivals for part in parts]),
    )
    steps = np.diff(joined.times)
    if (steps < 0).any() or (np.diff(joined.arrivals)[steps == 0] < 0).any():
        joined = joined.take(np.lexsort((joined.arrivals, joined.times)))
    first, last = np.searchsorted(joined.times, (span.start_ns, span.end_ns))
    joined = joined.take(slice(int(first), int(last)))
    there = (joined.states & fresh.ABSENT) == 0
    return joined if there.all() else joined.take(there)


def to_series(samples: Samples, limit: int) -> Series:
    """Return the first `limit` samples as the store's answer."""
    part = samples.take(slice(0, limit))
    missing = (part.states & fresh.MISSING) != 0
    if part.values.dtype.kind == "f":
        missing |= np.isnan(part.values)
    return Series(
        times_ns=part.times,
        values=part.values,
        quality=part.states & np.uint8(fresh.QUALITY),
        missing=missing,
    )
