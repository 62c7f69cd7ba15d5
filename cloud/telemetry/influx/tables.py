"""Answers of the server as arrays: samples of one signal, and stored buckets."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.telemetry.fresh import MISSING
from cloud.telemetry.influx import names
from cloud.telemetry.influx.http import Table
from cloud.telemetry.query import Samples, Span, empty
from cloud.telemetry.rollup import (
    COUNT,
    FIRST,
    FIRST_NS,
    LAST,
    LAST_NS,
    MAX,
    MAX_NS,
    MIN,
    MIN_NS,
    START,
    SUM,
    WORST,
    Partials,
    nothing,
)

FLOATS: Final = {"first": FIRST, "last": LAST, "min": MIN, "max": MAX, "sum": SUM}
OFFSETS: Final = {"first_at": FIRST_NS, "last_at": LAST_NS, "min_at": MIN_NS, "max_at": MAX_NS}
COUNTS: Final = {"count": COUNT, "quality": WORST}


def only(table: Table, signal: str) -> Table:
    """Return the columns of one signal (its name as stored), with times."""
    kept = [
        at
        for at, name in enumerate(table.columns)
        if at == 0 or name == names.OWN or name[2:] == signal
    ]
    columns = tuple(table.columns[at] for at in kept)
    return Table(table.tags, columns, [[row[at] for at in kept] for row in table.rows])


def samples(tables: Sequence[Table]) -> Samples:
    """Return samples by their own times, ties by stored time; `arrivals` are the stored times."""
    parts = [part for table in tables if len((part := _samples(table)).times)]
    if not parts:
        return empty()
    kinds = {part.values.dtype.kind for part in parts}
    common = parts[0].values.dtype if len(kinds) == 1 else np.dtype(np.float64)
    joined = Samples(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.values.astype(common, copy=False) for part in parts]),
        np.concatenate([part.states for part in parts]),
        np.concatenate([part.arrivals for part in parts]),
    )
    if len(parts) == 1 and not (np.diff(joined.times) < 0).any():
        return joined
    return joined.take(np.lexsort((joined.arrivals, joined.times)))


def _samples(table: Table) -> Samples:
    columns = dict(zip(table.columns, zip(*table.rows, strict=True), strict=True))
    stored = np.array(columns.pop("time"), np.int64)
    own = columns.pop(names.OWN, None)
    times = stored
    if own is not None and any(at is not None for at in own):
        pairs = zip(own, stored.tolist(), strict=True)
        times = np.array([at if mine is None else mine for mine, at in pairs], np.int64)
    states = np.zeros(len(stored), np.uint8)
    values: list[tuple[str, tuple[Any, ...]]] = []
    for name, column in columns.items():
        letter = name[0].lower()
        if all(cell is None for cell in column):
            continue
        if letter == names.STATE:
            states |= np.array([cell or 0 for cell in column], np.uint8)
        else:
            values.append((letter, column))
    found, there = _values(values, len(stored))
    states[~there & (states != 0)] |= MISSING
    seen = there | (states != 0)
    out = Samples(times, found, states, stored)
    return out if seen.all() else out.take(seen)


def _values(
    columns: Sequence[tuple[str, tuple[Any, ...]]], count: int
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Return the values of one signal, whatever their kinds, and where there is one."""
    letters = {letter for letter, _ in columns}
    if letters <= {"f", "e"}:
        out = np.full(count, np.nan)
        for letter, column in columns:
            part = np.array(column, np.float64)
            if letter == "e":
                part = part.astype(np.float32).astype(np.float64)
            out = np.where(np.isnan(part), out, part)
        return out, ~np.isnan(out)
    dtype = {"i": np.int64, "b": np.bool_}.get(next(iter(letters)), np.float64)
    kind = np.dtype(dtype if len(letters) == 1 else np.float64)
    mixed = np.zeros(count, kind)
    there = np.zeros(count, np.bool_)
    for letter, column in columns:
        for at, cell in enumerate(column):
            if cell is not None:
                mixed[at] = np.float32(cell) if letter == "e" else cell
                there[at] = True
    if kind.kind == "f":
        mixed[~there] = np.nan
    return mixed, there


def between(part: Samples, span: Span) -> Samples:
    """Return the samples whose own times lie in the span."""
    first, last = np.searchsorted(part.times, (span.start_ns, span.end_ns))
    return part.take(slice(int(first), int(last)))


def partials(tables: Sequence[Table], width_ns: int, *, late: bool = True) -> Partials:
    """Return stored buckets of one signal by start, partial ones in order of arrival.

    `late=False` leaves out the partial ones, which are stored behind their bucket's start.
    """
    rows = [row for table in tables for row in table.rows if late or row[0] % width_ns == 0]
    if not rows:
        return nothing()
    columns = dict(zip(tables[0].columns, zip(*rows, strict=True), strict=True))
    stored = np.array(columns["time"], np.int64)
    ints = np.zeros((7, len(rows)), np.int64)
    floats = np.zeros((5, len(rows)))
    start = stored // width_ns * width_ns
    ints[START] = start
    for name, at in COUNTS.items():
        ints[at] = _whole(columns[name])
    for name, at in OFFSETS.items():
        ints[at] = start + _whole(columns[name])
    for name, at in FLOATS.items():
        floats[at] = np.array(columns[name], np.float64)
    boundless = np.isnan(floats[SUM]) & (ints[COUNT] > 0)  # a sum beyond a double's range
    floats[SUM, boundless] = np.copysign(np.inf, floats[MAX, boundless])
    floats[:, ints[COUNT] == 0] = 0.0
    order = np.argsort(stored, kind="stable")
    return Partials(ints[:, order], floats[:, order])


def _whole(column: tuple[Any, ...]) -> NDArray[np.int64]:
    return np.array([cell or 0 for cell in column], np.int64)
