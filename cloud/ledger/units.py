"""The units that devices tell of their machines' signals: the newest of each machine."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cloud.ledger import tables as t
from cloud.ledger.base import chunks
from cloud.ledger.records import Registration
from models.profile import Profile
from models.units import differing


def note(
    connection: sa.Connection,
    births: Sequence[Registration],
    now_ns: int,
    profiles: Mapping[str, Profile],
) -> Iterator[tuple[Registration, list[dict[str, str | None]]]]:
    """Write what births of known machines tell; the same again, or an older one, changes nothing.

    A birth without units takes those of an earlier one away. Yields the births after which other
    signals than before differ from their profile, with what is told of these and what the profile
    says (none: all agree now).
    """
    newest = {one.machine: one for one in sorted(births, key=lambda one: one.at_ns)}
    known = {row.machine: row for row in _rows(connection, sorted(newest))}
    fresh = []
    for one in newest.values():
        old, units = known.get(one.machine), dict(one.units)
        row = {"at_ns": one.at_ns, "recorded_ns": now_ns, "units": units}
        if old is None and units:
            fresh.append({"machine": one.machine, **row})
        elif old is not None and old.units != units and old.at_ns <= one.at_ns:
            change = sa.update(t.unit).where(t.unit.c.machine == one.machine)
            connection.execute(change.values(row))
        else:
            continue
        found = _differing(profiles.get(one.profile), units)
        if found != _differing(profiles.get(one.profile), {} if old is None else old.units):
            yield one, found
    if fresh:
        connection.execute(sa.insert(t.unit), fresh)


def told(connection: sa.Connection, machines: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the newest units (UCUM) by signal of those of the machines that have any."""
    return {row.machine: dict(row.units) for row in _rows(connection, machines) if row.units}


def _rows(connection: sa.Connection, machines: Sequence[str]) -> Iterator[Any]:
    for part in chunks(machines):
        yield from connection.execute(sa.select(t.unit).where(t.unit.c.machine.in_(part)))


def _differing(profile: Profile | None, told: Mapping[str, str]) -> list[dict[str, str | None]]:
    """Return the signals whose unit is not the profile's: there are as many as a profile names."""
    if profile is None:
        return []
    return [
        {"signal": name, "told": told[name], "profile": profile.signals[name].unit}
        for name in differing(profile, told)
    ]
