"""A backup while the service runs: each store at one moment, in an order that can be restored.

First the newest snapshots and the journal's segments are held by hard links, so that the service
may forget them meanwhile. Then the stores are copied, then what the journal has. So the journal
begins before the snapshots and ends behind every store: a start from the copy reads the rest from
it, as after a crash.
"""

import contextlib
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from cloud import snapshot
from cloud.errors import StoreBusy, StoreError
from cloud.journal import SegmentJournal
from cloud.keep import manifest as paper
from cloud.keep.manifest import DATA, LEDGER, PART, TELEMETRY, Entry, Manifest, Positions
from cloud.ledger import tables as t
from cloud.ledger.database import Database
from cloud.ledger.dump import dump
from cloud.ledger.filing import FILED
from cloud.places import Places
from cloud.telemetry.opening import StoreCopy
from cloud.times import rfc3339

HELD: Final = "backup-held"  #: folder of the hard links, in `data`
LOCK: Final = "backup.lock"
LEFT_OUT: Final = frozenset({LOCK, "reserve", "lock", "shipping.lock"})
WAITING: Final = "waiting-"  #: for InfluxDB; the journal brings it again
IN_HAND: Final = "shipment-"  #: on its way there; among the readings when they are copied
SQLITE: Final = b"SQLite format 3\0"
TRIES: Final = 3


@dataclass(slots=True, kw_only=True)
class _Work:
    """A backup under way."""

    places: Places
    folder: Path
    passed_over: tuple[str, ...] = (WAITING,)
    entries: list[Entry] = field(default_factory=list)

    def add(self, source: Path, name: str) -> None:
        """Copy one file."""
        target = self.folder / DATA / name
        with source.open("rb") as file:
            entry = paper.copy(file, target)
        path = target.relative_to(self.folder).as_posix()
        self.entries.append(Entry(path=path, size=entry.size, sha256=entry.sha256))

    def add_database(self, source: Path, name: str) -> None:
        """Copy a SQLite file as it is at one moment; writers are not kept waiting."""
        target = self.folder / DATA / name
        target.parent.mkdir(parents=True, exist_ok=True)
        origin = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)
        copy = sqlite3.connect(target)
        try:
            origin.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        except sqlite3.Error as error:
            raise StoreError(f"{source}: {error}") from error
        finally:
            copy.close()
            origin.close()
        self.entries.append(paper.enter(target, self.folder))


def back_up(
    places: Places, folder: Path, now: Callable[[], int], copying: StoreCopy | None = None
) -> Manifest:
    """Write a backup into a new folder. It has that name only when it is whole.

    `copying` copies readings that lie on a server.

    Raises:
        StoreBusy: another backup is under way.
        StoreError: the folder is there already, or a store cannot be read.
    """
    if folder.exists():
        raise StoreError(f"{folder} is there already: name a new folder")
    if places.data.resolve() in folder.resolve().parents:
        raise StoreError(f"{folder} is within {places.data}: name a folder elsewhere")
    part = folder.with_name(folder.name + PART)
    try:
        with _alone(places.data), contextlib.ExitStack() as ending:
            shutil.rmtree(part, ignore_errors=True)
            ending.callback(shutil.rmtree, part, ignore_errors=True)
            part.mkdir(parents=True, mode=0o700)
            found = _write(_Work(places=places, folder=part), now, copying)
            part.rename(folder)
    except OSError as error:
        raise StoreError(f"{error.filename or folder}: {error.strerror}") from error
    return found


def _write(work: _Work, now: Callable[[], int], copying: StoreCopy | None) -> Manifest:
    began = now()
    places = work.places
    with _held(places) as held:
        for path in sorted((held / "snapshots").glob("*.npz")):
            work.add(path, f"snapshots/{path.name}")
        telemetry = _telemetry(work, copying)
        rows, machines, filed = _ledger(work)
        first, end = _journal(work, held / "journal")
    positions = Positions(
        telemetry=telemetry,
        ledger=filed,
        snapshot=max(snapshot.positions(work.folder / DATA / "snapshots"), default=-1),
        journal_first=first,
        journal_end=end,
    )
    found = Manifest(
        format=paper.FORMAT,
        forewarn=version("forewarn"),
        began_at=rfc3339(began),
        finished_at=rfc3339(now()),
        positions=positions,
        rows=rows,
        machines=machines,
        files=tuple(work.entries),
    )
    paper.write(work.folder, found)
    return found


@contextlib.contextmanager
def _alone(data: Path) -> Iterator[None]:
    if not data.is_dir():
        raise StoreError(f"{data}: there is no such folder; is `data` in the settings right?")
    fd = os.open(data / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise StoreBusy(f"another backup of {data} is under way; wait for its end") from error
    else:
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def _held(places: Places) -> Iterator[Path]:
    """Hold snapshots and the journal after them by hard links."""
    held = places.data / HELD
    try:
        for _ in range(TRIES):
            shutil.rmtree(held, ignore_errors=True)
            _link(places.snapshots, held / "snapshots", "*.npz")
            _link(places.journal, held / "journal", "*.journal")
            newest = max(snapshot.positions(held / "snapshots"), default=-1)
            first = min((int(path.stem) for path in (held / "journal").iterdir()), default=0)
            if first <= newest + 1 or newest == -1:
                break
        yield held
    finally:
        shutil.rmtree(held, ignore_errors=True)


def _link(source: Path, target: Path, pattern: str) -> None:
    target.mkdir(parents=True)
    for path in sorted(source.glob(pattern)):
        with contextlib.suppress(FileNotFoundError):  # the service has just let go of it
            os.link(path, target / path.name)


def _telemetry(work: _Work, copying: StoreCopy | None) -> int:
    """Copy the files of `data` and readings on a server; return the readings' position."""
    if copying is None:
        _own_files(work)
        return _telemetry_position(work.folder / DATA / work.places.telemetry.name)
    work.passed_over = (WAITING, IN_HAND)
    with copying.held() as position:
        _own_files(work)
        copying.export(work.folder / TELEMETRY)
    work.entries += [
        paper.enter(path, work.folder) for path in sorted((work.folder / TELEMETRY).iterdir())
    ]
    return position


def _own_files(work: _Work) -> None:
    """Copy the files of `data` but journal, snapshots and ledger."""
    places = work.places
    ledger = places.ledger_file.resolve() if places.ledger_file else None
    skipped = {places.journal, places.snapshots, places.data / HELD}
    for path in sorted(places.data.rglob("*")):
        name = path.relative_to(places.data)
        beside = path.name.endswith(("-wal", "-shm", "-journal", PART))
        if not path.is_file() or beside or path.name in LEFT_OUT:
            continue
        if skipped & {path, *path.parents} or path.resolve() == ledger:
            continue
        if path.name.startswith(work.passed_over):
            continue
        with contextlib.suppress(FileNotFoundError):  # the service has just let go of it
            with path.open("rb") as file:
                database = file.read(len(SQLITE)) == SQLITE
            (work.add_database if database else work.add)(path, name.as_posix())


def _ledger(work: _Work) -> tuple[dict[str, int], dict[str, int], int]:
    """Dump the ledger; return rows by table, machines by tenant, and the position."""
    database = Database(work.places.ledger, migrate=False)
    try:
        with (work.folder / LEDGER).open("xb") as file:
            rows = dump(database, file)
        with database.reading() as connection:
            names = connection.scalars(sa.select(t.machine.c.id)).all()
            filed = connection.scalar(sa.select(t.position.c.n).where(t.position.c.name == FILED))
    finally:
        database.close()
    work.entries.append(paper.enter(work.folder / LEDGER, work.folder))
    machines: dict[str, int] = {}
    for name in names:
        tenant = name.partition(".")[0]
        machines[tenant] = machines.get(tenant, 0) + 1
    return rows, machines, -1 if filed is None else int(filed)


def _journal(work: _Work, held: Path) -> tuple[int, int]:
    """Copy the journal as it is now; return its first and last position."""
    for path in work.places.journal.glob("*.journal"):
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.link(path, held / path.name)
    folder = work.folder / DATA / "journal"
    for path in sorted(held.iterdir()):
        with path.open("rb") as file:
            paper.copy(file, folder / path.name)
    copied = SegmentJournal(folder)  # cuts off the half of a record that was being written
    first, end = copied.first(), copied.end()
    copied.close()
    for path in sorted(folder.iterdir()):
        if path.suffix == ".journal":
            work.entries.append(paper.enter(path, work.folder))
        else:
            path.unlink()
    return first, end


def _telemetry_position(path: Path) -> int:
    if not path.exists():
        return -1
    with contextlib.closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT n FROM position").fetchone()[0])


def name_for(now_ns: int) -> str:
    """Return a folder name that sorts by time."""
    at = datetime.fromtimestamp(now_ns // 10**9, UTC)
    return at.strftime("forewarn-%Y%m%dT%H%M%SZ")


def drop_old(folder: Path, keep: int) -> list[Path]:
    """Delete all but the newest finished backups of a folder; return what went.

    What a backup left that was cut off goes too once it is older than all that stay.

    Raises:
        StoreError: one cannot be deleted.
    """
    whole = [path.parent for path in sorted(folder.glob(f"*/{paper.NAME}"))]
    whole = [path for path in whole if path.suffix != PART]
    gone, stay = whole[:-keep], whole[-keep:]
    if stay:
        parts = folder.glob(f"forewarn-*{PART}")
        gone += sorted(path for path in parts if path.name < stay[0].name)
    try:
        for path in gone:
            shutil.rmtree(path)
    except OSError as error:
        raise StoreError(f"{error.filename or folder}: {error.strerror}") from error
    return gone
