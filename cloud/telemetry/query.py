"""Reading one signal back: the pieces that touch a span, decoded and put in time order."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.telemetry import Series, chunk, fresh
from cloud.telemetry.compaction import read_chunk
from cloud.telemetry.database import COLUMN_BITS, MACHINE_BITS
from cloud.telemetry.frames import WIDE_NS
from cloud.telemetry.names import fresh_range
from cloud.telemetry.readers import Readers

MAX_NS: Final = 2**63 - 1
_FRAMES: Final = "SELECT id, layout, rows, start_ns, end_ns FROM frame WHERE machine = ?"
_TOUCHING: Final = "AND start_ns < ? AND end_ns >= ?"


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
        (*fresh_range(machine), min(span.end_ns, MAX_NS), max(span.start_ns, -MAX_NS)),
    ).fetchall()


def _frames(
    db: sqlite3.Connection, machine: int, span: Span
) -> list[tuple[int, int, int, int, int]]:
    from_ns, to_ns = max(span.start_ns, -MAX_NS), min(span.end_ns, MAX_NS)
    earliest = max(from_ns - WIDE_NS, -MAX_NS)
    narrow = db.execute(
        f"{_FRAMES} AND wide = 0 AND start_ns >= ? {_TOUCHING}", (machine, earliest, to_ns, from_ns)
    )
    wide = db.execute(f"{_FRAMES} AND wide = 1 {_TOUCHING}", (machine, to_ns, from_ns))
    return [*narrow.fetchall(), *wide.fetchall()]


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


def read(readers: Readers, db: sqlite3.Connection, found: Sequence[Piece], span: Span) -> Samples:
    """Decode pieces of one signal: in time order, ties in order of arrival, cut to the span."""
    if not found:
        return empty()
    ordered = sorted(found)
    reach = list(accumulate((piece.end_ns for piece in ordered), max))
    apart = all(last < piece.start_ns for last, piece in zip(reach, ordered[1:], strict=False))
    parts = [
        _frame(readers, db, piece, numbered=not apart)
        if piece.frame
        else _arrived(readers, db, piece)
        for piece in ordered
    ]
    kinds = {part.values.dtype.kind for part in parts}
    common = parts[0].values.dtype if len(kinds) == 1 and kinds != {"f"} else np.dtype(np.float64)
    joined = Samples(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.values.astype(common, copy=False) for part in parts]),
        np.concatenate([part.states for part in parts]),
        np.concatenate([part.arrivals for part in parts]),
    )
    if not apart:
        joined = joined.take(np.lexsort((joined.arrivals, joined.times)))
    joined = between(joined, span)
    there = (joined.states & fresh.ABSENT) == 0
    return joined if there.all() else joined.take(there)


def between(samples: Samples, span: Span) -> Samples:
    """Return the samples of a span; they are in time order."""
    first, last = np.searchsorted(samples.times, (span.start_ns, span.end_ns))
    return samples.take(slice(int(first), int(last)))


def _arrived(readers: Readers, db: sqlite3.Connection, piece: Piece) -> Samples:
    row = db.execute("SELECT body FROM fresh WHERE id = ?", (piece.id,)).fetchone()
    where = f"{readers.path}, table fresh, row {piece.id}"
    layout = readers.layout(db, piece.layout)
    times, values, states = fresh.column(row[0], layout, piece.column, where)
    if states is None:
        states = np.zeros(len(times), np.uint8)
    first = piece.id & ((1 << MACHINE_BITS) - 1)
    samples = Samples(times, values, states, np.arange(first, first + len(times)))
    in_order = (np.diff(times) >= 0).all()
    return samples if in_order else samples.take(np.argsort(times, kind="stable"))


def _frame(readers: Readers, db: sqlite3.Connection, piece: Piece, *, numbered: bool) -> Samples:
    where = f"{readers.path}, table frame, row {piece.id}"
    columns = "times, arrivals" if numbered else "times, NULL"
    row = db.execute(f"SELECT {columns} FROM frame WHERE id = ?", (piece.id,)).fetchone()  # noqa: S608
    code = readers.layout(db, piece.layout)[piece.column][1]
    column = read_chunk(readers, db, piece.id << COLUMN_BITS | piece.column, piece.rows, code)
    times = chunk.unpack_numbers(row[0], piece.rows, where)[0]
    # regular times unpack to as many as they are asked for
    if (piece.start_ns, piece.end_ns) != (times[0], times[-1]):
        raise chunk.contradicts(where)
    arrivals = chunk.unpack_numbers(row[1], piece.rows, where)[0] if numbered else times
    states = column.states if column.states is not None else np.zeros(piece.rows, np.uint8)
    return Samples(times, column.values, states, arrivals)


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
