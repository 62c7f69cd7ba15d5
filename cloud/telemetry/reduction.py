"""Reducing a span to buckets: from raw samples, minutes or hours, whatever is exact and cheapest.

Whole hours come from hours, whole minutes from minutes, the edges from raw samples. Where raw
samples or minutes have been trimmed, the next coarser roll-ups stand in: they count in the bucket
in which they start, and may reach beyond the span's ends.
"""

import sqlite3
from collections.abc import Iterator, Sequence

import numpy as np

from cloud.telemetry import chunk, query, rollup
from cloud.telemetry.compaction import LEVELS, page_id
from cloud.telemetry.query import Samples, Span
from cloud.telemetry.readers import Readers
from cloud.telemetry.rollup import HOUR_NS, MINUTE_NS, Partials

RAW = 0
Part = tuple[int, Span]  #: width of the roll-ups (`RAW`: none) and the times they cover


def plan(
    span: Span, width_ns: int, raw_from_ns: int | None, minute_from_ns: int | None
) -> list[Part]:
    """Return which roll-ups to read for which times."""
    fits = [level for level in (HOUR_NS, MINUTE_NS) if width_ns % level == 0]
    floor = span.start_ns
    raw_from = floor if raw_from_ns is None else raw_from_ns
    minute_from = floor if minute_from_ns is None else min(minute_from_ns, raw_from)
    zones = (
        (span.start_ns, min(minute_from, span.end_ns), [HOUR_NS]),
        (max(minute_from, floor), min(raw_from, span.end_ns), sorted({*fits, MINUTE_NS})[::-1]),
        (max(raw_from, floor), span.end_ns, [*fits, RAW]),
    )
    return [part for low, high, levels in zones for part in _cover(low, high, levels)]


def _cover(low: int, high: int, levels: Sequence[int]) -> Iterator[Part]:
    if low >= high:
        return
    level, *finer = levels
    if level == RAW:
        yield RAW, Span(low, high)
    elif not finer:
        yield level, Span(low // level * level, -(-high // level) * level)
    else:
        first, last = -(-low // level) * level, high // level * level
        if first >= last:
            yield from _cover(low, high, finer)
            return
        yield from _cover(low, first, finer)
        yield level, Span(first, last)
        yield from _cover(last, high, finer)


def buckets(
    readers: Readers,
    db: sqlite3.Connection,
    machine: int,
    signal: str,
    span: Span,
    *,
    width_ns: int,
) -> Partials:
    """Return a signal's buckets of `width_ns` over a span."""
    kept = db.execute("SELECT raw_from_ns, minute_from_ns FROM machine WHERE id = ?", (machine,))
    parts = plan(span, width_ns, *kept.fetchone())
    if not parts:
        return rollup.nothing()
    number = db.execute(
        "SELECT id FROM signal WHERE machine = ? AND name = ?", (machine, signal)
    ).fetchone()
    if number is None:
        return rollup.nothing()
    whole = Span(min(part.start_ns for _, part in parts), max(part.end_ns for _, part in parts))
    found = query.pieces(readers, db, machine, signal, whole)
    young = query.read(readers, db, [piece for piece in found if not piece.frame], whole)
    out: list[Partials] = []
    for level, part in parts:
        if level == RAW:
            near = [p for p in found if p.start_ns < part.end_ns and p.end_ns >= part.start_ns]
            out.append(_reduce(query.read(readers, db, near, part), width_ns))
        else:
            out.append(_pages(readers, db, number[0], level, part))
            out.append(_reduce(query.between(young, part), level))
    return rollup.join(out, width_ns)


def _reduce(samples: Samples, width_ns: int) -> Partials:
    return rollup.reduce(samples.times, samples.values, samples.states, width_ns)


def _pages(
    readers: Readers, db: sqlite3.Connection, signal: int, width_ns: int, span: Span
) -> Partials:
    level = LEVELS.index(width_ns)
    first, last = (page_id(signal, level, at) for at in (span.start_ns, span.end_ns - 1))
    rows = db.execute("SELECT id, body FROM rollup WHERE id BETWEEN ? AND ?", (first, last))
    parts = [
        chunk.unpack_page(body, width_ns, f"{readers.path}, table rollup, row {number}")
        for number, body in rows
    ]
    if not parts:
        return rollup.nothing()
    joined = Partials(
        np.concatenate([part.ints for part in parts], axis=1),
        np.concatenate([part.floats for part in parts], axis=1),
    )
    return joined.between(span.start_ns, span.end_ns)
