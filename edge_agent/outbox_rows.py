"""What the outbox says to SQLite. Each function is one step; the caller holds the transaction."""

import sqlite3
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from edge_agent import sums
from edge_agent.numbering import Numbering
from edge_agent.outbox_file import Dropped, Entry, Place, Stored
from models.contract.messages import STREAMS, Gap

_BATCH: Final = "WHERE stream = ? AND boot = ?"
_UP_TO: Final = f"FROM batches {_BATCH} AND seq <= ? AND seq + count - 1 <= ?"
_STORED: Final = (
    "SELECT boots.boot, stream, seq, count, at_ns, payload, n, crc FROM batches, boots"
    " WHERE n = batches.boot AND "
)
_INTO_BATCHES: Final = (
    "INTO batches (boot, stream, seq, count, at_ns, payload, crc) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_COUNTER: Final = (
    "SELECT boots.boot, next, hwm, crc FROM counters JOIN boots ON n = counters.boot"
    " WHERE counters.boot = ? AND stream = ?"
)
_RECEIPTED: Final = "UPDATE counters SET hwm = ?, crc = ? WHERE stream = ? AND boot = ?"
_ROW: Final = "SELECT id, boot, stream, seq, count, length(payload) FROM batches "
#: of boot n, what must be gone before the boot itself may go
_LEFT: Final = (
    "SELECT EXISTS (SELECT 1 FROM batches WHERE boot = ?) OR EXISTS (SELECT 1 FROM gaps"
    " WHERE boot = ?)"
)


class Row(NamedTuple):
    """A batch in the file without its payload, of which only the length."""

    id: int
    boot: int
    rank: int
    seq: int
    samples: int
    size: int


def insert(db: sqlite3.Connection, boot: int, entries: Iterable[Entry]) -> None:
    """Store batches of a boot."""
    db.executemany(f"INSERT {_INTO_BATCHES}", [(boot, *e, sums.of_batch(boot, e)) for e in entries])


def take_over(db: sqlite3.Connection, boot: int, entry: Entry) -> bool:
    """Store a batch of a damaged file; return False where its number is stored already."""
    return bool(
        db.execute(
            f"INSERT OR IGNORE {_INTO_BATCHES}", (boot, *entry, sums.of_batch(boot, entry))
        ).rowcount
    )


def begin(db: sqlite3.Connection, n: int, boot: str) -> None:
    """Store the number of a boot, where it is not stored yet."""
    db.execute("INSERT OR IGNORE INTO boots VALUES (?, ?)", (n, boot))


def write(
    db: sqlite3.Connection,
    numbers: Numbering,
    boots: AbstractSet[int],
    named: AbstractSet[int] = frozenset(),
) -> None:
    """Store the names of boots and the next numbers of their streams, and all unwritten gaps.

    The file has the names of `named` already.
    """
    changed = boots | {lost.boot for lost in numbers.unwritten}
    if not changed <= named:
        for boot, n in numbers.boots.items():
            if n in changed:
                begin(db, n, boot)
    db.executemany(
        "INSERT OR REPLACE INTO counters VALUES (?, ?, ?, ?, ?)",
        [numbers.counter(place) for place in numbers.following if place[0] in changed],
    )
    note(db, numbers.unwritten)


def note(db: sqlite3.Connection, drops: Iterable[Dropped]) -> None:
    """Store gaps; one that follows on another of the same reason makes that longer."""
    for boot, rank, first, last, reason in drops:
        longer = db.execute(
            "SELECT first FROM gaps WHERE boot = ? AND stream = ? AND last = ? AND reason = ?",
            (boot, rank, first - 1, reason),
        ).fetchone()
        gap = (boot, rank, longer[0] if longer else first, last, reason)
        db.execute(
            "INSERT OR REPLACE INTO gaps VALUES (?, ?, ?, ?, ?, ?)", (*gap, sums.of_gap(*gap))
        )


def drop(db: sqlite3.Connection, rows: Iterable[Row], reason: str) -> None:
    """Delete batches and store that they are gone."""
    found = list(rows)
    note(
        db,
        (Dropped(row.boot, row.rank, row.seq, row.seq + row.samples - 1, reason) for row in found),
    )
    db.executemany("DELETE FROM batches WHERE id = ?", [(row.id,) for row in found])


def oldest(db: sqlite3.Connection, rank: int, size: int) -> list[Row]:
    """Return the oldest batches of a stream, together at least `size` bytes (at most 256)."""
    found: list[Row] = []
    taken = 0
    for values in db.execute(f"{_ROW} WHERE stream = ? ORDER BY boot, seq LIMIT 256", (rank,)):
        found.append(Row(*values))
        taken += found[-1].size
        if taken >= size:
            break
    return found


def gives_way(db: sqlite3.Connection, rank: int, size: int, policy: Mapping[str, str]) -> list[Row]:
    """Return the oldest batches of the least important stream that may give way to `rank`."""
    for other in reversed(range(rank, len(STREAMS))):
        if other == rank and policy[STREAMS[rank]] == "reject-new":
            break
        if found := oldest(db, other, size):
            return found
    return []


def size(db: sqlite3.Connection) -> int:
    """Return the bytes of the payloads of all batches."""
    return int(db.execute("SELECT total(length(payload)) FROM batches").fetchone()[0])


def within(db: sqlite3.Connection, boot: int, rank: int, first: int, last: int) -> list[Row]:
    """Return the batches that lie wholly within the numbers `first` to `last`."""
    rows = db.execute(
        f"{_ROW} {_BATCH} AND seq >= ? AND seq + count - 1 <= ?", (rank, boot, first, last)
    )
    return [Row(*values) for values in rows]


def forget(db: sqlite3.Connection, boot: int, rank: int, hwm: int) -> int:
    """Delete the batches and gaps of a stream up to `hwm`; return the payloads' bytes."""
    numbers = (rank, boot, hwm, hwm)
    size = db.execute(f"SELECT total(length(payload)) {_UP_TO}", numbers).fetchone()[0]
    db.execute(f"DELETE {_UP_TO}", numbers)
    db.execute("DELETE FROM gaps WHERE stream = ? AND boot = ? AND last <= ?", (rank, boot, hwm))
    for name, following, before, said in db.execute(_COUNTER, (boot, rank)).fetchall():
        if not sums.fits(said, sums.of_counter(name, boot, rank, following, before)):
            raise sqlite3.DatabaseError(f"a counter of {name} contradicts its checksum")
        check = sums.of_counter(name, boot, rank, following, hwm)
        db.execute(_RECEIPTED, (hwm, check, rank, boot))
    return int(size)


def bury(db: sqlite3.Connection, boot: int) -> None:
    """Delete an earlier boot of which nothing is left."""
    if not db.execute(_LEFT, (boot, boot)).fetchone()[0]:
        db.execute("DELETE FROM births WHERE boot = ?", (boot,))
        db.execute("DELETE FROM counters WHERE boot = ?", (boot,))
        db.execute("DELETE FROM boots WHERE n = ?", (boot,))


def move_aside(db: sqlite3.Connection, boot: str, row: Row, reason: str, keep: int) -> None:
    """Move a batch to where the newest `keep` unreadable ones are kept, and store its gap."""
    db.execute(
        "INSERT INTO aside (boot, stream, seq, count, reason, payload)"
        " SELECT ?, ?, seq, count, ?, payload FROM batches WHERE id = ?",
        (boot, STREAMS[row.rank], reason, row.id),
    )
    db.execute("DELETE FROM aside WHERE id <= (SELECT max(id) FROM aside) - ?", (keep,))
    drop(db, (row,), reason)


def stored(db: sqlite3.Connection, stream: str, condition: str, *values: Any) -> list[Stored]:
    """Return whole batches of a stream. `condition` is SQL of ours, `values` go into it.

    `sqlite3.DatabaseError`: one is not as it was written.
    """
    found = []
    for boot, rank, seq, samples, at_ns, payload, n, said in db.execute(
        _STORED + condition, values
    ):
        sound = isinstance(payload, bytes) and sums.fits(
            said, sums.of_batch(n, Entry(rank, seq, samples, at_ns, payload))
        )
        if not sound:
            raise sqlite3.DatabaseError(f"batch {boot} {stream} {seq} contradicts its checksum")
        place = Place(n, seq)
        found.append(
            Stored(boot=boot, stream=stream, seq=seq, samples=samples, payload=payload, place=place)
        )
    return found


def gaps(db: sqlite3.Connection, limit: int) -> list[Gap]:
    """Return stored gaps, one message for each boot, stream and reason.

    `sqlite3.DatabaseError`: one is not as it was written.
    """
    ranges: dict[tuple[str, int, str], list[tuple[int, int]]] = {}
    for boot, n, rank, first, last, reason, said in db.execute(
        "SELECT boots.boot, n, stream, first, last, reason, crc FROM gaps"
        " JOIN boots ON n = gaps.boot ORDER BY n, stream, first LIMIT ?",
        (limit,),
    ):
        if not sums.fits(said, sums.of_gap(n, rank, first, last, reason)):
            raise sqlite3.DatabaseError(f"a gap of {boot} contradicts its checksum")
        ranges.setdefault((boot, rank, reason), []).append((first, last))
    return [
        Gap(boot=boot, stream=STREAMS[rank], ranges=tuple(found), reason=reason)
        for (boot, rank, reason), found in ranges.items()
    ]


def keep_birth(
    db: sqlite3.Connection, boot: int, dictionary: str, payload: bytes, keep: int
) -> None:
    """Store a birth, and of each boot only the newest `keep`."""
    insert_birth(db, boot, dictionary, payload)
    db.execute(
        "DELETE FROM births WHERE boot = ? AND id NOT IN"
        " (SELECT id FROM births WHERE boot = ? ORDER BY id DESC LIMIT ?)",
        (boot, boot, keep),
    )


def insert_birth(db: sqlite3.Connection, boot: int, dictionary: str, payload: bytes) -> None:
    """Store a birth, instead of one with the same dictionary."""
    db.execute(
        "INSERT OR REPLACE INTO births (boot, dictionary, payload) VALUES (?, ?, ?)",
        (boot, dictionary, payload),
    )
