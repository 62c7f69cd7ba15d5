"""Long calm blocks, which the vector code takes, give the bits of one row at a time."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.assessment import Check
from models.fleet import Config, Fleet
from models.fleet.abreast import WIDEST
from models.fleet.trace import Trace
from models.profile import parse_profile
from models.rows import Block
from tests.models.fleet.machines import PROFILES, START, S, block, cut

#: the reference is frozen after some hundred rows of a minute
QUICK = Config(
    reference_span_s=6_000.0, freeze_span_s=12_000.0, shift_span_s=3_600.0, report_every_s=30_000.0
)
#: it still learns during most of the rows
SLOW = Config(
    reference_span_s=40_000.0, freeze_span_s=70_000.0, shift_span_s=3_600.0, report_every_s=30_000.0
)
ROWS = 1_600
#: limits, rate and sticking so near to what is usual that each is reached by rows like the others
NEAR = parse_profile(
    """
name = "near"
version = 1
title = { en = "Near its limits" }
trigger = { n = 1, m = 2 }

[signals.load]
role = "context"

[signals.vibration]
worse = "high"
limits = { alert_high = 2.45, alarm_high = 7.1 }
stuck_after_s = 900.0

[signals.temperature]
limits = { alert_low = 66.5 }

[signals.extra]
limits = { rate = 0.085 }

[signals.hours]
role = "counter"

[consumables.bearing]
title = { en = "Bearing" }
part = "B-1"
indicator = "vibration"
limit = 7.1
"""
)
#: the same without a context, so that its references learn in vector code too
PLAIN = msgspec.structs.replace(
    NEAR, name="plain", signals={k: v for k, v in NEAR.signals.items() if k != "load"}
)
KNOWN = {**PROFILES, "near": NEAR, "plain": PLAIN}


def calm(seed: int, events: int, profile: str) -> dict[str, np.ndarray]:
    """A pump that runs at a load, wears slowly, counts hours and now and then misbehaves."""
    rng = np.random.default_rng(seed)
    t = np.arange(ROWS)
    load = np.round(50 + 8 * np.sin(t / 9) + rng.normal(0, 1, ROWS), 1)
    wear = 0.0005 if profile == "pump" else 0.0001 * (profile in {"near", "plain"})
    vibration = 1.5 + 0.01 * load + wear * t + rng.normal(0, 0.1, ROWS)
    columns: dict[str, np.ndarray] = {
        "load": load,
        "vibration": vibration,
        "temperature": 60 + 0.2 * load + rng.normal(0, 1, ROWS),
        "hours": np.round(t / 60, 2),
        "extra": rng.normal(0, 1, ROWS).astype(np.float32),
        "flag": rng.random(ROWS) < 0.5,
    }
    if profile == "generic":
        del columns["hours"]  # would be a condition there, and shift for ever
    for _ in range(events):
        at, kind = int(rng.integers(400, ROWS - 60)), int(rng.integers(8))
        if kind == 0:
            columns["vibration"][at : at + 8] = 9.0
        elif kind == 1:
            lasting = int(rng.choice([50, 600]))
            columns["temperature"][at : at + lasting] += rng.uniform(3.0, 12.0)
        elif kind == 2:
            columns["extra"][at : at + int(rng.choice([1, 30]))] = np.nan
        elif kind == 3:
            columns["load"][at : at + 40] += 60.0
        elif kind == 4 and profile != "generic":
            columns["hours"][at:] -= columns["hours"][at]
        elif kind == 5:
            columns["load"][at : at + int(rng.choice([1, 30]))] = np.nan
        elif kind == 6:
            columns["extra"][at : at + 12] += rng.uniform(3.5, 4.9)
        else:
            columns["vibration"][at : at + 30] = columns["vibration"][at]
    return columns


def blocks(seed: int, events: int, size: int, profile: str = "pump") -> list[Block]:
    rng = np.random.default_rng(seed + 1)
    steps = np.full(ROWS, 60 * S)
    steps[rng.integers(0, ROWS, 3 * events)] = rng.choice([0, 7 * S, 3_600 * S], 3 * events)
    times = START + np.cumsum(steps)
    columns = calm(seed, events, profile)
    return [
        block("m", times[i : i + size], {k: v[i : i + size] for k, v in columns.items()}, n=i)
        for i in range(0, ROWS, size)
    ]


def fleet(profile: str, clock: str, config: Config = QUICK) -> Fleet:
    made = Fleet(KNOWN, config)
    made.bind("m", profile, "data" if clock == "data" else "wall")
    return made


@pytest.mark.parametrize("clock", ["data", "wall"])
@pytest.mark.parametrize(
    ("profile", "config"),
    [
        *(("pump", QUICK), ("near", QUICK), ("generic", QUICK)),
        *(("plain", SLOW), ("generic", SLOW), ("near", SLOW)),
    ],
)
@given(seed=st.integers(0, 10_000), events=st.integers(0, 6), size=st.sampled_from([40, 133, 400]))
@settings(max_examples=15, deadline=None)
def test_blocks_give_the_bits_of_single_rows(
    profile: str, config: Config, clock: str, seed: int, events: int, size: int
) -> None:
    whole, single = fleet(profile, clock, config), fleet(profile, clock, config)
    told, expected = [], []
    found, rows = Trace(), Trace()
    for item in blocks(seed, events, size, profile):
        told += whole.observe([item], found)
        rest = item
        while len(rest) > 1:
            row, rest = cut(rest, 1)
            expected += single.observe([row], rows)
        expected += single.observe([rest], rows)
    assert told == expected
    for one, other in ((found.scores, rows.scores), (found.faulty, rows.faulty)):
        assert np.concatenate(one).tobytes() == np.concatenate(other).tobytes()
    left, right = whole.snapshot(), single.snapshot()
    assert {k for k in left if left[k].tobytes() != right[k].tobytes()} == set()


def test_the_streams_reach_what_they_are_for() -> None:
    found: set[Check] = set()
    known = False
    for seed in range(12):
        made = fleet("pump", "data")
        for told in made.observe(blocks(seed, 6, 400)):
            found |= {c.check for c in told.conditions}
            known |= any(life.p50_s is not None for life in told.lives)
        assert made.snapshot()["lanes"]["frozen"].any()
    assert {Check.LIMIT_HIGH, Check.LEVEL, Check.SHIFT, Check.DROPOUT} <= found
    assert known


def test_a_block_of_more_signals_than_those_before_it_finds_room() -> None:
    """The room is taken once for a group, also where some of its rows tell something."""
    rng = np.random.default_rng(9)
    times = START + np.arange(900) * 300 * S
    level = rng.normal(0, 1, 900)
    wide = {f"s{k}": level + rng.normal(0, 0.3, 900) for k in range(3 * WIDEST)}
    rows = [
        *(block("narrow", times[i : i + 1], {"x": level[i : i + 1]}) for i in range(5)),
        block("wide", times, wide),
        block("narrow", times[5:], {"x": level[5:]}),
    ]
    together, alone = Fleet({}, QUICK), Fleet({}, QUICK)
    for fleet in (together, alone):
        for name in ("narrow", "wide"):
            fleet.bind(name, "generic", "data")
    told = together.observe(rows)
    assert [one for row in rows for one in alone.observe([row])] == told
    first, second = together.snapshot(), alone.snapshot()
    assert {k: v.tobytes() for k, v in first.items()} == {k: v.tobytes() for k, v in second.items()}
