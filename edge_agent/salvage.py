"""A damaged outbox: set aside, and what can still be read of it moved into a new one."""

import contextlib
import itertools
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from edge_agent import outbox_rows as rows
from edge_agent.numbering import Key, Numbering
from edge_agent.outbox_file import Dropped, Entry, connect, joined, transaction
from models.contract import codec, topics
from models.contract.errors import ContractError
from models.contract.messages import MAX_NUMBER, STREAMS, Batch, Birth

DAMAGED: Final = "damaged"  #: the reason of what cannot be read any more
TOGETHER: Final = 64  #: batches in one transaction
#: numbers in a row without a readable batch before the rest is given up: steps grow by one each 64,
#: which passes over 130,000 batches of damaged pages
MISSES: Final = 4096
_BATCH: Final = topics.parse("pm/1/a.b/up/t/live")
_BIRTH: Final = topics.parse("pm/1/a.b/up/birth")
ENDS: Final = ("", "-wal", "-shm")  #: of the files of one database

Spans = dict[Key, list[tuple[int, int]]]  #: ranges that are here or noted as lost


def renew(
    path: Path, boot: str, prepare: Callable[[sqlite3.Connection], None], known: Numbering
) -> tuple[Path, int]:
    """Put a new outbox with what can be read of a damaged one in its place; return that, set aside.

    What is `known` holds; the rest is read from the file and added to it. Beside the file comes
    how many samples are lost. Killed at any moment, either the old file or all of the new one is
    at `path`. It is kept as `NAME.unreadable-BOOT`, instead of one from the same start.
    """
    new = path.with_name(path.name + ".new")
    _remove(new)
    try:
        with contextlib.closing(connect(new)) as db, contextlib.closing(connect(path)) as old:
            prepare(db)
            db.execute("PRAGMA synchronous=NORMAL")  # nothing counts before the log is in the file
            lost = _fill(db, old, known)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return _exchange(path, new, boot), lost
    except BaseException:
        _remove(new)
        raise


def _remove(path: Path) -> None:
    for end in ENDS:
        path.with_name(path.name + end).unlink(missing_ok=True)


def _exchange(path: Path, new: Path, boot: str) -> Path:
    kept = path.with_name(f"{path.name}.unreadable-{boot}")
    _remove(kept)
    for end in ENDS[1:]:  # there while somebody reads; the new file must not meet them
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(kept.with_name(kept.name + end))
    try:
        kept.hardlink_to(path)
    except OSError:  # a file system without links
        path.rename(kept)
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return kept


def _fill(db: sqlite3.Connection, old: sqlite3.Connection, known: Numbering) -> int:
    spans: Spans = defaultdict(list)
    for drop in known.unwritten:
        spans[drop[:2]].append((drop.first, drop.last))
    _learn(old, known)
    _copy_batches(old, db, known, spans)
    _copy_rest(old, db, known, spans)
    lost = _holes(known, spans)
    left = {place[0] for place in spans} | {max(known.boots.values(), default=0)}
    with transaction(db):
        rows.note(db, lost)
        rows.write(db, known, left | {hole.boot for hole in lost})
    return sum(hole.last - hole.first + 1 for hole in lost)


def _learn(old: sqlite3.Connection, known: Numbering) -> None:
    for n, boot in _read(old, "boots", "n, boot", 1):
        if isinstance(n, int) and isinstance(boot, str):
            _agrees(known, n, boot)
    for n, rank, following, received in _read(old, "counters", "boot, stream, next, hwm", 2):
        if _numbers(n, rank, following, received + 1) and rank < len(STREAMS):
            known.following.setdefault((n, rank), following)
            known.received.setdefault((n, rank), received)


def _agrees(known: Numbering, n: int, boot: str) -> bool:
    """Whether the boot has this number, which it is given where neither is known."""
    if n not in known.boots.values():
        known.boots.setdefault(boot, n)
    return known.boots.get(boot) == n


def _numbers(*values: object) -> bool:
    return all(isinstance(value, int) and 0 <= value <= MAX_NUMBER + 1 for value in values)


def _read(db: sqlite3.Connection, table: str, columns: str, keys: int) -> Iterator[tuple[Any, ...]]:
    """Yield a small table's rows from either end up to what is damaged; `keys` columns order it."""
    names = columns.split(", ")[:keys]
    last: tuple[Any, ...] | None = None
    for order in ("ASC", "DESC"):
        by = ", ".join(f"{name} {order}" for name in names)
        try:
            for row in db.execute(f"SELECT {columns} FROM {table} ORDER BY {by}"):  # noqa: S608  our words
                if order == "ASC":
                    last = row[:keys]
                elif row[:keys] == last:
                    return
                yield row
        except sqlite3.DatabaseError:
            continue
        if order == "ASC":
            return


def _batches(db: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Yield the batches on all pages that can be read, passing over the others."""
    at, misses = -1, 0
    query = "SELECT id, boot, stream, seq, count, at_ns, payload FROM batches"
    while misses < MISSES:
        try:
            for row in db.execute(f"{query} WHERE id > ? ORDER BY id", (at,)):
                at, misses = row[0], 0
                yield row[1:]
        except sqlite3.DatabaseError:
            at += 1 + misses // 64
            misses += 1
        else:
            return


def _copy_batches(
    old: sqlite3.Connection, db: sqlite3.Connection, known: Numbering, spans: Spans
) -> None:
    sound = (row for row in _batches(old) if _is_sound(row, known))
    while group := list(itertools.islice(sound, TOGETHER)):
        with transaction(db):
            for n, rank, seq, count, at_ns, payload in group:
                rows.insert(db, n, [Entry(rank, seq, count, at_ns, payload)])
        for n, rank, seq, count, *_ in group:
            _add(spans[n, rank], seq, seq + count - 1)


def _is_sound(row: tuple[Any, ...], known: Numbering) -> bool:
    """Whether a batch says of itself what its row says."""
    n, rank, seq, count, at_ns, payload = row
    if not (_numbers(n, rank, seq, count) and isinstance(at_ns, int) and rank < len(STREAMS)):
        return False
    try:
        said = codec.decode(_BATCH, payload)
    except (ContractError, TypeError):
        return False
    return (
        isinstance(said, Batch)
        and said.boot is not None
        and (said.seq, said.count) == (seq, count)
        and seq + count <= known.following.get((n, rank), MAX_NUMBER)
        and _agrees(known, n, said.boot)
    )


def _add(spans: list[tuple[int, int]], first: int, last: int) -> None:
    if spans and spans[-1][1] + 1 == first:
        first = spans.pop()[0]
    spans.append((first, last))


def _copy_rest(
    old: sqlite3.Connection, db: sqlite3.Connection, known: Numbering, spans: Spans
) -> None:
    boots = known.boots.values()
    with transaction(db):
        for values in _read(old, "gaps", "boot, stream, first, last, reason", 3):
            gap = Dropped(*values)
            if _numbers(*gap[:4]) and gap.boot in boots and gap.first <= gap.last:
                rows.note(db, [gap])
                spans[gap.boot, gap.rank].append((gap.first, gap.last))
        for _, n, dictionary, payload in _read(old, "births", "id, boot, dictionary, payload", 1):
            with contextlib.suppress(ContractError, TypeError):
                if n in boots and isinstance(codec.decode(_BIRTH, payload), Birth):
                    rows.insert_birth(db, n, dictionary, payload)


def _holes(known: Numbering, spans: Spans) -> list[Dropped]:
    """Return what has no receipt and is neither here nor noted as lost.

    Of a stream whose numbers nobody knows that is what lies between the first and the last.
    """
    for place, found in spans.items():
        known.following.setdefault(place, max(last for _, last in found) + 1)
        known.received.setdefault(place, min(first for first, _ in found) - 1)
    holes = []
    for (n, rank), end in known.following.items():
        at = known.received.get((n, rank), -1) + 1
        for first, last in [*sorted(spans.get((n, rank), ())), (end, end)]:
            if first > at:
                holes.append(Dropped(n, rank, at, first - 1, DAMAGED))
            at = max(at, last + 1)
    return joined(holes)
