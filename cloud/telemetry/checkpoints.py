"""Moving the write-ahead log into the file beside the writer, whose commits else would stop for it.

A passive checkpoint (sqlite.org/wal.html, 3.2) keeps neither readers nor the writer waiting; when
it has caught up, the next commit begins the log anew. A commit moves it itself only where it has
grown beyond `cloud.telemetry.database.LOG_BYTES`, and not by SQLite's own means, which keep to
themselves what the disk did not take.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from cloud.errors import StoreBusy
from cloud.telemetry.database import LOG_BYTES, sync_log, translated

EVERY_S: Final = 2.0  #: a burst fills `LOG_BYTES` in little more
PASSES: Final = 4  #: at most, after what was committed meanwhile
EMPTY_S: Final = 5.0  #: how long an erasure waits for those who read the log
EMPTY_TRY_S: Final = 0.2  #: and how long it holds up the writer at once
_LOST: Final = {
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_DIR_FSYNC,
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
}  #: what is not written stays in the log and is moved later; these say that it may not be there
_Answer = tuple[int, int, int]  #: whether somebody was in the way, pages in the log, pages moved
log = logging.getLogger(__name__)


class Checkpoints:
    """Checkpoints of one file. One thread calls `look` and `close`, any the rest. `now`: in s.

    `lost` says what the disk did not take, for good: the system tells it once, and when asked
    again says that all is written.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self.lost: str | None = None
        self.unwiped = False  #: the log may have what was erased
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._now = now
        self._db: sqlite3.Connection | None = None
        self._last = now()
        self._moving = threading.Lock()

    def begin(self, db: sqlite3.Connection) -> None:
        """Write what the process before left in the log into the file, and empty the log.

        What the disk did not take of it was told to that process; to this one it would look taken.
        """
        try:
            self._move(db, "TRUNCATE")
        except sqlite3.Error as error:
            log.warning("%s: its log stays as it was left for now: %s", self._path, error)

    def finish(self, db: sqlite3.Connection) -> bool:
        """Move the log at the end; return whether all of it is moved.

        Then SQLite has nothing left to move as it closes: what fails there it keeps to itself.
        """
        try:
            busy, pages, moved = self._move(db, "PASSIVE")
        except sqlite3.Error as error:
            log.warning("%s: its log stays for the next start: %s", self._path, error)
            return False
        return not busy and moved == pages

    def look(self) -> None:
        """Move the log if it was not moved just now, each `EVERY_S` at most."""
        if self._now() - self._last < EVERY_S:
            return
        self._last = self._now()
        try:
            if self._db is None:
                self._db = _open(self._path, 0)
            before = -1
            for _ in range(PASSES):
                _, pages, moved = self._move(self._db, "PASSIVE")
                if moved < pages or pages == before:
                    break  # a reader needs the rest, or nothing came meanwhile
                before = pages
        except sqlite3.Error as error:  # a full disk: the writer says so when it comes to that
            log.warning("%s: its log stays as it is for now: %s", self._path, error)

    def relieve(self, db: sqlite3.Connection) -> None:
        """Move a log that has grown too long on the writer's connection, after a commit."""
        try:
            if self._log.stat().st_size > LOG_BYTES and not self._moving.locked():
                self._move(db, "PASSIVE")
        except (OSError, sqlite3.Error) as error:  # what was committed is so all the same
            log.warning("%s: its log grows: %s", self._path, error)

    def empty(self) -> None:
        """Cut a log that has what was erased to nothing, once all of it is moved.

        `StoreBusy` where it is read for too long; then the next call does it.
        """
        if not self.unwiped:
            return
        self.unwiped = False
        try:
            with translated(self._path), closing(_open(self._path, EMPTY_TRY_S)) as db:
                self._empty(db)
        except BaseException:
            self.unwiped = True
            raise

    def _empty(self, db: sqlite3.Connection) -> None:
        ends = self._now() + EMPTY_S
        while self._move(db, "TRUNCATE")[0]:
            if self._now() >= ends:
                raise StoreBusy(
                    f"{self._log} still has what was erased, and is being read; erase again"
                )
            time.sleep(EMPTY_TRY_S)  # the writer's turn

    def sync(self) -> None:
        """See that the log is on the disk; `lost` says if it is not."""
        try:
            sync_log(self._path)
        except OSError as error:
            self._lose(error)
        with self._moving:  # who moves it now may have been told what we were not
            pass

    def _move(self, db: sqlite3.Connection, how: str) -> _Answer:
        with self._moving:
            if self.lost is not None:
                return 1, 0, 0  # what would be moved may not be what was written
            try:
                answer: _Answer = db.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
            except sqlite3.Error as error:
                if error.sqlite_errorcode in _LOST:
                    self._lose(error)
                raise
        return answer

    def _lose(self, error: Exception) -> None:
        self.lost = f"the disk did not take it ({error}); mend that and start again"
        log.error("%s: %s", self._log, self.lost)

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()
            self._db = None


def _open(path: Path, wait_s: float) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=wait_s, isolation_level=None)
