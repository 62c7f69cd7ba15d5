"""What the contexts explain: kept as their number grows, and added in one way."""

from itertools import combinations_with_replacement

import numpy as np
import pytest

from models.fleet import Fleet
from models.fleet.lanes import new_lane, new_machine
from models.fleet.terms import EACH_TWO, Terms, at, size, two
from models.fleet.witnesses import _expected, explained
from models.profile import Profile, Signal
from tests.models.fleet.machines import START, S, block

ROWS = 1_200


@pytest.mark.parametrize(("known", "wide"), [(1, 2), (2, 4), (3, 4)])
def test_terms_that_are_widened_keep_what_was_learned(known: int, wide: int) -> None:
    terms, lanes = Terms(), new_lane()
    lane = lanes[0]
    terms.widen(lane, known)
    terms.rows[int(lane["terms"]) :][: size(known)] = 1.0 + np.arange(size(known))

    def learned() -> list[float]:
        parts = [at(lane, part, i) for part in range(EACH_TWO) for i in range(known)]
        pairs = combinations_with_replacement(range(known), 2)
        return [float(terms.rows[k]) for k in (*parts, *(two(lane, *pair) for pair in pairs))]

    before = learned()
    terms.widen(lane, wide)
    assert int(lane["wide"]) == wide
    assert learned() == before
    new = [at(lane, part, i) for part in range(EACH_TWO) for i in range(known, wide)]
    pairs = [(i, j) for i, j in combinations_with_replacement(range(wide), 2) if j >= known]
    fresh = terms.rows[[*new, *(two(lane, *pair) for pair in pairs)]]
    assert not np.nan_to_num(fresh).any()


def test_a_second_context_takes_nothing_from_an_armed_reference() -> None:
    def profile(*contexts: str) -> Profile:
        roles = {name: Signal(role="context") for name in contexts}
        return Profile(name="p", version=1, title={}, signals={**roles, "x": Signal()})

    rng = np.random.default_rng(2)
    times = START + np.arange(ROWS + 1) * 300 * S
    load = 50 + 10 * rng.normal(0, 1, ROWS + 1)
    x = 20 + 0.5 * load + rng.normal(0, 0.1, ROWS + 1)
    fleet = Fleet({"one": profile("load"), "two": profile("load", "speed")})
    fleet.bind("m", "one", "data")
    fleet.observe([block("m", times[:-1], {"load": load[:-1], "x": x[:-1]})])
    lane = fleet.signals("m")["x"]
    assert fleet.snapshot()["lanes"]["armed"][lane] == 1
    fleet.bind("m", "two", "data")
    fleet.observe([block("m", times[-1:], {"load": load[-1:], "speed": [7.0], "x": x[-1:]})])
    found = fleet.snapshot()["lanes"][lane]
    assert (int(found["armed"]), int(found["wide"])) == (1, 2)
    assert found["expected"] == pytest.approx(20 + 0.5 * load[-1], abs=0.3)


def test_what_contexts_explain_is_added_in_one_way() -> None:
    """Python's own `sum` carries what an addition rounds away: from 3.12 on it gives 1 here."""
    terms, lanes, machine = Terms(), new_lane(), new_machine(data_clock=True)[0]
    terms.widen(lanes[0], 3)
    terms.rows[:3], terms.rows[3:6] = 0.0, 1.0  # centres, slopes
    lanes["armed"], machine["contexts"] = 1, 3
    machine["context"][:3] = 1e16, 1.0, -1e16
    assert explained(lanes[0], machine, terms) == 0.0
    assert _expected(lanes[0], terms.rows, machine["context"][:3].copy()) == 0.0
