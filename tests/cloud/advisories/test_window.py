"""When a visit is due: bands, lead times, the customer's window, visits that are planned anyway."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.advisories.evidence import Finding, update
from cloud.advisories.reason import reasons
from cloud.advisories.triage import triage
from cloud.advisories.values import Case, Stamp, Standing
from cloud.advisories.window import AWAIT_D, Window, absorbed, horizon_s, window
from cloud.ledger.records import EvidenceRow
from cloud.tickets.draft import draft, follow
from models.assessment import Assessment, Life
from models.profile import parse_profile
from tests.cloud.ledger.made import DAY, PUMP, T0, assess, band, high

OWN = PUMP.replace("visit_d = 0.0", "visit_d = 3.0").replace(  # the alarm limit is where it ends
    "[signals.pressure]\n", "limits = { alert_high = 4.5, alarm_high = 7.1 }\n[signals.pressure]\n"
)
PROFILE = parse_profile(OWN)
MODE = PROFILE.failure_modes["bearing-wear"]  # lead time 5 days, planning 2, 4 hours of work
HOT = parse_profile(  # a second signal speaks for the same wear
    OWN.replace(
        'signals = ["vibration"]', 'signals = ["vibration", "temperature", "noise"]'
    ).replace("[signals.pressure]", "[signals.temperature]\n[signals.noise]\n[signals.pressure]")
)
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


def unknown_yet(*, coming: bool) -> Life:
    none = {"p10_s": None, "p50_s": None, "p90_s": None}
    return msgspec.structs.replace(band(0, 0, 0), basis="wear", coming=coming, **none)


def test_while_nothing_is_known_of_a_part_s_rate_nobody_is_told_to_order_now() -> None:
    """A machine that is first heard beyond an alert limit, days before there can be a band."""
    count = iter(range(100))
    stamp = Stamp(new_id=lambda: f"id-{next(count):04}", recorded_ns=1)
    unknown = unknown_yet(coming=True)
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


def test_where_no_band_will_come_the_work_is_due_in_a_week_and_ordered_now() -> None:
    for life in (unknown_yet(coming=False), None):
        found = window(T0, life, 2, MODE, PROFILE)
        assert (found.latest_ns, found.order_by_ns) == (T0 + 7 * DAY, T0)


def test_the_wait_for_a_band_ends() -> None:
    count = iter(range(100))
    stamp = Stamp(new_id=lambda: f"id-{next(count):04}", recorded_ns=1)
    life = unknown_yet(coming=True)
    [first] = triage([], PROFILE, assess(0, high(), lives=(life,)), stamp)
    here = msgspec.structs.replace(
        first.standing,
        ticket=draft(first.standing.advisory, ticket_id="t", number=1, at_ns=T0, recorded_ns=1),
    )
    end_ns = T0 + int(AWAIT_D * DAY)
    still = assess(1, high(), at_ns=end_ns - 1, lives=(life,))
    assert triage([here], PROFILE, still, stamp) == []
    over = assess(2, high(), at_ns=end_ns, lives=(life,))
    [ended] = triage([here], PROFILE, over, stamp)
    assert ended.order == "follow"
    advisory = ended.standing.advisory
    assert (advisory.due_latest_ns, advisory.order_by_ns) == (end_ns + 7 * DAY, end_ns)
    assert triage([ended.standing], PROFILE, msgspec.structs.replace(over, n=3), stamp) == []


def alarm_on(signal: str) -> tuple[EvidenceRow, ...]:
    """Return the evidence of an alarm limit that stands."""
    stamp = Stamp(new_id=lambda: signal, recorded_ns=1)
    case = Case(assessment=assess(0), profile=PROFILE, stamp=stamp)
    return update((), Finding(conditions=(high(signal=signal, severity=3),)), "a", case)


def test_an_alarm_is_due_from_now_on_and_within_a_day_whatever_the_band_says() -> None:
    rows = alarm_on("temperature")
    for life in (None, unknown_yet(coming=True), band(60, 80, 100), band(0, 0, 0)):
        found = window(T0, life, 3, MODE, PROFILE, rows)
        assert found == Window(earliest_ns=T0, latest_ns=T0 + DAY, order_by_ns=T0)
    near = window(T0, band(0.5, 1, 2), 3, MODE, PROFILE, rows)
    assert near.latest_ns == T0 + DAY // 2 - 4 * DAY // 24  # hours of work


def test_an_alarm_of_the_signal_that_tells_the_life_follows_the_band() -> None:
    rows = alarm_on("vibration")
    assert window(T0, band(16, 18, 20), 3, MODE, PROFILE, rows) == due(16.0)
    for life in (None, unknown_yet(coming=True), band(0, 0, 0)):  # no band, or there by the band
        found = window(T0, life, 3, MODE, PROFILE, rows)
        assert found == Window(earliest_ns=T0, latest_ns=T0 + DAY, order_by_ns=T0)


def test_an_alarm_goes_along_with_a_visit_that_is_planned_within_the_day() -> None:
    own = window(T0, None, 3, MODE, PROFILE)
    assert absorbed(own, [visit(0.25, 0.5)], T0).latest_ns == T0 + DAY // 2


def alarmed(signal: str, at_ns: int, life: Life, *, active: bool = True, n: int = 1) -> Assessment:
    condition = high(signal=signal, severity=3, active=active, at_ns=at_ns)
    return assess(n, condition, at_ns=at_ns, lives=(life,))


def test_a_band_that_comes_after_an_alarm_dates_only_what_it_is_told_by() -> None:
    far = msgspec.structs.replace(band(900, 1000, 1100), basis="wear")
    for signal in ("vibration", "temperature"):
        ids = (f"id-{n:04}" for n in range(100))
        stamp = Stamp(new_id=ids.__next__, recorded_ns=1)
        opening = alarmed(signal, T0, unknown_yet(coming=True), n=0)
        [first] = triage([], HOT, opening, stamp)
        assert first.standing.advisory.due_latest_ns == T0 + DAY
        [known] = triage([first.standing], HOT, alarmed(signal, T0 + DAY, far), stamp)
        advisory = known.standing.advisory
        assert advisory.life == far
        if signal == "vibration":
            assert advisory.due_latest_ns > T0 + 800 * DAY
            continue
        assert (advisory.due_earliest_ns, advisory.due_latest_ns) == (T0, T0 + DAY)
        over = alarmed(signal, T0 + 2 * DAY, far, active=False, n=2)
        [ended] = triage([known.standing], HOT, over, stamp)
        assert ended.standing.advisory.due_latest_ns > T0 + 800 * DAY


def test_an_alarm_on_a_ticket_with_a_band_sets_its_date_and_takes_the_band_of_now() -> None:
    count = iter(range(100))
    stamp = Stamp(new_id=lambda: f"id-{next(count):04}", recorded_ns=1)
    [first] = triage([], HOT, assess(0, high(), lives=(band(60, 66, 72),)), stamp)
    at_ns, now = T0 + 30 * DAY, band(30, 36, 42)
    [own] = triage([first.standing], HOT, alarmed("vibration", at_ns, now), stamp)
    assert own.standing.advisory.severity == 3
    assert own.standing.advisory.due_latest_ns == first.standing.advisory.due_latest_ns
    said = {lang: own_words(own.standing, now, lang) for lang in ("en", "zh")}
    assert said == {
        "en": "The days left set the date, not the alarm: single readings touch its limit early",
        "zh": "到期日由剩余天数确定，而非由报警确定：单次读数会提前触及其限值",
    }
    [other] = triage([own.standing], HOT, alarmed("temperature", at_ns + 1, now, n=2), stamp)
    advisory = other.standing.advisory
    assert (advisory.life, advisory.life_at_ns) == (now, at_ns + 1)
    assert (advisory.due_earliest_ns, advisory.due_latest_ns) == (at_ns + 1, at_ns + 1 + DAY)
    assert advisory.order_by_ns == at_ns + 1
    assert "whatever the days left say" in own_words(other.standing, now, "en")
    assert "不论剩余天数" in own_words(other.standing, now, "zh")
    assert "limit reached" in own_words(own.standing, band(0, 0, 0), "en")  # nothing to choose from


def own_words(one: Standing, life: Life, lang: str) -> str:
    return reasons(one.evidence, life, HOT, lang)[-1]


def test_an_alarm_on_a_ticket_that_is_grave_already_is_told_once_with_its_nearer_date() -> None:
    count = iter(range(100))
    stamp = Stamp(new_id=lambda: f"id-{next(count):04}", recorded_ns=1)
    grave = band(4, 4.5, 5)  # the part comes too late
    [first] = triage([], HOT, assess(0, high(), lives=(grave,)), stamp)
    assert first.standing.advisory.severity == 3
    ticket = draft(first.standing.advisory, ticket_id="t", number=1, at_ns=T0, recorded_ns=1)
    here, orders = msgspec.structs.replace(first.standing, ticket=ticket), []
    for n in range(1, 5):  # begins, ends, begins again, ends
        at_ns = T0 + n * DAY // 24
        happens = alarmed("temperature", at_ns, grave, active=n % 2 == 1, n=n)
        [outcome] = triage([here], HOT, happens, stamp)
        orders.append(outcome.order)
        ticket = follow(ticket, outcome.standing.advisory)
        here = msgspec.structs.replace(outcome.standing, ticket=ticket)
    assert orders == ["raise", "follow", "follow", "follow"]
    own = msgspec.structs.replace(first.standing, ticket=ticket)
    [outcome] = triage([own], HOT, alarmed("vibration", T0 + DAY, grave, n=9), stamp)
    assert outcome.order != "raise"


def test_an_alarm_never_makes_a_date_later() -> None:
    count = iter(range(100))
    stamp = Stamp(new_id=lambda: f"id-{next(count):04}", recorded_ns=1)
    [first] = triage([], HOT, assess(0, high(), lives=(band(1, 20, 30),)), stamp)
    at_ns, over = T0 + DAY // 2, band(0, 0, 0)
    [second] = triage([first.standing], HOT, alarmed("temperature", at_ns, over), stamp)
    advisory = second.standing.advisory
    assert advisory.due_latest_ns == first.standing.advisory.due_latest_ns
    assert advisory.due_earliest_ns == at_ns  # the visit may come now


@pytest.mark.parametrize(
    ("left", "quiet_d", "kinds"),
    [
        (0.98, 1, ["raised"]),  # another part: told at once
        (0.2, 1, []),  # the same part, once more
        (0.2, 15, ["raised"]),  # the same part, quiet for long
    ],
)
def test_a_second_problem_of_a_ticket_that_was_left_open_is_told(
    left: float, quiet_d: int, kinds: list[str]
) -> None:
    count = iter(range(100))
    stamp = Stamp(new_id=lambda: f"id-{next(count):04}", recorded_ns=1)
    worn = msgspec.structs.replace(band(60, 66, 72), fraction=0.1)
    after = msgspec.structs.replace(band(60, 66, 72), fraction=left)
    [first] = triage([], PROFILE, assess(0, high(), lives=(worn,)), stamp)
    ticket = draft(first.standing.advisory, ticket_id="t", number=1, at_ns=T0, recorded_ns=1)
    here = msgspec.structs.replace(first.standing, ticket=ticket)
    over = assess(1, high(active=False), at_ns=T0 + DAY, lives=(after,))
    [ended] = triage([here], PROFILE, over, stamp)
    again = assess(2, high(), at_ns=T0 + (1 + quiet_d) * DAY, lives=(after,))
    [resumed] = triage([ended.standing], PROFILE, again, stamp)
    told = [kind for kind, _ in resumed.notes if kind == "raised"]
    assert told == kinds
    assert (resumed.order == "raise") is bool(kinds)
    assert resumed.standing.advisory.severity == 2


def test_an_alert_limit_without_a_trend_keeps_its_week() -> None:
    unknown = msgspec.structs.replace(band(0, 0, 0), p10_s=None, p50_s=None, p90_s=None)
    assert window(T0, unknown, 2, MODE, PROFILE) == window(T0, None, 2, MODE, PROFILE)
    assert window(T0, None, 2, MODE, PROFILE).latest_ns == T0 + 7 * DAY
