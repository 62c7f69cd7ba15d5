"""The states of a ticket as one table. Buttons, checks, documentation and tests come from it."""

from typing import Final, NamedTuple

from cloud.errors import Conflict, Refused
from cloud.ledger.records import TicketState as S


class Transition(NamedTuple):
    """One row: in `source`, `event` leads to `target`; `needs` is a field that must be given."""

    source: S
    event: str
    target: S
    needs: str | None
    role: str


TABLE: Final = (
    Transition(S.NEW, "acknowledge", S.IN_PROGRESS, None, "technician"),
    Transition(S.NEW, "resolve", S.RESOLVED, "verdict", "technician"),
    Transition(S.NEW, "cancel", S.CANCELLED, "note", "planner"),
    Transition(S.IN_PROGRESS, "resolve", S.RESOLVED, "verdict", "technician"),
    Transition(S.IN_PROGRESS, "cancel", S.CANCELLED, "note", "planner"),
    Transition(S.RESOLVED, "reopen", S.IN_PROGRESS, "note", "customer"),
    Transition(S.RESOLVED, "confirm", S.CLOSED_CONFIRMED, None, "customer"),
    Transition(S.RESOLVED, "lapse", S.CLOSED_UNCONFIRMED, None, "planner"),
)
ROWS: Final = {(row.source, row.event): row for row in TABLE}
#: its visit is still to come
PLANNED: Final = frozenset({S.NEW, S.IN_PROGRESS})
FINAL: Final = frozenset(S) - {row.source for row in TABLE}


def allowed(state: S) -> tuple[str, ...]:
    """Return what can be done in a state."""
    return tuple(row.event for row in TABLE if row.source is state)


def step(state: S, event: str, given: str | None = None) -> S:
    """Return the state that an event leads to.

    Raises `Conflict` naming the state and what it allows, `Refused` when what the step needs
    (a verdict, a note) is not `given`.
    """
    row = ROWS.get((state, event))
    if row is None:
        can = " or ".join(allowed(state)) or "nothing: it is final, make a new one"
        raise Conflict(f"the ticket is '{state}', '{event}' is not possible; possible is {can}")
    if row.needs is not None and not (given or "").strip():
        raise Refused(f"/{row.needs}", f"'{event}' needs a {row.needs}")
    return row.target
