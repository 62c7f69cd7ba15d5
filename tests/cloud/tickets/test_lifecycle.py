import itertools

import pytest

from cloud.errors import Conflict, Refused
from cloud.ledger.records import TicketState
from cloud.tickets.lifecycle import FINAL, ROWS, TABLE, allowed, step

EVENTS = sorted({row.event for row in TABLE})


@pytest.mark.parametrize(("state", "event"), list(itertools.product(TicketState, EVENTS)))
def test_every_pair_of_state_and_event_is_a_row_or_a_conflict(
    state: TicketState, event: str
) -> None:
    row = ROWS.get((state, event))
    if row is not None:
        assert step(state, event, "given") is row.target
        return
    with pytest.raises(Conflict) as caught:
        step(state, event, "given")
    assert f"'{state}'" in str(caught.value)
    for possible in allowed(state):
        assert possible in str(caught.value)


def test_only_the_closed_and_cancelled_are_final() -> None:
    assert {
        TicketState.CLOSED_CONFIRMED,
        TicketState.CLOSED_UNCONFIRMED,
        TicketState.CANCELLED,
    } == FINAL


@pytest.mark.parametrize("row", [row for row in TABLE if row.needs])
@pytest.mark.parametrize("given", [None, "", "  "])
def test_what_a_step_needs_must_be_given(row: object, given: str | None) -> None:
    with pytest.raises(Refused) as caught:
        step(row.source, row.event, given)  # type: ignore[attr-defined]
    assert caught.value.field == f"/{row.needs}"  # type: ignore[attr-defined]
