"""Advisories read with all that belongs to them."""

from collections.abc import Sequence
from typing import Final

import msgspec
import sqlalchemy as sa

from cloud.advisories.values import STANDING, Standing
from cloud.ledger import tables as t
from cloud.ledger.base import chunks, unpack
from cloud.ledger.records import AdvisoryRow, EvidenceRow, TicketRow
from models.assessment import Assessment

LOOKS: Final = 20  #: second looks may be newer; behind more than these none is looked for


def load_standing(connection: sa.Connection, machines: Sequence[str]) -> dict[str, list[Standing]]:
    """Return the standing advisories of machines, oldest first."""
    out: dict[str, list[Standing]] = {}
    for part in chunks(machines):
        here = t.advisory.c.machine.in_(part) & t.advisory.c.state.in_(sorted(STANDING))
        for one in _load(connection, here):
            out.setdefault(one.advisory.machine, []).append(one)
    return out


def load_advisories(connection: sa.Connection, advisories: Sequence[str]) -> list[Standing]:
    """Return advisories by their ids."""
    return [
        one for part in chunks(advisories) for one in _load(connection, t.advisory.c.id.in_(part))
    ]


def load_tickets(connection: sa.Connection, tickets: Sequence[str]) -> dict[str, Standing]:
    """Return the advisories behind tickets, by ticket."""
    out: dict[str, Standing] = {}
    for part in chunks(tickets):
        for one in _load(connection, t.advisory.c.ticket_id.in_(part)):
            out[one.advisory.ticket_id or ""] = one
    return out


def newest(connection: sa.Connection, machine: str) -> Assessment | None:
    """Return a machine's newest assessment, but for second looks at late readings."""
    table = t.assessment.c
    query = sa.select(table.assessment).where(table.machine == machine)
    query = query.order_by(table.at_ns.desc(), table.seq.desc()).limit(LOOKS)
    for row in connection.scalars(query):
        found = msgspec.convert(row, Assessment)
        if not found.revision:
            return found
    return None


def _load(connection: sa.Connection, where: sa.ColumnElement[bool]) -> list[Standing]:
    query = sa.select(t.advisory).where(where).order_by(t.advisory.c.id)
    advisories = [unpack(AdvisoryRow, row) for row in connection.execute(query)]
    evidence: dict[str, list[EvidenceRow]] = {}
    tickets: dict[str, TicketRow] = {}
    for part in chunks([row.id for row in advisories]):
        mine = (
            sa.select(t.evidence)
            .where(t.evidence.c.advisory_id.in_(part))
            .order_by(t.evidence.c.since_ns, t.evidence.c.id)
        )
        for row in connection.execute(mine):
            evidence.setdefault(row.advisory_id, []).append(unpack(EvidenceRow, row))
        its = sa.select(t.ticket).where(t.ticket.c.advisory_id.in_(part))
        tickets |= {row.advisory_id: unpack(TicketRow, row) for row in connection.execute(its)}
    return [
        Standing(advisory=row, evidence=tuple(evidence.get(row.id, ())), ticket=tickets.get(row.id))
        for row in advisories
    ]
