"""What a profile may say of wear, and what it may not."""

import re
from pathlib import Path

import pytest

from models.profile import ProfileError, parse_profile

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "consumables.md"
HEAD = """
name = "p"
version = 1
title = { en = "P" }
[signals.differential_pressure]
[signals.flow]
"""
PART = 'title = { en = "F" }\npart = "F"\nindicator = "flow"\nlimit = 3.0\n'


def test_the_sample_of_the_how_to_is_a_part() -> None:
    found = re.search(r"```toml\n(.*?)```", HOW_TO.read_text("utf-8"), re.DOTALL)
    assert found is not None
    part = parse_profile(HEAD + found.group(1)).consumables["filter"]
    assert part.norm is not None
    assert part.lives_differ == 0.16


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("curve = [1.0]", "curve needs 2 to 21"),
        ("curve = [1.0, 2.0]", "end at its limit"),
        ("curve = [1.0, 4.0, 3.0]", "get worse"),
        ("curve = [4.0, 3.0]", "get worse"),
        ("spread = 0.0", "spread must be"),
        ("life_d = 0.0", "life_d must be"),
        ("season = 1.0", "season must be"),
        ("varies = -1.0", "varies must be"),
        ("varies_for_d = -1.0", "varies_for_d must be"),
        ("varies_for_d = inf", "varies_for_d must be"),
        ('norm = { by = "load", nominal = 1.0 }', "no signal 'load'"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(lines: str, says: str) -> None:
    with pytest.raises(ProfileError, match=says) as refused:
        parse_profile(f"{HEAD}[consumables.filter]\n{PART}{lines}\n")
    assert "consumables.filter" in str(refused.value)


def test_rated_lives_differ_less_than_those_by_the_calendar() -> None:
    counted = parse_profile(f'{HEAD}[consumables.f]\n{PART}counter = "flow"\nrated = 9.0\n')
    assert counted.consumables["f"].lives_differ == 0.1
    timed = parse_profile(f"{HEAD}[consumables.f]\n{PART}life_d = 90.0\n")
    assert timed.consumables["f"].lives_differ == 0.3
