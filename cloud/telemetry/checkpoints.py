"""Moving the write-ahead log into the file beside the writer, whose commits else would stop for it.

A passive checkpoint (sqlite.org/wal.html, 3.2) keeps neither readers nor the writer waiting; when
it has caught up, the next commit begins the log anew. A commit does it itself only where the log
has grown to `cloud.telemetry.database.LATE_PAGES`.
"""

import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cloud.telemetry.database import CHECKPOINT_PAGES

MOST_S: Final = 60.0
log = logging.getLogger(__name__)


class Checkpoints:
    """Checkpoints of one file, about every `CHECKPOINT_PAGES`. Used by one thread. `now`: in s."""

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._db: sqlite3.Connection | None = None
        self._last = now()
        self._wait_s = 1.0

    def look(self) -> None:
        """Move the log if about that much has been written since the last time."""
        passed = self._now() - self._last
        if passed < self._wait_s:
            return
        try:
            if self._db is None:
                self._db = sqlite3.connect(self._path, timeout=0, isolation_level=None)
            pages = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
        except sqlite3.Error as error:  # a full disk: the writer says so when it comes to that
            log.warning("%s: its log stays as it is for now: %s", self._path, error)
            pages = 0
        self._last = self._now()
        self._wait_s = min(passed * CHECKPOINT_PAGES / max(pages, 1), MOST_S)

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()
            self._db = None
