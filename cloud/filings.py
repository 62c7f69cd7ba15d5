"""What waits for the ledger: births and assessments in one order, what was set aside, answers.

So do notes on repairs that the journal has. It goes there together, and by a thread beside the one
that brings it where there is one: a transaction is computed, synced, and waits for those of people.
The receipts of what comes meanwhile need not. One filing at a time; what a ledger that is busy
leaves goes first with the next.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec.structs import replace

from cloud.decode import Aside
from cloud.diagnostics.values import Answered
from cloud.errors import StoreBusy, StoreCorrupt, StoreError, StoreFull
from cloud.ledger import Ledger, Registration
from cloud.logs import traced
from models.assessment import Assessment

# Beyond these the intake pauses.
PENDING_FILINGS = 100_000  #: assessments and births kept while the ledger is away
PENDING_ASIDE_BYTES = 64 << 20  #: set-aside payloads kept while the ledger is away
T = TypeVar("T")
Filing = Registration | Assessment
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Bundle:
    """What goes to the ledger together. Whoever files it takes out what the ledger has."""

    said: list[Filing] = field(default_factory=list)  #: in the order in which it came
    aside: list[Aside] = field(default_factory=list)
    answers: list[Answered] = field(default_factory=list)
    handed: list[str] = field(default_factory=list)  #: repairs that the journal has

    def __bool__(self) -> bool:
        return bool(self.said or self.aside or self.answers or self.handed)

    def add(self, other: "_Bundle") -> None:
        """Append what came later."""
        self.said += other.said
        self.aside += other.aside
        self.answers += other.answers
        self.handed += other.handed


class Filings:
    """All calls come from one thread.

    `hold_s`: how long what comes waits for more after the last that went. `beside`: a thread that
    files what is due; `told` is called there when it has.
    """

    def __init__(
        self,
        ledger: Ledger,
        hold_s: float = 0.0,
        beside: Executor | None = None,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        self.hold_s = hold_s
        self.rests = False  #: nothing more goes to the thread beside: a snapshot waits for it
        self._ledger = ledger
        self._beside = beside
        self._told = told
        self._known: dict[str, int] = {}  #: hash of what each machine's newest birth says
        self._waiting = _Bundle()
        self._going = _Bundle()  #: with the thread beside
        self._gone: Future[bool] | None = None
        self._filed_s = -math.inf

    @property
    def full(self) -> bool:
        """Whether more waits for a ledger that is away than may."""
        both = self._waiting, self._going
        return (
            sum(len(one.said) + len(one.answers) for one in both) > PENDING_FILINGS
            or sum(len(aside.payload) for one in both for aside in one.aside) > PENDING_ASIDE_BYTES
        )

    @property
    def busy(self) -> bool:
        """Whether the thread beside is filing."""
        return self._gone is not None and not self._gone.done()

    @property
    def failed(self) -> bool:
        """Whether the ledger did not take all of what went last."""
        return bool(self._going) and not self.busy

    @property
    def settled(self) -> bool:
        """Whether the ledger has everything."""
        return not (self._waiting or self._going)

    @property
    def until_due_s(self) -> float:
        """How long what waits still waits for more; infinite where nothing does, or none goes."""
        if self.settled or self.busy or self.rests:
            return math.inf
        return max(0.0, self._filed_s + self.hold_s - time.monotonic())

    def add(
        self,
        said: Iterable[Filing] = (),
        aside: Iterable[Aside] = (),
        answers: Iterable[Answered] = (),
        handed: Iterable[str] = (),
    ) -> None:
        """Let it wait, behind what waits."""
        self._waiting.add(_Bundle([*said], [*aside], [*answers], [*handed]))

    def file_if_due(self, position: int) -> None:
        """File what waits, unless some went just now; `position`: up to where it was said."""
        if self.until_due_s <= 0:
            self.begin(position)

    def begin(self, position: int) -> Future[bool]:
        """File all that waits, beside where there is a thread; the result: the ledger has it."""
        self._back()
        self._going, self._waiting = self._waiting, _Bundle()
        if self._beside is None:
            gone = Future[bool]()
            gone.set_result(self._file(self._going, position))
        else:
            gone = self._beside.submit(self._file, self._going, position)
        self._gone = gone
        gone.add_done_callback(lambda _: self._told())
        self._filed_s = time.monotonic()
        return gone

    def file(self, position: int) -> None:
        """File what waits here and now; a ledger that is busy gets it with the next."""
        self._back()
        self._file(self._waiting, position)

    def _back(self) -> None:
        """Wait for the thread beside; what it could not file goes before all that came since."""
        if self._gone is not None:
            self._gone.result()
            self._going.add(self._waiting)
            self._waiting, self._going, self._gone = self._going, _Bundle(), None

    def _file(self, bundle: _Bundle, position: int) -> bool:
        """File a bundle; return whether the ledger has all of it."""
        try:
            with traced():
                while bundle.said:
                    self._next(bundle, position)
                _each(bundle.aside, self._ledger.quarantine_add)
                bundle.aside = []
                _each(bundle.answers, self._ledger.commands_answered)
                bundle.answers = []
                for repair in dict.fromkeys(bundle.handed):
                    self._ledger.repair_handed(repair)
                bundle.handed = []
        except StoreError as error:
            log.warning("ledger: %s; %d births and assessments wait", error, len(bundle.said))
        return not bundle

    def _next(self, bundle: _Bundle, position: int) -> None:
        """File the first of what waits; what then still waits has later positions."""
        count = _together(bundle.said)
        first = bundle.said[:count]
        self._register([one for one in first if isinstance(one, Registration)])
        said = [one for one in first if isinstance(one, Assessment)]
        if said:
            whole = count == len(bundle.said)
            self._ledger.file(position if whole else max(one.n for one in said), said)
        del bundle.said[:count]

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


def _together(waiting: Sequence[Filing]) -> int:
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
