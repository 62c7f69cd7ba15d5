import pytest

from models.profile import load_profiles
from models.units import Types, differing, shown, spelled, without

PROFILES = load_profiles()
PUMP = PROFILES["centrifugal-pump"]
HOT = "bearing_temperature"


@pytest.mark.parametrize(
    ("told", "same"),
    [
        ("Cel", True),
        ("[degF]", False),
        ("K", False),
        ("Cel{bearing}", True),
        ("degC", True),
        ("°C", True),
        ("C", True),
        ("celsius", True),
        ("F", False),
        ("degF", False),
    ],
)
def test_units_are_compared_as_codes_without_annotations(told: str, same: bool) -> None:
    assert differing(PUMP, {HOT: told, "unheard of": "V"}) == ([] if same else [HOT])


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("°C", "Cel"), ("\u2103", "Cel"), ("DegC", "Cel"), ("°F", "[degF]"), ("m/s²", "m/s2"),
        ("m/s^2", "m/s2"), ("m³/h", "m3/h"), ("µm", "um"), ("\u03bcg/m^3", "ug/m3"), ("kΩ", "kOhm"),
        ("deg C", "Cel"), ("° C", "Cel"), (" Cel ", "Cel"), ("page", "1"), ("cycle", "1"),
        ("min-1", "/min"), ("rev/min", "/min"), ("r/min", "/min"),
        ("mohm", "mOhm"), ("Mohm", "MOhm"), ("kohms", "kOhm"), ("m s", "m s"),
        ("\u2126", "Ohm"), ("RPM", "/min"), ("psi", "[psi]"), ("kPa", "kPa"), ("%", "%"),
    ],
)  # fmt: skip
def test_common_spellings_are_read_as_the_code_that_they_mean(told: str, code: str) -> None:
    assert spelled(told) == code
    assert spelled(code) == code


@pytest.mark.parametrize(
    "code",
    [
        "C",
        "F",
        "S",
        "PA",
        "MPa",
        "mPa",
        "MOhm",
        "mOhm",
        "G",
        "g",
        "B",
        "10*3/uL",
        "10^3",
        "/h",
        "R/min",
    ],
)
def test_what_means_something_else_in_ucum_is_left(code: str) -> None:
    assert spelled(code) == code


def test_an_annotation_alone_is_a_pure_number() -> None:
    printer = next(p for p in PROFILES.values() if any(
        s.unit == "{page}" for s in p.signals.values()
    ))  # fmt: skip
    pages = next(name for name, s in printer.signals.items() if s.unit == "{page}")
    assert differing(printer, {pages: "1"}) == []
    assert differing(printer, {pages: "%"}) == [pages]


def test_shown_is_the_unit_of_the_readings() -> None:
    seen = shown(PUMP, {HOT: "[degF]", "extra": "V"})
    assert [seen.signals[name].unit for name in (HOT, "extra")] == ["[degF]", "V"]
    others = [name for name in PUMP.signals if name != HOT]
    assert [seen.signals[name] for name in others] == [PUMP.signals[name] for name in others]


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda one: one.name)
def test_no_part_is_read_from_a_signal_in_another_unit(profile: object) -> None:
    assert isinstance(profile, type(PUMP))
    for name in profile.signals:
        left = without(profile, [name], {})
        read = {n for p in left.consumables.values() for n in (p.counter, p.indicator)}
        loads = {p.norm.by for p in left.consumables.values() if p.norm}
        assert name not in read | loads


def test_a_type_of_its_own_is_known_by_its_name_alone() -> None:
    name = Types(PROFILES).named("centrifugal-pump", {HOT: "[degF]"})
    fresh = Types(PROFILES)
    found = fresh.get(name)
    assert found is not None
    assert found is fresh.get(name)
    assert (found.name, found.signals[HOT].limits.alarm_high) == (name, None)
    assert fresh.moved(name, "centrifugal-pump") == {HOT}
    assert fresh.get("unknown") is None
    assert fresh.named("unknown", {HOT: "[degF]"}) == "unknown"
