import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.advisories.values import STANDING
from cloud.ledger import AdvisoryState, Ledger, Registration, TicketState, filing, open_ledger
from cloud.tickets.lifecycle import FINAL
from models.assessment import Assessment, State
from tests.cloud.ledger.made import DAY, MACHINE, SECOND, T0, Clock, assess, band, high, profiles


def test_nothing_to_file_writes_nothing(ledger: Ledger) -> None:
    assert ledger.file(5, []) == []
    assert ledger.position() == -1


def test_filing_moves_the_position_and_keeps_the_assessment(ledger: Ledger) -> None:
    first = assess(7)
    assert ledger.file(9, [first]) == []
    assert ledger.position() == 9
    newest = ledger.current(MACHINE)
    assert newest is not None
    assert newest.assessment == first
    row = ledger.machine(MACHINE)
    assert (row.state, row.health, row.seen_ns) == (State.NORMAL, 60.0, T0 + 7 * SECOND)


def test_ten_thousand_readings_over_the_limit_make_one_advisory_and_one_ticket(
    ledger: Ledger,
) -> None:
    for start in range(0, 10_000, 250):
        ledger.file(start + 249, [assess(n, high(at_ns=T0)) for n in range(start, start + 250)])
    advisories, more = ledger.advisories()
    assert more is None
    (advisory,) = advisories
    assert advisory.state is AdvisoryState.ACCEPTED
    tickets, _ = ledger.tickets()
    (ticket,) = tickets
    assert ticket.advisory_id == advisory.id
    assert advisory.ticket_id == ticket.id
    assert len(ledger.evidence(advisory.id)) == 1
    assert [e.type for e in ledger.events()[0]] == ["registered", "opened", "opened"]


def test_a_ticket_carries_window_part_and_action(ledger: Ledger) -> None:
    ledger.file(1, [assess(1, lives=(band(6, 9, 14),))])
    (ticket,), _ = ledger.tickets()
    at = T0 + SECOND
    assert (ticket.part, ticket.title["zh"]) == ("6309", "轴承磨损")
    assert ticket.due_earliest_ns == at + 5 * DAY  # the part's lead time
    assert ticket.due_latest_ns == at + 6 * DAY - 4 * 3600 * SECOND  # done before p10
    assert ticket.order_by_ns == at  # p10 is nearer than lead time and planning: order now


def test_policy_decides_who_makes_the_ticket(ledger: Ledger) -> None:
    low = high(signal="pressure")
    ledger.file(1, [assess(1, low)])
    (advisory,), _ = ledger.advisories()
    assert advisory.mode == "abnormal"  # no mode claims a high pressure
    assert advisory.state is AdvisoryState.OPEN
    assert ledger.tickets()[0] == []
    assert ledger.alerts_due(2 * T0) == []  # never on an advisory alone
    accepted = ledger.decide_advisory(advisory.id, advisory.version, "accept", actor="ann")
    (ticket,), _ = ledger.tickets()
    assert accepted.ticket_id == ticket.id
    assert [alert.kind for alert in ledger.alerts_due(2 * T0)] == ["opened"]


def test_a_rise_is_told_once(ledger: Ledger) -> None:
    ledger.file(1, [assess(1, high())])
    for n in range(2, 6):
        ledger.file(n, [assess(n, high(severity=3))])
    assert [a.kind for a in ledger.alerts_due(2 * T0)] == ["opened", "raised"]
    (ticket,), _ = ledger.tickets()
    assert (ticket.severity, ticket.priority) == (3, 1)


def test_the_end_is_noted_and_the_ticket_stays(ledger: Ledger) -> None:
    ledger.file(1, [assess(1, high())])
    filed = ledger.file(2, [assess(2, high(active=False))])
    assert [f.what for f in filed] == ["ended"]
    (advisory,), _ = ledger.advisories()
    assert advisory.ended_ns == T0 + 2 * SECOND
    (ticket,), _ = ledger.tickets()
    assert ticket.state is TicketState.NEW
    (row,) = ledger.evidence(advisory.id)
    assert row.ended_ns == T0 + 2 * SECOND


def test_the_kept_assessments_are_bounded(ledger: Ledger) -> None:
    for start in range(0, 1_600, 200):
        ledger.file(start + 199, [assess(n) for n in range(start, start + 200)])
    kept = 0
    after = None
    while True:
        rows, after = ledger.assessments(MACHINE, after=after, limit=500)
        kept += len(rows)
        if after is None:
            break
    assert 1_000 <= kept <= 1_200
    newest, _ = ledger.assessments(MACHINE, limit=1)
    assert newest[0].assessment.n == 1_599


def test_a_young_fleet_is_not_pruned_machine_by_machine(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    pruned: list[int] = []
    execute = sa.Connection.execute

    def counting(self: sa.Connection, statement: object, *rows: Any) -> object:
        if statement is filing._PRUNE:
            pruned.append(len(rows[0]))
        return execute(self, statement, *rows)  # type: ignore[call-overload]

    monkeypatch.setattr(sa.Connection, "execute", counting)
    for n in range(3):
        ledger.file(n, [assess(n, machine=f"acme.m{number}") for number in range(200)])
    assert len(pruned) <= 3, "all that are due together"
    assert sum(pruned) < 30, "each machine's turn comes once in 200 of its assessments"


def test_a_second_look_at_the_past_alerts_nobody(ledger: Ledger) -> None:
    ledger.file(1, [assess(1)])
    ledger.file(2, [assess(2, high(), at_ns=T0, revision=1)])
    (advisory,), _ = ledger.advisories()
    assert advisory.state is AdvisoryState.OPEN
    assert ledger.tickets()[0] == []
    assert ledger.machine(MACHINE).seen_ns == T0 + SECOND


def test_a_failure_inside_leaves_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("cloud.ledger.filing._advance", broken)
    with pytest.raises(RuntimeError):
        ledger.file(1, [assess(1, high())])
    monkeypatch.undo()
    assert ledger.position() == -1
    assert ledger.advisories()[0] == []
    assert ledger.tickets()[0] == []
    assert len(ledger.events()[0]) == 1
    ledger.file(1, [assess(1, high())])
    assert len(ledger.tickets()[0]) == 1


#: one step of a made-up life: minutes that pass, severity (0: over), which signal, a life band
STEPS = st.lists(
    st.tuples(
        st.integers(0, 5_000),
        st.integers(0, 3),
        st.sampled_from(["vibration", "pressure", "unknown"]),
        st.sampled_from([None, (3.0, 6.0, 9.0), (60.0, 90.0, 120.0)]),
    ),
    min_size=1,
    max_size=25,
)


def _life(steps: list[tuple[int, int, str, tuple[float, float, float] | None]]) -> list[Assessment]:
    at, out = T0, []
    for n, (minutes, severity, signal, bands) in enumerate(steps):
        at += minutes * 60 * SECOND
        condition = high(at_ns=at, active=severity > 0, severity=max(severity, 1), signal=signal)
        lives = () if bands is None else (band(*bands),)
        out.append(assess(n, condition, at_ns=at, lives=lives))
    return out


def _picture(ledger: Ledger) -> list[tuple[object, ...]]:
    advisories = sorted(
        (a.mode, a.state, a.severity, a.opened_ns, a.ended_ns, a.due_latest_ns, a.version)
        for a in ledger.advisories(limit=1000)[0]
    )
    tickets = sorted(
        (k.mode, k.state, k.severity, k.opened_ns, k.number, k.version)
        for k in ledger.tickets(limit=1000)[0]
    )
    events = [(e.subject, e.type, e.at_ns) for e in ledger.events(limit=1000)[0]]
    return [*advisories, *tickets, *events]


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, cuts=st.lists(st.integers(1, 6), min_size=1, max_size=10))
def test_any_life_gives_one_ticket_a_key_and_a_replay_changes_nothing(
    steps: list[tuple[int, int, str, tuple[float, float, float] | None]], cuts: list[int]
) -> None:
    life = _life(steps)
    with tempfile.TemporaryDirectory() as folder:
        pictures = []
        for name, sizes in (("one", [1]), ("cut", cuts)):
            one = open_ledger(f"sqlite:///{Path(folder) / name}.db", Clock(), profiles())
            one.register([Registration(MACHINE, MACHINE, "pump", None, T0, "data")])
            at, turn = 0, 0
            while at < len(life):
                size = sizes[turn % len(sizes)]
                group = life[at : at + size]
                one.file(group[-1].n, group)
                at, turn = at + size, turn + 1
                _check_unique(one)
            before = _picture(one)
            one.file(life[-1].n, life)  # what a crash before the snapshot makes us see again
            assert _picture(one) == before
            pictures.append(before)
            one.close()
        assert pictures[0] == pictures[1]


def _check_unique(ledger: Ledger) -> None:
    standing = [
        (a.machine, a.component, a.mode)
        for a in ledger.advisories(limit=1000)[0]
        if a.state in STANDING
    ]
    assert len(standing) == len(set(standing))
    tickets = ledger.tickets(limit=1000)[0]
    open_ = [(k.machine, k.component, k.mode) for k in tickets if k.state not in FINAL]
    assert len(open_) == len(set(open_))
    assert len({k.advisory_id for k in tickets}) == len(tickets)


def test_what_is_filed_is_there_after_reopening(
    reopen: Callable[[], Ledger], ledger: Ledger
) -> None:
    ledger.file(3, [assess(3, high())])
    again = reopen()
    assert again.position() == 3
    assert again.file(3, [assess(3, high())]) == []
    assert len(again.tickets()[0]) == 1
