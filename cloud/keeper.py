"""Snapshots beside the ingest thread: copied, made durable and followed by a shorter journal.

While the state is copied (`copying`) what comes behind the journal stands still. The journal itself
goes on, with acknowledgements and receipts.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from cloud import memory, snapshot
from cloud.errors import StoreError
from cloud.journal import Journal

SECOND_NS: Final = 1_000_000_000
BYTES_PER_S: Final = 1 << 20  #: a large state is written more seldom: what disks bear,
MOST_NS: Final = 600 * SECOND_NS  #: and what a start can read again from the journal
NOT_WRITTEN: Final = "snapshot in %s: %s; tried again at the next"
log = logging.getLogger(__name__)


class Keeper:
    """Owns the thread. All calls come from one other thread.

    `least_ns`: the shortest time between two snapshots; `until_next_ns`: what it is now; `durable`:
    up to where the telemetry store has everything. It may take its time, so that it is asked once
    the state may change again: a snapshot which the store has not reached is not kept.
    """

    def __init__(
        self, folder: Path, journal: Journal, least_ns: int, durable: Callable[[], int]
    ) -> None:
        self._durable = durable
        self.until_next_ns = least_ns
        self._least_ns = least_ns
        self._folder = folder
        self._journal = journal
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="snapshot")
        self._copying: Future[Path | None] | None = None
        self._keeping: Future[None] | None = None
        self._waited: dict[int, int] = {}  #: snapshot -> the oldest record that waited then

    @property
    def copying(self) -> bool:
        """Whether a state is being read, so that it must not change."""
        return self._copying is not None and not self._copying.done()

    @property
    def busy(self) -> bool:
        """Whether a snapshot is not durable yet."""
        return self._copying is not None or self._keeping is not None

    def waited(self, n: int, oldest: int) -> None:
        """Note that records from `oldest` on wait in the snapshot at position `n`."""
        self._waited[n] = oldest

    def begin(self, take: Callable[[], snapshot.Snapshot], told: Callable[[], None]) -> None:
        """Let a snapshot be taken and written; `take` runs on the thread.

        `told` is called there when the state may change again.
        """
        self._copying = self._thread.submit(self._copy, take)
        self._copying.add_done_callback(lambda _: told())

    def look(self, *, wait: bool = False) -> None:
        """Take the next step with a snapshot that was begun, if it can be taken (`wait`: all)."""
        if self._copying is not None and (wait or self._copying.done()):
            copying, self._copying = self._copying, None
            part = copying.result()
            if part is not None:
                wanted_ns = part.stat().st_size * SECOND_NS // BYTES_PER_S
                self.until_next_ns = max(self._least_ns, min(wanted_ns, MOST_NS))
                self._keeping = self._thread.submit(self._keep, part)
        if self._keeping is not None and (wait or self._keeping.done()):
            keeping, self._keeping = self._keeping, None
            try:
                keeping.result()
            except OSError as error:
                log.error(NOT_WRITTEN, self._folder, error.strerror)
                return
            forgetting = self._thread.submit(self._forget, self._floor())
            if wait:
                forgetting.result()

    def copied(self) -> None:
        """Wait until the state may change again."""
        if self._copying is not None:
            self._copying.exception()

    def close(self) -> None:
        """Finish what was begun."""
        self._thread.shutdown()

    def _copy(self, take: Callable[[], snapshot.Snapshot]) -> Path | None:
        try:
            return snapshot.write(self._folder, take())
        except OSError as error:
            log.error(NOT_WRITTEN, self._folder, error.strerror)
            return None

    def _keep(self, part: Path) -> None:
        """Keep what was written, and give back the memory that it took."""
        try:
            if self._durable() >= snapshot.position(part):
                snapshot.keep(part)
        except StoreError as error:
            log.warning("snapshot: %s; tried again at the next", error)
        finally:
            part.unlink(missing_ok=True)
            memory.give_back()
            memory.keep_more()

    def _floor(self) -> int:
        """Return up to where two snapshots have passed the journal."""
        kept = snapshot.positions(self._folder)
        self._waited = {n: oldest for n, oldest in self._waited.items() if n in kept}
        floor = kept[0] if len(kept) > 1 else -1
        return min([floor, *(oldest - 1 for oldest in self._waited.values())])

    def _forget(self, n: int) -> None:
        """Let the journal forget here: a file system may take its time."""
        try:
            self._journal.forget(n)
        except OSError:
            log.exception("old segments of the journal stay for now")
