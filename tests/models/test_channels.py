import pytest

from models.channels import TITLES, UNITS
from models.profile import ProfileError, load_profiles, parse_profile

HEAD = 'name = "p"\nversion = 1\ntitle = { en = "P" }\n'
GEOMETRY = "[bearings.b]\nrollers = 8\nroller_mm = 17.4\npitch_mm = 72.5\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[bearings.b]\nrollers = 8\nroller_mm = 80\npitch_mm = 72.5", "roller_mm must be below"),
        ("[bearings.b]\nrollers = 2\nroller_mm = 8\npitch_mm = 72.5", "rollers"),
        ('[channels.c]\nbearing = "b"', "channels.c.bearing: no bearing 'b'"),
        (GEOMETRY + '[channels.c]\nbearing = "b"\nunit = "mil"', "unit"),
        ("[channels.c]\nenvelope_hz = [8000.0, 2000.0]", "envelope_hz: give two frequencies"),
        ('[channels.c.signals]\nkurtosis = "x"', "channels.c.signals.kurtosis: no signal 'x'"),
    ],
)
def test_what_is_wrong_with_a_channel_is_named(text: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        parse_profile(HEAD + text, "mine.toml")


def test_the_pump_has_an_accelerometer_on_a_bearing() -> None:
    pump = load_profiles()["centrifugal-pump"]
    assert pump.channels["drive-end"].bearing in pump.bearings


def test_a_feature_without_a_signal_is_known_by_its_channel() -> None:
    pump = load_profiles()["centrifugal-pump"]
    said = pump.said("drive-end.bpfo")
    assert said is not None
    assert (said.unit, said.worse, said.role) == ("1", "high", "condition")
    assert said.title == {
        "en": "Outer race defect (Accelerometer, drive end)",
        "zh": "外圈故障特征（驱动端加速度计）",
    }
    assert pump.said("vibration_rms") is pump.signals["vibration_rms"]
    unknown = ("drive-end.velocity_rms", "drive-end.colour", "fan-end.bpfo", "bpfo", "")
    assert all(pump.said(name) is None for name in unknown)


def test_every_feature_has_a_title_in_both_languages() -> None:
    assert set(TITLES) == set(UNITS)
    assert all(set(words) == {"en", "zh"} for words in TITLES.values())


def test_a_failure_mode_may_count_on_a_feature() -> None:
    mode = '[failure_modes.f]\ncomponent = "c"\ntitle = {}\naction = {}\nsignals = ["c.%s"]\n'
    assert parse_profile(HEAD + mode % "bpfo" + "[channels.c]\n").failure_modes
    with pytest.raises(ProfileError, match=r"no signal 'c\.taste'"):
        parse_profile(HEAD + mode % "taste" + "[channels.c]\n")
