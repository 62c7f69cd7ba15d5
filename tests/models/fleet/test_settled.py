"""Long blocks, whose signals the watch takes side by side, give the bits of one row at a time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fleet import Config, Fleet
from models.fleet.onset import SEASON
from models.fleet.trace import Trace
from models.rows import Block
from tests.models.fleet.machines import START, S, block, cut

ROWS = 2_400
STEP = 60 * S  #: thirty rows to a part of the day, nearly two days in all
#: all layers have settled after some hundred rows
EARLY = Config(
    level_share=1 / 16,
    spread_share=1 / 512,
    tail_rate=1 / 30,
    tail_share=1 / 32,
    onset_rows=60.0,
    settle_rows=20.0,
    early_rows=40.0,
    early_share=1 / 64,
    season_rows=40.0,
    onset_limit=0.7,
)
#: `EARLY` looks for the early state on all days, this on none
LATE = replace(EARLY, reference_span_s=40_000.0)


def stream(seed: int, events: int, signals: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Signals that swing over the day, with leaps, gaps, shifts and readings that are missing."""
    rng = np.random.default_rng(seed)
    t = np.arange(ROWS)
    columns = {}
    for k in range(signals):
        noise = rng.normal(0, 1, ROWS)
        wave = 4 * np.sin(2 * np.pi * t / 1440 + k) + noise
        columns[f"s{k}"] = np.round(wave, k % 3) if k else np.round(noise > 1.0)
    for _ in range(events):
        at, name = int(rng.integers(300, ROWS - 90)), f"s{rng.integers(signals)}"
        kind = int(rng.integers(4))
        if kind == 0:
            columns[name][at : at + 2] += rng.uniform(6.0, 60.0)
        elif kind == 1:
            columns[name][at : at + 80] += rng.uniform(3.0, 9.0)
        elif kind == 2:
            columns[name][at : at + int(rng.choice([1, 40]))] = np.nan
        else:
            columns[name][at : at + 60] = columns[name][at]
    steps = np.full(ROWS, STEP)
    steps[rng.integers(0, ROWS, events)] = rng.choice([0, 7 * S, 8 * 3600 * S], events)
    return START + np.cumsum(steps), columns


def blocks(seed: int, events: int, signals: int, size: int) -> list[Block]:
    times, columns = stream(seed, events, signals)
    return [
        block("m", times[i : i + size], {k: v[i : i + size] for k, v in columns.items()}, n=i)
        for i in range(0, ROWS, size)
    ]


@pytest.mark.parametrize("config", [EARLY, LATE], ids=["early", "late"])
@given(
    seed=st.integers(0, 10_000),
    events=st.integers(0, 5),
    signals=st.sampled_from([1, 3, 4, 6]),
    size=st.sampled_from([5, 100, 333]),
)
@settings(max_examples=12, deadline=None)
def test_blocks_give_the_bits_of_single_rows(
    config: Config, seed: int, events: int, signals: int, size: int
) -> None:
    whole, single = Fleet({}, config), Fleet({}, config)
    told, expected = [], []
    for item in blocks(seed, events, signals, size):
        told += whole.observe([item])
        rest = item
        while len(rest) > 1:
            row, rest = cut(rest, 1)
            expected += single.observe([row])
        expected += single.observe([rest])
    left, right = whole.snapshot(), single.snapshot()
    was, would = left["onsets"], right["onsets"]
    assert [k for k in (was.dtype.names or ()) if was[k].tobytes() != would[k].tobytes()] == []
    assert told == expected
    assert {k for k in left if left[k].tobytes() != right[k].tobytes()} == set()


def test_the_streams_reach_what_they_are_for() -> None:
    stays = alarms = 0
    for seed in range(6):
        for config in (EARLY, LATE):
            made, trace = Fleet({}, config), Trace()
            made.observe(blocks(seed, 4, 4, 100), trace)
            stays += config is EARLY and int(np.concatenate(trace.faulty).sum())
            alarms += int(np.concatenate(trace.alarms).sum())
        assert made.snapshot()["onsets"]["seen"][1:, SEASON].min() > 300
    assert min(stays, alarms) > 0
