"""Preparing compactions: fresh rows become frames and roll-ups; small frames become larger ones.

A `Job` is prepared from a read transaction, on any thread, and changes nothing. The store's writer
applies it in one short transaction, and only if the rows that it read are still there.
"""

import sqlite3
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.errors import StoreCorrupt
from cloud.telemetry import chunk, fresh, newest, rollup
from cloud.telemetry.database import COLUMN_BITS, MACHINE_BITS, PAGE_BITS
from cloud.telemetry.frames import (
    FRAME_ROWS,
    MAX_LAYOUTS,
    Frame,
    Table,
    concat,
    pack_all,
    unite,
)
from cloud.telemetry.fresh import Layout, Rows
from cloud.telemetry.lots import Lot
from cloud.telemetry.names import fresh_range
from cloud.telemetry.newest import Newest
from cloud.telemetry.readers import Readers
from cloud.telemetry.rollup import HOUR_NS, MINUTE_NS, Partials

JOB_ROWS: Final = 2 * FRAME_ROWS
DUE_ROWS: Final = FRAME_ROWS  #: so many fresh samples of a machine are compacted at the latest
DUE_BLOBS: Final = 512  #: or so many fresh rows, because reading them takes a step each
SMALL_ROWS: Final = FRAME_ROWS // 4
SMALL_FRAMES: Final = 8  #: so many small frames of one layout are joined
PAGE_BUCKETS: Final = 360
ASKED: Final = 500  #: pages read by one statement
LEVELS: Final = (MINUTE_NS, HOUR_NS)
_GOLDEN: Final = (5**0.5 - 1) / 2
_FRESH: Final = "SELECT id, layout, live, body FROM fresh WHERE id >= ? AND id < ? ORDER BY id"


@dataclass(slots=True)
class Job:
    """What a compaction will change, in one transaction."""

    machine: int
    fresh: list[int] = field(default_factory=list)  #: fresh rows to delete
    replaced: list[int] = field(default_factory=list)  #: frames to delete
    arrivals: int = 0  #: number of the machine's next sample behind these
    rows: int = 0
    frames: list[Frame] = field(default_factory=list)
    pages: list[tuple[int, bytes]] = field(default_factory=list)
    newest: Newest = field(default_factory=dict)


def due(machine: int, rows: int, blobs: int) -> bool:
    """Whether so many fresh samples, in so many fresh rows, are worth a compaction of a machine.

    From half of the most on, by the machine's number (Weyl's sequence): machines that are heard
    alike come due one after the other, where hundreds at once would hold up what arrives meanwhile.
    """
    share = 0.5 + 0.5 * (machine * _GOLDEN % 1.0)
    return rows >= share * DUE_ROWS or blobs >= share * DUE_BLOBS


def page_id(signal: int, level: int, start_ns: int) -> int:
    """Return the id of the roll-up page that holds `start_ns`."""
    page = start_ns // (PAGE_BUCKETS * LEVELS[level]) + (1 << (PAGE_BITS - 1))
    return signal << (PAGE_BITS + 1) | level << PAGE_BITS | page


def page_start(level: int, at_ns: int) -> int:
    """Return the first time of the roll-up page that holds `at_ns`."""
    width = PAGE_BUCKETS * LEVELS[level]
    return at_ns // width * width


def prepare(readers: Readers, machine: int, lot: Lot | None = None) -> Job | None:
    """Prepare a compaction of a machine's oldest fresh rows; None when it has none.

    With a `lot`: of all its fresh rows and of those behind them, which are not in the file yet.
    """
    with readers.lend() as db:
        job = Job(machine)
        tables = _arrived(readers, db, job, lot)
        if not tables:
            return None
        tables = [table.in_time_order() for table in tables]
        for table in tables:
            job.frames += pack_all(table, apart=True)
        _roll_up(readers, db, job, tables)
    return job


@dataclass(slots=True)
class _Arrived:
    """Tables by layout, in order of arrival; `live` those that may have the newest values."""

    all: dict[int, list[Table]] = field(default_factory=dict)
    live: dict[int, list[Table]] = field(default_factory=dict)

    def add(self, layout: int, table: Table, *, live: bool) -> None:
        self.all.setdefault(layout, []).append(table)
        if live:
            self.live.setdefault(layout, []).append(table)


def _arrived(readers: Readers, db: sqlite3.Connection, job: Job, lot: Lot | None) -> list[Table]:
    found = _Arrived()
    for number, layout_id, live, body in db.execute(_FRESH, fresh_range(job.machine)):
        layout = readers.layout(db, layout_id)
        rows = fresh.unpack(body, layout, f"{readers.path}, table fresh, row {number}")
        first = number & ((1 << MACHINE_BITS) - 1)
        found.add(layout_id, _numbered(job, layout, rows, first), live=live)
        job.fresh.append(number)
        if job.rows >= JOB_ROWS and lot is None:
            break
    first = lot.first if lot else 0
    for part in lot.parts if lot else ():
        group = part.group
        table = _numbered(job, group.layout, fresh.rows_of(group, part.sources), first)
        found.add(part.layout, table, live=group.live)
        first += group.rows
    joined = {layout: concat(tables) for layout, tables in found.all.items()}
    for layout_id, tables in found.live.items():
        whole = len(tables) == len(found.all[layout_id])
        table = joined[layout_id] if whole else concat(tables)
        newest.note(job.newest, table.layout, table.rows)
    out = list(joined.values())
    return out if len(out) <= MAX_LAYOUTS else unite(out)


def _numbered(job: Job, layout: Layout, rows: Rows, first: int) -> Table:
    """Return rows with their numbers of arrival from `first` on; the job then reaches behind."""
    count = len(rows.times)
    job.rows += count
    job.arrivals = first + count
    return Table(layout, rows, np.arange(first, first + count))


def _roll_up(readers: Readers, db: sqlite3.Connection, job: Job, tables: list[Table]) -> None:
    numbers = dict(
        db.execute("SELECT name, id FROM signal WHERE machine = ?", (job.machine,)).fetchall()
    )
    minutes = {numbers[name]: part for name, part in _minutes(tables).items()}
    job.pages += _pages(readers, db, 0, minutes)
    hours = {number: rollup.join([part], HOUR_NS) for number, part in minutes.items()}
    job.pages += _pages(readers, db, 1, hours)


def _minutes(tables: list[Table]) -> dict[str, Partials]:
    """Return each signal's minutes; `tables` are in time order."""
    if len(tables) == 1:
        rows = tables[0].rows
        columns = list(zip(rows.columns, rows.states, strict=True))
        found = rollup.reduce_all(rows.times, columns, MINUTE_NS)
        return {name: part for (name, _), part in zip(tables[0].layout, found, strict=True)}
    by_signal: dict[str, list[Table]] = {}
    for table in tables:
        for index, (name, _) in enumerate(table.layout):
            by_signal.setdefault(name, []).append(_only(table, index))
    return {
        name: rollup.join([_reduced(one) for one in _mixed(mine)], MINUTE_NS)
        for name, mine in by_signal.items()
    }


def _only(table: Table, index: int) -> Table:
    rows = table.rows
    one = Rows(rows.times, [rows.columns[index]], [rows.states[index]], rows.sources, rows.seqs)
    return Table((table.layout[index],), one, table.arrivals)


def _mixed(tables: list[Table]) -> list[Table]:
    """Return the tables of one signal; those of one type as one, so that ties keep their order."""
    if len(tables) == 1:
        return tables
    as_floats = []
    for table in tables:
        column = table.rows.columns[0].astype(np.float64, copy=False)
        rows = table.rows
        one = Rows(rows.times, [column], rows.states, rows.sources, rows.seqs)
        as_floats.append(Table((("", "d"),), one, table.arrivals))
    return [concat(as_floats)]


def _reduced(table: Table) -> Partials:
    rows = table.in_time_order().rows
    return rollup.reduce(rows.times, rows.columns[0], rows.states[0], MINUTE_NS)


def _pages(
    readers: Readers, db: sqlite3.Connection, level: int, found: dict[int, Partials]
) -> list[tuple[int, bytes]]:
    """Return the pages of one level with each signal's (by its id) buckets joined in."""
    width = PAGE_BUCKETS * LEVELS[level]
    pages: dict[int, Partials] = {}
    for signal, parts in found.items():
        starts = parts.ints[rollup.START]
        first, last = int(starts[0]), int(starts[-1])
        if first // width == last // width:
            pages[page_id(signal, level, first)] = parts
            continue
        for page in np.unique(starts // width):
            start = int(page) * width
            pages[page_id(signal, level, start)] = parts.between(start, start + width)
    stored = _stored_pages(db, list(pages))
    return [
        (
            number,
            chunk.renew_page(stored[number], part, LEVELS[level], _where(readers, number))
            if number in stored
            else chunk.pack_page(part, LEVELS[level]),
        )
        for number, part in pages.items()
    ]


def _stored_pages(db: sqlite3.Connection, numbers: list[int]) -> dict[int, bytes]:
    out: dict[int, bytes] = {}
    for at in range(0, len(numbers), ASKED):
        some = numbers[at : at + ASKED]
        marks = ",".join("?" * len(some))
        out.update(db.execute(f"SELECT id, body FROM rollup WHERE id IN ({marks})", some))  # noqa: S608
    return out


def _where(readers: Readers, number: int) -> str:
    return f"{readers.path}, table rollup, row {number}"


def small_frames(db: sqlite3.Connection, machine: int) -> list[int]:
    """Return the oldest small frames of one layout of the machine, if they are many."""
    rows = db.execute(
        "SELECT layout, group_concat(id), count(*) FROM (SELECT layout, id FROM frame "
        "WHERE machine = ? AND rows < ? ORDER BY layout, id) GROUP BY layout",
        (machine, SMALL_ROWS),
    ).fetchall()
    for _, ids, count in rows:
        if count >= SMALL_FRAMES:
            return sorted(map(int, ids.split(",")))[: 2 * SMALL_FRAMES]
    return []


def prepare_joining(readers: Readers, machine: int) -> Job | None:
    """Prepare to join small frames into larger ones; None when they are few."""
    with readers.lend() as db:
        job = Job(machine, replaced=small_frames(db, machine))
        if not job.replaced:
            return None
        tables = [load(readers, db, number) for number in job.replaced]
        job.frames = pack_all(concat(tables), apart=False)
    return job


def load(readers: Readers, db: sqlite3.Connection, number: int) -> Table:
    """Read a frame back as a table."""
    row = db.execute(
        "SELECT layout, rows, times, arrivals, identity, start_ns, end_ns FROM frame WHERE id = ?",
        (number,),
    ).fetchone()
    layout: Layout = readers.layout(db, row[0])
    count = row[1]
    where = f"{readers.path}, table frame, row {number}"
    columns: list[NDArray[np.generic]] = []
    states: list[NDArray[np.uint8] | None] = []
    for index, (_, code) in enumerate(layout):
        column = read_chunk(readers, db, number << COLUMN_BITS | index, count, code)
        columns.append(column.values.astype(fresh.DTYPES[code], copy=False))
        states.append(column.states)
    sources, seqs = chunk.unpack_numbers(row[4], count, where, 2)
    times = chunk.unpack_numbers(row[2], count, where)[0]
    if [*row[5:]] != times[[0, -1]].tolist():
        raise chunk.contradicts(where)
    rows = Rows(
        times=times,
        columns=columns,
        states=states,
        sources=sources,
        seqs=seqs,
    )
    return Table(layout, rows, chunk.unpack_numbers(row[3], count, where)[0])


def read_chunk(
    readers: Readers, db: sqlite3.Connection, number: int, rows: int, code: str
) -> chunk.Column:
    """Read one signal of a frame."""
    found = db.execute("SELECT body FROM chunk WHERE id = ?", (number,)).fetchone()
    where = f"{readers.path}, table chunk, row {number}"
    if found is None:
        raise StoreCorrupt(f"{where}: it is missing; restore the file from a backup")
    return chunk.unpack_column(found[0], rows, code, where)
