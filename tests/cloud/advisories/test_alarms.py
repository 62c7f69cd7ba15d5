"""What dates a ticket on which alarms come and go, and what is told of it."""

import itertools
from collections.abc import Sequence

import msgspec
import pytest

from cloud.advisories.reason import reasons
from cloud.advisories.triage import triage
from cloud.advisories.values import Stamp, Standing
from cloud.advisories.window import pressing
from cloud.tickets.draft import draft, follow
from models.assessment import Assessment, Check, Life
from models.profile import Profile, load_profiles, parse_profile
from tests.cloud.advisories.test_window import HOT, OWN, alarmed
from tests.cloud.ledger.made import DAY, T0, assess, band, high, replaced

GRAVE = band(4, 4.5, 5)  # the part comes too late
FAR = band(60, 66, 72)


class Desk:
    """One ticket and what becomes of it. Days are counted from `T0`."""

    def __init__(self, first: Assessment, profile: Profile = HOT) -> None:
        count = itertools.count()
        self.profile = profile
        self.stamp = Stamp(new_id=lambda: f"id-{next(count):04}", recorded_ns=1)
        [opened] = triage([], profile, first, self.stamp)
        ticket = draft(opened.standing.advisory, ticket_id="t", number=1, at_ns=T0, recorded_ns=1)
        self.here: Standing = msgspec.structs.replace(opened.standing, ticket=ticket)

    def take(self, assessment: Assessment) -> str | None:
        """Return what becomes of the ticket with an assessment."""
        found = triage([self.here], self.profile, assessment, self.stamp)
        if not found:
            return None
        [outcome] = found
        ticket = self.here.ticket
        assert ticket is not None
        if outcome.order is not None:
            ticket = follow(ticket, outcome.standing.advisory)
        self.here = msgspec.structs.replace(outcome.standing, ticket=ticket)
        return outcome.order

    def alarm(self, day: float, life: Life, *, signal: str = "temperature", on: bool = True) -> str:
        """Let an alarm begin or end; return what becomes of the ticket."""
        at_ns = T0 + int(day * DAY)
        return self.take(alarmed(signal, at_ns, life, active=on, n=int(day * 100) + 1)) or ""

    @property
    def due(self) -> tuple[float, float]:
        """From when to when the visit is due, in days."""
        ticket = self.here.ticket
        assert ticket is not None
        first, last = ticket.due_earliest_ns, ticket.due_latest_ns
        return round((first - T0) / DAY, 3), round((last - T0) / DAY, 3)


def left(life: Life, fraction: float) -> Life:
    return msgspec.structs.replace(life, fraction=fraction)


@pytest.mark.parametrize("signal", ["temperature", "vibration"])
def test_what_becomes_more_urgent_after_its_date_is_dated_anew(signal: str) -> None:
    """A ticket that was left open when the part was changed, and the next part's end."""
    desk = Desk(alarmed("temperature", T0, left(band(3, 4, 5), 0.1), n=0))
    desk.alarm(1, left(band(2, 3, 4), 0.1), on=False)
    new = assess(900, at_ns=T0 + 5 * DAY, lives=(left(band(90, 100, 110), 0.98),))
    assert desk.take(new) == "ease"
    assert desk.alarm(100, left(band(5, 10, 15), 0.1), signal=signal) == "raise"
    if signal == "temperature":
        assert desk.due == (100.0, 101.0)
    else:
        assert desk.due == (102.0, 104.833)  # planning; hours of work
    assert desk.here.advisory.order_by_ns == T0 + 100 * DAY


def test_a_date_that_has_come_stays_on_a_ticket_that_is_grave_already() -> None:
    desk = Desk(assess(0, lives=(GRAVE,)))
    before = desk.due
    assert desk.alarm(9, band(0, 0, 0)) != "raise"
    assert desk.due == before


def test_a_forecast_is_not_called_an_alarm() -> None:
    desk = Desk(assess(0, lives=(GRAVE,)))
    assert desk.here.advisory.severity == 3
    for lang in ("en", "zh"):
        assert len(reasons(desk.here.evidence, GRAVE, HOT, lang)) == 1


def limited(alarm: float, check: Check, *, curve: Sequence[float] = ()) -> bool:
    """Whether an alarm of the life's own signal (limit 7.1 mm/s) sets the date of a far band."""
    side = "high" if check is Check.LIMIT_HIGH else "low"
    text = OWN.replace("alarm_high = 7.1", f"alarm_{side} = {alarm}")
    if curve:
        text = text.replace("limit = 7.1", f"limit = 7.1\ncurve = {list(curve)}\nlife_d = 900.0")
    profile = parse_profile(text)
    condition = replaced(high(severity=3), check=check)
    desk = Desk(assess(0, high(), lives=(FAR,)), profile)
    [row, *_] = desk.here.evidence
    row = msgspec.structs.replace(row, severity=3, check=condition.check)
    return pressing((row,), FAR, profile)


def test_only_an_alarm_at_the_end_of_the_part_leaves_the_date_to_the_band() -> None:
    assert not limited(7.1, Check.LIMIT_HIGH)
    assert not limited(9.0, Check.LIMIT_HIGH)  # beyond the end
    assert limited(5.0, Check.LIMIT_HIGH)
    assert limited(7.0, Check.LIMIT_HIGH)  # nothing says how near that is
    assert limited(0.1, Check.LIMIT_LOW)  # the machine stands, or the sensor is off
    wear = (0.5, 3.0, 7.1)
    assert not limited(7.0, Check.LIMIT_HIGH, curve=wear)  # a hundredth of a life before
    assert limited(6.8, Check.LIMIT_HIGH, curve=wear)


def test_a_limit_of_readings_as_they_come_is_no_end_of_a_part_read_as_at_a_load() -> None:
    """10 mm/s at twice the nominal load is 5 at the nominal one, and the part fails at 7.1."""
    profile = parse_profile(
        OWN.replace("alarm_high = 7.1", "alarm_high = 10.0").replace(
            "limit = 7.1", 'limit = 7.1\nnorm = { by = "pressure", nominal = 2.0 }'
        )
    )
    desk = Desk(assess(0, high(severity=3), lives=(FAR,)), profile)
    assert pressing(desk.here.evidence, FAR, profile)
    assert desk.due == (0.0, 1.0)


def test_the_alarms_of_parts_that_come_with_forewarn_are_at_their_ends() -> None:
    seen = 0
    for profile in load_profiles().values():
        for name, mode in profile.failure_modes.items():
            part = profile.consumables.get(mode.component)
            if not mode.life or part is None or part.indicator is None:
                continue
            life = msgspec.structs.replace(
                FAR, component=mode.component, mode=name, signal=part.indicator
            )
            check = Check.LIMIT_HIGH if part.worse == "high" else Check.LIMIT_LOW
            desk = Desk(assess(0, high(severity=3)))
            row = msgspec.structs.replace(desk.here.evidence[0], signal=part.indicator, check=check)
            assert not pressing((row,), life, profile), name
            seen += 1
    assert seen == 6


def test_another_alarm_within_two_weeks_is_told_when_it_brings_the_date_forward() -> None:
    desk = Desk(alarmed("temperature", T0, FAR, n=0))
    desk.alarm(1, band(59, 65, 71), on=False)
    assert desk.alarm(14, band(46, 52, 58), signal="noise") == "raise"
    assert desk.due == (14.0, 15.0)


def test_the_same_alarm_is_told_once_in_two_weeks_from_when_it_was_told() -> None:
    desk, told = Desk(assess(0, lives=(GRAVE,))), []
    for day in range(1, 80, 13):
        if desk.alarm(day, FAR) == "raise":
            told.append(day)
        desk.alarm(day + 1, FAR, on=False)
    assert told == [1, 27, 53, 79]


def test_an_alarm_within_the_last_day_lets_the_visit_come_now() -> None:
    desk = Desk(assess(0, lives=(band(1, 4, 5),)))
    end = 0.833  # hours of work
    assert desk.due == (end, end)
    assert desk.alarm(0.5, band(0.5, 3.5, 4.5)) != "raise"  # no news: it was due within the day
    assert desk.due == (0.5, end)


def test_an_alarm_that_falls_back_to_an_alert_leaves_the_date_to_the_band() -> None:
    desk = Desk(alarmed("temperature", T0, FAR, n=0))
    at_ns = T0 + 10 * DAY
    alert = high(signal="temperature", severity=2, at_ns=at_ns)
    assert desk.take(assess(9, alert, at_ns=at_ns, lives=(FAR,))) == "follow"
    assert desk.due == (15.0, 69.833)
    assert "alarm" not in " ".join(reasons(desk.here.evidence, FAR, HOT, "en"))
