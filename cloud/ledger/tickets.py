"""Tickets: from `new` to closed, with what the technician found going back to the advisory."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from cloud.advisories.values import OBSERVE_NS
from cloud.errors import Refused
from cloud.ledger import tables as t
from cloud.ledger.base import Part, check_version, unpack
from cloud.ledger.docket import Docket
from cloud.ledger.records import (
    INTERNAL,
    AdvisoryRow,
    AdvisoryState,
    Ended,
    EventRow,
    Repair,
    Resolved,
    TicketRow,
    TicketState,
    Verdict,
)
from cloud.tickets.lifecycle import step

Key = tuple[int | str, ...]
replace = msgspec.structs.replace


class Tickets(Part):
    """Lists and transitions; what is possible when stands in `cloud.tickets.lifecycle`."""

    def tickets(
        self,
        *,
        after: Key | None = None,
        limit: int = 100,
        machine: str | None = None,
        states: Sequence[TicketState] = (),
    ) -> tuple[list[TicketRow], Key | None]:
        """List tickets, newest first; `states` empty = all."""
        rows = sa.select(t.ticket)
        if machine is not None:
            rows = rows.where(t.ticket.c.machine == machine)
        if states:
            rows = rows.where(t.ticket.c.state.in_([str(state) for state in states]))
        return self._page(rows, TicketRow, t.ticket.c.id, after, limit)

    def ticket(self, ticket_id: str) -> TicketRow:
        """Return one ticket."""
        with self._db.reading() as connection:
            return self._get(connection, t.ticket, TicketRow, ticket_id)

    def ended_parts(self, component: str, profile: str, limit: int = 100) -> list[Ended]:
        """Return the parts of a kind that work orders replaced, newest first."""
        ticket, advisory, evidence = t.ticket.c, t.advisory.c, t.evidence.c
        about = sa.and_(evidence.advisory_id == ticket.advisory_id, evidence.kind == "life")
        query = (
            sa.select(
                ticket.machine,
                ticket.opened_ns,
                ticket.resolved_ns,
                ticket.verdict,
                evidence.since_ns.label("forecast_ns"),
                evidence.life,
            )
            .join(t.advisory, advisory.id == ticket.advisory_id)
            .outerjoin(t.evidence, about)
            .where(ticket.replaced == component, ticket.component == component)
            .where(advisory.profile == profile, ticket.resolved_ns.is_not(None))
            .order_by(ticket.resolved_ns.desc(), ticket.id)
            .limit(limit)
        )
        with self._db.reading() as connection:
            return [unpack(Ended, row) for row in connection.execute(self._seen(query, t.ticket))]

    def acknowledge(self, ticket_id: str, version: int, *, actor: str) -> TicketRow:
        """Take a new ticket on: `in_progress`, assigned to the actor."""
        with self._db.writing() as connection:
            old, at_ns = self._begin(connection, ticket_id, version)
            state = step(old.state, "acknowledge")
            new = replace(old, state=state, assignee=actor, acknowledged_ns=at_ns)
            return self._finish(connection, old, new, at_ns=at_ns, actor=actor)

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
        with self._db.writing() as connection:
            old, at_ns = self._begin(connection, ticket_id, version)
            state = step(old.state, "resolve", verdict)
            self._check_component(connection, old, replaced)
            new = replace(
                old,
                state=state,
                resolved_ns=at_ns,
                verdict=verdict,
                as_found=as_found,
                note=note,
                replaced=replaced,
            )
            changes = {
                "state": AdvisoryState.VERIFIED,
                "verdict": verdict,
                "observe_until_ns": at_ns + OBSERVE_NS,
            }
            done = self._finish(connection, old, new, at_ns=at_ns, actor=actor, advisory=changes)
            return Resolved(ticket=done, repair=_repaired(connection, done, at_ns))

    def repairs_due(self) -> list[Repair]:
        """Return the repairs that the models have not been told of, oldest first."""
        columns = [c for c in t.repair.c if c.name != "handed"]
        rows = sa.select(*columns).where(~t.repair.c.handed).order_by(t.repair.c.at_ns)
        with self._db.reading() as connection:
            return [Repair(**row._mapping) for row in connection.execute(rows)]

    def repair_handed(self, repair_id: str) -> None:
        """Note that a repair is in the journal."""
        with self._db.writing() as connection:
            connection.execute(
                sa.update(t.repair).where(t.repair.c.id == repair_id).values(handed=True)
            )

    def reopen(self, ticket_id: str, version: int, *, actor: str, note: str) -> TicketRow:
        """Take a resolved ticket up again."""
        with self._db.writing() as connection:
            old, at_ns = self._begin(connection, ticket_id, version)
            state = step(old.state, "reopen", note)
            new = replace(old, state=state, resolved_ns=None, verdict=None, note=note)
            changes = {
                "state": AdvisoryState.ACCEPTED,
                "verdict": None,
                "observe_until_ns": None,
            }
            return self._finish(connection, old, new, at_ns=at_ns, actor=actor, advisory=changes)

    def close_ticket(
        self, ticket_id: str, version: int, *, actor: str, confirmed: bool, note: str | None = None
    ) -> TicketRow:
        """Close a resolved ticket: confirmed by the customer, or not heard of."""
        with self._db.writing() as connection:
            old, at_ns = self._begin(connection, ticket_id, version)
            state = step(old.state, "confirm" if confirmed else "lapse")
            new = replace(old, state=state, closed_ns=at_ns, note=note or old.note)
            return self._finish(connection, old, new, at_ns=at_ns, actor=actor)

    def cancel(self, ticket_id: str, version: int, *, actor: str, note: str) -> TicketRow:
        """End a ticket without work; its advisory counts as rejected."""
        with self._db.writing() as connection:
            old, at_ns = self._begin(connection, ticket_id, version)
            new = replace(old, state=step(old.state, "cancel", note), closed_ns=at_ns, note=note)
            changes = {
                "state": AdvisoryState.REJECTED,
                "reason": note,
                "decided_by": actor,
                "observe_until_ns": at_ns + OBSERVE_NS,
            }
            return self._finish(connection, old, new, at_ns=at_ns, actor=actor, advisory=changes)

    def comment(self, ticket_id: str, *, actor: str, text: str, internal: bool = False) -> EventRow:
        """Add a remark to a ticket's events; customers do not see an internal one."""
        if not text.strip():
            raise Refused("/text", "write something")
        with self._db.writing() as connection:
            ticket = self._get(connection, t.ticket, TicketRow, ticket_id)
            docket = Docket(connection, self._stamp())
            at_ns = self._machine_now(connection, ticket.machine)
            kind = INTERNAL if internal else "commented"
            event = docket.event(ticket, kind, at_ns, actor, {"text": text})
            docket.write()
            seq = connection.scalar(sa.select(t.event.c.seq).where(t.event.c.id == event.id))
        return replace(event, seq=seq)

    def _begin(
        self, connection: sa.Connection, ticket_id: str, version: int
    ) -> tuple[TicketRow, int]:
        ticket = self._get(connection, t.ticket, TicketRow, ticket_id)
        check_version(ticket.version, version, "ticket")
        return ticket, self._machine_now(connection, ticket.machine)

    def _check_component(
        self, connection: sa.Connection, ticket: TicketRow, replaced: str | None
    ) -> None:
        if replaced is None:
            return
        name = connection.scalar(
            sa.select(t.machine.c.profile).where(t.machine.c.id == ticket.machine)
        )
        profile = self._profile(name or "generic")
        known = {mode.component for mode in profile.failure_modes.values()}
        known |= {*profile.consumables, ticket.component}
        if replaced not in known:
            raise Refused("/replaced", f"no component '{replaced}'; one of {sorted(known)}")

    def _finish(
        self,
        connection: sa.Connection,
        old: TicketRow,
        new: TicketRow,
        *,
        at_ns: int,
        actor: str,
        advisory: dict[str, Any] | None = None,
    ) -> TicketRow:
        """Write the ticket's next version and what changes on its advisory, with their events."""
        new = replace(new, version=old.version + 1)
        docket = Docket(connection, self._stamp())
        docket.ticket(new)
        detail = {"before": old.state, "note": new.note}
        if new.state is TicketState.RESOLVED:
            detail |= {"verdict": new.verdict, "as_found": new.as_found, "replaced": new.replaced}
        docket.event(new, new.state, at_ns, actor, detail)
        if advisory:
            row = self._get(connection, t.advisory, AdvisoryRow, new.advisory_id)
            row = replace(row, version=row.version + 1, last_ns=at_ns, **advisory)
            docket.advisory(row)
            docket.event(row, row.state, at_ns, actor, {"verdict": row.verdict})
        docket.write()
        return new


def _repaired(connection: sa.Connection, ticket: TicketRow, at_ns: int) -> Repair | None:
    """Note what a resolved ticket replaced, if anything, for the models to be told of."""
    if ticket.replaced is None:
        return None
    repair = Repair(
        id=f"{ticket.id}:{ticket.version}",
        machine=ticket.machine,
        component=ticket.replaced,
        at_ns=at_ns,
    )
    row = msgspec.structs.asdict(repair) | {"handed": False}
    connection.execute(sa.insert(t.repair).values(row))
    return repair
