"""Filing: what the ingest thread brings, in one transaction with the journal position."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from cloud.advisories.triage import triage
from cloud.advisories.values import STANDING, Stamp, Standing
from cloud.ledger import tables as t
from cloud.ledger.base import Part, chunks
from cloud.ledger.database import Database
from cloud.ledger.docket import Docket
from cloud.ledger.records import Filed
from cloud.ledger.standing import load_standing
from models.assessment import Assessment
from models.profile import Profile

KEEP: Final = 1_000  #: assessments kept a machine
PRUNE_EVERY: Final = 200  #: filed ones of a machine between two prunings
FILED: Final = "filed"


class Filing(Part):
    """Turns assessments into advisories, tickets and alerts."""

    def __init__(
        self, database: Database, clock: Callable[[], int], profiles: Mapping[str, Profile]
    ) -> None:
        super().__init__(database, clock, profiles)
        self._until_prune: dict[str, int] = {}

    def position(self) -> int:
        """Return the journal position up to which everything is filed (-1: nothing)."""
        with self._db.reading() as connection:
            return _position(connection)

    def file(self, n: int, assessments: Sequence[Assessment]) -> list[Filed]:
        """File assessments above `position()` with all that follows from them, all or nothing.

        A second look that had to wait for the store is said at an earlier position when the
        journal comes again: those are told apart by machine, time and revision.
        """
        if not assessments:
            return []
        with self._db.writing() as connection:
            position = _position(connection)
            again = [a for a in assessments if a.n <= position and a.revision]
            filed = _looks(connection, again)
            fresh = [
                a for a in assessments if a.n > position or (a.revision and _look(a) not in filed)
            ]
            if not fresh:
                return []
            stamp = self._stamp()
            names = sorted({a.machine for a in fresh})
            profiles = self._bound(connection, names, fresh, stamp)
            standing = load_standing(connection, names)
            known = [row.id for by_id in standing.values() for s in by_id for row in s.evidence]
            docket = Docket(connection, stamp, known)
            for assessment in fresh:
                profile = self._profile(profiles[assessment.machine])
                here = standing.setdefault(assessment.machine, [])
                outcomes = triage(here, profile, assessment, stamp)
                if outcomes:
                    after = [docket.outcome(o, assessment.at_ns) for o in outcomes]
                    standing[assessment.machine] = _merged(here, after)
            docket.write()
            self._keep(connection, fresh, stamp)
            _advance(connection, max(n, position), first=position == -1)
        if docket.alerts:
            self._alerted()
        return docket.filed

    def _bound(
        self, connection: sa.Connection, names: list[str], fresh: list[Assessment], stamp: Stamp
    ) -> dict[str, str]:
        """Return each machine's profile; one that nobody registered becomes a generic one."""
        found: dict[str, str] = {}
        for part in chunks(names):
            query = sa.select(t.machine.c.id, t.machine.c.profile).where(t.machine.c.id.in_(part))
            found.update({row.id: row.profile for row in connection.execute(query)})
        for assessment in fresh:
            if assessment.machine not in found:
                found[assessment.machine] = "generic"
                _insert_machine(connection, assessment, stamp)
                key = ("machine", assessment.machine, assessment.machine)
                self._log(
                    connection, key, "found", at_ns=assessment.at_ns, actor="ingest", detail={}
                )
        return found

    def _keep(self, connection: sa.Connection, fresh: list[Assessment], stamp: Stamp) -> None:
        connection.execute(
            sa.insert(t.assessment),
            [
                {
                    "machine": a.machine,
                    "at_ns": a.at_ns,
                    "recorded_ns": stamp.recorded_ns,
                    "assessment": a,
                }
                for a in fresh
            ],
        )
        newest = {a.machine: a for a in fresh if not a.revision}
        if newest:
            connection.execute(_SEEN, [_seen(a) for a in newest.values()])
        due = {a.machine for a in fresh if self._prunes(a.machine)}
        if due:
            connection.execute(_PRUNE, [{"b_machine": machine} for machine in sorted(due)])

    def _prunes(self, machine: str) -> bool:
        """Count an assessment; whether it is the machine's turn, which begins anywhere."""
        left = self._until_prune.get(machine, hash(machine) % PRUNE_EVERY)
        self._until_prune[machine] = (left or PRUNE_EVERY) - 1
        return not left


def _look(assessment: Assessment) -> tuple[str, int, int]:
    return assessment.machine, assessment.at_ns, assessment.revision


def _looks(
    connection: sa.Connection, assessments: Sequence[Assessment]
) -> set[tuple[str, int, int]]:
    """Return which second looks are filed, of the machines and from the time on of these."""
    oldest: dict[str, int] = {}
    for one in assessments:
        oldest[one.machine] = min(one.at_ns, oldest.get(one.machine, one.at_ns))
    found: set[tuple[str, int, int]] = set()
    for machine, at_ns in oldest.items():
        query = sa.select(t.assessment.c.assessment).where(
            t.assessment.c.machine == machine, t.assessment.c.at_ns >= at_ns
        )
        found |= {_look(msgspec.convert(one, Assessment)) for one in connection.scalars(query)}
    return found


def _merged(before: Sequence[Standing], after: Sequence[Standing]) -> list[Standing]:
    rows = {one.advisory.id: one for one in (*before, *after)}
    return [one for one in rows.values() if one.advisory.state in STANDING]


def _position(connection: sa.Connection) -> int:
    found = connection.scalar(sa.select(t.position.c.n).where(t.position.c.name == FILED))
    return -1 if found is None else found


def _advance(connection: sa.Connection, n: int, *, first: bool) -> None:
    change = sa.update(t.position).where(t.position.c.name == FILED).values(n=n)
    if connection.execute(change).rowcount == 0 and first:
        connection.execute(sa.insert(t.position).values(name=FILED, n=n))


def _insert_machine(connection: sa.Connection, assessment: Assessment, stamp: Stamp) -> None:
    device = assessment.machine.partition(":")[0]
    if connection.scalar(sa.select(t.device.c.id).where(t.device.c.id == device)) is None:
        first = {"id": device, "first_ns": assessment.at_ns, "recorded_ns": stamp.recorded_ns}
        connection.execute(sa.insert(t.device).values(first))
    connection.execute(
        sa.insert(t.machine).values(
            id=assessment.machine,
            recorded_ns=stamp.recorded_ns,
            version=1,
            device=device,
            profile="generic",
            profile_since_ns=0,  # until a registration says better
            clock="wall",
            first_ns=assessment.at_ns,
            state=assessment.state,
        )
    )


_SEEN: Final = (
    sa.update(t.machine)
    .where(t.machine.c.id == sa.bindparam("b_id"))
    .values(
        {
            name: sa.bindparam(f"b_{name}")
            for name in ("seen_ns", "state", "score", "health", "coverage", "left_s")
        }
    )
)


def _seen(assessment: Assessment) -> dict[str, Any]:
    known = [life.p50_s for life in assessment.lives if life.p50_s is not None]
    return {
        "b_id": assessment.machine,
        "b_seen_ns": assessment.at_ns,
        "b_state": assessment.state.value,
        "b_score": assessment.score,
        "b_health": assessment.health,
        "b_coverage": assessment.coverage,
        "b_left_s": min(known, default=None),
    }


def _pruning() -> sa.Delete:
    """Return what forgets all but the newest assessments of a machine."""
    table = t.assessment.c
    machine: sa.BindParameter[str] = sa.bindparam("b_machine")
    edge = (
        sa.select(table.at_ns)
        .where(table.machine == machine)
        .order_by(table.at_ns.desc(), table.seq.desc())
        .offset(KEEP)
        .limit(1)
        .scalar_subquery()
    )
    return sa.delete(t.assessment).where(table.machine == machine, table.at_ns <= edge)


_PRUNE: Final = _pruning()
