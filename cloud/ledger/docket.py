"""Everything that one transaction writes, collected first and written in one order."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from cloud.advisories.values import Outcome, Stamp, Standing
from cloud.ledger import tables as t
from cloud.ledger.base import pack, save
from cloud.ledger.records import AdvisoryRow, EventRow, EvidenceRow, Filed, TicketRow, TicketState
from cloud.tickets.draft import draft, follow
from cloud.tickets.lifecycle import FINAL, step

GROUP_NS = 60 * 10**9  #: alerts about one machine within so long go in one message
FOLLOWED = {"follow": "moved", "raise": "raised", "ease": "ended"}  #: events of a ticket
WORDS = {"opened": "advisory", "raised": "raised", "ended": "ended", "expired": "expired"}


class Docket:
    """Rows to be written, by id; the last version of a row counts."""

    def __init__(
        self, connection: sa.Connection, stamp: Stamp, evidence: Iterable[str] = ()
    ) -> None:
        self._connection = connection
        self._stamp = stamp
        self._known_evidence = set(evidence)
        self._new: set[str] = set()
        self._advisories: dict[str, AdvisoryRow] = {}
        self._evidence: dict[str, EvidenceRow] = {}
        self._tickets: dict[str, TicketRow] = {}
        self._alerts: list[dict[str, Any]] = []
        self.events: list[EventRow] = []
        self.filed: list[Filed] = []

    @property
    def alerts(self) -> int:
        """How many messages people are owed by this."""
        return len(self._alerts)

    def advisory(self, row: AdvisoryRow, *, new: bool = False) -> None:
        """Write an advisory."""
        self._advisories[row.id] = row
        if new:
            self._new.add(row.id)

    def ticket(self, row: TicketRow, *, new: bool = False) -> None:
        """Write a ticket."""
        self._tickets[row.id] = row
        if new:
            self._new.add(row.id)

    def event(
        self,
        subject: AdvisoryRow | TicketRow,
        kind: str,
        at_ns: int,
        actor: str,
        detail: Mapping[str, Any] | None = None,
    ) -> EventRow:
        """Write down what happened to an advisory or a ticket."""
        row = EventRow(
            id=self._stamp.new_id(),
            recorded_ns=self._stamp.recorded_ns,
            seq=0,
            subject="ticket" if isinstance(subject, TicketRow) else "advisory",
            subject_id=subject.id,
            machine=subject.machine,
            type=kind,
            at_ns=at_ns,
            actor=actor,
            detail=detail or {},
        )
        self.events.append(row)
        return row

    def outcome(self, outcome: Outcome, at_ns: int) -> Standing:
        """Write what triage decided; return the advisory as it stands then."""
        one = outcome.standing
        self.advisory(one.advisory, new=outcome.new)
        for kind, detail in outcome.notes:
            self.event(one.advisory, kind, at_ns, "triage", detail)
            if kind in WORDS:
                self._tell(WORDS[kind], one.advisory, at_ns)
        self._evidence.update({row.id: row for row in outcome.changed})
        if outcome.order == "open":
            return self.open_ticket(one, at_ns, "policy")
        if outcome.order is not None and one.ticket is not None:
            return self._order(one, one.ticket, outcome.order, at_ns)
        return one

    def open_ticket(self, one: Standing, at_ns: int, actor: str) -> Standing:
        """Make the advisory's ticket, and owe the customer a message."""
        ticket = draft(
            one.advisory,
            ticket_id=self._stamp.new_id(),
            number=self._next_number(),
            at_ns=at_ns,
            recorded_ns=self._stamp.recorded_ns,
        )
        advisory = msgspec.structs.replace(one.advisory, ticket_id=ticket.id)
        self.advisory(advisory)
        self.ticket(ticket, new=True)
        self.event(ticket, "opened", at_ns, actor, {"number": ticket.number})
        self._alert(ticket, "opened")
        self._tell("ticket", advisory, at_ns)
        return msgspec.structs.replace(one, advisory=advisory, ticket=ticket)

    def _order(self, one: Standing, ticket: TicketRow, order: str, at_ns: int) -> Standing:
        if order in FOLLOWED:
            if ticket.state in FINAL or ticket.state is TicketState.RESOLVED:
                return one
            ticket = follow(ticket, one.advisory)
            self.event(ticket, FOLLOWED[order], at_ns, "triage")
        elif order == "reopen":
            state = step(ticket.state, "reopen", "evidence came back")
            ticket = msgspec.structs.replace(
                follow(ticket, one.advisory), state=state, resolved_ns=None, verdict=None
            )
            self.event(ticket, "reopened", at_ns, "triage")
        else:
            ticket = msgspec.structs.replace(
                ticket,
                state=step(ticket.state, "lapse"),
                version=ticket.version + 1,
                closed_ns=at_ns,
            )
            self.event(ticket, "lapsed", at_ns, "triage")
        self.ticket(ticket)
        kind = {"raise": "raised", "reopen": "reopened"}.get(order)
        if kind is not None:
            self._alert(ticket, kind)
        return msgspec.structs.replace(one, ticket=ticket)

    def _tell(self, what: Any, advisory: AdvisoryRow, at_ns: int) -> None:
        self.filed.append(
            Filed(
                what=what,
                machine=advisory.machine,
                mode=advisory.mode,
                advisory_id=advisory.id,
                ticket_id=advisory.ticket_id,
                severity=advisory.severity,
                at_ns=at_ns,
            )
        )

    def _alert(self, ticket: TicketRow, kind: str) -> None:
        now = self._stamp.recorded_ns
        last = self._connection.scalar(
            sa.select(sa.func.max(t.alert.c.batched_ns)).where(t.alert.c.machine == ticket.machine)
        )
        self._alerts.append(
            {
                "id": self._stamp.new_id(),
                "recorded_ns": now,
                "machine": ticket.machine,
                "ticket_id": ticket.id,
                "kind": kind,
                "severity": ticket.severity,
                "state": "pending",
                "attempts": 0,
                "next_ns": now if last is None else max(now, last + GROUP_NS),
                "delivered": [],
            }
        )

    def _next_number(self) -> int:
        row = t.position.c
        change = sa.update(t.position).where(row.name == "ticket").values(n=row.n + 1)
        if self._connection.execute(change).rowcount == 0:
            self._connection.execute(sa.insert(t.position).values(name="ticket", n=1))
        number: int | None = self._connection.scalar(sa.select(row.n).where(row.name == "ticket"))
        assert number is not None
        return number

    def write(self) -> None:
        """Write it all: what is referred to first."""
        connection = self._connection
        save(connection, t.advisory, list(self._advisories.values()), self._new)
        save(connection, t.ticket, list(self._tickets.values()), self._new)
        rows = list(self._evidence.values())
        save(connection, t.evidence, rows, {row.id for row in rows} - self._known_evidence)
        if self._alerts:
            connection.execute(sa.insert(t.alert), self._alerts)
        if self.events:
            values = [pack(event) for event in self.events]
            for value in values:
                del value["seq"]
            connection.execute(sa.insert(t.event), values)
