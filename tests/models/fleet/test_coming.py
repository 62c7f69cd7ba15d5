"""Whether a band will come: all that it is made of is heard, and often enough."""

import numpy as np
import pytest

from models.fleet import Fleet
from models.profile import parse_profile
from tests.models.fleet.machines import START, S, block

HOUR = 3600
PROFILE = parse_profile(
    """
name = "press"
version = 1
title = { en = "Press" }

[signals.gap]
worse = "high"

[signals.strokes]
role = "counter"

[consumables.die]
title = { en = "Die" }
part = "D"
indicator = "gap"
limit = 2.0
curve = [1.0, 1.5, 2.0]
counter = "strokes"
rated = 50000.0
"""
)


@pytest.mark.parametrize(
    ("every_h", "counted", "coming"),
    [(1, True, True), (24, True, True), (1, False, False), (7 * 24, True, False)],
)
def test_a_band_is_coming_where_all_it_needs_is_heard_often_enough(
    *, every_h: int, counted: bool, coming: bool
) -> None:
    fleet = Fleet({"press": PROFILE})
    fleet.bind("m", "press", "data")
    hours = np.arange(4) * every_h
    columns = {"gap": 1.9 + 0.001 * hours}
    if counted:
        columns["strokes"] = 100.0 * hours
    fleet.observe([block("m", START + hours * HOUR * S, columns)])
    [found] = fleet.current("m").lives
    assert (found.p10_s, found.coming) == (None, coming)
