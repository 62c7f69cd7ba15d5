"""The first page of an outbox's file, which names all tables: one flipped bit hides every row.

What it says is the same in every outbox, so another's serves as well to read the rows by.
"""

import contextlib
import os
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from edge_agent.outbox_file import SCHEMA, VERSION
from edge_agent.reserve import PAGE

FORMAT: Final = b"SQLite format 3\0" + struct.pack(">H6B", PAGE, 2, 2, 0, 64, 32, 32)
LAYOUT: Final = struct.pack(">4I", 4, 0, 11, 1)  #: schema's format, cache, last root, UTF-8
_SAID: Final = slice(60, 64)  #: where the version of the tables stands
_MARK: Final = b"\xff" * 4  #: instead: this page was another's
#: tables with their columns; rows of earlier versions have no checksum
_TABLES: Final = (
    "SELECT s.name, c.name, c.type, c.pk FROM sqlite_master s"
    " LEFT JOIN pragma_table_info(s.name) c WHERE c.name IS NOT 'crc' ORDER BY s.name, cid"
)
#: where they begin, all together: `VACUUM` exchanges their places
_ROOTS: Final = "SELECT rootpage FROM sqlite_master ORDER BY rootpage"


def check(db: sqlite3.Connection, path: Path | None) -> None:
    """Do nothing where the file is new, or its first page that of an outbox.

    `sqlite3.DatabaseError`: it is not. The file must not have been used yet.
    """
    if path is None or not path.exists():
        return
    page = _page(path)
    if page[_SAID] in {b"", bytes(4)}:
        return  # no tables yet
    try:
        known = page[_SAID] == struct.pack(">I", VERSION) and _fits(page) and names_all(db)
    except sqlite3.OperationalError as error:
        # one without a code says that a name is no text; others are of the disk, not of the page
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) != sqlite3.SQLITE_ERROR:
            raise
        known = False
    if not known:
        raise sqlite3.DatabaseError("the first page is not that of an outbox")


def names_all(db: sqlite3.Connection) -> bool:
    """Whether a file's tables are those of an outbox, where those of any outbox are.

    `sqlite3.DatabaseError`, `UnicodeDecodeError`: they cannot be read.
    """
    with contextlib.closing(sqlite3.connect(":memory:")) as made:
        made.execute("PRAGMA auto_vacuum=INCREMENTAL")
        made.executescript(SCHEMA)
        right = _tables(made)
    return _tables(db) == right


def _tables(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return [*db.execute(_TABLES), *db.execute(_ROOTS)]


def fits(path: Path) -> bool:
    """Whether the head of a file is that of an outbox whose length is what it says."""
    page = _page(path)
    at_rest = page[24:28] == page[92:96] and not path.with_name(path.name + "-wal").exists()
    whole = not at_rest or int.from_bytes(page[28:32]) * PAGE == path.stat().st_size
    return _fits(page) and whole


def _fits(page: bytes) -> bool:
    return page[:24] == FORMAT and page[44:60] == LAYOUT


def _page(path: Path) -> bytes:
    """Return the first page, or what is no page where the disk does not give it."""
    try:
        with path.open("rb") as file:
            return file.read(PAGE)
    except OSError:
        return b"\xff" * PAGE


@contextlib.contextmanager
def lent(path: Path) -> Iterator[None]:
    """Put back the first page of a damaged file that was replaced meanwhile: it is set aside."""
    before = _page(path)
    try:
        yield
    finally:
        if _page(path)[_SAID] == _MARK != before[_SAID]:
            _write(path, before)
            if len(before) < PAGE:
                with contextlib.suppress(OSError):
                    os.truncate(path, len(before))


def replace(path: Path, new: Path) -> None:
    """Give a damaged file the first page of a new one, by which its rows can be read.

    It is marked, so that a start after a kill does not take the file for sound: pages that are
    free are not known any more. A disk that does not take it leaves the file as it was.
    """
    page = bytearray(_page(new))
    page[_SAID] = _MARK
    page[92:96] = bytes(4)  # the number of pages is not sure: as many as there are
    _write(path, page)


def _write(path: Path, page: bytes | bytearray) -> None:
    with contextlib.suppress(OSError), path.open("r+b") as file:
        file.write(page)
        file.flush()
        os.fsync(file.fileno())
