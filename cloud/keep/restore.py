"""A restore: a new installation from a backup, whole or not at all."""

import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from cloud.durable import sync
from cloud.errors import StoreError
from cloud.keep import manifest as paper
from cloud.keep.manifest import DATA, LEDGER, TELEMETRY, Manifest
from cloud.ledger import Place
from cloud.ledger.database import Database
from cloud.ledger.dump import load
from cloud.places import Places
from cloud.telemetry.opening import StoreCopy


def restore(folder: Path, places: Places, copying: StoreCopy | None = None) -> Manifest:
    """Fill the empty places of an installation from a backup that is verified first.

    The files appear under `data` in one step, after everything else has succeeded. A ledger on a
    server is filled in one transaction just before, and so are readings on a server (`copying`),
    which are deleted again when a later step fails.

    Raises:
        StoreError: there is an installation already, or the backup has readings for another store.
        StoreCorrupt: a file of the backup is not what was written.
    """
    found = paper.read(folder)
    _must_be_empty(places)
    _must_fit(folder, found, copying)
    paper.verify(folder, found)
    part = places.data.with_name(places.data.name + ".restoring")
    shutil.rmtree(part, ignore_errors=True)
    try:
        _place(folder, found, part)
        there = (folder / TELEMETRY).is_dir()  # older backups leave readings to `influx backup`
        with copying.loaded(folder / TELEMETRY) if copying and there else nullcontext():
            _fill_ledger(folder, places, part)
            if places.data.exists():
                places.data.rmdir()
            part.rename(places.data)
            sync(places.data.parent)
    except OSError as error:
        raise StoreError(f"{error.filename or places.data}: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return found


def _must_be_empty(places: Places) -> None:
    if places.data.exists() and any(places.data.iterdir()):
        raise StoreError(
            f"{places.data} is not empty: stop the service and move the folder away first"
        )
    if places.ledger_file is not None and places.ledger_file.exists():
        raise StoreError(f"{places.ledger_file} is there already: move it away first")
    if places.ledger_file is None:
        database = Database(places.ledger, migrate=False)
        try:
            revision = database.revision()
        finally:
            database.close()
        if revision is not None:
            raise StoreError(f"{database.name} is not empty: name a new database")


def _must_fit(folder: Path, found: Manifest, copying: StoreCopy | None) -> None:
    on_server = any(Path(entry.path).parts[0] == TELEMETRY for entry in found.files)
    if on_server and copying is None:
        raise StoreError(
            f"{folder} has the readings of an InfluxDB: set telemetry.store = 'influx'"
        )
    own = any(entry.path.startswith(f"{DATA}/influx/") for entry in found.files)
    if copying is not None and not on_server and not own:
        raise StoreError(f"{folder} has no readings of an InfluxDB: set telemetry.store = 'sqlite'")


def _place(folder: Path, found: Manifest, part: Path) -> None:
    part.mkdir(parents=True, mode=0o700)
    for entry in found.files:
        source = Path(entry.path)
        if source.parts[0] == DATA:
            with (folder / source).open("rb") as file:
                paper.copy(file, part / Path(*source.parts[1:]))


def _fill_ledger(folder: Path, places: Places, part: Path) -> None:
    file = places.ledger_file
    place: Place = places.ledger
    if file is not None and file.is_relative_to(places.data):
        place = replace(place, url=f"sqlite:///{part / file.relative_to(places.data)}")
    database = Database(place, migrate=False)
    try:
        with (folder / LEDGER).open("rb") as stream:
            load(database, stream)
    except BaseException:
        if file is not None and place is places.ledger:
            file.unlink(missing_ok=True)
        raise
    finally:
        database.close()
