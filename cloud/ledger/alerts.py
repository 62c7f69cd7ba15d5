"""The outbox of alerts: written with the ticket, emptied by the notifier, at least once."""

from typing import Final

import msgspec
import sqlalchemy as sa

from cloud.advisories.modes import band_now
from cloud.advisories.values import WATCHED, Standing
from cloud.ledger import tables as t
from cloud.ledger.base import Part, chunks, pack, unpack
from cloud.ledger.records import AlertNote, AlertRow, DeliveryRow
from cloud.ledger.standing import load_tickets, newest

PENDING: Final = "pending"

Key = tuple[int | str, ...]


class Alerts(Part):
    """Batches of alerts and the log of what was sent."""

    def alerts_due(self, now_ns: int, limit: int = 100) -> list[AlertRow]:
        """Put alerts that may go now into batches and return them, oldest batch first."""
        with self._db.reading() as connection:
            if not self._machines_due(connection, now_ns):
                return self._batched(connection, now_ns, limit)
        with self._db.writing() as connection:
            for machine in self._machines_due(connection, now_ns):
                connection.execute(
                    sa.update(t.alert)
                    .where(
                        t.alert.c.machine == machine,
                        t.alert.c.state == PENDING,
                        t.alert.c.batch_id.is_(None),
                    )
                    .values(batch_id=self._new_id(), batched_ns=now_ns, next_ns=now_ns)
                )
            return self._batched(connection, now_ns, limit)

    @staticmethod
    def _machines_due(connection: sa.Connection, now_ns: int) -> list[str]:
        """Return the machines with alerts that are in no batch yet and may go."""
        query = (
            sa.select(t.alert.c.machine)
            .where(
                t.alert.c.state == PENDING,
                t.alert.c.next_ns <= now_ns,
                t.alert.c.batch_id.is_(None),
            )
            .distinct()
            .order_by(t.alert.c.machine)
        )
        return list(connection.scalars(query))

    def _batched(self, connection: sa.Connection, now_ns: int, limit: int) -> list[AlertRow]:
        """Return the due batches, `limit` of them, whole."""
        due = (
            sa.select(t.alert.c.batch_id)
            .where(
                t.alert.c.state == PENDING,
                t.alert.c.next_ns <= now_ns,
                t.alert.c.batch_id.is_not(None),
            )
            .distinct()
            .order_by(t.alert.c.batch_id)
            .limit(limit)
        )
        out: list[AlertRow] = []
        for part in chunks(list(connection.scalars(due))):
            rows = connection.execute(
                sa.select(t.alert, t.machine.c.name, t.machine.c.clock)
                .join(t.machine, t.machine.c.id == t.alert.c.machine)
                .where(t.alert.c.batch_id.in_(part))
                .order_by(t.alert.c.batch_id, t.alert.c.id)
            ).all()
            causes = load_tickets(connection, sorted({row.ticket_id for row in rows}))
            causes = {key: self._as_now(connection, one) for key, one in causes.items()}
            out += [
                unpack(
                    AlertRow,
                    row,
                    ticket=pack(cause.ticket),
                    advisory=pack(cause.advisory),
                    evidence=[pack(one) for one in cause.evidence],
                )
                for row in rows
                if (cause := causes[row.ticket_id]).ticket is not None
            ]
        return out

    def _as_now(self, connection: sa.Connection, cause: Standing) -> Standing:
        """Return an advisory that is worked on with the life band of now."""
        row = cause.advisory
        if row.life is None or row.state in WATCHED:
            return cause
        profile = self._profile(row.profile)
        life, at_ns = band_now(row, newest(connection, row.machine), profile)
        now = msgspec.structs.replace(row, life=life, life_at_ns=at_ns)
        return msgspec.structs.replace(cause, advisory=now)

    def alerts_next(self, after_ns: int) -> int | None:
        """Return the first wall time in ns after `after_ns` at which an alert may go, if any."""
        query = sa.select(sa.func.min(t.alert.c.next_ns)).where(
            t.alert.c.state == PENDING, t.alert.c.next_ns > after_ns
        )
        with self._db.reading() as connection:
            found: int | None = connection.scalar(query)
        return found

    def alert_sent(self, batch_id: str, channel: str) -> None:
        """Note that a channel has taken a batch."""
        with self._db.writing() as connection:
            self._attempt(connection, batch_id, channel, None)
            row = connection.execute(
                sa.select(t.alert.c.delivered).where(t.alert.c.batch_id == batch_id).limit(1)
            ).one()
            delivered = sorted({*row.delivered, channel})
            connection.execute(
                sa.update(t.alert).where(t.alert.c.batch_id == batch_id).values(delivered=delivered)
            )

    def alert_failed(self, batch_id: str, channel: str, error: str, retry_ns: int) -> None:
        """Note a failure; the batch comes up again at `retry_ns` for the channels without it."""
        with self._db.writing() as connection:
            self._attempt(connection, batch_id, channel, error)
            connection.execute(
                sa.update(t.alert)
                .where(t.alert.c.batch_id == batch_id)
                .values(next_ns=retry_ns, attempts=t.alert.c.attempts + 1)
            )

    def alert_done(self, batch_id: str, *, sent: bool) -> None:
        """End a batch: every channel has it, or it is given up."""
        state = "sent" if sent else "given-up"
        with self._db.writing() as connection:
            connection.execute(
                sa.update(t.alert).where(t.alert.c.batch_id == batch_id).values(state=state)
            )
            rows = connection.execute(
                sa.select(t.alert.c.id, t.alert.c.machine, t.alert.c.kind).where(
                    t.alert.c.batch_id == batch_id
                )
            ).all()
            for row in rows:
                self._log(
                    connection,
                    ("alert", row.id, row.machine),
                    state,
                    at_ns=self._machine_now(connection, row.machine),
                    actor="notifier",
                    detail={"batch": batch_id, "kind": row.kind},
                )

    def _attempt(
        self, connection: sa.Connection, batch_id: str, channel: str, error: str | None
    ) -> None:
        before = connection.scalar(
            sa.select(sa.func.count())
            .select_from(t.delivery)
            .where(t.delivery.c.batch_id == batch_id, t.delivery.c.channel == channel)
        )
        machine = connection.scalar(
            sa.select(t.alert.c.machine).where(t.alert.c.batch_id == batch_id).limit(1)
        )
        attempt = DeliveryRow(
            id=self._new_id(),
            recorded_ns=self._clock(),
            batch_id=batch_id,
            machine=machine or "",
            channel=channel,
            attempt=(before or 0) + 1,
            error=error,
        )
        connection.execute(sa.insert(t.delivery).values(pack(attempt)))

    def alerts(
        self,
        *,
        after: Key | None = None,
        limit: int = 100,
        machine: str | None = None,
        state: str | None = None,
    ) -> tuple[list[AlertNote], Key | None]:
        """List alerts, newest first."""
        columns = [t.alert.c[name] for name in AlertNote.__struct_fields__ if name in t.alert.c]
        rows = sa.select(*columns, t.alert.c.next_ns.label("next_recorded_ns"))
        if machine is not None:
            rows = rows.where(t.alert.c.machine == machine)
        if state is not None:
            rows = rows.where(t.alert.c.state == state)
        return self._page(rows, AlertNote, t.alert.c.id, after, limit)

    def deliveries(
        self, *, after: Key | None = None, limit: int = 100, machine: str | None = None
    ) -> tuple[list[DeliveryRow], Key | None]:
        """List attempts to send, newest first."""
        rows = sa.select(t.delivery)
        if machine is not None:
            rows = rows.where(t.delivery.c.machine == machine)
        return self._page(rows, DeliveryRow, t.delivery.c.id, after, limit)
