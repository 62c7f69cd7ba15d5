import pytest

from models.profile import load_profiles
from simulators.fleet import Failure, SimulatedFleet
from simulators.scenario import DAY_S, Expectation
from simulators.story import CAST, DAYS, LIFE_D, ONSET_D, draw
from simulators.verdict import Raised, judge


@pytest.mark.parametrize("seed", range(40))
def test_one_machine_fails_within_the_story(seed: int) -> None:
    story = draw(seed)
    [failure] = SimulatedFleet(story).failures()
    assert ONSET_D[0] <= failure.onset_s / DAY_S <= ONSET_D[1]
    assert failure.fails_s / DAY_S < DAYS - 2
    assert [e.machine for e in story.expect] == [failure.machine]


def test_seeds_draw_different_types_onsets_and_rates() -> None:
    failures = [SimulatedFleet(draw(seed)).failures()[0] for seed in range(40)]
    assert {f.profile for f in failures} == set(CAST)
    assert len({f.onset_s for f in failures}) > 30
    lives = [(f.fails_s - f.onset_s) / DAY_S for f in failures]
    assert min(lives) < LIFE_D[0] * 1.3
    assert max(lives) > LIFE_D[1] * 0.8


def test_the_modes_of_the_story_make_tickets_at_once() -> None:
    profiles = load_profiles()
    for profile, (_, component, mode, _) in CAST.items():
        assert profiles[profile].failure_modes[mode].policy == "auto"
        assert profiles[profile].failure_modes[mode].component == component
        others = [m for n, m in profiles[profile].failure_modes.items() if n != mode]
        assert all(m.policy == "advise" for m in others)


def test_every_word_is_there_in_both_languages() -> None:
    profiles = load_profiles()
    for profile in (profiles[name] for name in CAST):
        words = [profile.title, *(s.title for s in profile.signals.values())]
        words += [w for m in profile.failure_modes.values() for w in (m.title, m.action)]
        words += [c.title for c in profile.consumables.values()]
        assert all(set(w) == {"en", "zh"} and all(w.values()) for w in words)


def test_as_many_fail_as_are_asked_for() -> None:
    assert SimulatedFleet(draw(1, 8, 0)).failures() == []
    story = draw(1, 8, 5)
    failing = [f.machine for f in SimulatedFleet(story).failures()]
    assert len(failing) == 5
    assert {e.machine for e in story.expect} == set(failing)
    for machines, wrong in ((0, 0), (4, 5), (4, -1)):
        with pytest.raises(ValueError, match="may fail"):
            draw(1, machines, wrong)


FAILURE = Failure(
    machine="m", profile="centrifugal-pump", component="bearing", onset_s=100.0, fails_s=300.0
)
WANT = Expectation(machine="m", mode="bearing-wear")


@pytest.mark.parametrize(
    ("raised", "problem"),
    [
        ([], "no ticket bearing-wear for m"),
        ([("m", "motor-overload", 150.0)], "no ticket bearing-wear for m"),
        ([("m", "bearing-wear", 291.0)], "4.5%"),
        ([("m", "bearing-wear", 99.0)], "before anything was wrong"),
        ([("m", "bearing-wear", 150.0), ("z", "bearing-wear", 150.0)], "false ticket"),
    ],
)
def test_what_is_not_right_is_said(raised: list[tuple[str, str, float]], problem: str) -> None:
    verdict = judge([WANT], [FAILURE], [Raised(machine=m, mode=o, at_s=t) for m, o, t in raised])
    assert not verdict.right
    assert any(problem in text for text in verdict.problems)


def test_a_ticket_in_time_is_right_and_its_lead_is_told() -> None:
    verdict = judge([WANT], [FAILURE], [Raised(machine="m", mode="bearing-wear", at_s=200.0)])
    assert verdict.right
    assert verdict.leads[0].share == 0.5
    assert verdict.leads[0].days == 100.0 / DAY_S
