from collections.abc import Callable

from cloud.ledger import Ledger
from tests.cloud.ledger.made import DAY, MACHINE, SECOND, Clock, assess, band, high


def _due(ledger: Ledger, now_ns: int) -> list[tuple[str, str | None]]:
    return [(alert.kind, alert.batch_id) for alert in ledger.alerts_due(now_ns)]


def test_the_first_goes_at_once_and_what_follows_is_collected(ledger: Ledger, clock: Clock) -> None:
    ledger.file(1, [assess(1, high())])
    ((kind, first),) = _due(ledger, clock())
    assert kind == "opened"
    ledger.alert_sent(first or "", "mail")
    ledger.alert_done(first or "", sent=True)
    clock.now += 10 * SECOND
    ledger.file(2, [assess(2, high(severity=3))])
    assert _due(ledger, clock()) == []
    following = ledger.alerts_next(clock())
    assert following is not None
    assert 49 * SECOND < following - clock.now <= 50 * SECOND
    clock.now += 50 * SECOND
    ((kind, second),) = _due(ledger, clock())
    assert (kind, second != first) == ("raised", True)


def test_a_batch_stays_as_it_is(ledger: Ledger, clock: Clock, reopen: Callable[[], Ledger]) -> None:
    ledger.file(1, [assess(1, high())])
    before = _due(ledger, clock())
    ledger.file(2, [assess(2, high(severity=3))])
    assert _due(reopen(), clock()) == before


def test_a_failure_comes_up_again_for_the_channels_without_it(ledger: Ledger, clock: Clock) -> None:
    ledger.file(1, [assess(1, high())])
    (alert,) = ledger.alerts_due(clock())
    batch = alert.batch_id or ""
    ledger.alert_sent(batch, "mail")
    ledger.alert_failed(batch, "hook", "refused", clock.now + 9 * SECOND)
    assert ledger.alerts_due(clock()) == []
    (again,) = ledger.alerts_due(clock.now + 10 * SECOND)
    assert (again.delivered, again.attempts, again.batch_id) == (("mail",), 1, batch)
    log, _ = ledger.deliveries(machine=MACHINE)
    assert [(d.channel, d.attempt, d.error) for d in log] == [
        ("hook", 1, "refused"),
        ("mail", 1, None),
    ]


def test_a_finished_batch_is_gone_and_written_down(ledger: Ledger, clock: Clock) -> None:
    ledger.file(1, [assess(1, high())])
    (alert,) = ledger.alerts_due(clock())
    ledger.alert_done(alert.batch_id or "", sent=False)
    assert ledger.alerts_due(clock.now + DAY) == []
    assert ledger.alerts_next(0) is None
    (event,), _ = ledger.events(subject_id=alert.id)
    assert (event.type, event.actor) == ("given-up", "notifier")


def test_an_alert_brings_what_a_message_needs(ledger: Ledger, clock: Clock) -> None:
    ledger.file(1, [assess(1, high(), lives=(band(3, 5, 8),))])
    (alert,) = ledger.alerts_due(clock())
    assert (alert.name, alert.clock, alert.ticket.part) == ("Pump 1", "data", "6309")
    assert alert.advisory.life == band(3, 5, 8)
    assert [row.kind for row in alert.evidence] == ["condition", "life"]


def test_listeners_hear_of_alerts_only(ledger: Ledger) -> None:
    heard: list[str] = []
    ledger.on_alert(lambda: heard.append("alert"))
    ledger.file(1, [assess(1)])
    assert heard == []
    ledger.file(2, [assess(2, high())])
    assert heard == ["alert"]
