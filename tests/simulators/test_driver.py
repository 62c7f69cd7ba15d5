import pytest

from edge_agent.drivers import checks
from edge_agent.errors import DriverError
from simulators.driver import Options, SimulatedDriver
from simulators.fleet import SimulatedFleet
from simulators.scenario import named
from tests.edge_agent.made import take


async def test_it_keeps_every_promise_of_a_driver() -> None:
    await checks.run(lambda: SimulatedDriver(Options(), interval_s=1.0))


async def test_readings_are_the_fleet_s_in_order() -> None:
    scenario = named("bad-sensors")
    got = await take(SimulatedDriver.of(scenario), 100)
    step = round(scenario.interval_s * 1e9)
    assert [r.wall_ns for r in got] == [scenario.start_ns + i * step for i in range(100)]
    for reading in SimulatedFleet(scenario).read(100):
        for i, key in enumerate(reading.keys):
            for k, signal in enumerate(reading.signals):
                column = [r.values[f"{key}/{signal}"] for r in got]
                assert column == reading.values[:, i, k].tolist()


async def test_what_is_not_read_is_none_and_counters_are_whole() -> None:
    got = [r async for r in SimulatedDriver(Options(scenario="bad-sensors", rows=900)).readings()]
    assert len(got) == 900
    gone = [r.values["purifier-dropout/filter_resistance"] for r in got]
    assert gone[839] is not None
    assert gone[840:900] == [None] * 60
    assert isinstance(got[0].values["printer-drift/pages"], int)


async def test_reading_again_goes_on() -> None:
    driver = SimulatedDriver.of(named("pump-bearing"))
    first, second = await take(driver, 5), await take(driver, 5)
    whole = await take(SimulatedDriver.of(named("pump-bearing")), 10)
    assert first + second == whole
    assert driver.now_s == 9 * 3600.0


def test_a_gateway_simulates_its_share() -> None:
    driver = SimulatedDriver(Options(scenario="pump-bearing", part=1, size=3))
    assert {m.name.split("/")[0] for m in driver.signals()} == {"pump-worn"}
    vibration = next(m for m in driver.signals() if m.name == "pump-worn/vibration_rms")
    assert vibration.unit == "mm/s"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(scenario="nothing"), "there is no scenario"),
        (Options(scenario="/no/such.toml"), "cannot be read"),
        (Options(part=9, size=2), "part 9"),
    ],
)
def test_what_cannot_be_simulated_is_said(options: Options, said: str) -> None:
    with pytest.raises(DriverError, match=said):
        SimulatedDriver(options)
