"""The ingest thread: link → ingest → pipeline, with ticks, actions, snapshots and recovery."""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloud import snapshot
from cloud.behind import Behind
from cloud.decode import Decoder
from cloud.disk import Room, Shortage
from cloud.errors import StoreCorrupt, StoreError
from cloud.filings import Filings
from cloud.ingest import Counters, Handled, Ingest
from cloud.journal import Entry, Kind, Record, SegmentJournal
from cloud.keeper import Keeper
from cloud.ledger import Ledger, Repair
from cloud.link import Link
from cloud.logs import traced
from cloud.pipeline import Pipeline
from cloud.quota import Limits, Quota, Throttled, named
from cloud.reader import Arrived
from cloud.records import BEGINS
from cloud.repairs import Repairs
from cloud.sequence import Sequencer
from cloud.shelf import SqliteShelf
from cloud.telemetry import Passing, TelemetryStore
from models.anomaly.detector import Factory
from models.contract.codec import FINGERPRINTS
from models.fleet import Fleet, SnapshotError
from models.profile import Profile

TICK_NS: Final = 1_000_000_000
BEHIND_BYTES: Final = 16 << 20  #: that what is durable and waits to be taken further may take
FURTHER_S: Final = 0.03  #: what waits is taken further, a portion at least; then what has come is
REPLAY_GROUP: Final = 256
CALM_NS: Final = 10_000_000_000  #: a snapshot waits at most for a moment when nothing is behind
RETRY_S: Final = 1.0
FILED_S: Final = 0.2  #: between two commits of the ledger, which cost more than what is in them
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the service is, for health pages and probes."""

    connected: bool
    position: int
    waiting: int
    parked: int  #: batches that wait for a birth which explains them
    remembered: int  #: bytes that remember how devices' batches look
    store_error: str | None
    broker_error: str | None
    disk_error: str | None
    refusals: Sequence[tuple[str, Throttled]]  #: as `cloud.quota.named` gives them
    counters: Counters


class Service:
    """Owns everything behind the link; all its state is changed by one thread."""

    def __init__(
        self,
        *,
        folder: Path,
        profiles: Mapping[str, Profile],
        telemetry: TelemetryStore,
        ledger: Ledger,
        link: Link,
        now: Callable[[], int],
        snapshot_ns: int,
        segment_bytes: int = 64 << 20,
        limits: Limits | None = None,
        free_percent: float = 5.0,
        detectors: Mapping[str, Mapping[str, Factory]] | None = None,
    ) -> None:
        self._folder = folder
        self._snapshots = folder / "snapshots"
        self._profiles = profiles
        self._detectors = detectors
        self._telemetry = telemetry
        self._ledger = ledger
        self._link = link
        self._now = now
        self._behind = Behind()
        self._quota = Quota(limits or Limits())
        self._room = Room(folder, free_percent)
        self._room.enough()
        self._again: list[Arrived] = []
        self._tick: list[Entry] = []
        self._ticked = False  #: whether the journal has one since the start
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest")
        self.failure: BaseException | None = None
        self.journal = SegmentJournal(folder / "journal", segment_bytes=segment_bytes)
        self._keeper = Keeper(self._snapshots, self.journal, snapshot_ns, self._durable)
        self._filed: Future[bool] = Future()  #: whether the ledger has what the snapshot has
        self.shelf = SqliteShelf(folder / "numbers.db")
        self._filing = ThreadPoolExecutor(1, thread_name_prefix="filing")
        try:
            self._recover()
        except BaseException:
            self._let_go()
            raise

    def start(self) -> None:
        """Connect and begin."""
        self._next_tick = self._looked = 0
        self._last_snapshot = self._now()
        self._link.start()
        self._thread.start()

    def stop(self) -> None:
        """Finish the group in hand, write a snapshot and let go of everything."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._link.stop()
        try:
            if self.failure is None:
                self._keeper.look(wait=True)
                self._further(Handled(), wholly=True)
                self._save()
                self._keeper.look(wait=True)
        finally:
            self._let_go()
            self.pipeline.reviews.close()
            self._telemetry.close()

    def _let_go(self) -> None:
        self._keeper.close()
        self._filing.shutdown()
        self.shelf.close()
        self.journal.close()

    def repaired(self, _repair: Repair) -> None:
        """A repair is due in the ledger: the models will be told of it through the journal."""
        self._repairs.due()

    def status(self) -> Status:
        """Return a consistent-enough picture for people."""
        return Status(
            connected=self._link.connected.is_set(),
            position=self.pipeline.position,
            waiting=self.ingest.sequencer.waiting(),
            parked=len(self.pipeline.decoder.parking),
            remembered=self.ingest.reader.size,
            store_error=self.pipeline.store_error or self._store_trouble(),
            broker_error=self._link.error,
            disk_error=str(short) if (short := self.shortage()) else None,
            refusals=named(self._quota.refusals, self.pipeline.signals.refusals),
            counters=self.ingest.counters,
        )

    def _store_trouble(self) -> str | None:
        """Return what keeps readings from being stored, unless it is a backup."""
        trouble = self._telemetry.trouble()
        return None if isinstance(trouble, Passing) else trouble

    def shortage(self) -> Shortage | None:
        """Return where the disk has too little room, while it has."""
        return self._room.shortage

    @property
    def alive(self) -> bool:
        """Whether the ingest thread runs."""
        return self._thread.is_alive()

    def _recover(self) -> None:
        snapshot.sweep(self._snapshots)
        stored = self._telemetry.position()
        found = snapshot.load(self._snapshots, stored)
        start = found.n if found else -1
        known = max(stored, self._ledger.position(), start)
        if self.journal.end() < known:
            log.error("the journal ends at %d, the stores at %d", self.journal.end(), known)
            self.journal.advance(known)
        if found is None and self.journal.first() > 0:
            log.error(
                "no snapshot fits the stores, and the journal begins at %d: readings before that "
                "stay in the telemetry store, models start anew",
                self.journal.first(),
            )
        sequencer: Sequencer[Entry] = Sequencer.load(
            found.values["sequencer"] if found else [],
            self.shelf,
            prints=found is not None and found.values.get("fingerprints") == FINGERPRINTS,
        )
        decoder = Decoder()
        if found:
            waiting = {n for row in found.values["decoder"] for _, n in row[3]}
            if waiting:
                self._keeper.waited(found.n, min(waiting))
            decoder.load(found.values["decoder"], self.journal.among(waiting))
            decoder.told_ns = found.values.get("told_ns", 0)  # earlier versions did not keep it
            decoder.tick_ns = found.values.get("tick_ns", 0)
        self.ingest = Ingest(self.journal, sequencer, self._quota)
        fleet = self._fleet(found, decoder)
        filings = Filings(self._ledger, FILED_S, self._filing, self._link.wake)
        self._repairs = Repairs(self._ledger, filings)
        self.pipeline = Pipeline(decoder, fleet, self._telemetry, filings)
        if found and "reviews" in found.values:  # none in a snapshot of an earlier version
            kept = found.values
            self.pipeline.reviews.load(kept["reviews"], kept["tick_ns"], kept.get("pace"))
        self.pipeline.position = start
        self.ingest.explained = self._explained
        count = self._replay(start)
        self.pipeline.file()
        log.info("started from position %d, replayed %d records", start, count)

    def _explained(self, *of: str) -> bool:
        return self.pipeline.decoder.knows(*of) or self._behind.explains(*of)

    def _fleet(self, found: snapshot.Snapshot | None, decoder: Decoder) -> Fleet:
        """Return the fleet of a snapshot; of one it cannot go on with only machines and types."""
        if found:
            try:
                arrays = dict(found.arrays)
                return Fleet.restore(self._profiles, arrays, detectors=self._detectors)
            except SnapshotError as error:
                log.warning("snapshot at %d: %s", found.n, error)
        fleet = Fleet(self._profiles, detectors=self._detectors)
        known = [*decoder.announced()]
        told = self._ledger.units_of([machine for machine, *_ in known])  # births say them again
        for machine, profile, clock in known:
            fleet.bind(machine, profile, clock, told.get(machine, {}))
        return fleet

    def _replay(self, start: int) -> int:
        group: list[Record] = []
        count = 0
        for record in self.journal.since(start):
            if record.entry.kind is Kind.ACTION:
                self._repairs.found(record.entry)
            group.append(record)
            count += 1
            if len(group) == REPLAY_GROUP:
                self._settle()
                self.pipeline.apply(group, self.ingest.restore(group))
                group = []
        self.pipeline.apply(group, self.ingest.restore(group))
        return count

    def _settle(self) -> None:
        """Wait while a store that is away leaves no room for more."""
        while self.pipeline.full and not self._relieved():
            self._stop.wait(RETRY_S)

    def _relieved(self) -> bool:
        self.pipeline.flush(self.pipeline.position)
        self.pipeline.file()
        return not self.pipeline.full

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                with traced():
                    self._once()
        except BaseException as error:
            log.exception("the ingest thread stopped")
            self.failure = error

    def _once(self) -> None:
        handled = self._received()
        now = self._now()
        self._keeper.look()
        since, wanted = now - self._last_snapshot, self._keeper.until_next_ns
        late = not 0 <= since <= wanted + CALM_NS
        due = late or (since > wanted and not self._behind)
        due = due and handled is not None and not self._keeper.busy
        if due and self.pipeline.filings.failed:
            due, self._last_snapshot = False, now  # given up: the ledger is away
        self.pipeline.filings.rests = due
        due = due and not self.pipeline.filings.busy
        self._further(handled or Handled(), wholly=(due and late) or handled is None)
        self.pipeline.file_if_due()
        if due and (late or not self._behind):
            self._save()
            self._last_snapshot = now
        if handled is None:
            self._stop.wait(RETRY_S)

    def _received(self) -> Handled | None:
        """Make a group durable, and say so; None: none is taken, broker and devices keep theirs."""
        if (self.pipeline.full and not self._relieved()) or not self._roomy():
            return None
        self._repairs.fetch()
        if not self._again:
            at_once = bool(self._behind) and not self._keeper.copying
            self._again = self._link.group(self.pipeline.filings.until_due_s, at_once=at_once)
        group = self._again
        now = self._now()
        self.ingest.refuse(self._link.refused(), now)
        try:
            handled = self.ingest.handle(group, now, self._own(now))
        except StoreCorrupt:
            raise  # what follows would be a guess: a restart reads what is there
        except StoreError as error:
            log.error("journal: %s", error)
            return None  # not acknowledged, no receipt: the same group is tried again
        self._again = []
        self._ticked = self._ticked or bool(self._tick)
        self._tick = []
        self._repairs.journalled()
        self._link.acknowledge(group)
        self._link.send(handled.receipts)
        return handled

    def _roomy(self) -> bool:
        """Whether the disk has room; looked at once a second."""
        now = self._now()
        if not 0 <= now - self._looked < TICK_NS:
            self._looked = now
            self._room.enough()
        return self.shortage() is None

    def _own(self, now: int) -> list[Entry]:
        """Return the service's own entries: the newest tick that is due, and repairs."""
        if not 0 < self._next_tick - now <= TICK_NS:  # due, or the clock was set back
            self._next_tick = now - now % TICK_NS + TICK_NS
            self._tick = [Entry(Kind.TICK, now, "", b"" if self._ticked else BEGINS)]
        return [*self._tick, *self._repairs.entries(now)]

    def _further(self, handled: Handled, *, wholly: bool = False) -> None:
        """Take what is durable further, in order; what has come to the link meanwhile goes first.

        So does a copy of the state. What then waits is no more than `BEHIND_BYTES`.
        """
        self._behind.add(handled)
        ends = math.inf if wholly else time.monotonic() + FURTHER_S
        while not self.pipeline.full:
            if self._behind.bytes > BEHIND_BYTES:
                self._keeper.copied()
            if self._keeper.copying or not self._behind:
                return
            self.pipeline.apply(*self._behind.take())
            late = time.monotonic() >= ends and self._behind.bytes <= BEHIND_BYTES
            if late and self._link.waiting:
                return

    def _save(self) -> None:
        """Have a snapshot taken of what the whole journal has come to; what was said is filed."""
        position = self.pipeline.position
        if self._behind or not self.pipeline.flush(position):
            return
        try:
            self.ingest.sequencer.shelve(self._now())
        except StoreError as error:
            log.warning("snapshot: %s; tried again at the next", error)
            return
        numbers = self.ingest.sequencer.dump()  # which goes on, unlike what `_taken` reads
        if (parked := self.pipeline.decoder.parking.oldest()) is not None:
            self._keeper.waited(position, parked)
        self._filed = self.pipeline.filings.begin(position)
        self._keeper.begin(lambda: self._taken(position, numbers), self._link.wake)

    def _durable(self) -> int:
        """Return up to where the stores have everything, once the ledger took it or refused."""
        return self._telemetry.durable_position() if self._filed.result() else -1

    def _taken(self, position: int, numbers: list[list[Any]]) -> snapshot.Snapshot:
        """Return the state."""
        values = {
            "sequencer": numbers,
            "fingerprints": FINGERPRINTS,
            "decoder": self.pipeline.decoder.dump(),
            "told_ns": self.pipeline.decoder.told_ns,
            "reviews": self.pipeline.reviews.dump(),
            "tick_ns": self.pipeline.reviews.tick_ns,
            "pace": self.pipeline.reviews.pace,
        }
        return snapshot.Snapshot(position, self.pipeline.fleet.state(), values)
