"""Room on the service's own disk: a reserve that is let go when it runs out.

With less than a share free the service takes no telemetry: devices get no receipt and keep their
readings. Ledger, pages and alerts go on in the room that the reserve file gives back. With twice
the reserve's room above the share it takes telemetry again and makes the reserve anew.
"""

import contextlib
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RESERVE: Final = 64 << 20  #: bytes held back; at most a hundredth of the disk
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shortage:
    """Where room is short, in bytes; intake resumes when `wanted` are free."""

    folder: str
    free: int
    total: int
    wanted: int

    def __str__(self) -> str:
        """Say it in a sentence."""
        return (
            f"{self.folder}: {self.free:,} of {self.total:,} bytes are free; no telemetry is taken "
            f"(devices keep it) until {self.wanted:,} bytes are free"
        )


class Room:
    """Watches the disk below one folder."""

    def __init__(self, folder: Path, free_percent: float) -> None:
        self._folder = folder
        self._reserve = folder / "reserve"
        self._share = free_percent / 100
        self._bytes = min(RESERVE, shutil.disk_usage(folder).total // 100)
        self.shortage: Shortage | None = None  #: while there is too little room

    def enough(self) -> bool:
        """Look at the disk; whether telemetry may be taken."""
        usage = shutil.disk_usage(self._folder)
        floor = int(usage.total * self._share)
        held = self._reserve.stat().st_size if self._reserve.exists() else 0
        wanted = floor + 2 * self._bytes
        if self.shortage is None and usage.free < floor:
            self._reserve.unlink(missing_ok=True)
            self.shortage = Shortage(str(self._folder), usage.free, usage.total, wanted)
            log.error("disk: %s", self.shortage)
        elif self.shortage is not None and usage.free >= wanted:
            self.shortage = None
            log.warning("disk: %s has room again; telemetry is taken", self._folder)
        if self.shortage is None and held < self._bytes <= usage.free - floor:
            self._hold()
        return self.shortage is None

    def _hold(self) -> None:
        with contextlib.suppress(OSError), self._reserve.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, self._bytes)
            else:
                file.write(bytes(self._bytes))
