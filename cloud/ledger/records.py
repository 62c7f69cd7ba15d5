"""What the ledger keeps, as frozen values.

Ids are UUIDv7 texts (a machine's id is its name), so that a newer thing has a greater id. `version`
counts changes, for optimistic locking. Times named `*_ns` are ns since 1970 UTC on the machine's
own clock (for `clock = "data"` its newest data time); `recorded_ns` is the wall clock.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Literal, Protocol

import msgspec

from models.assessment import Assessment, Check, Comparison, Life, State
from models.profile import Words

INTERNAL: Final = "noted"  #: type of an event that customers do not see
Clock = Literal["wall", "data"]
Policy = Literal["shadow", "advise", "auto"]
Confidence = Literal["low", "medium", "high"]


class Verdict(StrEnum):
    """What the technician found."""

    CONFIRMED = "confirmed"
    NO_FAULT_FOUND = "no_fault_found"
    INCONCLUSIVE = "inconclusive"


class AdvisoryState(StrEnum):
    """Where an advisory is. `shadow` ones are recorded only."""

    SHADOW = "shadow"
    OPEN = "open"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    VERIFIED = "verified"
    EXPIRED = "expired"
    CLOSED = "closed"


class TicketState(StrEnum):
    """Fixed categories; later states refine them and never change their meaning."""

    NEW = "new"
    IN_PROGRESS = "in_progress"
    RESOLVED = "resolved"
    CLOSED_CONFIRMED = "closed_confirmed"
    CLOSED_UNCONFIRMED = "closed_unconfirmed"
    CANCELLED = "cancelled"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What every record has."""

    id: str
    recorded_ns: int


class MachineRow(Record, frozen=True, kw_only=True):
    """A machine with its binding to a profile and its newest assessment in short.

    `seen_ns` is the time of the newest assessment; `left_s` the smallest known p50 of its lives.
    """

    version: int
    device: str
    profile: str
    profile_version: int | None
    profile_since_ns: int
    name: str | None
    clock: Clock
    first_ns: int
    seen_ns: int | None = None
    state: State = State.UNKNOWN
    score: float | None = None
    health: float | None = None
    coverage: float | None = None
    left_s: float | None = None


class AssessmentRow(Record, frozen=True, kw_only=True):
    """An assessment as filed; the ledger keeps the newest of each machine."""

    assessment: Assessment


class AdvisoryRow(Record, frozen=True, kw_only=True):
    """Something to plan, with its window.

    The visit belongs between `due_earliest_ns` and `due_latest_ns`; a part must be ordered by
    `order_by_ns`. `ended_ns` is set while no evidence is active. While `observe_until_ns` is ahead,
    a decided advisory still takes up new evidence, so that no second one appears.
    """

    version: int
    machine: str
    component: str
    mode: str
    profile: str
    policy: Policy
    state: AdvisoryState
    severity: int  #: 1 notice, 2 alert, 3 alarm
    priority: int  #: 1 high .. 3 low
    title: Words
    action: Words
    part: str | None
    duration_h: float
    opened_ns: int
    last_ns: int
    ended_ns: int | None
    life: Life | None  #: counted from `life_at_ns`
    life_at_ns: int | None
    due_earliest_ns: int
    due_latest_ns: int
    order_by_ns: int | None
    coverage: float
    confidence: Confidence
    ticket_id: str | None = None
    verdict: Verdict | None = None
    decided_by: str | None = None
    reason: str | None = None  #: why it was deferred or rejected
    defer_until_ns: int | None = None
    observe_until_ns: int | None = None
    previous_id: str | None = None
    acknowledged_by: str | None = None  #: who looks into it, while nothing is decided
    acknowledged_ns: int | None = None


class EvidenceRow(Record, frozen=True, kw_only=True):
    """One check on one signal (or a life band) behind an advisory.

    `since_ns` is its first beginning, `last_ns` its newest change, `count` how often it began;
    `ended_ns` is None while it is active. `value` and `expected` are in the signal's unit, as they
    were when it was worst (an alarm that falls back to an alert begins anew); `witnesses` did not
    agree with it then. `told_ns` is when a message last told of it as the alarm that sets the date.
    """

    advisory_id: str
    kind: Literal["condition", "life"]
    signal: str | None
    check: Check | None
    since_ns: int
    last_ns: int
    ended_ns: int | None
    count: int
    severity: int
    score: float
    value: float | None
    expected: float | None
    life: Life | None
    witnesses: tuple[Comparison, ...] | None = None
    told_ns: int | None = None


class TicketRow(Record, frozen=True, kw_only=True):
    """Work to be done on a machine, for one advisory."""

    version: int
    number: int  #: short number for people
    advisory_id: str
    machine: str
    component: str
    mode: str
    state: TicketState
    severity: int
    priority: int
    title: Words
    action: Words
    part: str | None
    duration_h: float
    due_earliest_ns: int
    due_latest_ns: int
    order_by_ns: int | None
    opened_ns: int
    assignee: str | None = None
    acknowledged_ns: int | None = None
    resolved_ns: int | None = None
    closed_ns: int | None = None
    verdict: Verdict | None = None
    as_found: str | None = None
    note: str | None = None
    replaced: str | None = None


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """What the models must be told: this component is new since `at_ns` of the machine's clock."""

    id: str
    machine: str
    component: str | None
    at_ns: int


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A resolved ticket, and the repair to journal when a component was replaced."""

    ticket: TicketRow
    repair: Repair | None


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A part that a work order replaced, and what had been forecast of it at `forecast_ns`."""

    machine: str
    opened_ns: int
    resolved_ns: int
    verdict: Verdict | None
    forecast_ns: int | None
    life: Life | None


class EventRow(Record, frozen=True, kw_only=True):
    """One change: who, when, what. Append-only; `seq` grows by the order of commits."""

    seq: int
    subject: Literal["machine", "advisory", "ticket", "alert", "quarantine", "account", "device"]
    subject_id: str
    machine: str | None
    type: str
    at_ns: int
    actor: str
    detail: Mapping[str, object]


class Registration(msgspec.Struct, frozen=True):
    """A machine as its device announced it at `at_ns` (ns since 1970 UTC)."""

    machine: str
    device: str
    profile: str  #: its name, known or not
    name: str | None
    at_ns: int
    clock: Clock = "wall"  #: whose time its readings carry
    units: Sequence[tuple[str, str]] = ()  #: (signal, UCUM code) as told, each signal once


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a write, as it was first given."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are, at one moment."""

    machines: Mapping[str, int]  #: by state
    tickets: Mapping[str, int]  #: by state
    advisories: Mapping[str, int]  #: by state
    alerts_waiting: int
    oldest_alert_ns: int | None  #: wall clock, of those that wait
    quarantined: Mapping[str, int]  #: messages and columns ever set aside, by reason


class SetAside(Protocol):
    """What the quarantine takes (`cloud.decode.Aside` is one)."""

    @property
    def n(self) -> int:
        """Journal position of the record it came from."""
        ...

    @property
    def at_ns(self) -> int:
        """When it was received, wall clock."""
        ...

    @property
    def topic(self) -> str:
        """Topic it came on."""
        ...

    @property
    def reason(self) -> str:
        """Why it was set aside (`models.contract.errors.Reason`)."""
        ...

    @property
    def detail(self) -> str:
        """What is wrong with it."""
        ...

    @property
    def payload(self) -> bytes:
        """The bytes."""
        ...


class QuarantineRow(Record, frozen=True, kw_only=True):
    """A message or column that was set aside. `payload` is None beyond the bounds."""

    device: str  #: "" when the topic names none
    n: int
    topic: str
    reason: str
    detail: str
    sha256: str
    size: int
    payload: bytes | None


class QuarantineCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many were set aside of one device for one reason, kept or not."""

    device: str
    reason: str
    count: int
    kept: int  #: of these, with their payload
    last_ns: int  #: wall clock


class AlertRow(Record, frozen=True, kw_only=True):
    """A message owed to the customer. `batch_id` names the message that carries it.

    Ticket, advisory and evidence are as they are when the alert is read.
    """

    machine: str
    name: str | None  #: the machine's name for people
    clock: Clock
    ticket: TicketRow
    advisory: AdvisoryRow
    evidence: tuple[EvidenceRow, ...]
    kind: Literal["opened", "raised", "reopened"]
    severity: int
    batch_id: str | None
    state: Literal["pending", "sent", "given-up"]
    attempts: int
    next_ns: int  #: wall clock
    delivered: tuple[str, ...]  #: channels that have it


class AlertNote(Record, frozen=True, kw_only=True):
    """An alert in short: what it is about and what became of it."""

    machine: str
    ticket_id: str
    kind: Literal["opened", "raised", "reopened"]
    severity: int
    batch_id: str | None
    state: Literal["pending", "sent", "given-up"]
    attempts: int
    next_recorded_ns: int  #: when it goes next, wall clock
    delivered: tuple[str, ...]  #: channels that have it


class DeliveryRow(Record, frozen=True, kw_only=True):
    """One attempt to send one message over one channel. `error` None = it went."""

    batch_id: str
    machine: str
    channel: str
    attempt: int
    error: str | None


class Filed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that `Ledger.file` did that people may want to hear of."""

    what: Literal["advisory", "raised", "ended", "expired", "ticket"]
    machine: str
    mode: str
    advisory_id: str
    ticket_id: str | None
    severity: int
    at_ns: int
