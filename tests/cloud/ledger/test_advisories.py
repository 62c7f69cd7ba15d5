import msgspec
import pytest

from cloud.advisories.reason import reasons
from cloud.advisories.values import EXPIRE_NS, OBSERVE_NS
from cloud.errors import Conflict, NotFound, Refused
from cloud.ledger import AdvisoryRow, AdvisoryState, Ledger
from models.assessment import Check, Comparison
from tests.cloud.ledger.made import DAY, SECOND, T0, Clock, assess, high, profiles, replaced

LOW = replaced(high(signal="pressure"), check=Check.LIMIT_LOW)


@pytest.fixture
def advisory(ledger: Ledger) -> AdvisoryRow:
    ledger.file(1, [assess(1, LOW)])
    (one,), _ = ledger.advisories()
    assert (one.mode, one.state) == ("loss-of-head", AdvisoryState.OPEN)
    return one


def test_accepting_makes_the_ticket_once(ledger: Ledger, advisory: AdvisoryRow) -> None:
    done = ledger.decide_advisory(advisory.id, advisory.version, "accept", actor="ann")
    assert done == ledger.advisory(advisory.id)
    with pytest.raises(Conflict, match="'accepted'"):
        ledger.decide_advisory(advisory.id, done.version, "accept", actor="bob")
    assert len(ledger.tickets()[0]) == 1


def test_who_does_not_agree_is_kept_with_the_evidence_and_said(ledger: Ledger) -> None:
    current = Comparison(
        signal="pressure", value=5.0, expected=5.8, spread=0.1, sisters=0, beside="vibration"
    )
    sisters = Comparison(signal="pressure", value=5.0, expected=6.5, spread=0.2, sisters=4)
    ledger.file(1, [assess(1, replaced(LOW, witnesses=(current, sisters)))])
    (one,), _ = ledger.advisories()
    evidence = ledger.evidence(one.id)
    assert [row.witnesses for row in evidence] == [(current, sisters)]
    [text] = reasons(evidence, one.life, profiles()["pump"], "en")
    assert text.endswith(
        "; 0.8 below what vibration explains; 1.5 below 4 machines like it under the same "
        "conditions"
    )


def test_deferring_ends_by_itself(ledger: Ledger, advisory: AdvisoryRow) -> None:
    with pytest.raises(Refused, match="/until"):
        ledger.decide_advisory(advisory.id, 1, "defer", actor="ann", until_ns=T0)
    ledger.decide_advisory(advisory.id, 1, "defer", actor="ann", until_ns=T0 + DAY)
    ledger.file(2, [assess(2, LOW)])
    assert ledger.advisory(advisory.id).state is AdvisoryState.DEFERRED
    ledger.file(3, [assess(3, LOW, at_ns=T0 + DAY)])
    assert ledger.advisory(advisory.id).state is AdvisoryState.OPEN


def test_rejecting_needs_a_reason_and_is_watched(ledger: Ledger, advisory: AdvisoryRow) -> None:
    with pytest.raises(Refused, match="/reason"):
        ledger.decide_advisory(advisory.id, 1, "reject", actor="ann")
    ledger.decide_advisory(advisory.id, 1, "reject", actor="ann", reason="valve was closed")
    ledger.file(2, [assess(2, LOW)])
    assert ledger.advisory(advisory.id).state is AdvisoryState.REJECTED
    worse = replaced(LOW, severity=3)
    ledger.file(3, [assess(3, worse)])
    assert ledger.advisory(advisory.id).state is AdvisoryState.OPEN
    assert len(ledger.advisories()[0]) == 1


def test_what_is_still_so_after_the_watch_is_raised_anew(
    ledger: Ledger, advisory: AdvisoryRow
) -> None:
    ledger.decide_advisory(advisory.id, 1, "reject", actor="ann", reason="valve was closed")
    ledger.file(2, [assess(2, LOW, at_ns=T0 + OBSERVE_NS + DAY)])
    (newer, older), _ = ledger.advisories()
    assert (older.state, newer.previous_id) == (AdvisoryState.CLOSED, older.id)


def test_what_nobody_took_up_and_is_gone_expires(ledger: Ledger, advisory: AdvisoryRow) -> None:
    over = replaced(LOW, active=False)
    ledger.file(2, [assess(2, over)])
    ledger.file(3, [assess(3, at_ns=T0 + EXPIRE_NS)])
    assert ledger.advisory(advisory.id).state is AdvisoryState.OPEN
    filed = ledger.file(4, [assess(4, at_ns=T0 + EXPIRE_NS + 2 * SECOND)])
    assert [f.what for f in filed] == ["expired"]
    assert ledger.advisory(advisory.id).state is AdvisoryState.EXPIRED
    ledger.file(5, [assess(5, LOW, at_ns=T0 + EXPIRE_NS + DAY)])
    assert len(ledger.advisories()[0]) == 2


def test_shadow_advisories_are_recorded_only(ledger: Ledger) -> None:
    ledger.file(1, [assess(1, replaced(LOW, check=Check.SHIFT, value=4.0))])
    (one,), _ = ledger.advisories(states=[AdvisoryState.SHADOW])
    assert one.mode == "cavitation"
    with pytest.raises(Conflict, match="'shadow'"):
        ledger.decide_advisory(one.id, one.version, "accept", actor="ann")


def test_lists_page_by_key_and_filter(ledger: Ledger) -> None:
    for n in range(7):
        ledger.file(n, [assess(n, LOW, machine=f"acme.m{n}")])
    seen, after = [], None
    while True:
        rows, after = ledger.advisories(after=after, limit=3)
        seen += [row.machine for row in rows]
        if after is None:
            break
    assert seen == [f"acme.m{n}" for n in reversed(range(7))]
    rows, _ = ledger.advisories(machine="acme.m3")
    assert [row.machine for row in rows] == ["acme.m3"]
    assert ledger.advisories(states=[AdvisoryState.EXPIRED])[0] == []
    with pytest.raises(Refused, match="/limit"):
        ledger.advisories(limit=0)
    with pytest.raises(NotFound):
        ledger.evidence("x")


def test_snoozed_it_comes_back_in_time_also_of_a_machine_that_says_nothing(
    ledger: Ledger, clock: Clock
) -> None:
    heard = [msgspec.structs.replace(assess(1, high()), machine=name) for name in ("a.w", "a.x")]
    ledger.file(1, heard)  # nobody registered them: they are on the wall's clock
    kept, gone = ledger.advisories()[0]
    for one in (kept, gone):
        ledger.decide_advisory(
            one.id, one.version, "defer", actor="ann", until_ns=clock.now + 9 * DAY
        )
    over = msgspec.structs.replace(assess(2, high(active=False)), machine=gone.machine)
    ledger.file(2, [over])
    assert ledger.recall() == 0
    clock.now += 9 * DAY
    assert ledger.recall() == 1
    assert ledger.recall() == 0
    back = ledger.advisory(kept.id)
    assert (back.state, back.defer_until_ns) == (AdvisoryState.OPEN, None)
    assert back.due_latest_ns - back.last_ns == kept.due_latest_ns - kept.opened_ns
    assert [event.type for event in ledger.events(subject_id=kept.id)[0]][-1] == "due again"
    assert ledger.advisory(gone.id).state is AdvisoryState.DEFERRED
    with pytest.raises(Conflict, match="at version"):
        ledger.decide_advisory(kept.id, kept.version + 1, "accept", actor="ann")


def test_on_a_clock_of_its_own_only_readings_let_time_go_on(
    ledger: Ledger, clock: Clock, advisory: AdvisoryRow
) -> None:
    ledger.decide_advisory(advisory.id, 1, "defer", actor="ann", until_ns=T0 + DAY)
    clock.now += 9 * DAY
    assert ledger.recall() == 0
