"""A ticket made from an advisory, and kept in step with it."""

import msgspec

from cloud.ledger.records import AdvisoryRow, TicketRow, TicketState


def draft(
    advisory: AdvisoryRow, *, ticket_id: str, number: int, at_ns: int, recorded_ns: int
) -> TicketRow:
    """Return a new ticket for an advisory."""
    return TicketRow(
        id=ticket_id,
        recorded_ns=recorded_ns,
        version=1,
        number=number,
        advisory_id=advisory.id,
        machine=advisory.machine,
        component=advisory.component,
        mode=advisory.mode,
        state=TicketState.NEW,
        severity=advisory.severity,
        priority=advisory.priority,
        title=advisory.title,
        action=advisory.action,
        part=advisory.part,
        duration_h=advisory.duration_h,
        due_earliest_ns=advisory.due_earliest_ns,
        due_latest_ns=advisory.due_latest_ns,
        order_by_ns=advisory.order_by_ns,
        opened_ns=at_ns,
    )


def follow(ticket: TicketRow, advisory: AdvisoryRow) -> TicketRow:
    """Return the ticket with the advisory's severity, priority and window."""
    return msgspec.structs.replace(
        ticket,
        version=ticket.version + 1,
        severity=advisory.severity,
        priority=advisory.priority,
        due_earliest_ns=advisory.due_earliest_ns,
        due_latest_ns=advisory.due_latest_ns,
        order_by_ns=advisory.order_by_ns,
    )
