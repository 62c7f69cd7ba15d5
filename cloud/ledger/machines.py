"""Machines: which profile they are bound to since when, and how they were last assessed."""

from typing import Any

import msgspec
import sqlalchemy as sa

from cloud.errors import NotFound
from cloud.ledger import tables as t
from cloud.ledger.base import Part, check_limit, unpack
from cloud.ledger.records import AssessmentRow, Clock, MachineRow
from models.assessment import State

Key = tuple[int | str, ...]


class Machines(Part):
    """Registration, lists, assessments."""

    def register(
        self, *, machine: str, device: str, profile: str, name: str | None, clock: Clock, at_ns: int
    ) -> MachineRow:
        """Make a machine known, or bind it anew; the same again, or an older one, changes nothing.

        Raises nothing for an unknown profile: the machine is judged as a `generic` one until the
        profile is there.
        """
        known = self._profiles.get(profile)
        version = known.version if known else None
        with self._db.writing() as connection:
            found = connection.execute(
                sa.select(t.machine).where(t.machine.c.id == machine)
            ).one_or_none()
            old = unpack(MachineRow, found) if found else None
            said = (profile, version, name, clock, device)
            if old is not None and (
                (old.profile, old.profile_version, old.name, old.clock, old.device) == said
                or at_ns < old.profile_since_ns
            ):
                return old
            self._ensure_device(connection, device, at_ns)
            rebound = old is None or (old.profile, old.profile_version) != (profile, version)
            since = at_ns if old is None or rebound else old.profile_since_ns
            values = {
                "version": old.version + 1 if old else 1,
                "device": device,
                "profile": profile,
                "profile_version": version,
                "profile_since_ns": since,
                "name": name,
                "clock": clock,
            }
            self._write(connection, machine, values, old, at_ns)
            if rebound:
                self._bind(connection, machine, values)
            return self._get(connection, t.machine, MachineRow, machine)

    def _ensure_device(self, connection: sa.Connection, device: str, at_ns: int) -> None:
        if connection.scalar(sa.select(t.device.c.id).where(t.device.c.id == device)) is None:
            values = {"id": device, "first_ns": at_ns, "recorded_ns": self._clock()}
            connection.execute(sa.insert(t.device).values(values))

    def _write(
        self,
        connection: sa.Connection,
        machine: str,
        values: dict[str, Any],
        old: MachineRow | None,
        at_ns: int,
    ) -> None:
        now = self._clock()
        if old is None:
            first = {"id": machine, "recorded_ns": now, "first_ns": at_ns, "state": State.UNKNOWN}
            connection.execute(sa.insert(t.machine).values(**values, **first))
        else:
            connection.execute(
                sa.update(t.machine).where(t.machine.c.id == machine).values(**values)
            )
        self._log(
            connection,
            ("machine", machine, machine),
            "registered" if old is None else "changed",
            at_ns=at_ns,
            actor="device",
            detail=values,
        )

    def _bind(self, connection: sa.Connection, machine: str, values: dict[str, Any]) -> None:
        key = {"machine": machine, "since_ns": values["profile_since_ns"]}
        rest = {
            "profile": values["profile"],
            "profile_version": values["profile_version"],
            "recorded_ns": self._clock(),
        }
        same = (t.binding.c.machine == machine, t.binding.c.since_ns == key["since_ns"])
        if connection.execute(sa.update(t.binding).where(*same).values(rest)).rowcount == 0:
            connection.execute(sa.insert(t.binding).values(**key, **rest))

    def machine(self, machine: str) -> MachineRow:
        """Return one machine."""
        with self._db.reading() as connection:
            return self._get(connection, t.machine, MachineRow, machine)

    def machines(
        self,
        *,
        after: Key | None = None,
        limit: int = 100,
        query: str | None = None,
        state: State | None = None,
    ) -> tuple[list[MachineRow], Key | None]:
        """List machines by id, ascending. `query` is looked for in id and name."""
        rows = sa.select(t.machine)
        if query:
            word = query.lower()
            rows = rows.where(
                sa.or_(
                    sa.func.lower(t.machine.c.id).contains(word, autoescape=True),
                    sa.func.lower(t.machine.c.name).contains(word, autoescape=True),
                )
            )
        if state is not None:
            rows = rows.where(t.machine.c.state == state.value)
        return self._page(rows, MachineRow, t.machine.c.id, after, limit, ascending=True)

    def assessments(
        self,
        machine: str,
        *,
        after: Key | None = None,
        limit: int = 100,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> tuple[list[AssessmentRow], Key | None]:
        """List a machine's kept assessments with start <= at_ns < end, newest first."""
        check_limit(limit)
        table = t.assessment.c
        rows = sa.select(t.assessment).where(table.machine == machine)
        if start_ns is not None:
            rows = rows.where(table.at_ns >= start_ns)
        if end_ns is not None:
            rows = rows.where(table.at_ns < end_ns)
        if after is not None:
            at_ns, seq = after
            rows = rows.where(
                sa.or_(table.at_ns < at_ns, sa.and_(table.at_ns == at_ns, table.seq < seq))
            )
        rows = rows.order_by(table.at_ns.desc(), table.seq.desc()).limit(limit + 1)
        with self._db.reading() as connection:
            self._must_exist(connection, machine)
            found = connection.execute(rows).all()
        page = [_assessment(row) for row in found[:limit]]
        last = found[limit - 1] if len(found) > limit else None
        return page, None if last is None else (last.at_ns, last.seq)

    def current(self, machine: str) -> AssessmentRow | None:
        """Return a machine's newest assessment."""
        page, _ = self.assessments(machine, limit=1)
        return page[0] if page else None

    @staticmethod
    def _must_exist(connection: sa.Connection, machine: str) -> None:
        if connection.scalar(sa.select(t.machine.c.id).where(t.machine.c.id == machine)) is None:
            raise NotFound(f"there is no machine '{machine}'")


def _assessment(row: sa.Row[Any]) -> AssessmentRow:
    values = {
        "id": str(row.seq),
        "recorded_ns": row.recorded_ns,
        "assessment": row.assessment,
    }
    return msgspec.convert(values, AssessmentRow)
