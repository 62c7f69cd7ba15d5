"""The ledger: machines, advisories, tickets, alerts, quarantine, and an append-only event log.

`Ledger` says what can be asked of it; `open_ledger` brings the database up to date and opens it.
Every list takes `after` (the last row's key, None = from the start) and `limit`, and returns the
rows with the key of the next page (None = that was all). Newest first unless said otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, TypeVar

from cloud.accounts.store import AccountStore
from cloud.accounts.values import Reach
from cloud.diagnostics.values import CommandStore
from cloud.ledger.place import Place
from cloud.ledger.records import (
    AdvisoryRow,
    AdvisoryState,
    AlertNote,
    AlertRow,
    AssessmentRow,
    DeliveryRow,
    Ended,
    EventRow,
    EvidenceRow,
    Filed,
    MachineRow,
    QuarantineCount,
    QuarantineRow,
    Registration,
    Repair,
    Reply,
    Resolved,
    SetAside,
    Tally,
    TicketRow,
    TicketState,
    Verdict,
)
from models.assessment import Assessment, State
from models.profile import Profile

__all__ = [
    "AdvisoryRow",
    "AdvisoryState",
    "AlertNote",
    "AlertRow",
    "AssessmentRow",
    "DeliveryRow",
    "Ended",
    "EventRow",
    "EvidenceRow",
    "Filed",
    "Ledger",
    "MachineRow",
    "Page",
    "Place",
    "QuarantineCount",
    "QuarantineRow",
    "Registration",
    "Repair",
    "Reply",
    "Resolved",
    "SetAside",
    "Tally",
    "TicketRow",
    "TicketState",
    "Verdict",
    "open_ledger",
]

T = TypeVar("T")
Key = tuple[int | str, ...]
Page = tuple[list[T], Key | None]


class Ledger(AccountStore, CommandStore, Protocol):
    """Keeps what people decide on. Each method is one transaction.

    Reading and writing are safe from any thread; writes wait for each other. Raises `NotFound` for
    an unknown id, `Conflict` when `version` is not the newest or the state forbids the change,
    `StoreBusy`, `StoreFull` or `StoreCorrupt` when the database does not do what was asked.
    """

    # -- what the ingest thread calls

    def position(self) -> int:
        """Return the journal position up to which everything is filed (-1: nothing)."""
        ...

    def file(self, n: int, assessments: Sequence[Assessment]) -> list[Filed]:
        """File assessments, with advisories, tickets, alerts and position `n`, all or nothing.

        Those at or below `position()` are skipped, so that a replay files nothing twice. Nothing is
        written when there are none.
        """
        ...

    def register(self, births: Sequence[Registration]) -> int:
        """Make machines known, or bind them anew, in their order; return how many changed.

        The same again, or an older birth, changes nothing.
        """
        ...

    def quarantine_add(self, asides: Sequence[SetAside]) -> int:
        """Keep what could not be read, within bounds; return how many were new."""
        ...

    def repairs_due(self) -> list[Repair]:
        """Return the repairs that the models have not been told of, oldest first."""
        ...

    def repair_handed(self, repair_id: str) -> None:
        """Note that a repair is in the journal."""
        ...

    # -- machines

    def machine(self, machine: str) -> MachineRow:
        """Return one machine."""
        ...

    def units(self, machine: str) -> Mapping[str, str]:
        """Return the units (UCUM) that a machine's device tells, by signal."""
        ...

    def units_since_ns(self, machine: str) -> int | None:
        """Return since when, on its own clock, a device tells these units (None: it never did)."""
        ...

    def units_of(self, machines: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Return the units of those of the machines whose devices tell any."""
        ...

    def machines_in_other_units(self) -> list[str]:
        """Return the machines, by id, whose devices tell another unit than their profile's."""
        ...

    def machines(
        self,
        *,
        after: Key | None = None,
        limit: int = 100,
        query: str | None = None,
        state: State | None = None,
    ) -> Page[MachineRow]:
        """List machines by id, ascending. `query` is looked for in id and name."""
        ...

    def assessments(
        self,
        machine: str,
        *,
        after: Key | None = None,
        limit: int = 100,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> Page[AssessmentRow]:
        """List a machine's kept assessments with start <= at_ns < end."""
        ...

    def current(self, machine: str) -> AssessmentRow | None:
        """Return a machine's newest assessment."""
        ...

    # -- advisories

    def advisories(
        self,
        *,
        after: Key | None = None,
        limit: int = 100,
        machine: str | None = None,
        states: Sequence[AdvisoryState] = (),
    ) -> Page[AdvisoryRow]:
        """List advisories; `states` empty = all."""
        ...

    def advisory_counts(self) -> dict[AdvisoryState, int]:
        """Return how many advisories are in each state."""
        ...

    def advisory(self, advisory_id: str) -> AdvisoryRow:
        """Return one advisory."""
        ...

    def evidence(self, advisory_id: str) -> list[EvidenceRow]:
        """Return what speaks for an advisory, oldest first."""
        ...

    def decide_advisory(
        self,
        advisory_id: str,
        version: int,
        decision: Literal["accept", "defer", "shelve", "reject"],
        *,
        actor: str,
        reason: str | None = None,
        until_ns: int | None = None,
    ) -> AdvisoryRow:
        """Accept (makes the ticket), defer until a time, shelve, or reject with a reason.

        What is shelved comes back when it gets worse.
        """
        ...

    def recall(self) -> int:
        """Put snoozed advisories whose time has come back into the inbox; return how many."""
        ...

    def acknowledge_advisory(self, advisory_id: str, version: int, *, actor: str) -> AdvisoryRow:
        """Note who looks into it; `Conflict` when it is decided already."""
        ...

    def note(self, advisory_id: str, *, actor: str, text: str) -> EventRow:
        """Add a remark to an advisory's events."""
        ...

    # -- tickets

    def tickets(
        self,
        *,
        after: Key | None = None,
        limit: int = 100,
        machine: str | None = None,
        states: Sequence[TicketState] = (),
    ) -> Page[TicketRow]:
        """List tickets; `states` empty = all."""
        ...

    def ended_parts(self, component: str, profile: str, limit: int = 100) -> list[Ended]:
        """Return the parts of a kind that work orders replaced, newest first."""
        ...

    def ticket(self, ticket_id: str) -> TicketRow:
        """Return one ticket."""
        ...

    def acknowledge(self, ticket_id: str, version: int, *, actor: str) -> TicketRow:
        """Take a new ticket on: `in_progress`, assigned to the actor."""
        ...

    def resolve(
        self,
        ticket_id: str,
        version: int,
        *,
        actor: str,
        verdict: Verdict,
        as_found: str | None = None,
        note: str | None = None,
        replaced: str | None = None,
    ) -> Resolved:
        """Say what was found; the verdict goes to the advisory too. Journal `repair` if given."""
        ...

    def reopen(self, ticket_id: str, version: int, *, actor: str, note: str) -> TicketRow:
        """Take a resolved ticket up again."""
        ...

    def close_ticket(
        self, ticket_id: str, version: int, *, actor: str, confirmed: bool, note: str | None = None
    ) -> TicketRow:
        """Close a resolved ticket: confirmed by the customer, or not heard of."""
        ...

    def cancel(self, ticket_id: str, version: int, *, actor: str, note: str) -> TicketRow:
        """End a ticket without work."""
        ...

    def comment(self, ticket_id: str, *, actor: str, text: str, internal: bool = False) -> EventRow:
        """Add a remark to a ticket's events; customers do not see an internal one."""
        ...

    # -- events and quarantine

    def events(
        self,
        *,
        after: Key | None = None,
        limit: int = 100,
        machine: str | None = None,
        subject_id: str | None = None,
    ) -> Page[EventRow]:
        """List changes in order, oldest first."""
        ...

    def quarantine(
        self,
        *,
        after: Key | None = None,
        limit: int = 100,
        device: str | None = None,
        reason: str | None = None,
    ) -> Page[QuarantineRow]:
        """List what was set aside."""
        ...

    def quarantine_item(self, item_id: str) -> QuarantineRow:
        """Return one item of the quarantine."""
        ...

    def quarantine_counts(self) -> list[QuarantineCount]:
        """Return how many were set aside, by device and reason."""
        ...

    # -- what the notifier calls

    def on_alert(self, call: Callable[[], None]) -> None:
        """Call `call`, from the writing thread, after each commit that left an alert to send."""
        ...

    def alerts_due(self, now_ns: int, limit: int = 100) -> list[AlertRow]:
        """Put alerts that may go now into batches and return them, oldest first.

        One batch = one message about one machine. The first goes at once; what comes up within
        60 s of it is collected into the next. A batch never changes once it is made.
        """
        ...

    def alerts_next(self, after_ns: int) -> int | None:
        """Return the first wall time in ns after `after_ns` at which an alert may go, if any."""
        ...

    def alert_sent(self, batch_id: str, channel: str) -> None:
        """Note that a channel has taken a batch."""
        ...

    def alert_failed(self, batch_id: str, channel: str, error: str, retry_ns: int) -> None:
        """Note a failure; the batch comes up again at `retry_ns` for the channels without it."""
        ...

    def alert_done(self, batch_id: str, *, sent: bool) -> None:
        """End a batch: every channel has it, or it is given up."""
        ...

    def alerts(
        self,
        *,
        after: Key | None = None,
        limit: int = 100,
        machine: str | None = None,
        state: str | None = None,
    ) -> Page[AlertNote]:
        """List alerts, newest first."""
        ...

    def deliveries(
        self, *, after: Key | None = None, limit: int = 100, machine: str | None = None
    ) -> Page[DeliveryRow]:
        """List attempts to send."""
        ...

    # -- what the API calls

    def reaching(self, reach: Reach | None) -> "Ledger":
        """Return this ledger with only the machines within reach (None: all) to be seen.

        Everything that belongs to another machine is not there: not in lists, and not by its id.
        """
        ...

    def once(self, key: str, fingerprint: str, work: Callable[[], Reply]) -> Reply:
        """Do `work` in one transaction with its reply, or return the reply of the first time.

        `key` names caller, place and Idempotency-Key; `fingerprint` is the digest of the request
        (each at most 64 characters). An error leaves nothing behind. Replies are kept until
        `forget_replies`. `Refused` when the key was used for another request.
        """
        ...

    def forget_replies(self, now_ns: int) -> None:
        """Delete the replies that are a week old; `now_ns` is a time that may be believed."""
        ...

    def tally(self) -> Tally:
        """Count machines, tickets and advisories by state, alerts that wait, and the quarantine."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


def open_ledger(
    place: Place | str, clock: Callable[[], int], profiles: Mapping[str, Profile] | None = None
) -> Ledger:
    """Open the ledger at a place (or its URL alone), bringing its tables up to date first.

    `clock` gives wall ns since 1970 UTC. `profiles` default to those that come with forewarn.
    """
    from cloud.ledger.sql import SqlLedger  # noqa: PLC0415 - values load without a database

    return SqlLedger(place, clock, profiles)
