"""The journal's position that the store has reached: too high, it passes over what comes next."""

import sqlite3
import zlib
from pathlib import Path

from cloud.errors import StoreCorrupt


def read(db: sqlite3.Connection, path: Path) -> int:
    """Return the stored position."""
    n, said = db.execute("SELECT n, crc FROM position").fetchone() or ("", None)
    if said != _crc(n):
        raise StoreCorrupt(
            f"{path}, table position: the number contradicts its checksum. Restore the file from a "
            "backup, or move it away to start an empty one; what the journal still holds is then "
            "stored again"
        )
    return int(n)


def write(db: sqlite3.Connection, n: int) -> None:
    """Store the position, within a transaction."""
    db.execute("UPDATE position SET n = ?, crc = ?", (n, _crc(n)))


def _crc(n: object) -> int:
    return zlib.crc32(str(n).encode())
