"""The newest value of each signal: what compaction noted, and the fresh rows behind it."""

import sqlite3
from typing import Final

import numpy as np

from cloud.telemetry import Latest, fresh
from cloud.telemetry.fresh import Layout
from cloud.telemetry.names import fresh_range
from cloud.telemetry.readers import Readers

Newest = dict[str, tuple[int, float | None, int]]  #: signal → time, value, quality
_NOTED: Final = "SELECT name, at_ns, value, quality FROM signal WHERE machine = ?"
_LIVE: Final = "SELECT id, layout, end_ns FROM fresh WHERE id >= ? AND id < ? AND live ORDER BY id"


def note(found: Newest, layout: Layout, rows: fresh.Rows) -> None:
    """Take live rows into `found`; at equal times the later arrival counts."""
    reverse = len(rows.times) - 1
    newest_last = reverse - int(np.argmax(rows.times[::-1]))
    for index, (name, _) in enumerate(layout):
        states = rows.states[index]
        at = newest_last
        if states is not None and states[at] & fresh.ABSENT:
            there = np.flatnonzero((states & fresh.ABSENT) == 0)
            if not len(there):
                continue
            at = int(there[len(there) - 1 - int(np.argmax(rows.times[there][::-1]))])
        when = int(rows.times[at])
        if name in found and found[name][0] > when:
            continue
        state = int(states[at]) if states is not None else 0
        value = float(rows.columns[index][at])
        missing = state & fresh.MISSING or value != value  # noqa: PLR0124 (NaN)
        found[name] = (when, None if missing else value, state & fresh.QUALITY)


def latest(readers: Readers, db: sqlite3.Connection, machine: int) -> list[Latest]:
    """Return the newest value of each signal of a machine, by name."""
    found: Newest = {
        name: (at_ns, value, quality)
        for name, at_ns, value, quality in db.execute(_NOTED, (machine,))
        if at_ns is not None
    }
    candidates: dict[int, tuple[int, int]] = {}
    for number, layout, end_ns in db.execute(_LIVE, fresh_range(machine)):
        if layout not in candidates or end_ns >= candidates[layout][1]:
            candidates[layout] = (number, end_ns)
    for layout, (number, _) in sorted(candidates.items(), key=lambda item: item[1]):
        body = db.execute("SELECT body FROM fresh WHERE id = ?", (number,)).fetchone()[0]
        where = f"{readers.path}, table fresh, row {number}"
        spec = readers.layout(db, layout)
        note(found, spec, fresh.unpack(body, spec, where))
    return [
        Latest(signal=name, at_ns=at_ns, value=value, quality=quality)
        for name, (at_ns, value, quality) in sorted(found.items())
    ]
