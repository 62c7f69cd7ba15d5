"""What the demo tells of a repair is what the simulation knows of it."""

from collections.abc import Iterator

import pytest

from forewarn.client import Client, Item
from forewarn.fleetview import FleetView
from forewarn.performance import Performance
from simulators.driver import SimulatedDriver
from simulators.fleet import SimulatedFleet
from simulators.scenario import DAY_S
from simulators.story import draw


class _Quiet(Client):
    """A service that has nothing to say."""

    def items(self, *_: object) -> Iterator[Item]:
        return iter(())


@pytest.mark.parametrize(
    ("component", "after_onset_d", "prevented"),
    [("drum", 2.0, True), ("fuser", 2.0, False), ("seal", 2.0, False), ("drum", -10.0, False)],
)
def test_a_repair_is_told_only_where_the_failure_does_not_come_any_more(
    component: str, after_onset_d: float, prevented: bool
) -> None:
    stories = (draw(seed, machines=8) for seed in range(40))
    story = next(s for s in stories if SimulatedFleet(s).failures()[0].component == "drum")
    [failure] = SimulatedFleet(story).failures()
    driver = SimulatedDriver.of(story)
    driver.given = int((failure.onset_s / DAY_S + after_onset_d) * 24)
    renewed = {(failure.machine, component): [driver.repair(failure.machine, component)]}
    view = FleetView(_Quiet("http://127.0.0.1:1"), {})
    show = Performance(story, view, lambda _: [], [driver], renewed)
    driver.given = driver.rows
    show.look()
    told = [happening.kind for happening in view.happenings]
    assert told == ["repair" if prevented else "fault"]
    assert ("was repaired" in show.picture().headline) is prevented
    assert show.picture().address == show.view.address  # where the pages are, too
