"""A simulated machine gets a new part while it is read: what was read stays, wear begins anew."""

import asyncio
from collections.abc import Mapping

import pytest

from simulators.driver import SimulatedDriver
from simulators.fleet import Failure, SimulatedFleet
from simulators.scenario import DAY_S, Expectation, MachineEntry, Scenario, WearEntry, repaired
from simulators.verdict import Raised, judge
from tests.edge_agent.made import take

YEAR_S = 365 * DAY_S
FAULTY = {
    "centrifugal-pump": ("bearing", "vibration_bearing"),
    "air-purifier": ("filter", "filter_resistance"),
    "office-printer": ("drum", "drum_pages"),
    "battery-pack": ("cells", "capacity"),
}


def scenario(
    profile: str = "centrifugal-pump", replaced: Mapping[str, tuple[float, ...]] | None = None
) -> Scenario:
    fault = WearEntry(component=FAULTY[profile][0], onset_d=5.0, life_d=10.0)
    return Scenario(
        name="one-fails",
        days=40.0,
        machines=(
            MachineEntry(key="worn", profile=profile, faults=(fault,), replaced=replaced or {}),
            MachineEntry(key="well", profile=profile, count=2),
        ),
    )


@pytest.mark.parametrize("profile", FAULTY)
async def test_nothing_but_the_repaired_machine_changes_and_only_afterwards(profile: str) -> None:
    plain = await take(SimulatedDriver.of(scenario(profile)), 400)
    driver = SimulatedDriver.of(scenario(profile))
    before = await take(driver, 250)  # five rows of those simulated ahead are given
    at_s = driver.repair("worn", FAULTY[profile][0])
    rows = before + await take(driver, 150)
    assert at_s == 249.5 * 3600.0
    assert [r.wall_ns for r in rows] == [r.wall_ns for r in plain]
    differs = {name for a, b in zip(rows, plain, strict=True) for name in a.values
               if a.values[name] != b.values[name]}  # fmt: skip
    assert differs
    assert {name.partition("/")[0] for name in differs} == {"worn"}
    assert [r.values for r in rows[:250]] == [r.values for r in plain[:250]]


async def test_wear_and_its_counter_begin_anew_and_no_failure_comes() -> None:
    driver = SimulatedDriver.of(scenario("office-printer"))
    await take(driver, 300)
    driver.repair("worn", "drum")
    [after] = await take(driver, 1)
    assert after.values["worn/drum_pages"] == 0
    assert (after.values["worn/pages"] or 0) > 0
    [failure] = driver.fleet.failures()
    assert failure.fails_s > YEAR_S


async def test_a_part_that_is_not_simulated_renews_nothing() -> None:
    driver = SimulatedDriver.of(scenario())
    await take(driver, 200)
    driver.repair("worn", "seal")
    assert driver.fleet.failures() == SimulatedFleet(scenario()).failures()
    assert driver.fleet.scenario.machines[0].replaced == {}


async def test_a_machine_may_be_repaired_again_and_twice_at_once_is_once() -> None:
    driver = SimulatedDriver.of(scenario())
    await take(driver, 200)
    assert driver.repair("worn", "bearing") == driver.repair("worn", "bearing")
    await take(driver, 10)
    driver.repair("worn", "bearing")
    worn = next(e for e in driver.fleet.scenario.machines if e.key == "worn")
    assert len(worn.replaced["bearing"]) == 2


async def test_a_gateway_that_is_held_gives_nothing_until_it_is_free() -> None:
    driver = SimulatedDriver.of(scenario())
    readings = driver.readings()
    await anext(readings)
    driver.free.clear()
    waiting = asyncio.ensure_future(anext(readings))
    await asyncio.sleep(0)
    driver.repair("worn", "bearing")
    assert (driver.given, waiting.done()) == (1, False)
    driver.free.set()
    await waiting
    assert driver.given == 2
    await readings.aclose()


def test_a_scenario_may_say_when_parts_are_replaced() -> None:
    saved = scenario(replaced={"bearing": (8.0,)})
    [failure] = SimulatedFleet(saved).failures()
    assert failure.fails_s > YEAR_S
    later = repaired(scenario(), "worn", "bearing", 8 * DAY_S)
    assert later.machines[0] == saved.machines[0]
    with pytest.raises(ValueError, match=r"machines\[0\]\.replaced: .* no component 'sail'"):
        scenario(replaced={"sail": (8.0,)})


FAILURE = Failure(machine="m", profile="p", component="c", onset_s=100.0, fails_s=300.0)
WANT = Expectation(machine="m", mode="wear")


def test_a_machine_that_was_repaired_in_time_is_right_and_a_ticket_afterwards_is_not() -> None:
    first = Raised(machine="m", mode="wear", at_s=150.0)
    verdict = judge([WANT], [FAILURE], [first], {"m": 200.0})
    assert verdict.right
    assert (verdict.leads[0].repaired_s, verdict.leads[0].share) == (200.0, 0.75)
    again = Raised(machine="m", mode="wear", at_s=250.0)
    assert judge([WANT], [FAILURE], [first, again]).right
    [problem] = judge([WANT], [FAILURE], [first, again], {"m": 200.0}).problems
    assert problem == "ticket wear for m came after it was repaired"
