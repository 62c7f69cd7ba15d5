"""Answers of the server as arrays: samples of one signal, and stored buckets."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.telemetry.fresh import MISSING
from cloud.telemetry.influx import names
from cloud.telemetry.influx.grid import Grid
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


def only(grid: Grid, signal: str) -> Grid:
    """Return the columns of one signal (its name as stored), with times."""
    return grid.only(
        [
            at
            for at, name in enumerate(grid.names)
            if at == 0 or name == names.OWN or name[2:] == signal
        ]
    )


def samples(grids: Sequence[Grid]) -> Samples:
    """Return samples by their own times, ties by stored time; `arrivals` are the stored times."""
    parts = [part for grid in grids if len((part := _samples(grid)).times)]
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


def _samples(grid: Grid) -> Samples:
    stored = times = grid.times
    states = np.zeros(len(grid), np.uint8)
    values: list[tuple[str, int]] = []
    for at, name in enumerate(grid.names[1:], 1):
        letter = name[0].lower()
        if name == names.OWN:
            times = np.where(grid.there(at), grid.whole(at), stored)
        elif letter == names.STATE:
            states |= grid.whole(at).astype(np.uint8)
        elif grid.there(at).any():
            values.append((letter, at))
    found, there = _values(grid, values)
    states[~there & (states != 0)] |= MISSING
    seen = there | (states != 0)
    out = Samples(times, found, states, stored)
    return out if seen.all() else out.take(seen)


def _values(
    grid: Grid, columns: Sequence[tuple[str, int]]
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Return the values of one signal, whatever their kinds, and where there is one."""
    letters = {letter for letter, _ in columns}
    kind = np.int64 if letters == {"i"} else np.bool_ if letters == {"b"} else np.float64
    out: NDArray[Any] = np.zeros(len(grid), kind)
    there = np.zeros(len(grid), np.bool_)
    for letter, at in columns:
        mine = grid.there(at)
        part: NDArray[Any] = grid.doubles(at) if kind is np.float64 else grid.whole(at)
        if letter == "e":
            part = part.astype(np.float32)
        out[mine] = part[mine]
        there |= mine
    if kind is np.float64:
        out[~there] = np.nan
    return out, there


def between(part: Samples, span: Span) -> Samples:
    """Return the samples whose own times lie in the span."""
    first, last = np.searchsorted(part.times, (span.start_ns, span.end_ns))
    return part.take(slice(int(first), int(last)))


def partials(grids: Sequence[Grid], width_ns: int, *, late: bool = True) -> Partials:
    """Return stored buckets of one signal by start, partial ones in order of arrival.

    `late=False` leaves out the partial ones, which are stored behind their bucket's start.
    """
    parts = [_partials(grid, width_ns) for grid in grids if len(grid)]
    if not parts:
        return nothing()
    stored = np.concatenate([grid.times for grid in grids])
    order = np.argsort(stored, kind="stable")
    if not late:
        order = order[stored[order] % width_ns == 0]
    return Partials(
        np.concatenate([part.ints for part in parts], axis=1)[:, order],
        np.concatenate([part.floats for part in parts], axis=1)[:, order],
    )


def _partials(grid: Grid, width_ns: int) -> Partials:
    at = {name: column for column, name in enumerate(grid.names)}
    ints = np.zeros((7, len(grid)), np.int64)
    floats = np.zeros((5, len(grid)))
    start = grid.times // width_ns * width_ns
    ints[START] = start
    for name, place in COUNTS.items():
        ints[place] = grid.whole(at[name])
    for name, place in OFFSETS.items():
        ints[place] = start + grid.whole(at[name])
    for name, place in FLOATS.items():
        floats[place] = grid.doubles(at[name])
    boundless = np.isnan(floats[SUM]) & (ints[COUNT] > 0)  # a sum beyond a double's range
    floats[SUM, boundless] = np.copysign(np.inf, floats[MAX, boundless])
    floats[:, ints[COUNT] == 0] = 0.0
    return Partials(ints, floats)
