"""What the rules take and give, and their constants."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from cloud.advisories.window import Window, absorbed
from cloud.ledger.records import AdvisoryRow, AdvisoryState, EvidenceRow, TicketRow
from models.assessment import Assessment
from models.profile import Profile

DAY_NS: Final = 86_400 * 10**9
OBSERVE_NS: Final = 7 * DAY_NS  #: so long after a decision new evidence goes to the old advisory
SETTLE_NS: Final = DAY_NS  #: so long a repaired machine runs in: what ends by then is no fault
EXPIRE_NS: Final = 14 * DAY_NS  #: quiet for so long, what comes then is another problem
RENEWED: Final = 0.5  #: a part with more left than before by this share of a life is another one
NEARER: Final = 0.1  #: a life's end nearer by this share of what is left or of the horizon counts,
LATER: Final = 0.25  #: and one that is later by this share of what is left
LATER_HORIZON: Final = 0.1  #: and of the planner's horizon
LEAST_S: Final = 3600.0  #: and in any case by more than this
TRIGGER: Final = 2  #: a notice (severity 1) opens nothing

#: a planner has not decided yet
UNDECIDED: Final = frozenset({AdvisoryState.SHADOW, AdvisoryState.OPEN, AdvisoryState.DEFERRED})
#: decided, and watched until `observe_until_ns`
WATCHED: Final = frozenset({AdvisoryState.REJECTED, AdvisoryState.VERIFIED})
#: the key (machine, component, failure mode) is taken
STANDING: Final = UNDECIDED | WATCHED | {AdvisoryState.ACCEPTED}

Order = Literal["open", "follow", "raise", "ease", "reopen", "lapse"]
Note = tuple[str, Mapping[str, Any]]


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """What rules cannot know of themselves: the next id and the wall clock."""

    new_id: Callable[[], str]
    recorded_ns: int


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One assessment to be judged. `planned`: the machine's visits, by their advisories."""

    assessment: Assessment
    profile: Profile
    stamp: Stamp
    planned: Mapping[str, Window] = msgspec.field(default_factory=dict)

    def fitted(self, due: Window, advisory_id: str | None) -> Window:
        """Return an advisory's window, within that of another planned visit if one suits."""
        others = (visit for key, visit in self.planned.items() if key != advisory_id)
        return absorbed(due, others, self.assessment.at_ns)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An advisory with its evidence and its ticket."""

    advisory: AdvisoryRow
    evidence: tuple[EvidenceRow, ...] = ()
    ticket: TicketRow | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What to write: the advisory as it is now, changed evidence, notes for the event log.

    `order` says what becomes of the ticket: open one, let it follow the advisory, raise or reopen
    it (both are told), ease it, or let it lapse.
    """

    standing: Standing
    changed: tuple[EvidenceRow, ...]
    notes: tuple[Note, ...]
    order: Order | None = None
    new: bool = False
