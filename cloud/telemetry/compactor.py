"""The thread that prepares compactions and loads; the store's writer applies.

It only reads, and moves the file's log into the file (`checkpoints`).
"""

import logging
import queue
import threading
from itertools import count
from typing import Final

from cloud.errors import StoreBusy, StoreError
from cloud.telemetry import compaction
from cloud.telemetry.checkpoints import Checkpoints
from cloud.telemetry.compaction import Job
from cloud.telemetry.gathering import Load
from cloud.telemetry.readers import Readers

READY: Final = 16  #: prepared jobs that may wait for the writer
_END, _LOG, _LOAD, _JOB = range(4)  #: what comes first
_Due = tuple[int, bool]  #: a machine, and whether its small frames are to be joined
_Wanted = _Due | Load | Checkpoints
log = logging.getLogger(__name__)


class Compactor:
    """Takes machines that are due, hands back jobs. One job a machine at a time."""

    def __init__(self, readers: Readers, checkpoints: Checkpoints) -> None:
        self._readers = readers
        self._checkpoints = checkpoints
        self._due: queue.PriorityQueue[tuple[int, int, _Wanted | None]] = queue.PriorityQueue()
        self._numbers = count()  #: among equals, what came first is first
        self._ready: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._room = threading.Semaphore(READY)
        self._committed = False  #: since the log was looked after
        self._busy: set[int] = set()  #: touched by the writer alone
        self._failed: set[int] = set()  #: touched by the thread alone; until the next start
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="compaction", daemon=True)

    def start(self) -> None:
        """Begin to work in the background."""
        self._thread.start()

    def due(self, machine: int, *, joining: bool = False) -> None:
        """Ask for a compaction of a machine, or for its small frames to be joined."""
        if machine not in self._busy:
            self._busy.add(machine)
            self._put(_JOB, (machine, joining))

    def committed(self) -> None:
        """Note that the writer stored something."""
        self._committed = True

    def move_log(self) -> None:
        """Have the log looked after now, when the writer has stored what there was to store."""
        if self._committed and self._thread.is_alive():
            self._committed = False
            self._put(_LOG, self._checkpoints)

    def _put(self, urgency: int, wanted: _Wanted | None) -> None:
        self._due.put((urgency, next(self._numbers), wanted))

    def claim(self, machine: int) -> bool:
        """Keep a machine from being compacted until `release`; False where it is under way."""
        free = machine not in self._busy
        self._busy.add(machine)
        return free

    def release(self, machine: int) -> None:
        """Let a machine that was claimed be compacted again."""
        self._busy.discard(machine)

    def prepare(self, load: Load) -> None:
        """Prepare a load before what is still due; in the calling thread where there is none."""
        if self._thread.is_alive():
            self._put(_LOAD, load)
        else:
            load.prepare(self._readers)

    def ready(self) -> Job | None:
        """Return a prepared job, if there is one (called by the writer)."""
        try:
            job = self._ready.get_nowait()
        except queue.Empty:
            return None
        self._room.release()
        self._busy.discard(job.machine)
        return job

    def give_up(self, machine: int, error: StoreError) -> None:
        """Leave a machine as it is until the next start: its readings stay readable."""
        log.error("machine %d is not compacted before the next start: %s", machine, error)
        self._failed.add(machine)

    def stop(self) -> None:
        """End the thread; what is prepared is dropped, nothing is lost by it."""
        self._stop.set()
        self._put(_END, None)
        self._room.release()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while (wanted := self._due.get()[2]) is not None:
                if isinstance(wanted, Load):
                    self._pack(wanted)
                    continue
                if isinstance(wanted, Checkpoints):
                    wanted.look()
                    continue
                self._room.acquire()
                if self._stop.is_set():
                    return
                self._ready.put(self._prepare(*wanted) or Job(wanted[0]))
        finally:
            self._checkpoints.close()

    def _pack(self, load: Load) -> None:
        try:
            load.prepare(self._readers)
        except Exception:
            log.exception("a load was not packed; the writer packs it")

    def _prepare(self, machine: int, joining: bool) -> Job | None:
        if machine in self._failed:
            return None
        try:
            prepare = compaction.prepare_joining if joining else compaction.prepare
            return prepare(self._readers, machine)
        except StoreBusy as error:
            log.warning("compaction waits: %s", error)
        except Exception:
            # Readings stay readable as they are; only room is lost.
            log.exception("machine %d is not compacted before the next start", machine)
            self._failed.add(machine)
        return None
