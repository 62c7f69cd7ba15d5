from pathlib import Path

import pytest

from models.assessment import Check
from models.profile import Profile, ProfileError, load_profiles, parse_profile

HEAD = 'name = "p"\nversion = 1\ntitle = { en = "P" }\n'


@pytest.mark.parametrize("profile", load_profiles().values(), ids=lambda p: p.name)
def test_the_profiles_that_come_with_forewarn(profile: Profile) -> None:
    words = [profile.title, *(s.title for s in profile.signals.values())]
    for mode in profile.failure_modes.values():
        words += [mode.title, mode.action]
        assert set(mode.checks) <= set(Check)
    words += [part.title for part in profile.consumables.values()]
    assert all(set(w) == {"en", "zh"} for w in words)
    for part in profile.consumables.values():
        assert (part.counter is None) == (part.rated is None)
        assert (part.indicator is None) == (part.limit is None)
        assert part.counter is not None or part.indicator is not None


def test_generic_is_there() -> None:
    assert "generic" in load_profiles()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "Invalid value"),
        (HEAD + "colour = 1", "colour"),
        (HEAD + '[signals.x]\nrole = "boss"', r"role|signals"),
        (HEAD + "trigger = { n = 3, m = 65 }", "trigger"),
        (HEAD + "[signals.x.limits]\nalert_high = 'hot'", "alert_high"),
        (
            HEAD + '[failure_modes.f]\ncomponent = "c"\ntitle = {}\naction = {}\nsignals = ["no"]',
            "failure_modes.f.signals: no signal 'no'",
        ),
        (
            HEAD + '[failure_modes.f]\ncomponent = "c"\ntitle = {}\naction = {}\nlife = true',
            "mine.toml:8: failure_modes.f.life: no consumable 'c'",
        ),
        (
            HEAD + '[consumables.c]\ntitle = {}\npart = "1"\ncounter = "no"\nrated = 5.0',
            "consumables.c.counter: no signal 'no'",
        ),
        (
            HEAD + '[consumables.b]\ntitle = {}\npart = "1"\nlead_time_d = 3.0\n'
            '[consumables.c]\ntitle = {}\npart = "1"\nleed_time_d = 3.0',
            "mine.toml:11: consumables.c.leed_time_d: there is no such setting; "
            r"did you mean 'lead_time_d'\?",
        ),
        (
            HEAD + '[consumables.b]\ntitle = {}\npart = "1"\nlead_time_d = 3.0\n'
            '[consumables.c]\ntitle = {}\npart = "1"\nlead_time_d = "x"',
            "mine.toml:11: consumables.c.lead_time_d: Expected `float`",
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message) as found:
        parse_profile(text, "mine.toml")
    assert str(found.value).startswith("mine.toml:")


def test_a_folder_of_profiles(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(HEAD, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no profile", encoding="utf-8")
    assert list(load_profiles(tmp_path)) == ["p"]
