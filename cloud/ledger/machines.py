"""Machines: which profile they are bound to since when, and how they were last assessed."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from cloud.errors import NotFound
from cloud.ledger import tables as t
from cloud.ledger.base import Part, check_limit, chunks, save, unpack
from cloud.ledger.records import AssessmentRow, MachineRow, Registration
from cloud.ledger.units import note, told
from models.assessment import State
from models.units import differing

Key = tuple[int | str, ...]
#: of a machine, what its registration says
SAID: Final = (
    "version", "device", "profile", "profile_version", "profile_since_ns", "name", "clock"
)  # fmt: skip


class Machines(Part):
    """Registration, lists, assessments."""

    def register(self, births: Sequence[Registration]) -> int:
        """Register machines in their order, in one transaction; return how many changed.

        The same again, or an older birth, changes nothing. Raises nothing for an unknown profile:
        the machine is judged as a `generic` one until the profile is there.
        """
        if not births:
            return 0
        with self._db.writing() as connection:
            known = self._known(connection, sorted({one.machine for one in births}))
            book = _Book(self._clock(), self._new_id)
            for one in births:
                old = known.get(one.machine)
                profile = self._profiles.get(one.profile)
                new = _registered(old, one, profile.version if profile else None, book.now_ns)
                if new is not None:
                    book.enter(old, new, one.at_ns)
                    known[one.machine] = new
            book.write(connection)
            for one, found in note(connection, births, book.now_ns, self._profiles):
                key = ("machine", one.machine, one.machine)
                detail = {"differing": found}
                self._log(connection, key, "units", at_ns=one.at_ns, actor="device", detail=detail)
        return len(book.events)

    def units(self, machine: str) -> dict[str, str]:
        """Return the units (UCUM) that a machine's device tells, by signal."""
        with self._db.reading() as connection:
            self._must_exist(connection, machine)
            return told(connection, [machine]).get(machine, {})

    def units_since_ns(self, machine: str) -> int | None:
        """Return since when, on its own clock, a device tells these units (None: it never did)."""
        with self._db.reading() as connection:
            self._must_exist(connection, machine)
            query = sa.select(t.unit.c.at_ns).where(t.unit.c.machine == machine)
            return connection.scalar(query)

    def units_of(self, machines: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the units of those of the machines whose devices tell any."""
        with self._db.reading() as connection:
            return told(connection, machines)

    def machines_in_other_units(self) -> list[str]:
        """Return the machines, by id, whose devices tell another unit than their profile's."""
        query = sa.select(t.machine.c.id, t.machine.c.profile, t.unit.c.units)
        with self._db.reading() as connection:
            told = connection.execute(query.join(t.unit, t.unit.c.machine == t.machine.c.id)).all()
        known = [(one, self._profiles.get(profile), units) for one, profile, units in told]
        return sorted(one for one, profile, units in known if profile and differing(profile, units))

    @staticmethod
    def _known(connection: sa.Connection, names: list[str]) -> dict[str, MachineRow]:
        found: dict[str, MachineRow] = {}
        for part in chunks(names):
            rows = connection.execute(sa.select(t.machine).where(t.machine.c.id.in_(part)))
            found.update({row.id: unpack(MachineRow, row) for row in rows})
        return found

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
        """Return a machine's newest assessment; a second look at late readings is none."""
        page, after = self.assessments(machine, limit=1)
        while after is not None and page[-1].assessment.revision:
            page, after = self.assessments(machine, after=after, limit=1)
        return page[0] if page and not page[0].assessment.revision else None

    def _must_exist(self, connection: sa.Connection, machine: str) -> None:
        query = self._seen(sa.select(t.machine.c.id).where(t.machine.c.id == machine), t.machine)
        if connection.scalar(query) is None:
            raise NotFound(f"there is no machine '{machine}'")


def _assessment(row: sa.Row[Any]) -> AssessmentRow:
    values = {
        "id": str(row.seq),
        "recorded_ns": row.recorded_ns,
        "assessment": row.assessment,
    }
    return msgspec.convert(values, AssessmentRow)


def _registered(
    old: MachineRow | None, one: Registration, version: int | None, now_ns: int
) -> MachineRow | None:
    """Return the machine as it is after a registration; None when that changes nothing."""
    if old is None:
        return MachineRow(
            id=one.machine,
            recorded_ns=now_ns,
            version=1,
            device=one.device,
            profile=one.profile,
            profile_version=version,
            profile_since_ns=one.at_ns,
            name=one.name,
            clock=one.clock,
            first_ns=one.at_ns,
        )
    said = (one.profile, version, one.name, one.clock, one.device)
    same = said == (old.profile, old.profile_version, old.name, old.clock, old.device)
    if same or one.at_ns < old.profile_since_ns:
        return None
    rebound = (old.profile, old.profile_version) != (one.profile, version)
    return msgspec.structs.replace(
        old,
        version=old.version + 1,
        device=one.device,
        profile=one.profile,
        profile_version=version,
        profile_since_ns=one.at_ns if rebound else old.profile_since_ns,
        name=one.name,
        clock=one.clock,
    )


class _Book:
    """What a group of registrations writes, each table once."""

    def __init__(self, now_ns: int, new_id: Callable[[], str]) -> None:
        self.now_ns = now_ns
        self._new_id = new_id
        self._machines: dict[str, MachineRow] = {}
        self._fresh: set[str] = set()
        self._bindings: dict[tuple[str, int], dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []

    def enter(self, old: MachineRow | None, new: MachineRow, at_ns: int) -> None:
        """Note a machine that is new or changed."""
        self._machines[new.id] = new
        if old is None:
            self._fresh.add(new.id)
        if old is None or new.profile_since_ns == at_ns:
            self._bindings[new.id, new.profile_since_ns] = {
                "machine": new.id,
                "since_ns": new.profile_since_ns,
                "profile": new.profile,
                "profile_version": new.profile_version,
                "recorded_ns": self.now_ns,
            }
        self.events.append(
            {
                "id": self._new_id(),
                "recorded_ns": self.now_ns,
                "subject": "machine",
                "subject_id": new.id,
                "machine": new.id,
                "type": "registered" if old is None else "changed",
                "at_ns": at_ns,
                "actor": "device",
                "detail": {name: getattr(new, name) for name in SAID},
            }
        )

    def write(self, connection: sa.Connection) -> None:
        """Write it all: what is referred to first."""
        if not self.events:
            return
        self._ensure_devices(connection)
        save(connection, t.machine, list(self._machines.values()), self._fresh)
        keys = list(self._bindings)
        for name, since_ns in keys:
            if name not in self._fresh:  # the same moment may have been bound before
                connection.execute(
                    sa.delete(t.binding).where(
                        t.binding.c.machine == name, t.binding.c.since_ns == since_ns
                    )
                )
        if keys:
            connection.execute(sa.insert(t.binding), list(self._bindings.values()))
        connection.execute(sa.insert(t.event), self.events)

    def _ensure_devices(self, connection: sa.Connection) -> None:
        first: dict[str, int] = {}
        for row in self._machines.values():
            first[row.device] = min(first.get(row.device, row.first_ns), row.first_ns)
        for part in chunks(sorted(first)):
            for name in connection.scalars(sa.select(t.device.c.id).where(t.device.c.id.in_(part))):
                del first[name]
        if first:
            rows = [
                {"id": name, "first_ns": at_ns, "recorded_ns": self.now_ns}
                for name, at_ns in first.items()
            ]
            connection.execute(sa.insert(t.device), rows)
