"""Whose a machine is and where it stands; which devices are registered; what a customer sees."""

import copy
from typing import TypeVar

import sqlalchemy as sa

from cloud.accounts.values import Reach, Site
from cloud.errors import NotFound, Refused
from cloud.ledger import accounts_tables as t
from cloud.ledger import tables
from cloud.ledger.base import Part, check_version, chunks, pack, unpack
from cloud.ledger.records import MachineRow

P = TypeVar("P", bound="Sites")


def tenant_of(machine: str) -> str:
    """Return the tenant in a machine's id `tenant.device[:key]`."""
    return machine.partition(".")[0]


class Sites(Part):
    """Sites of machines, and the ledger as a customer sees it."""

    def reaching(self: P, reach: Reach | None) -> P:
        """Return this ledger with only the machines within reach (None: all) to be seen.

        Everything that belongs to another machine is not there: not in lists, and not by its id.
        """
        if reach is None:
            return self
        limited = copy.copy(self)
        limited._reach = reach
        return limited

    def site(self, machine: str) -> Site:
        """Return where a machine stands."""
        with self._db.reading() as connection:
            self._get(connection, tables.machine, MachineRow, machine)
        return self.sites([machine])[machine]

    def sites(self, machines: list[str]) -> dict[str, Site]:
        """Return where machines stand."""
        found = {
            name: Site(machine=name, customer=tenant_of(name), site=None, version=0, recorded_ns=0)
            for name in machines
        }
        with self._db.reading() as connection:
            for part in chunks(machines):
                rows = connection.execute(sa.select(t.site).where(t.site.c.machine.in_(part)))
                found |= {row.machine: unpack(Site, row) for row in rows}
        return found

    def site_set(
        self, machine: str, version: int, *, customer: str, site: str | None, actor: str
    ) -> Site:
        """Say whose a machine is and where it stands."""
        with self._db.writing() as connection:
            self._get(connection, tables.machine, MachineRow, machine)
            row = connection.execute(
                sa.select(t.site).where(t.site.c.machine == machine)
            ).one_or_none()
            old = unpack(Site, row).version if row else 0
            check_version(old, version, "site")
            new = Site(
                machine=machine,
                customer=customer,
                site=site,
                version=old + 1,
                recorded_ns=self._clock(),
            )
            if row is None:
                connection.execute(sa.insert(t.site).values(pack(new)))
            else:
                change = sa.update(t.site).where(t.site.c.machine == machine)
                connection.execute(change.values(pack(new)))
            self._log(
                connection,
                ("machine", machine, machine),
                "placed",
                at_ns=self._machine_now(connection, machine),
                actor=actor,
                detail={"customer": customer, "site": site},
            )
        return new

    # -- devices

    def device_add(self, device: str, *, clock: str, actor: str) -> None:
        """Register a device, so that it is accepted from beyond this computer."""
        if clock not in ("wall", "data"):
            raise Refused("/clock", "write wall or data")
        values = {"device": device, "clock": clock, "recorded_ns": self._clock()}
        with self._db.writing() as connection:
            same = t.registration.c.device == device
            known = connection.execute(
                sa.update(t.registration).where(same).values(clock=clock)
            ).rowcount
            if not known:
                connection.execute(sa.insert(t.registration).values(values))
            self._of_device(connection, device, "changed" if known else "added", actor, clock)

    def device_remove(self, device: str, *, actor: str) -> None:
        """Take a device's registration back."""
        with self._db.writing() as connection:
            gone = sa.delete(t.registration).where(t.registration.c.device == device)
            if not connection.execute(gone).rowcount:
                raise NotFound(f"there is no registered device '{device}'")
            self._of_device(connection, device, "removed", actor, None)

    def _of_device(
        self, connection: sa.Connection, device: str, kind: str, actor: str, clock: str | None
    ) -> None:
        subject, now = ("device", device, None), self._clock()
        detail = {"clock": clock} if clock else {}
        self._log(connection, subject, kind, at_ns=now, actor=actor, detail=detail)

    def devices_registered(self) -> dict[str, str]:
        """Return the clocks (`wall` or `data`) of the registered devices."""
        rows = sa.select(t.registration.c.device, t.registration.c.clock)
        with self._db.reading() as connection:
            return {row.device: row.clock for row in connection.execute(rows)}
