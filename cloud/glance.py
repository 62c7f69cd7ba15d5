"""A machine at a glance: as the board shows it, and how an assessment changes that."""

from collections.abc import Sequence

import msgspec

from cloud.ledger import Ledger
from cloud.trail import POINTS, Trail, longer
from models.assessment import Assessment, Life, State


class Glance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A machine at a glance.

    `seen_ns` is the time of its newest assessment and `data_ns` of its newest reading, both on its
    own clock; `heard_ns` is when the service last received something of it, on the wall's. `first`
    is the life that ends first. `trail`: its health of the last month (`cloud.trail`).
    """

    machine: str
    seen_ns: int | None = None
    data_ns: int | None = None
    heard_ns: int | None = None
    state: State = State.UNKNOWN
    score: float | None = None
    health: float | None = None
    coverage: float | None = None
    first: Life | None = None
    trail: Trail = b""


def first_life(lives: Sequence[Life]) -> Life | None:
    """Return the life that is most likely to end first, if any is known."""
    known = [(life.p50_s, life.component, life) for life in lives if life.p50_s is not None]
    return min(known, key=lambda one: one[:2])[2] if known else None


def after(known: Glance, assessment: Assessment) -> Glance:
    """Return a glance as an assessment leaves it; one that is older changes nothing."""
    if assessment.revision or (known.seen_ns is not None and assessment.at_ns < known.seen_ns):
        return known
    return msgspec.structs.replace(
        known,
        seen_ns=assessment.at_ns,
        state=assessment.state,
        score=assessment.score,
        health=assessment.health,
        coverage=assessment.coverage,
        first=first_life(assessment.lives),
        trail=longer(known.trail, assessment.at_ns, assessment.health),
    )


def past(ledger: Ledger, machine: str) -> Glance:
    """Return a machine at a glance as its kept assessments show it."""
    rows, _ = ledger.assessments(machine, limit=POINTS * 4)
    glance = Glance(machine=machine)
    for row in reversed(rows):
        glance = msgspec.structs.replace(after(glance, row.assessment), heard_ns=row.recorded_ns)
    return glance
