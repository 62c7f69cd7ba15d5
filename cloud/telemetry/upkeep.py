"""What the writer does to stored data, each in one short transaction: apply, erase, trim.

All functions run inside the caller's transaction, on the writing connection.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from cloud.telemetry.compaction import Job, page_id, page_start
from cloud.telemetry.database import COLUMN_BITS, PAGE_BITS
from cloud.telemetry.frames import WIDE_NS
from cloud.telemetry.names import Names, fresh_range
from cloud.telemetry.rollup import HOUR_NS

GONE: Final = "\0gone "  #: first letters of the name of a machine that is being erased
SLICE_FRAMES: Final = 16  #: frames deleted in one transaction
SLICE_ROWS: Final = 256
KEPT_LAYOUTS: Final = 1_000  #: so many are left alone, used or not
DROPPED_LAYOUTS: Final = 5_000  #: at most in one transaction
Trim = Callable[[sqlite3.Connection, int, int], bool]
_FRAME: Final = (
    "INSERT INTO frame (machine, layout, rows, wide, start_ns, end_ns, times, arrivals, identity) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_NEWEST: Final = (
    "UPDATE signal SET at_ns = ?, value = ?, quality = ? "
    "WHERE machine = ? AND name = ? AND (at_ns IS NULL OR at_ns <= ?)"
)


def apply(db: sqlite3.Connection, names: Names, job: Job) -> bool:
    """Put a prepared compaction in place; False when what it read is no longer there."""
    if not _is_current(db, job):
        return False
    if job.fresh:
        db.execute("DELETE FROM fresh WHERE id BETWEEN ? AND ?", (job.fresh[0], job.fresh[-1]))
    arrived = (job.arrivals, job.machine)  # also of rows that were never fresh
    db.execute("UPDATE machine SET arrivals = max(arrivals, ?) WHERE id = ?", arrived)
    db.executemany("DELETE FROM frame WHERE id = ?", [(number,) for number in job.replaced])
    _delete_chunks(db, job.replaced)
    for frame in job.frames:
        wide = frame.end_ns - frame.start_ns > WIDE_NS
        head = (job.machine, names.layout(frame.layout), frame.rows, wide)
        span = (frame.start_ns, frame.end_ns)
        blobs = (frame.times, frame.arrivals, frame.identity)
        number = db.execute(_FRAME, head + span + blobs).lastrowid
        assert number is not None
        first = number << COLUMN_BITS
        db.executemany("INSERT INTO chunk VALUES (?, ?)", enumerate(frame.chunks, first))
    db.executemany("INSERT OR REPLACE INTO rollup VALUES (?, ?)", job.pages)
    db.executemany(
        _NEWEST,
        [
            (at_ns, value, quality, job.machine, name, at_ns)
            for name, (at_ns, value, quality) in job.newest.items()
        ],
    )
    return True


def _is_current(db: sqlite3.Connection, job: Job) -> bool:
    """Return whether what a job read is still there; nobody adds rows between old ones."""
    if job.fresh:
        count = db.execute(
            "SELECT count(*) FROM fresh WHERE id BETWEEN ? AND ?", (job.fresh[0], job.fresh[-1])
        )
        if count.fetchone()[0] != len(job.fresh):
            return False
    return all(
        db.execute("SELECT 1 FROM frame WHERE id = ?", (number,)).fetchone()
        for number in job.replaced
    )


def _delete_chunks(db: sqlite3.Connection, frames: list[int]) -> None:
    db.executemany(
        "DELETE FROM chunk WHERE id >= ? AND id < ?",
        [(number << COLUMN_BITS, (number + 1) << COLUMN_BITS) for number in frames],
    )


@contextmanager
def overwriting(db: sqlite3.Connection) -> Iterator[None]:
    """Let what is deleted or replaced within be overwritten, not only unlinked."""
    db.execute("PRAGMA secure_delete = ON")
    try:
        yield
    finally:
        db.execute("PRAGMA secure_delete = OFF")


def hide(db: sqlite3.Connection, name: str) -> int:
    """Take a machine out of sight, so that it can be erased in slices; return its samples."""
    row = db.execute("SELECT id FROM machine WHERE name = ?", (name,)).fetchone()
    if row is None:
        return 0
    machine = int(row[0])
    db.execute("UPDATE machine SET name = ? WHERE id = ?", (f"{GONE}{machine}", machine))
    fresh = db.execute(
        "SELECT coalesce(sum(rows), 0) FROM fresh WHERE id >= ? AND id < ?", fresh_range(machine)
    ).fetchone()[0]
    frames = db.execute(
        "SELECT coalesce(sum(rows), 0) FROM frame WHERE machine = ?", (machine,)
    ).fetchone()[0]
    return int(fresh) + int(frames)


def erase_some(db: sqlite3.Connection) -> bool:
    """Delete a slice of the hidden machines' data; True while there may be more."""
    row = db.execute(
        "SELECT id FROM machine WHERE name >= ? AND name < ? LIMIT 1", (GONE, GONE[:-1] + "!")
    ).fetchone()
    if row is None:
        return False
    machine = row[0]
    if _delete_frames(db, "machine = ?", (machine,)):
        return True
    first, last = fresh_range(machine)
    if _delete_slice(db, "fresh", first, last):
        return True
    signal = db.execute("SELECT id FROM signal WHERE machine = ? LIMIT 1", (machine,)).fetchone()
    if signal:
        first, last = signal[0] << (PAGE_BITS + 1), (signal[0] + 1) << (PAGE_BITS + 1)
        if not _delete_slice(db, "rollup", first, last):
            db.execute("DELETE FROM signal WHERE id = ?", signal)
        return True
    db.execute("DELETE FROM machine WHERE id = ?", (machine,))
    return True


def _delete_frames(db: sqlite3.Connection, condition: str, values: tuple[int, ...]) -> bool:
    rows = db.execute(
        f"SELECT id FROM frame WHERE {condition} LIMIT {SLICE_FRAMES}",  # noqa: S608 (our words)
        values,
    ).fetchall()
    numbers = [number for (number,) in rows]
    _delete_chunks(db, numbers)
    db.executemany("DELETE FROM frame WHERE id = ?", rows)
    return bool(numbers)


def _delete_slice(db: sqlite3.Connection, table: str, first: int, last: int) -> bool:
    done = db.execute(
        f"DELETE FROM {table} WHERE id IN "  # noqa: S608 (our words)
        f"(SELECT id FROM {table} WHERE id >= ? AND id < ? LIMIT {SLICE_ROWS})",
        (first, last),
    )
    return done.rowcount > 0


def trim_raw(db: sqlite3.Connection, machine: int, before_ns: int) -> bool:
    """Delete a slice of a machine's frames that end before a time; True while there may be more."""
    db.execute(
        "UPDATE machine SET raw_from_ns = max(coalesce(raw_from_ns, :before), :before) "
        "WHERE id = :id",
        {"before": before_ns, "id": machine},
    )
    return _delete_frames(db, "machine = ? AND end_ns < ?", (machine, before_ns))


def trim_minutes(db: sqlite3.Connection, machine: int, before_ns: int) -> bool:
    """Delete a slice of a machine's minutes before a time; True while there may be more."""
    db.execute(
        "UPDATE machine SET minute_from_ns = max(coalesce(minute_from_ns, :before), :before) "
        "WHERE id = :id",
        {"before": before_ns, "id": machine},
    )
    signals = db.execute("SELECT id FROM signal WHERE machine = ?", (machine,)).fetchall()
    return any(
        _delete_slice(db, "rollup", signal << (PAGE_BITS + 1), page_id(signal, 0, before_ns))
        for (signal,) in signals
    )


def trims(raw_before_ns: int, minutes_before_ns: int) -> Sequence[tuple[Trim, int]]:
    """Return what trims a machine, and the whole hour or page before which it does."""
    return (
        (trim_raw, raw_before_ns // HOUR_NS * HOUR_NS),
        (trim_minutes, page_start(0, minutes_before_ns)),
    )


def unused_layouts(db: sqlite3.Connection) -> list[int]:
    """Return some layouts that no row names, where there are many layouts; a reader may ask.

    Never the newest: the next one has a number that was never another's.
    """
    count, newest = db.execute("SELECT count(*), max(id) FROM layout").fetchone()
    if count <= KEPT_LAYOUTS:
        return []
    rows = db.execute(
        "SELECT id FROM layout WHERE id < ? EXCEPT SELECT layout FROM frame "
        "EXCEPT SELECT layout FROM fresh LIMIT ?",
        (newest, DROPPED_LAYOUTS),
    )
    return [number for (number,) in rows]


def drop_layouts(db: sqlite3.Connection, names: Names, unused: Sequence[int]) -> bool:
    """Delete layouts found unused, but for those in use by now; True while there may be more."""
    used = names.remembered()
    rows = [(number,) for number in unused if number not in used]
    db.executemany("DELETE FROM layout WHERE id = ?", rows)
    return bool(rows) and len(unused) == DROPPED_LAYOUTS


def has_old_fresh(db: sqlite3.Connection, machine: int, before_ns: int) -> bool:
    """Return whether a machine has fresh rows that end before a time."""
    found = db.execute(
        "SELECT 1 FROM fresh WHERE id >= ? AND id < ? AND end_ns < ? LIMIT 1",
        (*fresh_range(machine), before_ns),
    ).fetchone()
    return found is not None
