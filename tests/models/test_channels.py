import pytest

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
