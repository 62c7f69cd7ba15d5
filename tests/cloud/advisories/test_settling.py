"""What may open a ticket again after its machine was repaired: a new part runs in for a while."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.advisories.triage import triage
from cloud.advisories.values import OBSERVE_NS, SETTLE_NS, STANDING, Outcome, Stamp, Standing
from cloud.ledger.records import AdvisoryState, TicketState, Verdict
from cloud.tickets.draft import draft
from models.assessment import Assessment, Check
from tests.cloud.ledger.made import SECOND, T0, assess, band, high, profiles, replaced

PROFILE = profiles()["pump"]
HOUR = 3600 * SECOND
DONE = T0 + HOUR  #: when the ticket was resolved
SETTLED = DONE + SETTLE_NS


def _repaired(*, severity: int = 2, closed: bool = False) -> Standing:
    """Return an advisory whose ticket was resolved at `DONE` with a confirmed fault."""
    stamp = Stamp(new_id=lambda: "advisory", recorded_ns=1)
    (opened,) = triage([], PROFILE, assess(1, high(severity=severity)), stamp)
    row = opened.standing.advisory
    ticket = msgspec.structs.replace(
        draft(row, ticket_id="ticket", number=1, at_ns=T0, recorded_ns=1),
        state=TicketState.CLOSED_CONFIRMED if closed else TicketState.RESOLVED,
        resolved_ns=DONE,
        verdict=Verdict.CONFIRMED,
    )
    advisory = msgspec.structs.replace(
        row,
        state=AdvisoryState.VERIFIED,
        verdict="confirmed",
        observe_until_ns=DONE + OBSERVE_NS,
        ticket_id=ticket.id,
    )
    ended = [msgspec.structs.replace(e, ended_ns=DONE) for e in opened.standing.evidence]
    return Standing(advisory=advisory, evidence=tuple(ended), ticket=ticket)


def _told(one: Standing, assessments: Sequence[Assessment]) -> list[list[Outcome]]:
    """Return what each of the assessments brings, one after the other."""
    numbers = iter(range(1, 10**6))
    stamp = Stamp(new_id=lambda: f"id-{next(numbers)}", recorded_ns=1)
    here, out = [one], []
    for assessment in assessments:
        outcomes = triage(here, PROFILE, assessment, stamp)
        rows = {s.advisory.id: s for s in here} | {
            o.standing.advisory.id: o.standing for o in outcomes
        }
        here = [s for s in rows.values() if s.advisory.state in STANDING]
        out.append(outcomes)
    return out


def _orders(one: Standing, assessments: Sequence[Assessment]) -> list[str | None]:
    return [o.order for outcomes in _told(one, assessments) for o in outcomes if o.order]


def test_what_ends_while_the_machine_runs_in_is_no_fault() -> None:
    began = DONE + HOUR
    rows = [
        assess(2, high(at_ns=began), at_ns=began),
        assess(3, high(at_ns=began, active=False), at_ns=SETTLED - 1),
        assess(4, at_ns=SETTLED + HOUR),
    ]
    assert _orders(_repaired(), rows) == []


def test_what_still_stands_when_it_has_run_in_opens_the_ticket_again() -> None:
    began = DONE + HOUR
    back = high(at_ns=began)
    rows = [assess(n, back, at_ns=at) for n, at in enumerate((began, SETTLED - 1, SETTLED))]
    assert _orders(_repaired(), rows[:2]) == []
    assert _orders(_repaired(), rows) == ["reopen"]


def test_what_begins_later_opens_it_at_once() -> None:
    late = assess(2, high(at_ns=SETTLED + HOUR), at_ns=SETTLED + HOUR)
    assert _orders(_repaired(), [late]) == ["reopen"]


def test_what_is_graver_than_before_does_not_wait() -> None:
    worse = assess(2, high(at_ns=DONE + 1, severity=3), at_ns=DONE + 1)
    (outcome,) = _told(_repaired(), [worse])[0]
    assert outcome.order == "reopen"
    assert outcome.standing.advisory.severity == 3
    closed = _told(_repaired(closed=True), [worse])[0]
    assert [o.order for o in closed] == [None, "open"]


@pytest.mark.parametrize("at_ns", [DONE - HOUR, DONE])
def test_what_was_measured_before_the_repair_says_nothing_against_it(at_ns: int) -> None:
    worse = assess(2, high(at_ns=at_ns, severity=3), at_ns=at_ns)
    assert _orders(_repaired(), [worse]) == []
    standing = high(at_ns=at_ns)  # told on, and never new
    assert _orders(_repaired(), [assess(3, standing, at_ns=SETTLED + HOUR)]) == []


def test_a_forecast_drawn_from_the_part_before_waits_until_the_new_one_is_known() -> None:
    soon = band(1, 3, 5)  # graver than the ticket: the part would come too late
    early = assess(2, at_ns=DONE + HOUR, lives=(soon,))
    (outcome,) = _told(_repaired(), [early])[0]
    assert (outcome.order, outcome.standing.advisory.severity) == (None, 2)
    assert "raised" not in dict(outcome.notes)
    assert _orders(_repaired(), [early, assess(3, at_ns=SETTLED, lives=(soon,))]) == ["reopen"]


def test_a_notice_that_begins_does_not_make_what_stood_before_new() -> None:
    before = replaced(high(at_ns=T0), check=Check.SHIFT)
    notice = high(at_ns=DONE + HOUR, severity=1)
    assert _orders(_repaired(), [assess(2, before, notice, at_ns=SETTLED + HOUR)]) == []


@pytest.mark.parametrize("at_ns", [DONE + 1, SETTLED + HOUR])
def test_a_graver_reading_of_before_the_repair_that_came_late_says_nothing(at_ns: int) -> None:
    alarm = high(at_ns=DONE - HOUR, severity=3)
    late = assess(2, alarm, at_ns=DONE - HOUR)
    assert _orders(_repaired(), [late, assess(3, alarm, at_ns=at_ns)]) == []
    assert _orders(_repaired(), [assess(3, alarm, at_ns=at_ns)]) == []


class _Sign(msgspec.Struct, frozen=True):
    """A condition as it goes, in hours from the repair."""

    begins: int
    lasts: int
    severity: int
    rises: int  #: to an alarm, so many hours after its beginning

    def at(self, hour: int) -> int:
        """Return its severity (0: not active)."""
        if not self.begins <= hour < self.begins + self.lasts:
            return 0
        return 3 if hour >= self.begins + self.rises else self.severity


CHECKS = (Check.LIMIT_HIGH, Check.SHIFT)
_signs = st.builds(
    _Sign, st.integers(-12, 48), st.integers(1, 60), st.integers(1, 3), st.integers(0, 60)
)


def _reopens(signs: Sequence[_Sign], known: int, hour: int) -> bool:
    """Whether the machine speaks against its repair at this hour after it."""
    for sign in signs:
        now = sign.at(hour)
        if sign.begins > 0:
            if now > known or (now >= 2 and hour >= SETTLE_NS // HOUR):
                return True
        elif now > max(known, sign.at(0)) and now > sign.at(hour - 1):
            return True
    return False


@given(st.integers(2, 3), st.booleans(), st.lists(_signs, min_size=1, max_size=2))
def test_whatever_a_repaired_machine_does(known: int, closed: bool, signs: list[_Sign]) -> None:
    """It is taken up again at the first hour that says so, by what began or rose since."""
    hours, rows = range(-12, 60), []
    for n, hour in enumerate(hours):
        at_ns = DONE + hour * HOUR
        now = [
            replaced(
                high(
                    at_ns=DONE + sign.begins * HOUR,
                    active=sign.at(hour) > 0,
                    severity=sign.at(hour) or 1,
                ),
                check=check,
            )
            for sign, check in zip(signs, CHECKS, strict=False)
            if hour >= sign.begins
        ]
        rows.append(assess(n, *now, at_ns=at_ns))
    told = _told(_repaired(severity=known, closed=closed), rows)
    taken = [
        hour
        for hour, outcomes in zip(hours, told, strict=True)
        if any(o.order == "reopen" or (closed and o.new) for o in outcomes)
    ]
    expected = [hour for hour in hours if hour > 0 and _reopens(signs, known, hour)]
    assert taken[:1] == expected[:1]
