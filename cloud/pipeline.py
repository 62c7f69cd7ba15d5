"""What happens behind the journal: decode, store, score, file. The same code live and in a replay.

One thread runs it, group after group. The telemetry store, the fleet and the ledger each remember
how far they are; a record that comes again after a crash changes nothing.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from cloud.decode import Aside, Decoder, Item, Message, Restart
from cloud.diagnostics.values import Answered
from cloud.errors import StoreError
from cloud.filings import Filing, Filings
from cloud.journal import Record
from cloud.ledger import Registration
from cloud.review import Reviews
from cloud.signals import Signals
from cloud.telemetry import TelemetryStore
from models.assessment import Assessment
from models.fleet import Fleet
from models.rows import Block, Tick, size_of

#: of blocks kept while the telemetry store is away; beyond it the intake pauses
PENDING_BYTES = 40 << 20
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


class Pipeline:
    """Brings records to the store, the models and the ledger, in order, each once."""

    def __init__(
        self,
        decoder: Decoder,
        fleet: Fleet,
        telemetry: TelemetryStore,
        filings: Filings,
    ) -> None:
        self.decoder = decoder
        self.fleet = fleet
        self.reviews = Reviews(fleet.profile, telemetry)
        self.position = -1
        self.signals = Signals(fleet)
        self.filings = filings
        self._telemetry = telemetry
        self._pending: list[Block] = []
        self._pending_bytes = 0
        self._stored = telemetry.position()
        self.store_error: str | None = None
        self.on_heard: Callable[[Sequence[Block], Sequence[Assessment]], None] | None = None

    @property
    def full(self) -> bool:
        """Whether no more may be taken until the store that is away is back."""
        return self._pending_bytes > PENDING_BYTES or self.filings.full

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
        self.filings.add(
            aside=[item for item in others if isinstance(item, Aside)],
            answers=[item for item in others if isinstance(item, Answered)],
        )
        self.file_if_due()
        if self.on_heard is not None:
            self.on_heard(blocks, assessments)

    def _step(self, items: list[Item], blocks: list[Block], position: int) -> list[Assessment]:
        """Store and score items with one tick at most, their last; return what was said live.

        `blocks`: those among them.
        """
        self._store(blocks, position)
        said = assess(self.fleet, items)
        self.filings.add(said)
        self.reviews.note(blocks)
        if items and isinstance(items[-1], Tick):
            waiting = bool(self._pending) or self._telemetry.trouble() is not None
            self.filings.add(self.reviews.due(items[-1], waiting=waiting))
        return [one for one in said if isinstance(one, Assessment)]

    def file_if_due(self) -> None:
        """File what waits for the ledger, unless some went there just now."""
        self.filings.file_if_due(self.position)

    def file(self) -> None:
        """File what waits for the ledger here and now."""
        self.filings.file(self.position)

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
