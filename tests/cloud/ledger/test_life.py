"""Assessments and people's decisions in any order: what must hold is checked after each step."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cloud.advisories.values import STANDING
from cloud.errors import Conflict
from cloud.ledger import (
    AdvisoryRow,
    AdvisoryState,
    Registration,
    TicketRow,
    TicketState,
    Verdict,
    open_ledger,
)
from cloud.tickets.lifecycle import FINAL
from models.assessment import Assessment, Check
from tests.cloud.ledger.made import DAY, MACHINE, SECOND, T0, Clock, assess, band, high, profiles
from tests.cloud.ledger.made import replaced as changed

TICKET_OF: dict[AdvisoryState, set[TicketState | None]] = {
    AdvisoryState.ACCEPTED: {TicketState.NEW, TicketState.IN_PROGRESS},
    AdvisoryState.VERIFIED: {
        TicketState.RESOLVED,
        TicketState.CLOSED_CONFIRMED,
        TicketState.CLOSED_UNCONFIRMED,
    },
    AdvisoryState.REJECTED: {None, TicketState.CANCELLED},
    AdvisoryState.OPEN: {None},
    AdvisoryState.DEFERRED: {None},
    AdvisoryState.SHADOW: {None},
    AdvisoryState.EXPIRED: {None},
}


class Life(RuleBasedStateMachine):
    """One machine, its assessments, a planner and a technician."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        url = f"sqlite:///{Path(self.folder.name) / 'ledger.db'}"
        self.ledger = open_ledger(url, Clock(), profiles())
        self.ledger.register([Registration(MACHINE, MACHINE, "pump", None, T0, "data")])
        self.now, self.n = T0, 0
        self.filed: list[Assessment] = []
        self.seen: dict[str, tuple[int, int]] = {}

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    @rule(
        hours=st.sampled_from([0, 1, 30, 200, 400]),
        signal=st.sampled_from(["vibration", "pressure"]),
        check=st.sampled_from([Check.LIMIT_HIGH, Check.LIMIT_LOW, Check.SHIFT, Check.STUCK]),
        severity=st.integers(0, 3),
        days=st.sampled_from([None, 2.0, 5.0, 30.0]),
        revision=st.sampled_from([0, 0, 0, 1]),
    )
    def assess(
        self,
        hours: int,
        signal: str,
        check: Check,
        severity: int,
        days: float | None,
        revision: int,
    ) -> None:
        self.now += hours * 3600 * SECOND
        condition = changed(
            high(at_ns=self.now, active=severity > 0, severity=max(severity, 1), signal=signal),
            check=check,
            expected=None,
        )
        lives = () if days is None else (band(days, days + 3, days + 6),)
        self.filed.append(assess(self.n, condition, at_ns=self.now, lives=lives, revision=revision))
        self.ledger.file(self.n, self.filed[-1:])
        self.n += 1

    @rule()
    def replay(self) -> None:
        if self.filed:
            before = self.ledger.events(limit=1000)
            assert self.ledger.file(self.n - 1, self.filed) == []
            assert self.ledger.events(limit=1000) == before

    @rule(which=st.integers(0, 5), decision=st.sampled_from(["accept", "defer", "reject"]))
    def decide(self, which: int, decision: str) -> None:
        rows, _ = self.ledger.advisories()
        if which < len(rows):
            row = rows[which]
            self._try(
                lambda: self.ledger.decide_advisory(
                    row.id,
                    row.version,
                    decision,  # type: ignore[arg-type]
                    actor="ann",
                    reason="because",
                    until_ns=self.now + 2 * DAY,
                )
            )

    @rule(
        which=st.integers(0, 3),
        step=st.sampled_from(["take", "resolve", "reopen", "close", "cancel"]),
        verdict=st.sampled_from(Verdict),
    )
    def work(self, which: int, step: str, verdict: Verdict) -> None:
        rows, _ = self.ledger.tickets()
        if which >= len(rows):
            return
        key, version = rows[which].id, rows[which].version
        ledger = self.ledger
        steps: dict[str, Callable[[], object]] = {
            "take": lambda: ledger.acknowledge(key, version, actor="bob"),
            "resolve": lambda: ledger.resolve(key, version, actor="bob", verdict=verdict),
            "reopen": lambda: ledger.reopen(key, version, actor="bob", note="loud"),
            "close": lambda: ledger.close_ticket(key, version, actor="bob", confirmed=True),
            "cancel": lambda: ledger.cancel(key, version, actor="bob", note="sold"),
        }
        self._try(steps[step])

    @staticmethod
    def _try(call: Callable[[], object]) -> None:
        try:
            call()
        except Conflict as error:
            assert "possible" in str(error)  # noqa: PT017 - both ways out are right

    @invariant()
    def one_a_key(self) -> None:
        rows, _ = self.ledger.advisories(limit=1000)
        keys = [(row.component, row.mode) for row in rows if row.state in STANDING]
        assert len(keys) == len(set(keys))
        tickets, _ = self.ledger.tickets(limit=1000)
        open_ = [(t.component, t.mode) for t in tickets if t.state not in FINAL]
        assert len(open_) == len(set(open_))
        assert len({t.advisory_id for t in tickets}) == len(tickets)

    @invariant()
    def advisory_and_ticket_agree(self) -> None:
        tickets = {t.id: t for t in self.ledger.tickets(limit=1000)[0]}
        for row in self.ledger.advisories(limit=1000)[0]:
            ticket = tickets[row.ticket_id].state if row.ticket_id else None
            if row.state is not AdvisoryState.CLOSED:
                assert ticket in TICKET_OF[row.state], row
            else:
                assert ticket is None or ticket in FINAL

    @invariant()
    def every_change_is_written_down(self) -> None:
        rows: list[AdvisoryRow | TicketRow] = [*self.ledger.advisories(limit=1000)[0]]
        rows += self.ledger.tickets(limit=1000)[0]
        for row in rows:
            events, _ = self.ledger.events(subject_id=row.id, limit=1000)
            version, count = self.seen.get(row.id, (0, 0))
            assert (row.version > version) == (len(events) > count)
            self.seen[row.id] = (row.version, len(events))


Life.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestLife = Life.TestCase
