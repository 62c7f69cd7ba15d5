"""A damaged outbox: set aside, and what can still be read of it moved into a new one.

`make` writes the new file and leaves it as `OUTBOX.renewed`, whole and on the disk; from then on
that is the outbox, and `exchange` puts it in the old one's place, at the next start if need be.
"""

import contextlib
import errno
import itertools
import logging
import sqlite3
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from edge_agent import first_page, sums
from edge_agent import outbox_rows as rows
from edge_agent.aside import ENDS, beside, kept, remove, sync
from edge_agent.lost_file import Lost
from edge_agent.numbering import Key, Numbering
from edge_agent.outbox_file import (
    Dropped,
    Entry,
    Transaction,
    begun,
    connect,
    connect_alone,
    fresh,
    is_fault,
    joined,
    sum_column,
)
from edge_agent.reserve import PAGE
from models.contract import codec, topics
from models.contract.errors import ContractError
from models.contract.messages import MAX_NUMBER, STREAMS, Batch, Birth

DAMAGED: Final = "damaged"  #: the reason of what cannot be read any more
TOGETHER: Final = 64  #: batches in one transaction
MISSES: Final = 16_384  #: reads that fail before the rest is given up; about a second
MISSES_A_PAGE: Final = 256  #: of a small file; 18 found all there was in 110 damaged outboxes
SPARE: Final = 1 << 22  #: ids looked through beyond the highest that is known
MAX_ID: Final = 2**63 - 1  #: of SQLite
#: what SQLite says of damage: a row may claim to be larger than any memory
UNREAD: Final = (sqlite3.DatabaseError, MemoryError)
UNBOUNDED: Final = 0xFFFFFFFE  #: pages; what waited stays also where `max_mb` was lowered since
_BATCH: Final = topics.parse("pm/1/a.b/up/t/live")
_BIRTH: Final = topics.parse("pm/1/a.b/up/birth")
_IDS: Final = "SELECT id FROM batches INDEXED BY batches_by_number ORDER BY "
log = logging.getLogger(__name__)

Spans = dict[Key, list[tuple[int, int]]]  #: ranges of numbers


class Made(NamedTuple):
    """A new outbox's numbers, of which the unwritten are new in it, and what was done in words."""

    numbers: Numbering
    text: str


def make(
    path: Path,
    boot: str,
    prepare: Callable[[sqlite3.Connection], None],
    known: Numbering,
    page: Iterable[Lost],
) -> Made | None:
    """Write a new outbox with what can be read of a damaged one, for `exchange`.

    What is `known` holds; the rest is read from the file and from the `page` beside it. Where all
    that waits cannot be copied (mostly for want of room), all of it is declared as lost. None: an
    outbox made before still waits for its `exchange`.

    Raises:
        OSError, sqlite3.Error: not even the latter can be written, or the disk fails the copy;
            nothing has changed.
    """
    if ready(path).exists():
        return None
    try:
        numbers, lost = _write(path, prepare, known.copy(), page, whole=True)
        words = "was damaged"
    except (OSError, sqlite3.Error) as error:
        if is_fault(error) or getattr(error, "errno", None) in {errno.EIO, errno.EROFS}:
            raise  # what waits can still be read, and another time it may be copied
        log.error("what waits in %s cannot be copied: %s", path, error)
        numbers, lost = _write(path, prepare, known.copy(), page, whole=False)
        words = f"was damaged and could not be copied ({error})"
    remove(kept(path, boot))
    fresh(path).rename(ready(path))
    text = f"outbox {words}, kept as {kept(path, boot).name}; {lost} readings declared as lost"
    return Made(numbers, text)


def exchange(path: Path, boot: str) -> None:
    """Put the outbox that `make` wrote, if any, at `path`; what stood there is set aside.

    Killed at any moment, the same again ends it. The old file is kept as `NAME.unreadable-BOOT`,
    instead of one from the same start.
    """
    if not ready(path).exists():
        return
    sync(path.parent)
    for end in ENDS:  # a log is there while somebody reads; the new file must not meet it
        with contextlib.suppress(FileNotFoundError):
            beside(path, end).rename(beside(kept(path, boot), end))
    ready(path).rename(path)
    sync(path.parent)


def ready(path: Path) -> Path:
    """Return where a new outbox waits to be put in a damaged one's place."""
    return beside(path, ".renewed")


def _write(
    path: Path,
    prepare: Callable[[sqlite3.Connection], None],
    known: Numbering,
    page: Iterable[Lost],
    *,
    whole: bool,
) -> tuple[Numbering, int]:
    with begun(path, prepare) as db:
        db.execute(f"PRAGMA max_page_count={UNBOUNDED}").fetchall()
        db.execute("PRAGMA synchronous=NORMAL")  # nothing counts before the log is in the file
        with first_page.lent(path), contextlib.closing(_old(path, fresh(path))) as old:
            lost = _fill(db, old, known, page, whole=whole)
    return known, lost


def _old(path: Path, new: Path) -> sqlite3.Connection:
    """Open the damaged file, with the first page of the new one where its own names no tables.

    Its log is left out where that cannot be read: it hides the whole file.
    """
    for _ in range(2):
        if first_page.fits(path):
            for opened in (connect, connect_alone):
                db = opened(path)
                with contextlib.suppress(sqlite3.DatabaseError, UnicodeDecodeError):
                    if first_page.names_all(db):
                        return db
                db.close()
        first_page.replace(path, new)
    return connect_alone(path)


def _fill(
    db: sqlite3.Connection,
    old: sqlite3.Connection,
    known: Numbering,
    page: Iterable[Lost],
    *,
    whole: bool,
) -> int:
    sure = dict(known.following)
    _learn(old, known)
    stored = _copy_batches(old, db if whole else None, known, sure)
    if nameless := known.drop_nameless():
        log.error("the names of boots %s are lost: nothing of them can be declared", nameless)
    drops = [*_gaps(old, known)]
    known.miss_all(page)
    drops = _apart([*drops, *known.unwritten])
    _settle(known, stored, drops)
    here = stored if whole else {}
    lost = _holes(known, here, drops)
    with Transaction(db):
        _copy_births(old, db, known)
        left = {place[0] for place in here} | {max(known.boots.values(), default=0)}
        rows.write(db, replace(known, unwritten=[*drops, *lost]), left)
    known.unwritten += lost
    return sum(hole.last - hole.first + 1 for hole in lost)


def _learn(old: sqlite3.Connection, known: Numbering) -> None:
    for n, boot in _read(old, "boots", "n, boot", 1):
        if _numbers(n) and isinstance(boot, str):
            _agrees(known, n, boot)
    names = {n: boot for boot, n in known.boots.items()}
    columns = f"boot, stream, next, hwm, {sum_column(old, 'counters')}"
    for n, rank, following, received, said in _read(old, "counters", columns, 2):
        sound = n not in names or sums.fits(
            said, sums.of_counter(names[n], n, rank, following, received)
        )
        if sound and _numbers(n, rank) and rank < len(STREAMS):
            if _numbers(following):
                known.following.setdefault((n, rank), following)
            if received == -1 or _numbers(received):
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
        except UNREAD:
            continue
        if order == "ASC":
            return


def _batches(
    db: sqlite3.Connection, is_sound: Callable[[tuple[Any, ...]], bool]
) -> Iterator[tuple[Any, ...]]:
    """Yield the sound batches on all pages that can be read, passing over the others.

    A range of ids is read from both ends up to what is damaged, and what is between is halved, the
    wide ranges first. Ids of rows that are not sound say nothing, so SQLite must not stop at them.
    A page that holds another's content gives rows twice.
    """
    columns = f"id, boot, stream, seq, count, at_ns, payload, {sum_column(db, 'batches')}"
    query = f"SELECT {columns} FROM batches WHERE id"  # noqa: S608  our words
    ranges, misses, most = deque(_ranges(db)), 0, _patience(db)
    while ranges and misses < most:
        low, high = ranges.popleft()
        try:
            for row in db.execute(f"{query} > ? ORDER BY id", (low,)):
                if is_sound(row[1:]):
                    if row[0] > high:
                        break
                    low = max(low, row[0])
                    yield row[1:]
            continue
        except UNREAD:
            misses += 1
        try:
            for row in db.execute(f"{query} <= ? ORDER BY id DESC", (high,)):
                if is_sound(row[1:]):
                    if row[0] <= low:
                        break
                    high = min(high, row[0] - 1)
                    yield row[1:]
            continue
        except UNREAD:
            misses += 1
        middle = (low + high) // 2
        if low < middle:
            ranges += (low, middle), (middle, high)


def _patience(db: sqlite3.Connection) -> int:
    """Return after how many reads that fail the rest of a file is given up."""
    path = Path(db.execute("PRAGMA database_list").fetchone()[2])
    size = sum(one.stat().st_size for one in (path, beside(path, "-wal")) if one.exists())
    return min(MISSES, MISSES_A_PAGE * -(-size // PAGE))


def _ranges(db: sqlite3.Connection) -> list[tuple[int, int]]:
    """Return ranges (above, up to) of ids that hold all that are known, and perhaps others."""
    ids, whole = [0], True
    down = "stream DESC, boot DESC, seq DESC"
    for query in (f"{_IDS} stream, boot, seq", f"{_IDS} {down}", "SELECT max(id) FROM batches"):
        low, high = MAX_ID, 0
        try:
            for (found,) in db.execute(query):
                low, high = min(low, found or 0), max(high, found or 0)
        except UNREAD:
            whole = whole and query.startswith("SELECT max")
        if high:
            ids += low, high
    low, high = max(0, min(ids[1:], default=0)), min(max(ids), MAX_ID - SPARE)
    known = (low - 1, high)
    return [known] if whole else [known, (-1, low - 1), (high, high + SPARE)]


def _copy_batches(
    old: sqlite3.Connection, db: sqlite3.Connection | None, known: Numbering, sure: dict[Key, int]
) -> Spans:
    """Copy all sound batches, and return their numbers; `db` None only returns those."""
    spans: Spans = defaultdict(list)
    sound = _batches(old, lambda row: _is_sound(row, known, sure))
    while group := list(itertools.islice(sound, TOGETHER)):
        with Transaction(db) if db else contextlib.nullcontext():
            for n, rank, seq, count, at_ns, payload, _ in group:
                if db is None or rows.take_over(db, n, Entry(rank, seq, count, at_ns, payload)):
                    _add(spans[n, rank], seq, seq + count - 1)
    return spans


def _is_sound(row: tuple[Any, ...], known: Numbering, sure: dict[Key, int]) -> bool:
    """Whether a batch says of itself what its row says."""
    n, rank, seq, count, at_ns, payload, check = row
    if not (_numbers(n, rank, seq, count) and isinstance(at_ns, int) and rank < len(STREAMS)):
        return False
    try:
        said = codec.decode(_BATCH, payload)
    except (ContractError, TypeError):
        return False
    return (
        isinstance(payload, bytes)
        and isinstance(said, Batch)
        and said.boot is not None
        and (said.seq, said.count) == (seq, count)
        and sums.fits(check, sums.of_batch(n, Entry(rank, seq, count, at_ns, payload)))
        and seq + count <= sure.get((n, rank), MAX_NUMBER)
        and _agrees(known, n, said.boot)
    )


def _add(spans: list[tuple[int, int]], first: int, last: int) -> None:
    if spans and spans[-1][1] + 1 == first:
        first = spans.pop()[0]
    elif spans and spans[-1][0] == last + 1:
        last = spans.pop()[1]
    spans.append((first, last))


def _gaps(old: sqlite3.Connection, known: Numbering) -> Iterator[Dropped]:
    boots = known.boots.values()
    columns = f"boot, stream, first, last, reason, {sum_column(old, 'gaps')}"
    for *values, said in _read(old, "gaps", columns, 3):
        gap = Dropped(*values)
        if (
            sums.fits(said, sums.of_gap(*gap))
            and _numbers(*gap[:4])
            and isinstance(gap.reason, str)
            and gap.boot in boots
            and gap.rank < len(STREAMS)
            and gap.first <= gap.last
        ):
            yield gap


def _apart(drops: Iterable[Dropped]) -> list[Dropped]:
    """Return gaps in order, each without what those before it hold."""
    found: list[Dropped] = []
    for drop in sorted(drops):
        first = drop.first
        if found and found[-1][:2] == drop[:2]:
            first = max(first, found[-1].last + 1)
        if first <= drop.last:
            found.append(drop._replace(first=first))
    return found


def _copy_births(old: sqlite3.Connection, db: sqlite3.Connection, known: Numbering) -> None:
    boots = known.boots.values()
    for _, n, dictionary, payload in _read(old, "births", "id, boot, dictionary, payload", 1):
        if n in boots and isinstance(dictionary, str) and isinstance(payload, bytes):
            with contextlib.suppress(ContractError, TypeError):
                if isinstance(codec.decode(_BIRTH, payload), Birth):
                    rows.insert_birth(db, n, dictionary, payload)


def _settle(known: Numbering, stored: Spans, drops: Iterable[Dropped]) -> None:
    """Take what was found for given, and for all that was, where nobody knows the numbers."""
    spans: Spans = defaultdict(list, {place: list(found) for place, found in stored.items()})
    for drop in drops:
        spans[drop[:2]].append((drop.first, drop.last))
    for place, found in spans.items():
        end = max(last for _, last in found) + 1
        known.following[place] = max(known.following.get(place, 0), end)
        known.received.setdefault(place, min(first for first, _ in found) - 1)


def _holes(known: Numbering, here: Spans, drops: Iterable[Dropped]) -> list[Dropped]:
    """Return what has no receipt and is neither here nor noted as lost."""
    noted: Spans = defaultdict(list)
    for drop in drops:
        noted[drop[:2]].append((drop.first, drop.last))
    holes = []
    for place, end in known.following.items():
        at = known.received.get(place, -1) + 1
        for first, last in [*sorted([*here.get(place, ()), *noted[place]]), (end, end)]:
            if first > at:
                holes.append(Dropped(*place, at, first - 1, DAMAGED))
            at = max(at, last + 1)
    return joined(holes)
