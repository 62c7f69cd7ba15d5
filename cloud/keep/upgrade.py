"""A way back from an upgrade: the ledger is dumped before its tables change."""

import logging
import os
from pathlib import Path
from typing import Final

from cloud.errors import StoreCorrupt
from cloud.ledger import Place
from cloud.ledger.database import HEAD, Database
from cloud.ledger.dump import dump, load

PATTERN: Final = "ledger-*.dump"
log = logging.getLogger(__name__)


def keep_before_upgrade(place: Place, folder: Path) -> Path | None:
    """Dump a ledger whose tables the next step will change; return the file.

    None when there is nothing to change. An interrupted dump is written anew at the next start.
    """
    database = Database(place, migrate=False)
    try:
        revision = database.revision()
        if revision is None or revision >= HEAD:
            return None
        path = folder / PATTERN.replace("*", revision)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            dump(database, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        database.close()
    log.info("ledger: tables %s become %s; as they were it is in %s", revision, HEAD, path)
    return path


def fill_ledger(place: Place, file: Path) -> dict[str, int]:
    """Fill an empty database from such a file; return the rows of each table."""
    database = Database(place, migrate=False)
    try:
        with file.open("rb") as stream:
            return load(database, stream)
    except StoreCorrupt as error:
        raise StoreCorrupt(f"{file}: {error}") from error
    finally:
        database.close()
