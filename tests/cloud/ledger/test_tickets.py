from collections.abc import Callable

import pytest

from cloud.advisories.values import OBSERVE_NS, SETTLE_NS
from cloud.errors import Conflict, NotFound, Refused
from cloud.ledger import AdvisoryState, EventRow, Ledger, Repair, TicketRow, TicketState, Verdict
from tests.cloud.ledger.made import DAY, MACHINE, SECOND, T0, assess, high


@pytest.fixture
def ticket(ledger: Ledger) -> TicketRow:
    ledger.file(1, [assess(1, high())])
    (one,), _ = ledger.tickets()
    return one


def _resolved(ledger: Ledger, ticket: TicketRow, verdict: Verdict, **more: str) -> TicketRow:
    return ledger.resolve(ticket.id, ticket.version, actor="ann", verdict=verdict, **more).ticket


def test_from_new_to_closed(ledger: Ledger, ticket: TicketRow) -> None:
    taken = ledger.acknowledge(ticket.id, ticket.version, actor="ann")
    assert (taken.state, taken.assignee) == (TicketState.IN_PROGRESS, "ann")
    assert taken.acknowledged_ns == T0 + SECOND  # the machine's clock
    done = ledger.resolve(
        taken.id,
        taken.version,
        actor="ann",
        verdict=Verdict.CONFIRMED,
        as_found="inner ring pitted",
        replaced="bearing",
    )
    assert done.repair == Repair(
        id=f"{done.ticket.id}:{done.ticket.version}",
        machine=MACHINE,
        component="bearing",
        at_ns=T0 + SECOND,
    )
    assert ledger.repairs_due() == [done.repair]
    ledger.repair_handed(done.repair.id)
    assert ledger.repairs_due() == []
    advisory = ledger.advisory(ticket.advisory_id)
    assert (advisory.state, advisory.verdict) == (AdvisoryState.VERIFIED, Verdict.CONFIRMED)
    closed = ledger.close_ticket(ticket.id, done.ticket.version, actor="bob", confirmed=True)
    assert closed.state is TicketState.CLOSED_CONFIRMED
    assert ledger.ticket(ticket.id) == closed
    with pytest.raises(Conflict, match=r"'closed_confirmed'.*final"):
        ledger.reopen(ticket.id, closed.version, actor="bob", note="again")


def test_every_change_is_in_the_event_log(ledger: Ledger, ticket: TicketRow) -> None:
    taken = ledger.acknowledge(ticket.id, ticket.version, actor="ann")
    said = ledger.comment(ticket.id, actor="ann", text="on my way")
    done = _resolved(ledger, taken, Verdict.INCONCLUSIVE, note="ran smooth")
    again = ledger.reopen(ticket.id, done.version, actor="bob", note="still loud")
    ledger.cancel(ticket.id, again.version, actor="ann", note="machine sold")
    events, _ = ledger.events(subject_id=ticket.id)
    assert [(e.type, e.actor) for e in events] == [
        ("opened", "policy"),
        ("in_progress", "ann"),
        ("commented", "ann"),
        ("resolved", "ann"),
        ("in_progress", "bob"),
        ("cancelled", "ann"),
    ]
    assert events[2] == said
    assert events[3].detail["verdict"] == "inconclusive"
    assert [e.seq for e in events] == sorted({e.seq for e in events})
    versions = _replayed(events)
    assert versions == ledger.ticket(ticket.id).version
    mine, _ = ledger.events(subject_id=ticket.advisory_id)
    assert [e.type for e in mine] == ["opened", "verified", "accepted", "rejected"]


def _replayed(events: list[EventRow]) -> int:
    """Each event but a remark is one version of the ticket."""
    return sum(event.type != "commented" for event in events)


def test_the_older_version_loses(ledger: Ledger, ticket: TicketRow) -> None:
    ledger.acknowledge(ticket.id, ticket.version, actor="ann")
    with pytest.raises(Conflict, match="version 2, not 1"):
        ledger.acknowledge(ticket.id, ticket.version, actor="bob")
    assert ledger.ticket(ticket.id).assignee == "ann"


def test_what_the_state_forbids_names_what_it_allows(ledger: Ledger, ticket: TicketRow) -> None:
    with pytest.raises(Conflict, match=r"'new'.*acknowledge or resolve or cancel"):
        ledger.close_ticket(ticket.id, ticket.version, actor="ann", confirmed=True)


def test_what_is_not_there_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no ticket 'x'"):
        ledger.ticket("x")
    with pytest.raises(NotFound):
        ledger.acknowledge("x", 1, actor="ann")


def test_a_component_must_be_one_of_the_machine(ledger: Ledger, ticket: TicketRow) -> None:
    with pytest.raises(Refused, match="no component 'wing'; one of") as caught:
        _resolved(ledger, ticket, Verdict.CONFIRMED, replaced="wing")
    assert caught.value.field == "/replaced"
    assert ledger.ticket(ticket.id) == ticket


def test_the_same_fault_after_a_repair_opens_the_resolved_ticket_again_when_it_stays(
    ledger: Ledger, ticket: TicketRow, reopen: Callable[[], Ledger]
) -> None:
    done = _resolved(ledger, ticket, Verdict.CONFIRMED, replaced="bearing")
    ledger.file(2, [assess(2, high(active=False))])
    back = high(at_ns=T0 + 3 * SECOND)
    ledger.file(3, [assess(3, back)])
    assert ledger.ticket(ticket.id) == done
    restarted = reopen()
    restarted.file(4, [assess(4, back, at_ns=T0 + 3 * SECOND + SETTLE_NS)])
    again = ledger.ticket(ticket.id)
    assert (again.state, again.version) == (TicketState.IN_PROGRESS, done.version + 1)
    assert sorted(a.kind for a in ledger.alerts_due(2 * T0)) == ["opened", "reopened"]
    assert len(ledger.tickets()[0]) == 1


def test_a_fault_after_closing_is_a_new_ticket_that_knows_the_old_one(
    ledger: Ledger, ticket: TicketRow
) -> None:
    done = _resolved(ledger, ticket, Verdict.CONFIRMED, replaced="bearing")
    ledger.close_ticket(ticket.id, done.version, actor="bob", confirmed=True)
    back = high(at_ns=T0 + 3 * SECOND)
    ledger.file(3, [assess(3, back)])
    assert len(ledger.advisories()[0]) == 1
    ledger.file(4, [assess(4, back, at_ns=T0 + 3 * SECOND + SETTLE_NS)])
    (newer, older), _ = ledger.advisories()
    assert older.state is AdvisoryState.CLOSED
    assert newer.previous_id == older.id
    assert [t.number for t in ledger.tickets()[0]] == [2, 1]


def test_no_fault_found_keeps_the_same_evidence_quiet_and_lapses(
    ledger: Ledger, ticket: TicketRow
) -> None:
    _resolved(ledger, ticket, Verdict.NO_FAULT_FOUND)
    ledger.file(2, [assess(2, high(at_ns=T0 + 2 * SECOND))])
    assert ledger.ticket(ticket.id).state is TicketState.RESOLVED
    ledger.file(3, [assess(3, at_ns=T0 + OBSERVE_NS + DAY)])
    assert ledger.ticket(ticket.id).state is TicketState.CLOSED_UNCONFIRMED
    assert ledger.advisory(ticket.advisory_id).state is AdvisoryState.CLOSED
    assert len(ledger.tickets()[0]) == 1
