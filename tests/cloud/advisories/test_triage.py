import itertools
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from cloud.advisories.modes import modes_for
from cloud.advisories.triage import triage
from cloud.advisories.values import (
    EXPIRE_NS,
    OBSERVE_NS,
    STANDING,
    Outcome,
    Stamp,
    Standing,
)
from cloud.ledger.records import AdvisoryState
from models.assessment import Assessment, Check, Condition, State
from models.profile import parse_profile
from tests.cloud.ledger.made import DAY, PUMP, T0, assess, band, high, profiles, replaced

PROFILE = profiles()["pump"]
ONLY_WEAR = parse_profile(
    """
name = "filter"
version = 1
title = { en = "Filter" }
[signals.resistance]
worse = "high"
[failure_modes.clogged]
component = "filter"
title = { en = "Clogged" }
action = { en = "Replace." }
signals = ["resistance"]
checks = ["limit-high"]
[failure_modes.stuck-valve]
component = "valve"
title = { en = "Stuck" }
action = { en = "Free it." }
signals = ["resistance"]
checks = ["stuck"]
"""
)


def _stamp() -> Stamp:
    count = itertools.count()
    return Stamp(new_id=lambda: f"id-{next(count):04}", recorded_ns=1)


def _run(
    assessments: Sequence[Assessment], standing: Sequence[Standing] = ()
) -> tuple[list[Standing], list[Outcome]]:
    """Apply assessments one after the other; return what stands at the end and all outcomes."""
    stamp, here, every = _stamp(), list(standing), []
    for assessment in assessments:
        outcomes = triage(here, PROFILE, assessment, stamp)
        rows = {one.advisory.id: one for one in here}
        rows.update({o.standing.advisory.id: o.standing for o in outcomes})
        here = [one for one in rows.values() if one.advisory.state in STANDING]
        every += outcomes
    return here, every


def _kinds(outcomes: Sequence[Outcome]) -> list[str]:
    return [kind for outcome in outcomes for kind, _ in outcome.notes]


@pytest.mark.parametrize(
    ("signal", "check", "state", "modes"),
    [
        ("vibration", Check.LIMIT_HIGH, State.ALERT, ["bearing-wear"]),
        ("vibration", Check.SHIFT, State.ALERT, ["bearing-wear"]),
        ("vibration", Check.LEVEL, State.ALERT, ["abnormal"]),
        ("vibration", Check.LIMIT_LOW, State.ALERT, ["abnormal"]),
        ("pressure", Check.LIMIT_LOW, State.ALERT, ["loss-of-head"]),
        ("pressure", Check.LIMIT_HIGH, State.ALERT, ["abnormal"]),
        ("vibration", Check.STUCK, State.NORMAL, ["sensor"]),
        ("vibration", Check.RATE, State.NORMAL, ["sensor"]),
        ("vibration", Check.DROPOUT, State.NORMAL, ["sensor"]),
        ("vibration", Check.DROPOUT, State.SILENT, ["silent"]),
        ("vibration", Check.DETECTOR, State.NORMAL, ["unusual-pattern"]),
        ("nobody-knows", Check.SHIFT, State.ALERT, ["abnormal"]),
        ("nobody-knows", Check.LIMIT_HIGH, State.ALERT, ["abnormal"]),
    ],
)
def test_which_modes_a_condition_speaks_for(
    signal: str, check: Check, state: State, modes: list[str]
) -> None:
    condition = replaced(high(signal=signal), check=check)
    assert modes_for(condition, PROFILE, state) == modes


def test_one_change_of_level_is_a_notice() -> None:
    once = replaced(high(), check=Check.LEVEL, severity=1)
    assert modes_for(once, PROFILE, State.NORMAL) == []


def test_a_mode_may_claim_a_sensors_fault_and_a_shift_it_does_not_list_is_a_notice() -> None:
    stuck = replaced(high(signal="resistance"), check=Check.STUCK)
    shift = replaced(high(signal="resistance"), check=Check.SHIFT)
    assert modes_for(stuck, ONLY_WEAR, State.NORMAL) == ["stuck-valve"]
    assert modes_for(shift, ONLY_WEAR, State.NORMAL) == []


@pytest.mark.parametrize(
    ("signal", "value", "expected", "modes"),
    [
        ("vibration", 5.0, 4.0, ["bearing-wear"]),
        ("vibration", 3.0, 4.0, []),
        ("vibration", 3.0, None, ["bearing-wear"]),
        ("pressure", 3.0, 4.0, ["cavitation"]),
        ("pressure", 5.0, 4.0, []),
    ],
)
def test_a_shift_for_the_better_is_no_wear(
    signal: str, value: float, expected: float | None, modes: list[str]
) -> None:
    shift = replaced(high(signal=signal), check=Check.SHIFT, value=value, expected=expected)
    assert modes_for(shift, PROFILE, State.NORMAL) == modes


def test_the_generic_profile_takes_everything_as_abnormal() -> None:
    generic = profiles()["generic"]
    assert modes_for(high(), generic, State.ALERT) == ["abnormal"]
    shift = replaced(high(), check=Check.SHIFT)
    assert modes_for(shift, generic, State.ALERT) == ["abnormal"]


@pytest.mark.parametrize(
    ("conditions", "kinds", "severity"),
    [
        ([high()], ["opened"], 2),
        ([high(severity=1)], [], 0),
        ([high(active=False)], [], 0),
        ([high(), high()], ["opened"], 2),
        ([high(), high(severity=3), high(severity=3)], ["opened", "evidence changed", "raised"], 3),
        (
            [high(severity=3), high(severity=2), high(severity=3)],
            ["opened", "evidence changed", "evidence changed"],
            3,
        ),
        (
            [high(), high(active=False), high(active=False), high()],
            ["opened", "evidence changed", "ended", "evidence changed", "resumed"],
            2,
        ),
        (
            [high(), replaced(high(), check=Check.SHIFT)],
            ["opened", "evidence"],
            2,
        ),
    ],
)
def test_what_a_row_of_conditions_does(
    conditions: list[Condition], kinds: list[str], severity: int
) -> None:
    here, outcomes = _run([assess(n, c) for n, c in enumerate(conditions)])
    assert _kinds(outcomes) == kinds
    assert [one.advisory.severity for one in here] == ([severity] if severity else [])
    assert sum(outcome.new for outcome in outcomes) == len(here)


@pytest.mark.parametrize(
    ("days", "due", "severity"),
    [
        ((6.9, 9.0, 12.0), True, 2),
        ((7.0, 9.0, 12.0), True, 2),  # reached is reached
        ((7.1, 9.0, 12.0), False, 0),
        ((1.0, 5.0, 9.0), True, 3),  # the part would come too late
        ((1.0, 29.0, 99.0), False, 0),  # so wide that nothing is known yet
        ((0.0, 0.0, 0.0), True, 3),
    ],
)
def test_a_life_band_asks_for_planning_at_the_horizon(
    days: tuple[float, float, float], due: bool, severity: int
) -> None:
    here, _ = _run([assess(1, lives=(band(*days),))])
    assert [one.advisory.severity for one in here] == ([severity] if due else [])


@pytest.mark.parametrize(
    "change",
    [
        {"coverage": 0.4},
        {"state": State.LEARNING},
        {"lives": (msgspec.structs.replace(band(1, 2, 3), basis="prior"),)},
        {"lives": (msgspec.structs.replace(band(1, 2, 3), p10_s=None),)},
        {"lives": (msgspec.structs.replace(band(1, 2, 3), component="impeller", mode="x"),)},
    ],
)
def test_a_life_band_that_nothing_stands_behind_asks_for_nothing(change: dict[str, Any]) -> None:
    sure = assess(1, lives=(band(1, 2, 3),))
    assert _run([sure])[0]
    assert _run([msgspec.structs.replace(sure, **change)])[0] == []


def test_a_life_that_moves_away_again_ends_with_hysteresis() -> None:
    days = [(6.0, 9.0, 12.0), (8.0, 11.0, 14.0), (11.0, 15.0, 20.0), (6.0, 9.0, 12.0)]
    here, outcomes = _run([assess(n, lives=(band(*d),)) for n, d in enumerate(days)])
    ends = [kind for kind in _kinds(outcomes) if kind in {"ended", "resumed"}]
    assert ends == ["ended", "resumed"]
    assert len(here) == 1
    assert here[0].evidence[0].count == 2


def test_the_window_follows_the_band_and_stays_when_it_only_counts_down() -> None:
    first = assess(1, lives=(band(6, 9, 12),), at_ns=T0)
    later = assess(2, lives=(band(5, 8, 11),), at_ns=T0 + DAY)
    sooner = assess(3, lives=(band(3, 5.5, 8),), at_ns=T0 + DAY)
    here, outcomes = _run([first, later])
    assert _kinds(outcomes) == ["opened"]
    before = here[0].advisory
    here, _ = _run([first, later, sooner])
    after = here[0].advisory
    assert after.due_latest_ns == before.due_latest_ns - 2 * DAY
    assert (after.version, before.version) == (2, 1)


@pytest.mark.parametrize(
    ("bands", "moves_d"),
    [
        ([(6, 9, 12), (6.5, 9.5, 12.5)], [0]),  # later, within the noise
        ([(6, 9, 12), (8, 9.5, 12.5)], [2]),
        ([(6, 9, 12), (5, 8, 11)], [-1]),
        ([(6, 9, 12), (5.5, 8, 11)], [0]),
        ([(0.5, 1, 2), (1.1, 1.5, 2), (0.5, 1, 2)], [0, 0]),  # later by less than can be planned
        ([(0, 0, 0), (0, 0, 0), (0.2, 0.4, 1)], [0, 0]),
    ],
)
def test_a_date_moves_only_when_plans_change(
    bands: list[tuple[float, float, float]], moves_d: list[float]
) -> None:
    given = [assess(n, lives=(band(*one),), at_ns=T0 + n) for n, one in enumerate(bands)]
    ends = [_run(given[: n + 1])[0][0].advisory.due_latest_ns for n in range(len(given))]
    steps = [(after - before) / DAY for before, after in pairwise(ends)]
    assert steps == pytest.approx(moves_d, abs=0.001)


def test_a_date_said_long_before_follows_a_nearer_end_by_what_is_left_now() -> None:
    first = assess(1, high(), lives=(band(100, 110, 120),), at_ns=T0)
    sooner = assess(2, lives=(band(5, 6, 7),), at_ns=T0 + 92 * DAY)
    here, outcomes = _run([first, sooner])
    assert _kinds(outcomes) == ["opened", "evidence", "life"]
    assert here[0].advisory.due_latest_ns - sooner.at_ns == 5 * DAY - 4 * DAY // 24  # hours of work


def test_a_date_that_has_come_stays() -> None:
    days = [assess(n, lives=(band(0, 0, 0),), at_ns=T0 + n * DAY) for n in range(9)]
    here, outcomes = _run(days)
    assert _kinds(outcomes) == ["opened"]
    assert here[0].advisory.due_latest_ns == T0


@pytest.mark.parametrize(
    ("policy", "state", "order"),
    [
        ("auto", AdvisoryState.ACCEPTED, "open"),
        ("advise", AdvisoryState.OPEN, None),
        ("shadow", AdvisoryState.SHADOW, None),
    ],
)
def test_policy(policy: str, state: AdvisoryState, order: str | None) -> None:
    profile = parse_profile(PUMP.replace('policy = "auto"', f'policy = "{policy}"'))
    (outcome,) = triage([], profile, assess(1, high()), _stamp())
    assert (outcome.standing.advisory.state, outcome.order) == (state, order)


def test_a_quiet_advisory_expires_only_while_undecided() -> None:
    life = [assess(1, high()), assess(2, high(active=False))]
    late = assess(3, at_ns=T0 + EXPIRE_NS + DAY)
    here, _ = _run(life)
    undecided = msgspec.structs.replace(
        here[0], advisory=msgspec.structs.replace(here[0].advisory, state=AdvisoryState.OPEN)
    )
    assert _run([late], [undecided])[0] == []
    (kept,), outcomes = _run([late], here)
    assert _kinds(outcomes) == ["eased"]
    assert (kept.advisory.state, kept.advisory.severity) == (AdvisoryState.ACCEPTED, 1)


def test_what_was_decided_long_ago_makes_room() -> None:
    here, _ = _run([assess(1, high())])
    rejected = msgspec.structs.replace(
        here[0],
        advisory=msgspec.structs.replace(
            here[0].advisory,
            state=AdvisoryState.REJECTED,
            observe_until_ns=T0 + OBSERVE_NS,
        ),
    )
    quiet = assess(2, at_ns=T0 + OBSERVE_NS)
    assert _kinds(triage([rejected], PROFILE, quiet, _stamp())) == ["closed"]
    again = assess(2, high(), at_ns=T0 + OBSERVE_NS)
    outcomes = triage([rejected], PROFILE, again, _stamp())
    assert _kinds(outcomes) == ["closed", "opened"]
    assert outcomes[1].standing.advisory.previous_id == rejected.advisory.id


def test_a_second_look_annotates_and_orders_nothing() -> None:
    here, _ = _run([assess(1, high())])
    worse = assess(2, high(severity=3), at_ns=T0, revision=1)
    (outcome,) = triage(here, PROFILE, worse, _stamp())
    assert outcome.order is None
    assert outcome.standing.advisory.severity == 2
    (row,) = outcome.standing.evidence
    assert row.severity == 3


def test_a_window_without_a_band_comes_from_the_severity() -> None:
    (alert,), _ = _run([assess(0, high())])
    (alarm,), _ = _run([assess(0, high(severity=3))])
    assert alert.advisory.due_latest_ns == T0 + 7 * DAY
    assert alarm.advisory.due_latest_ns == T0 + DAY
    assert (alert.advisory.priority, alarm.advisory.priority) == (2, 1)
    assert alert.advisory.order_by_ns == T0
    assert alert.advisory.due_earliest_ns == T0 + 5 * DAY


def test_a_part_that_would_come_too_late_does_not_hold_up_the_visit() -> None:
    (one,), _ = _run([assess(0, lives=(band(4, 6, 9),))])
    assert one.advisory.due_earliest_ns == T0 + 2 * DAY  # planning alone; lead time is 5 days
    assert one.advisory.order_by_ns == T0


def test_one_signal_can_speak_for_two_modes() -> None:
    text = PUMP.replace('signals = ["pressure"]\nchecks = ["shift"]', 'signals = ["vibration"]')
    profile = parse_profile(text)
    outcomes = triage([], profile, assess(1, high()), _stamp())
    assert sorted(o.standing.advisory.mode for o in outcomes) == ["bearing-wear", "cavitation"]
