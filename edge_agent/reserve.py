"""How the outbox's room on the disk is divided, and the reserve for a disk that is really full.

On a full disk SQLite cannot even delete a row, since the deletion goes to the log first (measured).
So a file of zeros is kept, and given back to the disk when that happens.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = 4096
MIB: Final = 1024 * 1024


def room(folder: Path) -> tuple[int, int]:
    """Return the bytes of the disk under `folder` that this program may still take, and all."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize


@dataclass(frozen=True, slots=True)
class Quota:
    """Shares of `total` bytes: the database, its write-ahead log, the reserve. `total` ≥ 1 MiB."""

    total: int

    @property
    def log(self) -> int:
        """Bytes the write-ahead log and its index may take."""
        return min(4 * MIB, self.total // 4)

    @property
    def reserve(self) -> int:
        """Bytes of the reserve file: room for the log to grow while old rows are deleted."""
        return min(4 * MIB, self.total // 8)

    @property
    def pages(self) -> int:
        """`max_page_count` of the database."""
        return (self.total - self.log - self.reserve) // PAGE - 1

    @property
    def checkpoint_pages(self) -> int:
        """The log's length in pages at which it is written back into the database."""
        return self.log // 4 // PAGE

    @property
    def transaction(self) -> int:
        """Bytes of payload that one transaction may hold, a single batch apart."""
        return self.log // 4


class Reserve:
    """A file that holds room on the disk until it is needed."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    @property
    def held(self) -> bool:
        """Whether the room is held."""
        return self._path.exists() and self._path.stat().st_size == self._size

    def release(self) -> bool:
        """Give the room back; False when there was none."""
        held = self.held
        self._path.unlink(missing_ok=True)
        return held

    def restore(self) -> bool:
        """Take the room again where the disk has twice as much free; return whether it is held."""
        if self.held:
            return True
        if room(self._path.parent)[0] < 2 * self._size:
            return False
        try:
            with self._path.open("wb") as file:
                # Written, not only claimed: some file systems allocate nothing until then, and
                # some compress zeros away.
                for _ in range(self._size // PAGE):
                    file.write(os.urandom(PAGE))
                file.write(bytes(self._size % PAGE))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        return True
