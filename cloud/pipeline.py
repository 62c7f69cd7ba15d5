"""What happens behind the journal: decode, store, score, file. The same code live and in a replay.

One thread runs it, group after group. The telemetry store, the fleet and the ledger each remember
how far they are; a record that comes again after a crash changes nothing.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from cloud.decode import Aside, Decoder, Item, Message, Restart
from cloud.diagnostics.values import Answered
from cloud.errors import StoreBusy, StoreCorrupt, StoreError, StoreFull
from cloud.journal import Record
from cloud.ledger import Ledger, Registration
from cloud.review import Reviews
from cloud.signals import Signals
from cloud.telemetry import TelemetryStore
from models.assessment import Assessment
from models.fleet import Fleet
from models.rows import Block, Tick, size_of

# Beyond these the intake pauses.
PENDING_FILINGS = 100_000  #: assessments and births kept while the ledger is away
PENDING_ASIDE_BYTES = 64 << 20  #: set-aside payloads kept while the ledger is away
PENDING_BYTES = 40 << 20  #: of blocks kept while the telemetry store is away
T = TypeVar("T")
Filing = Registration | Assessment
log = logging.getLogger(__name__)


def assess(fleet: Fleet, items: Sequence[Item]) -> list[Filing]:
    """Let the fleet observe a decoded group; return what it said and what was registered, in order.

    No I/O: a replay calls it too.
    """
    out: list[Filing] = []
    rows: list[Block | Tick] = []
    for item in items:
        if isinstance(item, (Block, Tick)):
            rows.append(item)
        elif isinstance(item, Registration):
            out += fleet.observe(rows)
            rows = []
            fleet.bind(item.machine, item.profile, item.clock, dict(item.units))
            out.append(item)
        elif isinstance(item, Restart):
            out += fleet.observe(rows)
            rows = []
            told = fleet.restart(item.machine, item.component, item.at_ns, item.n)
            out += [told] if told is not None else []
    return [*out, *fleet.observe(rows)]


def _turn(waiting: Sequence[Filing]) -> int:
    """Return how many go to the ledger together: until a machine is registered that was judged.

    What was said of it before is filed by what it was then, however long the ledger had to wait.
    """
    judged: set[str] = set()
    for at, one in enumerate(waiting):
        if isinstance(one, Assessment):
            judged.add(one.machine)
        elif one.machine in judged:
            return at
    return len(waiting)


def _to_ticks(items: list[Item]) -> Iterator[list[Item]]:
    """Yield the items up to each tick with it, and the rest, however records were grouped.

    A second look begins and ends at a tick: what comes later is not yet stored.
    """
    start = 0
    for at, item in enumerate(items):
        if isinstance(item, Tick):
            yield items[start : at + 1]
            start = at + 1
    yield items[start:]


def _each(items: list[T], write: Callable[[list[T]], object]) -> None:
    """Write all at once; where the database refuses one for what it is, all but that one.

    Raises:
        StoreError: the database is busy, full or damaged; nothing may be left out.
    """
    passing = (StoreBusy, StoreFull, StoreCorrupt)
    if not items:
        return
    try:
        write(items)
    except passing:
        raise
    except StoreError:
        for item in items:
            try:
                write([item])
            except passing:
                raise
            except StoreError as error:
                log.error("the ledger takes neither this nor a repeat of it: %r (%s)", item, error)


class Pipeline:
    """Brings records to the store, the models and the ledger, in order, each once.

    `hold_s`: how long what goes to the ledger waits for more after the last that went.
    """

    def __init__(
        self,
        decoder: Decoder,
        fleet: Fleet,
        telemetry: TelemetryStore,
        ledger: Ledger,
        *,
        hold_s: float = 0.0,
    ) -> None:
        self.decoder = decoder
        self.fleet = fleet
        self.reviews = Reviews(fleet.profile, telemetry)
        self.position = -1
        self.signals = Signals(fleet)
        self._telemetry = telemetry
        self._ledger = ledger
        self._known: dict[str, int] = {}  #: hash of what each machine's newest birth says
        self._unfiled: list[Filing] = []  #: in the order in which it came
        self._aside: list[Aside] = []
        self._answers: list[Answered] = []
        self._hold_s = hold_s
        self._filed_s = -math.inf
        self._pending: list[Block] = []
        self._pending_bytes = 0
        self._stored = telemetry.position()
        self.store_error: str | None = None
        self.on_heard: Callable[[Sequence[Block], Sequence[Assessment]], None] | None = None

    @property
    def full(self) -> bool:
        """Whether no more may be taken until the store that is away is back."""
        return (
            self._pending_bytes > PENDING_BYTES
            or len(self._unfiled) + len(self._answers) > PENDING_FILINGS
            or sum(len(aside.payload) for aside in self._aside) > PENDING_ASIDE_BYTES
        )

    @property
    def settled(self) -> bool:
        """Whether the ledger has everything (a snapshot may be taken)."""
        return not (self._unfiled or self._aside or self._answers)

    def apply(self, records: Sequence[Record], messages: Mapping[int, Message]) -> None:
        """Take a group of records further. A store that is away gets its part later."""
        if not records:
            return
        assessments: list[Assessment] = []
        blocks: list[Block] = []
        others: list[Item] = []
        for part in _to_ticks(self.decoder.decode(records, messages)):
            within = self.signals.within(self.fleet, part)
            last = within[-1] if within else None
            position = last.n if isinstance(last, Tick) else records[-1].n
            heard = [item for item in within if isinstance(item, Block)]
            assessments += self._step(within, heard, position)
            blocks += heard
            if len(heard) < len(within):
                others += [item for item in within if not isinstance(item, Block)]
        self.position = records[-1].n
        self._aside += [item for item in others if isinstance(item, Aside)]
        self._answers += [item for item in others if isinstance(item, Answered)]
        self.file_if_due()
        if self.on_heard is not None:
            self.on_heard(blocks, assessments)

    def _step(self, items: list[Item], blocks: list[Block], position: int) -> list[Assessment]:
        """Store and score items with one tick at most, their last; return what was said live.

        `blocks`: those among them.
        """
        self._store(blocks, position)
        said = assess(self.fleet, items)
        self._unfiled += said
        self.reviews.note(blocks)
        if items and isinstance(items[-1], Tick):
            waiting = bool(self._pending) or self._telemetry.trouble() is not None
            self._unfiled += self.reviews.due(items[-1], waiting=waiting)
        return [one for one in said if isinstance(one, Assessment)]

    @property
    def until_due_s(self) -> float:
        """How long what waits for the ledger still waits for more; infinite where nothing does."""
        if self.settled:
            return math.inf
        return max(0.0, self._filed_s + self._hold_s - time.monotonic())

    def file_if_due(self) -> None:
        """File what waits for the ledger, unless some went there just now."""
        if self.until_due_s <= 0:
            self.file()
            self._filed_s = time.monotonic()

    def file(self) -> None:
        """File what waits for the ledger; a ledger that is busy gets it with the next group."""
        try:
            while self._unfiled:
                self._file(_turn(self._unfiled))
            _each(self._aside, self._ledger.quarantine_add)
            self._aside = []
            _each(self._answers, self._ledger.commands_answered)
            self._answers = []
        except StoreError as error:
            log.warning("ledger: %s; %d births and assessments wait", error, len(self._unfiled))

    def _file(self, count: int) -> None:
        """File the first of what waits; what then still waits has later positions."""
        first = self._unfiled[:count]
        self._register([one for one in first if isinstance(one, Registration)])
        said = [one for one in first if isinstance(one, Assessment)]
        if said:
            whole = count == len(self._unfiled)
            self._ledger.file(self.position if whole else max(one.n for one in said), said)
        del self._unfiled[:count]

    def _register(self, items: Sequence[Registration]) -> None:
        """Register what is new, all in one transaction."""
        known: dict[str, int] = {}
        fresh = []
        for item in items:
            said = hash(replace(item, at_ns=0))
            if said != known.get(item.machine, self._known.get(item.machine)):
                known[item.machine] = said
                fresh.append(item)
        self._ledger.register(fresh)
        self._known |= known

    def _store(self, blocks: list[Block], position: int) -> None:
        fresh = [block for block in blocks if block.n > self._stored]
        self._pending += fresh
        if not self.flush(position):
            self._pending_bytes += size_of(fresh)

    def flush(self, position: int) -> bool:
        """Write what is pending; while the store is away it stays pending. True when all is in."""
        try:
            self._telemetry.write(self._pending, position)
        except StoreError as error:
            if self.store_error is None:
                log.error("telemetry store: %s", error)
            self.store_error = str(error)
            return False
        self.store_error = None
        self._pending, self._pending_bytes = [], 0
        self._stored = max(self._stored, position)
        return True
