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

EVERY_S: Final = 2.0  #: a burst fills `LATE_PAGES` in little more
log = logging.getLogger(__name__)


class Checkpoints:
    """Checkpoints of one file, each `EVERY_S` at most. Used by one thread. `now`: in s."""

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._db: sqlite3.Connection | None = None
        self._last = now()

    def look(self) -> None:
        """Move the log if it was not moved just now."""
        if self._now() - self._last < EVERY_S:
            return
        self._last = self._now()
        try:
            if self._db is None:
                self._db = sqlite3.connect(self._path, timeout=0, isolation_level=None)
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:  # a full disk: the writer says so when it comes to that
            log.warning("%s: its log stays as it is for now: %s", self._path, error)

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()
            self._db = None
