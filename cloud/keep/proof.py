"""The proof of an erasure: what was removed, what stays, and where the names were looked for."""

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from cloud.errors import StoreError
from cloud.keep import manifest
from cloud.keep.scope import LEAST, Scope, Wanted, searched_for
from cloud.ledger.database import Database
from cloud.ledger.dump import rows_in, rows_of

OVERLAP: Final = 4096  #: bytes searched twice, so that nothing hides at a border
PIECE: Final = 1 << 20


class Stays(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not removed, and why."""

    what: str
    count: int
    why: str


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure did. Times are RFC 3339, UTC.

    `hits` names files and tables in which an erased name was still found; it must be empty, but for
    what `stays` explains. The pseudonym stands in the event log instead of the names.
    `hits` are of names of machines, devices and people; people's of fewer than 6 bytes are looked
    for in rows only. `backups` counts those whose ledger was looked through for the names (their
    readings, models and journals are not); None where none were named.
    """

    scope: Scope
    name: str
    pseudonym: str
    actor: str
    began_at: str
    finished_at: str
    machines: tuple[str, ...]
    devices: tuple[str, ...]
    people: int
    removed: dict[str, int]
    stays: tuple[Stays, ...]
    searched_files: int
    searched_rows: int
    hits: tuple[str, ...]
    backups: int | None = None


def searched_files(data: Path, found: Wanted) -> tuple[int, list[str]]:
    """Search every file in `data` for the names; return how many there are, and the hits.

    A SQLite file may keep an old copy of a row in the free room of a page: it is written anew.
    """
    pattern = searched_for(found, LEAST)
    paths = [path for path in sorted(data.rglob("*")) if path.is_file()]
    hits = []
    for path in paths:
        if not _holds(path, pattern):
            continue
        if path.suffix == ".db":
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
                db.execute("VACUUM")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if not _holds(path, pattern):
                continue
        hits.append(os.fspath(path))
    return len(paths), hits


def _holds(path: Path, pattern: re.Pattern[bytes]) -> bool:
    before = b""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            if pattern.search(before + piece):
                return True
            before = piece[-OVERLAP:]
    return False


def searched_rows(database: Database, found: Wanted) -> tuple[int, list[str]]:
    """Search every row of the ledger for the names; return how many there are, and the tables."""
    pattern = searched_for(found)
    count, hits = 0, set()
    for table, row in rows_of(database):
        count += 1
        if pattern.search(row):
            hits.add(f"ledger {table}")
    return count, sorted(hits)


def held_by(folder: Path, one: manifest.Manifest, found: Wanted) -> Stays | None:
    """Return what is to be said of a backup: its ledger has the names, or it has such machines.

    Raises:
        StoreError: it cannot be read.
    """
    pattern = searched_for(found)
    try:
        with (folder / manifest.LEDGER).open("rb") as file:
            count = sum(1 for row in rows_in(file) if pattern.search(row))
    except OSError as error:
        raise StoreError(f"{folder / manifest.LEDGER}: {error.strerror}") from error
    tenants = {name.partition(".")[0] for name in (*found.machines, *found.devices)}
    count = count or sum(one.machines.get(tenant, 0) for tenant in tenants)
    if not count:
        return None
    return Stays(
        what=f"backup {folder} of {one.began_at}",
        count=count,
        why="rows of its ledger have the names, or it has machines of the tenant; a backup is not "
        "changed: delete it, or let it expire, and erase again after a restore from it",
    )


def stays(found: Wanted, events: int, lost: int) -> Iterator[Stays]:
    """Yield what is not removed from the installation itself."""
    yield Stays(
        what="events without names and details",
        count=events,
        why="the log of what was done is evidence and may not be shortened; a pseudonym stands "
        "where the names were, and what it stood for is not kept",
    )
    yield Stays(
        what="the erasure itself",
        count=1,
        why="that and when it was done must be shown to those who asked for it",
    )
    if found.shared:
        yield Stays(
            what=f"raw messages of {', '.join(found.shared)} in the journal",
            count=len(found.shared),
            why="they carry other machines' readings, too; the journal lets go of them with the "
            "second snapshot after the next start",
        )
    if lost:
        yield Stays(
            what="snapshots that could not be read and were deleted",
            count=lost,
            why="what was learned of the other machines begins anew",
        )


def unknown(folder: Path) -> Stays:
    """Return what is to be said of a backup that was cut off."""
    return Stays(
        what=f"backup {folder} that was cut off",
        count=1,
        why="it may hold what was erased and says not what it holds; delete it",
    )
