from pathlib import Path

import pytest

from simulators.fleet import SimulatedFleet, gateways
from simulators.scenario import FOLDER, ScenarioError, load, named

GOOD = """
name = "x"
days = 2.0
interval_s = 600.0
[[machines]]
key = "pump"
profile = "centrifugal-pump"
count = 3
[[machines]]
key = "worn"
profile = "centrifugal-pump"
[[machines.faults]]
component = "bearing"
onset_d = 1.0
life_d = 9.0
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scenario.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_scenario_names_its_machines(tmp_path: Path) -> None:
    scenario = load(write(tmp_path, GOOD))
    assert [k for m in scenario.machines for k in m.names()] == [
        "pump-01",
        "pump-02",
        "pump-03",
        "worn",
    ]
    assert scenario.rows == 288


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("days = 2.0", "day = 2.0", "day: "),
        ("onset_d", "onset", "machines[1].faults[0].onset"),
        ('component = "bearing"', 'component = "toner"', "no component 'toner'"),
        ('profile = "centrifugal-pump"', 'profile = "pump"', "no plant 'pump'"),
        ('key = "worn"', 'key = "pump-02"', "there is already a machine 'pump-02'"),
        ("count = 3", "count = 0", "count"),
        ("days = 2.0", "days = 0.0", "days"),
        ("life_d = 9.0", "life_d = -9.0", "life_s"),
        ('name = "x"', 'name = "x"\nstart = 2026-01-05T00:00:00', "start needs a time zone"),
        ('name = "x"', 'name = "x"\nexpect = [{machine = "y", mode = "z"}]', "no machine 'y'"),
        ("count = 3", 'sensor_faults = [{signal="toner", kind="stuck", from_d=1.0}]', "'toner'"),
        ("count = 3", 'sensor_faults = [{signal="flow", kind="melt", from_d=1.0}]', "kind"),
        ('name = "x"', 'name = "x"\nexpect = [{machine = "pump-01", mode = "z"}]', "with faults"),
        ('key = "worn"', 'key = "Worn 1"', "machines[1].key: give a-z"),
        ('key = "worn"', f'key = "{"a" * 32}"', "machines[1].key: give a-z"),
        ("days = 2.0", "days = inf", "days"),
        ("days = 2.0", "days = 0.0001", "days enough for a reading"),
        ("onset_d = ", "onset_d = nan #", "onset_s"),
        ('name = "x"', 'name = "x"\nstart = 1960-01-01T00:00:00Z', "between 1970 and 2116"),
        ("[[machines]]", "[[machines", "line"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda p: p.stem)
def test_the_scenarios_that_come_with_us_are_sound(path: Path) -> None:
    scenario = load(path)
    assert scenario.name == path.stem
    end = scenario.days * 86_400
    for failure in SimulatedFleet(scenario).failures():
        assert failure.onset_s < failure.fails_s < end


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ScenarioError, match="pump-bearing"):
        named("no-such-thing")


def test_gateways_have_all_machines_once(tmp_path: Path) -> None:
    scenario = load(write(tmp_path, GOOD))
    parts = gateways(scenario, 3)
    keys = [m.key for part in parts for m in part.machines]
    assert keys == ["pump-01", "pump-02", "pump-03", "worn"]
    assert len(parts) == 2


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_bytes(b"\xff")
    with pytest.raises(ScenarioError, match="not UTF-8 text"):
        load(tmp_path / "s.toml")
