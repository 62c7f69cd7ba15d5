"""Advisories: the planner's inbox."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from cloud.advisories.decisions import Decision, decide, recalled
from cloud.advisories.values import UNDECIDED, Standing
from cloud.errors import Conflict, Refused
from cloud.ledger import tables as t
from cloud.ledger.base import Part, check_version, unpack
from cloud.ledger.docket import Docket
from cloud.ledger.records import INTERNAL, AdvisoryRow, AdvisoryState, EventRow, EvidenceRow
from cloud.ledger.standing import load_advisories

Key = tuple[int | str, ...]


class Advisories(Part):
    """Lists, evidence, decisions."""

    def advisories(
        self,
        *,
        after: Key | None = None,
        limit: int = 100,
        machine: str | None = None,
        states: Sequence[AdvisoryState] = (),
    ) -> tuple[list[AdvisoryRow], Key | None]:
        """List advisories, newest first; `states` empty = all."""
        rows = sa.select(t.advisory)
        if machine is not None:
            rows = rows.where(t.advisory.c.machine == machine)
        if states:
            rows = rows.where(t.advisory.c.state.in_([str(state) for state in states]))
        return self._page(rows, AdvisoryRow, t.advisory.c.id, after, limit)

    def advisory_counts(self) -> dict[AdvisoryState, int]:
        """Return how many advisories are in each state."""
        query = self._seen(sa.select(t.advisory.c.state, sa.func.count()), t.advisory)
        with self._db.reading() as connection:
            rows = connection.execute(query.group_by(t.advisory.c.state)).all()
        found = {str(state): int(count) for state, count in rows}
        return {state: found.get(state.value, 0) for state in AdvisoryState}

    def advisory(self, advisory_id: str) -> AdvisoryRow:
        """Return one advisory."""
        with self._db.reading() as connection:
            return self._get(connection, t.advisory, AdvisoryRow, advisory_id)

    def evidence(self, advisory_id: str) -> list[EvidenceRow]:
        """Return what speaks for an advisory, oldest first."""
        with self._db.reading() as connection:
            self._get(connection, t.advisory, AdvisoryRow, advisory_id)
            rows = connection.execute(
                sa.select(t.evidence)
                .where(t.evidence.c.advisory_id == advisory_id)
                .order_by(t.evidence.c.since_ns, t.evidence.c.id)
            )
            return [unpack(EvidenceRow, row) for row in rows]

    def decide_advisory(
        self,
        advisory_id: str,
        version: int,
        decision: Decision,
        *,
        actor: str,
        reason: str | None = None,
        until_ns: int | None = None,
    ) -> AdvisoryRow:
        """Accept (makes the ticket), defer until a time, shelve, or reject with a reason."""
        with self._db.writing() as connection:
            old = self._get(connection, t.advisory, AdvisoryRow, advisory_id)
            check_version(old.version, version, "advisory")
            at_ns = self._machine_now(connection, old.machine)
            new = decide(old, decision, actor=actor, reason=reason, until_ns=until_ns, at_ns=at_ns)
            docket = Docket(connection, self._stamp())
            docket.advisory(new)
            detail = {"before": old.state, "reason": reason, "until_ns": until_ns}
            kind = "shelved" if decision == "shelve" else new.state
            docket.event(new, kind, at_ns, actor, detail)
            if decision == "accept":
                new = docket.open_ticket(Standing(advisory=new), at_ns, actor).advisory
            docket.write()
        if docket.alerts:
            self._alerted()
        return new

    def recall(self) -> int:
        """Put snoozed advisories whose time has come back into the inbox; return how many.

        Of machines on the wall's clock, whose time goes on without a reading; on a clock of their
        own it does not. What has ended meanwhile stays away.
        """
        due = (
            sa.select(t.advisory)
            .join(t.machine, t.machine.c.id == t.advisory.c.machine)
            .where(
                t.advisory.c.state == AdvisoryState.DEFERRED,
                t.advisory.c.defer_until_ns <= self._clock(),
                t.advisory.c.ended_ns.is_(None),
                t.machine.c.clock == "wall",
            )
        )
        with self._db.reading() as connection:
            if connection.execute(due.limit(1)).first() is None:
                return 0
        with self._db.writing() as connection:
            back = load_advisories(connection, [row.id for row in connection.execute(due)])
            docket, at_ns = Docket(connection, self._stamp()), self._clock()
            for one in back:
                new = recalled(one, self._profile(one.advisory.profile), at_ns)
                docket.advisory(new)
                docket.event(new, "due again", at_ns, "triage")
            docket.write()
        return len(back)

    def acknowledge_advisory(self, advisory_id: str, version: int, *, actor: str) -> AdvisoryRow:
        """Note who looks into it; `Conflict` when it is decided already."""
        with self._db.writing() as connection:
            old = self._get(connection, t.advisory, AdvisoryRow, advisory_id)
            check_version(old.version, version, "advisory")
            if old.state not in UNDECIDED:
                raise Conflict(f"the advisory is '{old.state}': there is nothing left to look into")
            at_ns = self._machine_now(connection, old.machine)
            new = msgspec.structs.replace(
                old, version=old.version + 1, acknowledged_by=actor, acknowledged_ns=at_ns
            )
            docket = Docket(connection, self._stamp())
            docket.advisory(new)
            docket.event(new, "acknowledged", at_ns, actor)
            docket.write()
        return new

    def note(self, advisory_id: str, *, actor: str, text: str) -> EventRow:
        """Add a remark to an advisory's events."""
        if not text.strip():
            raise Refused("/text", "write something")
        with self._db.writing() as connection:
            advisory = self._get(connection, t.advisory, AdvisoryRow, advisory_id)
            docket = Docket(connection, self._stamp())
            at_ns = self._machine_now(connection, advisory.machine)
            event = docket.event(advisory, INTERNAL, at_ns, actor, {"text": text})
            docket.write()
            seq = connection.scalar(sa.select(t.event.c.seq).where(t.event.c.id == event.id))
        return msgspec.structs.replace(event, seq=seq)
