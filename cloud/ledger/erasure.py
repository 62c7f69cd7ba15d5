"""Erasing what the ledger has of some machines, devices and accounts, in one transaction.

Rows that hold their data are deleted. Of the event log, which nobody may shorten, the skeleton
stays (when, what kind of thing, what kind of change): who and which become a pseudonym whose origin
is not kept, and the details go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from cloud.advisories.values import Stamp
from cloud.ledger import accounts_tables as a
from cloud.ledger import commands_tables as q
from cloud.ledger import tables as t
from cloud.ledger.base import chunks
from cloud.ledger.commands_tables import command
from cloud.ledger.database import Database

EVENTS: Final = "event (emptied)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """Whose data goes."""

    machines: Sequence[str]
    devices: Sequence[str]  #: those that serve no other machine
    customer: str | None  #: whose accounts go too


def erase(
    database: Database, subjects: Subjects, *, pseudonym: str, actor: str, stamp: Stamp
) -> dict[str, int]:
    """Erase; return how many rows went, by table. The erasure itself is written down."""
    removed: dict[str, int] = {}
    with database.writing() as connection:
        connection.execute(
            sa.insert(t.erasure).values(
                id=stamp.new_id(),
                recorded_ns=stamp.recorded_ns,
                pseudonym=pseudonym,
                actor=actor,
                removed={},
            )
        )
        work = _Work(connection, removed)
        accounts = work.accounts_of(subjects.customer)
        subject_ids = [*subjects.machines, *subjects.devices, *accounts]
        subject_ids += work.ids(t.advisory, subjects.machines)
        subject_ids += work.ids(t.ticket, subjects.machines)
        subject_ids += work.ids(t.alert, subjects.machines)
        work.empty_events(subjects.machines, subject_ids, pseudonym)
        work.rename_actors(list(accounts.values()), pseudonym)
        work.delete_accounts(list(accounts))
        work.delete_machines(subjects.machines)
        work.delete_devices(subjects.devices)
        work.delete(t.reply)  # copies of answers, kept for a week
        done = sa.update(t.erasure).where(t.erasure.c.finished_ns.is_(None))
        counts = dict(removed)
        connection.execute(done.values(removed=counts, finished_ns=stamp.recorded_ns))
    database.vacuum()
    return removed


class _Work:
    """One erasure under way."""

    def __init__(self, connection: sa.Connection, removed: dict[str, int]) -> None:
        self._connection = connection
        self._removed = removed

    def ids(self, table: sa.Table, machines: Sequence[str]) -> list[str]:
        """Return the ids of a table's rows of machines."""
        found: list[str] = []
        for part in chunks(machines):
            query = sa.select(table.c.id).where(table.c.machine.in_(part))
            found += self._connection.scalars(query)
        return found

    def accounts_of(self, customer: str | None) -> dict[str, str]:
        """Return the customer's accounts: id and name."""
        if customer is None:
            return {}
        query = sa.select(a.account.c.id, a.account.c.name).where(a.account.c.customer == customer)
        return {row.id: row.name for row in self._connection.execute(query)}

    def empty_events(self, machines: Sequence[str], ids: Sequence[str], pseudonym: str) -> None:
        """Leave only the skeleton of the events about these."""
        emptied: dict[str, Any] = {
            "machine": None,
            "subject_id": pseudonym,
            "actor": pseudonym,
            "detail": {},
        }
        for column, values in ((t.event.c.machine, machines), (t.event.c.subject_id, ids)):
            for part in chunks(values):
                change = sa.update(t.event).where(column.in_(part)).values(emptied)
                self._count(EVENTS, self._connection.execute(change).rowcount)

    def rename_actors(self, names: Sequence[str], pseudonym: str) -> None:
        """Take the customer's people out of what they did to other things."""
        for part in chunks(names):
            change = sa.update(t.event).where(t.event.c.actor.in_(part)).values(actor=pseudonym)
            self._count(EVENTS, self._connection.execute(change).rowcount)
            asked = sa.update(q.command).where(q.command.c.actor.in_(part))
            self._connection.execute(asked.values(actor=pseudonym))

    def delete_accounts(self, ids: Sequence[str]) -> None:
        """Delete accounts with their sign-ins, tokens and links."""
        for table in (a.sign_in, a.token, a.link):
            self.delete(table, table.c.account, ids)
        self.delete(a.account, a.account.c.id, ids)

    def delete_machines(self, machines: Sequence[str]) -> None:
        """Delete all that belongs to machines, what refers to others first."""
        self.delete(t.delivery, t.delivery.c.machine, machines)
        self.delete(t.alert, t.alert.c.machine, machines)
        advisories = self.ids(t.advisory, machines)
        self.delete(t.evidence, t.evidence.c.advisory_id, advisories)
        self.delete(t.ticket, t.ticket.c.machine, machines)
        for part in chunks(advisories):  # they refer to each other
            cut = sa.update(t.advisory).where(t.advisory.c.id.in_(part)).values(previous_id=None)
            self._connection.execute(cut)
        for table in (t.advisory, t.assessment, t.binding, t.unit, t.repair, a.site, command):
            self.delete(table, table.c.machine, machines)
        self.delete(t.machine, t.machine.c.id, machines)

    def delete_devices(self, devices: Sequence[str]) -> None:
        """Delete devices, their registration and what was set aside of them."""
        for table in (t.quarantine, t.quarantine_count, a.registration, q.command):
            self.delete(table, table.c.device, devices)
        self.delete(t.device, t.device.c.id, devices)

    def delete(
        self, table: sa.Table, column: sa.Column[Any] | None = None, values: Sequence[str] = ()
    ) -> None:
        """Delete the rows of these values (no column: all)."""
        if column is None:
            self._count(table.name, self._connection.execute(sa.delete(table)).rowcount)
            return
        for part in chunks(values):
            gone = self._connection.execute(sa.delete(table).where(column.in_(part)))
            self._count(table.name, gone.rowcount)

    def _count(self, name: str, number: int) -> None:
        if number:
            self._removed[str(name)] = self._removed.get(str(name), 0) + number
