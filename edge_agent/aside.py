"""Damaged files that were set aside: their names, and how many are kept."""

import logging
import os
from pathlib import Path
from typing import Final, NamedTuple

ENDS: Final = ("-wal", "-shm", "")  #: of the files of one database, itself last
KEPT: Final = 4  #: files set aside at one path; the newest stays whatever it takes
log = logging.getLogger(__name__)


class Aside(NamedTuple):
    """A file that was set aside, with its log: when it was last written, and its bytes."""

    at_ns: int
    path: Path
    bytes: int


def beside(path: Path, end: str) -> Path:
    """Return the path whose name is longer by `end`."""
    return path.with_name(path.name + end)


def kept(path: Path, boot: str) -> Path:
    """Return where a damaged file is kept that a start sets aside."""
    return beside(path, f".unreadable-{boot}")


def remove(path: Path) -> None:
    """Delete a database, its log first."""
    for end in ENDS:
        beside(path, end).unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def found(path: Path) -> list[Aside]:
    """Return what was set aside at a path, oldest first."""
    begin = beside(path, ".unreadable").name
    names = [one for one in path.parent.iterdir() if one.name.startswith(begin)]
    return sorted(_measured(one) for one in names if not one.name.endswith(ENDS[:2]))


def _measured(path: Path) -> Aside:
    parts = [part.stat() for end in ENDS if (part := beside(path, end)).exists()]
    return Aside(max(part.st_mtime_ns for part in parts), path, sum(p.st_size for p in parts))


def bound(path: Path, most_bytes: int) -> int:
    """Delete the oldest set aside at a path beyond `KEPT` or `most_bytes`, and return how many.

    The newest stays. What cannot be deleted is logged, and tried again another time.
    """
    deleted = 0
    try:
        left = found(path)
        while len(left) > 1 and (len(left) > KEPT or sum(one.bytes for one in left) > most_bytes):
            oldest = left.pop(0)
            remove(oldest.path)
            deleted += 1
            log.warning("deleted %s, %d bytes that were set aside", oldest.path, oldest.bytes)
    except OSError as error:
        log.error("what was set aside of %s cannot be deleted: %s", path, error)
    return deleted
