"""The embedded telemetry store: one SQLite file, readable from other processes while written.

Blocks are held for a moment (`gathering`), then stored in one transaction with the journal's
position: as they came (`fresh`), or as frames where they are many. A thread prepares that, and
compactions of fresh rows (frames and roll-ups); `write` puts it in place, so that one writes at a
time.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cloud.errors import StoreBusy, StoreCorrupt, StoreError, StoreFull
from cloud.telemetry import compaction, fresh, reached, upkeep
from cloud.telemetry.checkpoints import Checkpoints
from cloud.telemetry.compaction import SMALL_ROWS, Job
from cloud.telemetry.compactor import Compactor
from cloud.telemetry.database import BUSY_MS, open_reader, open_writer, transaction, translated
from cloud.telemetry.gathering import HELD_BYTES, HOLD_S, Gathered, Load, framable, lot_of, packed
from cloud.telemetry.lots import Lot
from cloud.telemetry.names import Names
from cloud.telemetry.reading import SqliteReading
from models.rows import Block

DAY_NS: Final = 86_400 * 10**9
RAW_NS: Final = 90 * DAY_NS
MINUTES_NS: Final = 730 * DAY_NS
APPLIED_ROWS: Final = 32_768  #: compacted rows put in place by one `write`
APPLIED_JOBS: Final = 16
READER_WAIT_S: Final = 2.0  #: a reader waits so long for what is held to be stored
READER_BUSY_MS: Final = 200  #: and holds up the others so long where another process writes
READER_REST_S: Final = 5.0  #: and does not try again for so long where it was not
log = logging.getLogger(__name__)


class SqliteTelemetry(SqliteReading):
    """`TelemetryStore` in one file.

    One thread calls `write`; the rest may be called from any thread. `max_bytes` limits the file
    (`StoreFull` beyond); `background=False` leaves compaction to `compact`; readings are held for
    `hold_s` at most (0: stored by `write` itself), or until somebody asks for them.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int | None = None,
        background: bool = True,
        hold_s: float = HOLD_S,
    ) -> None:
        self._lock = threading.RLock()
        self._db = open_writer(path, max_bytes)
        self._names = Names(self._db)
        super().__init__(path)
        self._checkpoints = Checkpoints(path)
        self._compactor = Compactor(self._readers, self._checkpoints)
        self._hold_s = hold_s
        self._gathered = Gathered()
        self._load: Load | None = None  #: under way
        self._trouble: str | None = None
        self._spoiled: str | None = None  #: why nothing more may be stored before the next start
        self._closed = False
        self._rest_until = 0.0  #: until then readers do not try to store what is held
        with translated(path):
            self._last = open_reader(path)  #: keeps the log as it is while the writer closes
            self._position = reached.read(self._last, path)
        self._checkpoints.begin(self._db)
        self._erase_hidden()
        self._if_possible(self._checkpoints.empty)
        if background:
            fresh.warm()
            self._compactor.start()

    def position(self) -> int:
        """See `TelemetryStore.position`: what has been taken over, stored or held."""
        return self._position

    def write(self, blocks: Sequence[Block], position: int) -> None:
        """See `TelemetryStore.write`. A position already reached is ignored with its blocks."""
        with self._lock:
            self._open()
            if position > self._position:
                self._make_room()
                if self._hold_s:
                    self._hold(blocks, position)
                else:
                    self._store(blocks, position)
                self._position = position
            self._apply_ready()
            self._compactor.move_log()

    def _hold(self, blocks: Sequence[Block], position: int) -> None:
        try:
            self._gathered.add(blocks, position, time.monotonic())
        except BaseException:
            self._spoiled = "half a group is held; start again, the journal has all of it"
            raise

    def _make_room(self) -> None:
        """Store what is prepared; let what was held long enough, or is too much, be prepared."""
        if self._load is not None and self._load.ready.is_set():
            self._land()
        if self._gathered.due(time.monotonic(), self._hold_s):
            if self._load is not None and self._gathered.size >= HELD_BYTES:
                self._land()
            if self._load is None:
                self._dispatch()

    def _store(self, blocks: Sequence[Block], position: int) -> None:
        """Store blocks at once."""
        self._gathered.add(blocks, position, 0.0)
        try:
            self._dispatch()
            self._land()
        except BaseException:
            self._load, self._gathered = None, Gathered()
            raise

    def _dispatch(self, *, at_once: bool = False) -> None:
        """Give what is held its numbers and let it be prepared (`at_once`: here, as it came)."""
        load = Load(self._gathered.position, frozenset(self._gathered.groups))
        with self._noting_trouble(), self._transaction():
            lots = [lot_of(self._names, *item) for item in self._gathered.groups.items()]
        self._load, self._gathered = load, Gathered()
        if at_once or not self._hold_s:
            load.lots = lots
            load.prepare(self._readers)
            return
        for lot in lots:
            frames = framable(self._names, lot) and self._compactor.claim(lot.machine)
            (load.framed if frames else load.lots).append(lot)
        self._compactor.prepare(load)

    def _land(self) -> None:
        """Put the load that is under way in place, once it is prepared."""
        load = self._load
        assert load is not None
        while not load.ready.wait(0.005):
            self._apply_ready()  # whoever prepares may be waiting for room
        with self._noting_trouble():
            try:
                late = self._put_in_place(load)
            except StoreCorrupt as error:
                if not load.jobs:
                    raise
                log.error("frames cannot be put in place, rows are stored as they came: %s", error)
                load.jobs.clear()
                late = self._put_in_place(load)
        self._trouble = None
        self._load = None
        self._count(load, late)

    def _put_in_place(self, load: Load) -> list[Lot]:
        """Store a load; return the lots that were to become frames and are stored as they came."""
        with self._transaction():
            late = [lot for lot in load.framed if not self._framed(load, lot)]
            rows = [*load.packed(), *(row for lot in late for row in packed(lot))]
            self._db.executemany("INSERT INTO fresh VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            reached.write(self._db, load.position)
        self._compactor.committed()
        return late

    @contextmanager
    def _noting_trouble(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            self._trouble = str(error)
            raise

    def _framed(self, load: Load, lot: Lot) -> bool:
        """Put a lot's frames in place; False where it has none or what they came from is gone."""
        job = load.jobs.get(lot.machine)
        return job is not None and upkeep.apply(self._db, self._names, job)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._open()
        with translated(self.path):
            try:
                with transaction(self._db):
                    yield
            except BaseException:
                self._names.forget()
                raise
            self._checkpoints.relieve(self._db)

    def _count(self, load: Load, late: Sequence[Lot]) -> None:
        """Note what a load has changed, and what is due for compaction by it."""
        for lot in (*load.lots, *late):
            machine = self._names.known(lot.machine)
            if machine is not None:
                machine.rows += lot.rows
                machine.blobs += len(lot.parts)
        for lot in load.framed:
            self._compactor.release(lot.machine)
            if lot not in late:
                self._compacted(load.jobs[lot.machine], lot.rows)
        for lot in (*load.lots, *late):
            self._due(lot.machine)

    def _due(self, number: int) -> bool:
        machine = self._names.known(number)
        due = machine is not None and compaction.due(number, machine.rows, machine.blobs)
        if due:
            self._compactor.due(number)
        return due

    def _compacted(self, job: Job, arrived: int = 0) -> None:
        """Note a compaction; `arrived`: how many of its rows were never fresh."""
        machine = self._names.known(job.machine)
        if machine is not None:
            machine.rows -= job.rows - arrived
            machine.blobs -= len(job.fresh)
        small = not job.replaced and any(frame.rows < SMALL_ROWS for frame in job.frames)
        if not self._due(job.machine) and small:
            self._compactor.due(job.machine, joining=True)

    def _apply_ready(self) -> None:
        rows = jobs = 0
        while rows < APPLIED_ROWS and jobs < APPLIED_JOBS and (job := self._compactor.ready()):
            rows += job.rows
            jobs += 1
            try:
                self._apply(job)
            except (StoreBusy, StoreFull):
                return  # the rows stay as they are; what was to be written is safe already
            except StoreError as error:
                self._trouble = str(error)
                self._compactor.give_up(job.machine, error)

    def _apply(self, job: Job) -> None:
        with self._transaction():
            done = upkeep.apply(self._db, self._names, job)
        self._compactor.committed()
        if done:
            self._compacted(job)
        else:
            self._due(job.machine)

    def _settle(self, machine: str) -> None:
        """Store what is held of a machine, so that a reader sees it."""
        ends = time.monotonic() + READER_WAIT_S
        while self._holds(machine) and time.monotonic() >= self._rest_until:
            load = self._load
            ready = load is None or load.ready.wait(max(ends - time.monotonic(), 0))
            if not (ready and self._settled(max(ends - time.monotonic(), 0))):
                self._rest_until = time.monotonic() + READER_REST_S

    def _holds(self, machine: str) -> bool:
        held = machine in self._gathered.groups
        load = self._load  # looked at last: what was gathered moves on to there
        return held or (load is not None and machine in load.names)

    def _settled(self, wait_s: float) -> bool:
        """Store what is ready for it, if a reader gets there in time; ingest must not wait long."""
        if not self._lock.acquire(timeout=wait_s):
            return False
        try:
            self._open()
            self._db.execute(f"PRAGMA busy_timeout = {READER_BUSY_MS}")
            if self._load is None or self._load.ready.is_set():
                self._settle_all(at_once=True)
        except StoreError as error:
            log.warning("%s", error)
            return False
        else:
            return True
        finally:
            if not self._closed:
                self._db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            self._lock.release()

    @staticmethod
    def _if_possible(action: Callable[[], None]) -> None:
        try:
            action()
        except StoreError as error:
            log.warning("%s", error)

    def _settle_all(self, *, at_once: bool = False) -> None:
        with self._lock:
            self._open()
            if self._load is not None:
                self._land()
            if self._gathered.since is not None:
                self._dispatch(at_once=at_once)
                self._land()

    def _open(self) -> None:
        if self._closed:
            raise StoreBusy(f"{self.path} is closed; open the store again")
        if spoiled := self._spoiled or self._checkpoints.lost:
            raise StoreCorrupt(f"{self.path}: {spoiled}")

    def compact(self, machine: str | None = None) -> None:
        """Compact all fresh rows (of one machine) now, in the calling thread."""
        self._if_possible(self._settle_all)
        for number, name in self._machines():
            if machine in (None, name):
                self._compact(number)

    def _compact(self, number: int) -> None:
        for prepare in (compaction.prepare, compaction.prepare_joining):
            while job := prepare(self._readers, number):
                with self._lock:
                    self._apply(job)

    def erase(self, machine: str) -> int:
        """See `TelemetryStore.erase`. What was stored is overwritten, not only unlinked."""
        with self._lock:
            self._settle_all()
            with upkeep.overwriting(self._db), self._transaction():
                erased = upkeep.hide(self._db, machine)
            self._names.forget()
        self._erase_hidden()
        self._checkpoints.empty()
        return erased

    def _erase_hidden(self) -> None:
        found = True
        while found:
            with self._lock, upkeep.overwriting(self._db), self._transaction():
                found = upkeep.erase_some(self._db)
                self._checkpoints.unwiped |= found

    def trim(
        self,
        now_ns: int,
        data_time: Collection[str] = (),
        *,
        raw_ns: int = RAW_NS,
        minutes_ns: int = MINUTES_NS,
    ) -> None:
        """See `TelemetryStore.trim`. In short transactions, as much as is past its time."""
        self._if_possible(self._settle_all)
        for number, name in self._machines():
            now = now_ns
            if name in data_time:
                now = max((item.at_ns for item in self.latest(name)), default=0)
            self._trim(number, name, now - raw_ns, now - minutes_ns)
        while self._drop_layouts():
            pass

    def _trim(self, number: int, name: str, raw_before: int, minutes_before: int) -> None:
        with self._readers.lend() as db:
            old = upkeep.has_old_fresh(db, number, raw_before)
        if old:
            self.compact(name)
        for trim, before in upkeep.trims(raw_before, minutes_before):
            more = True
            while more:
                with self._lock, self._transaction():
                    more = trim(self._db, number, before)

    def _drop_layouts(self) -> bool:
        """Delete some layouts that no row names, not while held rows have no room; True: again."""
        with self._lock:
            self._if_possible(self._settle_all)
            if self._load is not None or self._gathered.since is not None:
                return False
            self._names.forget()
            begun = self._names.forgotten
        with self._readers.lend() as db:
            unused = upkeep.unused_layouts(db)
        with self._lock, self._transaction():
            same = self._names.forgotten == begun
            return same and upkeep.drop_layouts(self._db, self._names, unused)

    def durable_position(self) -> int:
        """See `TelemetryStore.durable_position`."""
        with self._lock:
            self._settle_all()
            position = self._position
        self._checkpoints.sync()
        self._open()
        return position

    def trouble(self) -> str | None:
        """See `TelemetryStore.trouble`."""
        return self._trouble or self._checkpoints.lost

    def close(self) -> None:
        """See `TelemetryStore.close`. What cannot be stored comes again from the journal."""
        with self._lock:
            if self._closed:
                return
            self._if_possible(self._settle_all)
            self._compactor.stop()
            self._closed = True
            self._readers.close()
            moved = self._checkpoints.finish(self._db)
            with translated(self.path):  # who closes last moves the log, if it may write
                for db in (self._last, self._db) if moved else (self._db, self._last):
                    db.close()
