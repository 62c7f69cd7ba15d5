"""Erasing one customer, tenant or machine from every store, with a proof.

The service must be stopped. Readings first, then what was learned, the numbers, the journal, the
log of alerts; the ledger last, because it says what there is to erase: an erasure that was cut off
is simply begun again. In the end every file and table is searched for what should be gone.
"""

import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from cloud import snapshot
from cloud.advisories.values import Stamp
from cloud.journal import Entry, Kind, SegmentJournal, blank
from cloud.keep import manifest
from cloud.keep.proof import Proof, held_by, searched_files, searched_rows, stays, unknown
from cloud.keep.scope import Scope, Wanted, names_of, wanted
from cloud.keep.upgrade import PATTERN
from cloud.ledger import erasure
from cloud.ledger.database import Database
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
        holding = [said for folder, one in kept if (said := held_by(folder, one, found))]
        pseudonym = f"erased-{secrets.token_hex(8)}"
        removed, lost = _files(settings, where, found, now)
        with contextlib.closing(Database(where.ledger)) as database:
            counts = _ledger(database, found, pseudonym, actor, now)
            rows, hits = searched_rows(database, found)
    removed |= {f"ledger {table}": n for table, n in counts.items() if table != EVENTS}
    files, more = searched_files(where.data, found)
    return Proof(
        scope=scope,
        name=name,
        pseudonym=pseudonym,
        actor=actor,
        began_at=rfc3339(began),
        finished_at=rfc3339(now()),
        machines=found.machines,
        devices=found.devices,
        people=len(found.people),
        removed={key: count for key, count in removed.items() if count},
        stays=(*stays(found, counts.get(EVENTS, 0), lost), *holding, *map(unknown, cut_off)),
        searched_files=files,
        searched_rows=rows,
        hits=(*hits, *more),
        backups=None if backups is None else len(kept) + len(cut_off),
    )


def _files(
    settings: CloudSettings, where: Places, found: Wanted, now: Callable[[], int]
) -> tuple[dict[str, int], int]:
    """Erase all that is not in the ledger; return how much, and how many snapshots were lost."""
    removed = _telemetry(settings, where, found, now)
    lost = _models(where, found, removed)
    _numbers(where, found, removed)
    removed["journal records"] = blank(where.journal, _of(found))
    _alert_log(where, found, removed)
    _old_dumps(where, removed)
    return removed, lost


def _ledger(
    database: Database, found: Wanted, pseudonym: str, actor: str, now: Callable[[], int]
) -> dict[str, int]:
    """Erase what the ledger has; return how many rows, by table."""
    stamp = Stamp(new_id=Ids(now), recorded_ns=now())
    subjects = Subjects(machines=found.machines, devices=found.devices, customer=found.customer)
    return erasure.erase(database, subjects, pseudonym=pseudonym, actor=actor, stamp=stamp)


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
    pattern = names_of(found)
    for path in where.data.glob("*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not pattern.search(line)]
        if len(kept) < len(lines):
            part = path.with_suffix(".part")
            part.write_bytes(b"".join(kept))
            part.replace(path)
            removed[path.name] = len(lines) - len(kept)
