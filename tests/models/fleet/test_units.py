"""A machine whose device tells other units than its profile says."""

import numpy as np

from models.assessment import Check
from models.fleet import Fleet
from tests.models.fleet.machines import PROFILES, START, S, block

ROWS = 2_000
LATER = START + ROWS * 300 * S


def _readings(level: float, start: int, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    times = start + np.arange(ROWS) * 300 * S
    rng = np.random.default_rng(seed)
    return times, {"vibration": rng.normal(level, level / 20, ROWS)}


def _learned() -> Fleet:
    fleet = Fleet(PROFILES)
    for i in range(5):
        fleet.bind(f"m{i}", "pump", "data", {"vibration": "mm/s"})
        fleet.observe([block(f"m{i}", *_readings(2.0, START, i))])
    return fleet


def test_from_the_birth_on_neither_limits_nor_what_was_learned_speak() -> None:
    active = {}
    for unit in ("mm/s", "um/s"):
        fleet = _learned()
        fleet.bind("m0", "pump", "data", {"vibration": unit})
        told = fleet.observe([block("m0", *_readings(2_000.0, LATER))])
        active[unit] = {c.check for one in told for c in one.conditions if c.active}
    assert Check.LIMIT_HIGH in active["mm/s"]
    assert not active["um/s"]


def test_it_is_nobodys_sister() -> None:
    fleet = _learned()
    assert len(fleet.sisters("m1")) > 0
    for i in range(4):
        fleet.bind(f"m{i}", "pump", "data", {"vibration": "um/s"})
    assert fleet.sisters("m4") == []


def test_a_snapshot_goes_on_bit_for_bit() -> None:
    fleet = _learned()
    fleet.bind("m0", "pump", "data", {"vibration": "um/s"})
    again = Fleet.restore(PROFILES, fleet.snapshot())
    for one in (fleet, again):
        one.bind("m0", "pump", "data", {"vibration": "um/s"})
        one.observe([block("m0", *_readings(2_000.0, LATER))])
    first, second = fleet.snapshot(), again.snapshot()
    assert {k: v.tobytes() for k, v in first.items()} == {k: v.tobytes() for k, v in second.items()}


def test_a_question_before_the_next_row_takes_nothing_from_it() -> None:
    fleet = _learned()
    times, columns = _readings(3.5, LATER)
    fleet.observe([block("m0", times, columns)])
    [began] = [c for c in fleet.current("m0").conditions if c.check is Check.SHIFT]
    fleet.bind("m0", "pump", "data", {"vibration": "um/s"})
    asked = Fleet.restore(PROFILES, fleet.snapshot())
    [ended] = [c for c in asked.current("m0").conditions if c.check is Check.SHIFT]
    assert (ended.active, ended.since_ns) == (False, began.since_ns)
    saved = asked.snapshot()
    lacking = saved | {"since": saved["since"][:0]}  # as earlier builds left it
    row = block("m0", [int(times[-1]) + 300 * S], {"vibration": [2_500.0]})
    told = fleet.observe([row])
    assert Check.SHIFT in {c.check for one in told for c in one.conditions}
    assert asked.observe([row]) == told
    assert Fleet.restore(PROFILES, saved).observe([row]) == told
    [late] = Fleet.restore(PROFILES, lacking).observe([row])
    assert [(c.check, c.active) for c in late.conditions] == [(Check.SHIFT, False)]
