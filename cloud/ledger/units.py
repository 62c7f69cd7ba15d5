"""The units that devices tell of their machines' signals: the newest of each machine."""

from collections.abc import Sequence

import sqlalchemy as sa

from cloud.ledger import tables as t
from cloud.ledger.base import chunks
from cloud.ledger.records import Registering


def note(connection: sa.Connection, births: Sequence[Registering], now_ns: int) -> None:
    """Write what births of known machines tell; the same again, or an older one, changes nothing.

    A birth without units takes those of an earlier one away.
    """
    newest = {one.machine: one for one in sorted(births, key=lambda one: one.at_ns)}
    known = {}
    for part in chunks(sorted(newest)):
        rows = connection.execute(sa.select(t.unit).where(t.unit.c.machine.in_(part)))
        known.update({row.machine: row for row in rows})
    fresh = []
    for one in newest.values():
        old, told = known.get(one.machine), dict(one.units)
        row = {"at_ns": one.at_ns, "recorded_ns": now_ns, "units": told}
        if old is None:
            fresh += [{"machine": one.machine, **row}] if told else []
        elif old.units != told and old.at_ns <= one.at_ns:
            change = sa.update(t.unit).where(t.unit.c.machine == one.machine)
            connection.execute(change.values(row))
    if fresh:
        connection.execute(sa.insert(t.unit), fresh)
