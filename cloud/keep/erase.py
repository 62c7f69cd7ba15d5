"""Erasing one customer, tenant or machine from every store, with a proof.

The service must be stopped. Readings first, then what was learned, the numbers, the journal, the
log of alerts; the ledger last, because it says what there is to erase: an erasure that was cut off
is simply begun again. In the end every file and table is searched for what should be gone.
"""

import contextlib
import os
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np

from cloud import snapshot
from cloud.accounts.values import Reach
from cloud.advisories.values import Stamp
from cloud.errors import NotFound
from cloud.journal import Entry, Kind, SegmentJournal, blank
from cloud.keep import manifest
from cloud.keep.upgrade import PATTERN
from cloud.ledger import Ledger, MachineRow, erasure, open_ledger
from cloud.ledger.database import Database
from cloud.ledger.dump import rows_of
from cloud.ledger.erasure import EVENTS, Subjects
from cloud.ledger.ids import Ids
from cloud.places import Places, places
from cloud.settings import CloudSettings
from cloud.snapshot import Snapshot
from cloud.telemetry.opening import open_telemetry
from cloud.times import rfc3339
from models.contract import topics
from models.contract.errors import ContractError
from models.fleet.forget import without
from models.fleet.persist import SnapshotError

OVERLAP: Final = 4096  #: bytes searched twice, so that nothing hides at a border
PIECE: Final = 1 << 20

Scope = Literal["customer", "tenant", "machine"]


class Stays(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not removed, and why."""

    what: str
    count: int
    why: str


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure did. Times are RFC 3339, UTC.

    `hits` names files and tables in which an erased name was still found; it must be empty, but for
    what `stays` explains. The pseudonym stands in the event log instead of the names.
    `backups` counts those that were looked through; None where none were named.
    """

    scope: Scope
    name: str
    pseudonym: str
    actor: str
    began_at: str
    finished_at: str
    machines: tuple[str, ...]
    devices: tuple[str, ...]
    removed: dict[str, int]
    stays: tuple[Stays, ...]
    searched_files: int
    searched_rows: int
    hits: tuple[str, ...]
    backups: int | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to a scope. `shared` devices serve other machines, too."""

    machines: tuple[str, ...]
    devices: tuple[str, ...]
    shared: tuple[str, ...]
    customer: str | None


def wanted(settings: CloudSettings, scope: Scope, name: str, now: Callable[[], int]) -> Wanted:
    """Return what would be erased. `NotFound` when there is nothing of that name."""
    found = places(settings)
    ledger = open_ledger(found.ledger, now)
    try:
        return _wanted(ledger, scope, name, _stored(found.telemetry))
    finally:
        ledger.close()


def erase(
    settings: CloudSettings,
    scope: Scope,
    name: str,
    *,
    actor: str,
    now: Callable[[], int],
    backups: Path | None = None,
) -> Proof:
    """Erase, and return the proof.

    Raises:
        StoreBusy: the service is running.
        NotFound: there is nothing of that name.
        StoreError: the backups or one of them cannot be read; nothing is erased yet.
    """
    began = now()
    kept = [] if backups is None else manifest.within(backups)
    cut_off = [] if backups is None else manifest.cut_off(backups)
    where = places(settings)
    with contextlib.closing(SegmentJournal(where.journal)):  # nobody else may run meanwhile
        found = wanted(settings, scope, name, now)
        pseudonym = f"erased-{secrets.token_hex(8)}"
        removed = _telemetry(settings, where, found, now)
        lost = _models(where, found, removed)
        _numbers(where, found, removed)
        removed["journal records"] = blank(where.journal, _of(found))
        _alert_log(where, found, removed)
        _old_dumps(where, removed)
        database = Database(where.ledger)
        try:
            stamp = Stamp(new_id=Ids(now), recorded_ns=now())
            subjects = Subjects(
                machines=found.machines, devices=found.devices, customer=found.customer
            )
            counts = erasure.erase(
                database, subjects, pseudonym=pseudonym, actor=actor, stamp=stamp
            )
            removed |= {f"ledger {table}": n for table, n in counts.items() if table != EVENTS}
            rows, hits = _searched_rows(database, found)
        finally:
            database.close()
    files, more = _searched_files(where, found)
    return Proof(
        scope=scope,
        name=name,
        pseudonym=pseudonym,
        actor=actor,
        began_at=rfc3339(began),
        finished_at=rfc3339(now()),
        machines=found.machines,
        devices=found.devices,
        removed={key: count for key, count in removed.items() if count},
        stays=(*_stays(found, counts.get(EVENTS, 0), lost, kept), *map(_unknown, cut_off)),
        searched_files=files,
        searched_rows=rows,
        hits=(*hits, *more),
        backups=None if backups is None else len(kept) + len(cut_off),
    )


def _wanted(ledger: Ledger, scope: Scope, name: str, stored: Sequence[str]) -> Wanted:
    everything = {row.id: row.device for row in _all(ledger)}
    if scope == "customer":
        mine = {row.id for row in _all(ledger.reaching(Reach(customer=name)))}
    elif scope == "tenant":
        mine = {one for one in (*everything, *stored) if one.partition(".")[0] == name}
    else:
        mine = {one for one in (*everything, *stored) if one == name}
    devices = {everything.get(one, one.partition(":")[0]) for one in mine}
    others = {device for one, device in everything.items() if one not in mine}
    if scope == "tenant":
        registered = ledger.devices_registered()
        devices |= {device for device in registered if device.partition(".")[0] == name}
    if not mine and not devices:
        raise NotFound(f"there is no {scope} '{name}', or nothing of it is kept")
    return Wanted(
        machines=tuple(sorted(mine)),
        devices=tuple(sorted(devices - others)),
        shared=tuple(sorted(devices & others)),
        customer=None if scope == "machine" else name,
    )


def _all(ledger: Ledger) -> Iterator[MachineRow]:
    after = None
    while True:
        rows, after = ledger.machines(after=after, limit=1000)
        yield from rows
        if after is None:
            return


def _stored(path: Path) -> list[str]:
    """Return the machines that the embedded store names, known to the ledger or not."""
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        return [name for (name,) in db.execute("SELECT name FROM machine")]


def _telemetry(
    settings: CloudSettings, where: Places, found: Wanted, now: Callable[[], int]
) -> dict[str, int]:
    store = open_telemetry(settings.telemetry, where.data, now, lambda _: None)
    try:
        removed = {"telemetry samples": sum(store.erase(machine) for machine in found.machines)}
    finally:
        store.close()
    if where.telemetry.exists():
        removed["telemetry sources"] = _delete(where.telemetry, "source", "device", found.devices)
    return removed


def _delete(path: Path, table: str, column: str, names: Sequence[str]) -> int:
    """Delete rows of a SQLite file by name, and overwrite them there and in its log."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA secure_delete = ON")
        delete = f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608 - names of ours
        gone = db.executemany(delete, [(name,) for name in names]).rowcount
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return max(gone, 0)


def _models(where: Places, found: Wanted, removed: dict[str, int]) -> int:
    """Take the machines out of the snapshots; return how many could not be kept."""
    lost = 0
    for n in snapshot.positions(where.snapshots):
        one = snapshot.load(where.snapshots, n)
        try:
            if one is None or one.n != n:
                raise SnapshotError(f"the snapshot at {n} cannot be read")
            arrays = without(one.arrays, found.machines)
        except SnapshotError:
            (where.snapshots / f"{n + 1:020d}.npz").unlink()
            lost += 1
            continue
        removed["models in snapshots"] = removed.get("models in snapshots", 0) + (
            len(one.arrays["names"]) - len(arrays["names"])
        )
        values = {key: rows for key, rows in one.values.items() if key not in ("format", "n")}
        named = {"sequencer": found.devices, "decoder": found.devices, "reviews": found.machines}
        for key in named.keys() & values.keys():
            values[key] = [row for row in values[key] if row[0] not in named[key]]
        snapshot.save(where.snapshots, Snapshot(n, arrays, values))
    snapshot.sweep(where.snapshots)
    return lost


def _numbers(where: Places, found: Wanted, removed: dict[str, int]) -> None:
    path = where.data / "numbers.db"
    if path.exists():
        removed["stream numbers"] = _delete(path, "stream", "identity", found.devices)


def _of(found: Wanted) -> Callable[[Entry], bool]:
    """Return whether an entry of the journal belongs to what is erased."""
    devices, machines = set(found.devices), set(found.machines)

    def belongs(entry: Entry) -> bool:
        if entry.kind is Kind.ACTION:
            return msgspec.json.decode(entry.payload)["machine"] in machines
        if entry.kind is Kind.RELEASE:
            return msgspec.json.decode(entry.payload)["key"][0] in devices
        if entry.kind is Kind.TICK:
            return False
        try:
            return topics.parse(entry.topic).identity in devices
        except ContractError:
            parts = entry.topic.split("/")
            return len(parts) > 2 and parts[2] in devices

    return belongs


def _old_dumps(where: Places, removed: dict[str, int]) -> None:
    """Delete what was kept before upgrades: it is compressed, and holds everybody's rows."""
    paths = list(where.data.glob(PATTERN))
    for path in paths:
        path.unlink()
    removed["dumps from before upgrades"] = len(paths)


def _alert_log(where: Places, found: Wanted, removed: dict[str, int]) -> None:
    """Take the lines about the machines out of the files that hold a line for each alert."""
    pattern = _pattern(found)
    for path in where.data.glob("*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not pattern.search(line)]
        if len(kept) < len(lines):
            part = path.with_suffix(".part")
            part.write_bytes(b"".join(kept))
            part.replace(path)
            removed[path.name] = len(lines) - len(kept)


def _pattern(found: Wanted) -> re.Pattern[bytes]:
    """Match an erased name that is not a part of a longer one, in UTF-8 or in NumPy's UTF-32."""
    names = {*found.machines, *found.devices}
    parts = []
    for name in sorted(names, key=len, reverse=True):
        parts.append(rb"(?<![a-z0-9.-])" + re.escape(name.encode()) + rb"(?![a-z0-9-])")
        wide = np.array([name], "U").tobytes()
        parts.append(re.escape(wide) + rb"(?![a-z0-9-]\0\0\0)")
    return re.compile(b"|".join(parts))


def _searched_files(where: Places, found: Wanted) -> tuple[int, list[str]]:
    """Search every file in `data` for the names; return how many there are, and the hits.

    A SQLite file may keep an old copy of a row in the free room of a page: it is written anew.
    """
    pattern = _pattern(found)
    paths = [path for path in sorted(where.data.rglob("*")) if path.is_file()]
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


def _searched_rows(database: Database, found: Wanted) -> tuple[int, list[str]]:
    pattern = _pattern(found)
    count, hits = 0, set()
    for table, row in rows_of(database):
        count += 1
        if pattern.search(row):
            hits.add(f"ledger {table}")
    return count, sorted(hits)


def _stays(
    found: Wanted, events: int, lost: int, kept: Sequence[tuple[Path, manifest.Manifest]]
) -> Iterator[Stays]:
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
    for folder, one in kept:
        tenants = {name.partition(".")[0] for name in (*found.machines, *found.devices)}
        held = sum(one.machines.get(tenant, 0) for tenant in tenants)
        if held:
            yield Stays(
                what=f"backup {folder} of {one.began_at}",
                count=held,
                why="a backup is not changed; delete it, or let it expire, and erase again after "
                "a restore from it",
            )


def _unknown(folder: Path) -> Stays:
    return Stays(
        what=f"backup {folder} that was cut off",
        count=1,
        why="it may hold what was erased and says not what it holds; delete it",
    )
