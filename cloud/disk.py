"""Room on the service's own disk: a reserve that is let go when it runs out.

With less than a share free the service takes no telemetry: devices get no receipt and keep their
readings. Ledger, pages and alerts go on in the room that the reserve file gives back. With twice
the reserve's room above the share it takes telemetry again and makes the reserve anew.
"""

import contextlib
import logging
import os
import shutil
from pathlib import Path
from typing import Final

RESERVE: Final = 64 << 20  #: bytes held back; at most a hundredth of the disk
log = logging.getLogger(__name__)


class Room:
    """Watches the disk below one folder."""

    def __init__(self, folder: Path, free_percent: float) -> None:
        self._folder = folder
        self._reserve = folder / "reserve"
        self._share = free_percent / 100
        self._bytes = min(RESERVE, shutil.disk_usage(folder).total // 100)
        self.error: str | None = None  #: while there is too little room: where, and how many bytes

    def enough(self) -> bool:
        """Look at the disk; whether telemetry may be taken."""
        usage = shutil.disk_usage(self._folder)
        floor = int(usage.total * self._share)
        held = self._reserve.stat().st_size if self._reserve.exists() else 0
        if self.error is None and usage.free < floor:
            self._reserve.unlink(missing_ok=True)
            self.error = (
                f"{self._folder}: {usage.free:,} of {usage.total:,} bytes are free, less than "
                f"{self._share:.0%}; no telemetry is taken (devices keep it) until "
                f"{floor + 2 * self._bytes:,} bytes are free"
            )
            log.error("disk: %s", self.error)
        elif self.error is not None and usage.free >= floor + 2 * self._bytes:
            self.error = None
            log.warning("disk: %s has room again; telemetry is taken", self._folder)
        if self.error is None and held < self._bytes <= usage.free - floor:
            self._hold()
        return self.error is None

    def _hold(self) -> None:
        with contextlib.suppress(OSError), self._reserve.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, self._bytes)
            else:
                file.write(bytes(self._bytes))
