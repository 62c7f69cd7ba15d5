"""Counts of what the ledger holds, for metrics."""

import sqlalchemy as sa

from cloud.ledger import tables as t
from cloud.ledger.base import Part
from cloud.ledger.records import Tally


class Tallies(Part):
    """Counts, all of one moment."""

    def tally(self) -> Tally:
        """Count machines, tickets and advisories by state, alerts that wait, and the quarantine."""
        waiting = sa.select(sa.func.count(), sa.func.min(t.alert.c.recorded_ns)).where(
            t.alert.c.state == "pending"
        )
        with self._db.reading() as connection:
            count, oldest = connection.execute(waiting).one()
            return Tally(
                machines=_by(connection, t.machine.c.state),
                tickets=_by(connection, t.ticket.c.state),
                advisories=_by(connection, t.advisory.c.state),
                alerts_waiting=count,
                oldest_alert_ns=oldest,
                quarantined=_sums(connection),
            )


def _by(connection: sa.Connection, column: sa.Column[str]) -> dict[str, int]:
    query = sa.select(column, sa.func.count()).group_by(column).order_by(column)
    return {str(name): int(count) for name, count in connection.execute(query)}


def _sums(connection: sa.Connection) -> dict[str, int]:
    column = t.quarantine_count.c.reason
    total = sa.func.sum(t.quarantine_count.c.count)
    query = sa.select(column, total).group_by(column).order_by(column)
    return {str(name): int(count) for name, count in connection.execute(query)}
