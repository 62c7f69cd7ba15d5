"""What each scenario must lead to: the right ticket, early enough, and no other."""

import numpy as np
import pytest

from simulators.scenario import FOLDER, named
from simulators.story import draw
from tests.scenarios.offline import play, raised, verdict

SCENARIOS = sorted(path.stem for path in FOLDER.glob("*.toml"))
#: share of the life after onset that the first ticket must leave, measured and rounded down
SHARES = {
    "battery-fade": 0.5,
    "printer-drum": 0.25,
    "pump-bearing": 0.4,
    "purifier-filter": 0.6,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_tickets_and_lead_times(name: str) -> None:
    scenario = named(name)
    found = verdict(scenario, play(scenario))
    assert found.problems == ()
    assert {lead.machine for lead in found.leads} == {e.machine for e in scenario.expect}
    assert all(lead.share >= SHARES[name] for lead in found.leads)


def test_failing_sensors_are_noticed_and_order_no_part() -> None:
    scenario = named("bad-sensors")
    inbox = play(scenario)
    assert inbox.tickets == []
    noticed = {(one.machine, one.mode) for one in raised(scenario, inbox.opened)}
    assert ("purifier-dropout", "sensor") in noticed


@pytest.mark.parametrize("seed", range(8))
def test_the_demo_tells_its_story_for_any_seed(seed: int) -> None:
    story = draw(seed)
    inbox = play(story)
    assert verdict(story, inbox).problems == ()
    for ends in inbox.windows.values():  # weeks of hourly readings, also beyond the failure
        assert len(ends) <= 12
        steps = np.sign(np.diff(ends))
        assert (steps[1:] != steps[:-1]).sum() <= 2  # it hardly ever turns round


def test_healthy_machines_get_no_ticket_in_75_days() -> None:
    story = draw(1000, machines=80, failing=0, days=75.0)
    assert list(raised(story, play(story).tickets)) == []


def test_the_cut_into_groups_changes_no_ticket() -> None:
    scenario = named("pump-bearing")
    pieces = [list(raised(scenario, play(scenario, piece).opened)) for piece in (1, 24, 100)]
    assert pieces[0] == pieces[1] == pieces[2]
