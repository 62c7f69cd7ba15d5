"""When a visit is due: bands, lead times, the customer's window, visits that are planned anyway."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.advisories.reason import reasons
from cloud.advisories.triage import triage
from cloud.advisories.values import Stamp
from cloud.advisories.window import Window, absorbed, horizon_s, window
from cloud.tickets.draft import draft
from models.assessment import Life
from models.profile import parse_profile
from tests.cloud.ledger.made import DAY, PUMP, T0, assess, band, high

PROFILE = parse_profile(PUMP.replace("visit_d = 0.0", "visit_d = 3.0"))
MODE = PROFILE.failure_modes["bearing-wear"]  # lead time 5 days, planning 2, 4 hours of work
D = 86_400.0


def due(days: float) -> Window:
    return window(T0, band(days, days + 2, days + 4), 2, MODE, PROFILE)


def test_the_horizon_is_lead_time_planning_and_the_customers_window() -> None:
    assert horizon_s(MODE, PROFILE) == (5 + 2 + 3) * D


def test_the_part_is_ordered_before_the_customers_window_opens() -> None:
    found = due(20.0)
    assert found.latest_ns == T0 + int((20 - MODE.duration_h / 24) * DAY)
    assert found.order_by_ns == found.latest_ns - 10 * DAY
    assert due(8.0).order_by_ns == T0  # at once: 10 days would be needed


@given(days=st.floats(0.0, 400.0))
def test_a_window_is_never_inside_out_nor_in_the_past(days: float) -> None:
    found = due(days)
    assert found.order_by_ns is not None
    assert T0 <= found.earliest_ns <= found.latest_ns
    assert T0 <= found.order_by_ns <= found.latest_ns


def visit(first: float, last: float) -> Window:
    return Window(
        earliest_ns=T0 + int(first * DAY), latest_ns=T0 + int(last * DAY), order_by_ns=None
    )


@pytest.mark.parametrize(
    ("planned", "days"),
    [
        ([], (5.0, 20.0)),
        ([visit(1, 4)], (5.0, 20.0)),  # the part is not there
        ([visit(21, 30)], (5.0, 20.0)),  # too late
        ([visit(3, 8)], (5.0, 8.0)),
        ([visit(12, 30), visit(7, 9)], (7.0, 9.0)),  # the earlier of two
        ([visit(1, 4), visit(18, 40)], (18.0, 20.0)),
    ],
)
def test_the_nearest_planned_visit_that_suits_takes_the_work(
    planned: list[Window], days: tuple[float, float]
) -> None:
    own = Window(earliest_ns=T0 + 5 * DAY, latest_ns=T0 + 20 * DAY, order_by_ns=T0 + 10 * DAY)
    found = absorbed(own, planned, T0)
    assert (found.earliest_ns, found.latest_ns) == (
        T0 + int(days[0] * DAY),
        T0 + int(days[1] * DAY),
    )
    assert found.order_by_ns == max(T0, T0 + 10 * DAY - (own.latest_ns - found.latest_ns))


def test_a_second_finding_goes_along_with_the_ticket_of_the_first() -> None:
    count = iter(range(100))
    stamp = Stamp(new_id=lambda: f"id-{next(count):04}", recorded_ns=1)
    life: Life = band(9, 12, 15)
    [first] = triage([], PROFILE, assess(0, lives=(life,)), stamp)
    ticket = draft(first.standing.advisory, ticket_id="t", number=1, at_ns=T0, recorded_ns=1)
    planned = msgspec.structs.replace(
        ticket, due_earliest_ns=T0 + 6 * DAY, due_latest_ns=T0 + 7 * DAY
    )
    standing = msgspec.structs.replace(first.standing, ticket=planned)
    other = high(signal="pressure", severity=2)
    found = triage([standing], PROFILE, assess(1, other, lives=(life,)), stamp)
    [opened] = [outcome.standing.advisory for outcome in found if outcome.new]
    assert opened.component != first.standing.advisory.component
    assert (opened.due_earliest_ns, opened.due_latest_ns) == (T0 + 6 * DAY, T0 + 7 * DAY)


def test_while_nothing_is_known_of_a_part_s_rate_nobody_is_told_to_order_now() -> None:
    """A machine that is first heard beyond an alert limit, days before there can be a band."""
    count = iter(range(100))
    stamp = Stamp(new_id=lambda: f"id-{next(count):04}", recorded_ns=1)
    unknown = msgspec.structs.replace(
        band(0, 0, 0), basis="wear", p10_s=None, p50_s=None, p90_s=None
    )
    [first] = triage([], PROFILE, assess(0, high(), lives=(unknown,)), stamp)
    opened = first.standing.advisory
    assert opened.severity == 2
    assert opened.order_by_ns is None
    assert opened.due_earliest_ns <= T0 + 5 * DAY
    assert opened.due_latest_ns == T0 + 30 * DAY
    for lang, said in (("en", "not enough data"), ("zh", "数据不足")):
        limit, last = reasons(first.standing.evidence, opened.life, PROFILE, lang)
        assert "5" in limit
        assert said in last
    known = msgspec.structs.replace(band(60, 80, 100), basis="wear")
    at_ns = T0 + 2 * DAY
    [later] = triage(
        [first.standing], PROFILE, assess(1, high(), at_ns=at_ns, lives=(known,)), stamp
    )
    assert later.standing.advisory.order_by_ns == at_ns + int((60 - 10 - 4 / 24) * DAY)
    worse = assess(1, high(severity=3), at_ns=at_ns, lives=(unknown,))
    [raised] = triage([first.standing], PROFILE, worse, stamp)
    assert raised.standing.advisory.order_by_ns == at_ns
    assert raised.standing.advisory.due_latest_ns == at_ns + DAY


def test_an_alert_limit_without_a_trend_keeps_its_week() -> None:
    unknown = msgspec.structs.replace(band(0, 0, 0), p10_s=None, p50_s=None, p90_s=None)
    assert window(T0, unknown, 2, MODE, PROFILE) == window(T0, None, 2, MODE, PROFILE)
    assert window(T0, None, 2, MODE, PROFILE).latest_ns == T0 + 7 * DAY
