"""Any cut of the stream, and a restore at any place, give the same bits."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.assessment import Assessment, Check
from models.fleet import Config, Fleet
from models.fleet.trace import Trace
from models.rows import Block, Tick
from tests.models.fleet.machines import PROFILES, cut, stream

#: everything happens within a stream of some hours: arming, freezing, buckets, reports
QUICK = Config(
    reference_rows=20,
    reference_span_s=3600.0,
    freeze_span_s=3 * 3600.0,
    shift_span_s=1800.0,
    report_every_s=3600.0,
    onset_rows=30.0,
    onset_limit=0.7,
    settle_rows=5.0,
    early_rows=20.0,
)


def fresh() -> Fleet:
    fleet = Fleet(PROFILES, QUICK)
    fleet.bind("a.wall", "pump")
    fleet.bind("a.data", "pump", "data")
    fleet.bind("a.slow", "pump", "data")
    return fleet


def through(fleet: Fleet, groups: Sequence[Sequence[Block | Tick]]) -> list[Assessment]:
    return [told for group in groups for told in fleet.observe(group)]


def same(left: dict[str, NDArray[Any]], right: dict[str, NDArray[Any]]) -> bool:
    return left.keys() == right.keys() and all(
        left[k].dtype == right[k].dtype and left[k].tobytes() == right[k].tobytes() for k in left
    )


def cuts(rows: Sequence[Block | Tick], draw: Any) -> list[list[Block | Tick]]:
    pieces: list[Block | Tick] = []
    for item in rows:
        if isinstance(item, Block) and len(item) > 1 and draw(st.booleans()):
            pieces += cut(item, draw(st.integers(1, len(item) - 1)))
        else:
            pieces.append(item)
    groups: list[list[Block | Tick]] = [[]]
    for piece in pieces:
        groups[-1].append(piece)
        if draw(st.booleans()):
            groups.append([])
    return groups


@given(data=st.data(), seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_any_cut_and_any_restore_give_the_same_bits(data: st.DataObject, seed: int) -> None:
    rows = stream(seed)
    whole = fresh()
    expected = whole.observe(rows)

    groups = cuts(rows, data.draw)
    stop = data.draw(st.integers(0, len(groups)))
    fleet = fresh()
    told = through(fleet, groups[:stop])
    fleet = Fleet.restore(PROFILES, fleet.snapshot(), QUICK)
    told += through(fleet, groups[stop:])

    assert told == expected
    assert same(fleet.snapshot(), whole.snapshot())
    assert [fleet.current(m) for m in fleet.machines()] == [
        whole.current(m) for m in whole.machines()
    ]


def test_one_row_at_a_time_is_the_same() -> None:
    rows = stream(7)
    whole, single = fresh(), fresh()
    expected = whole.observe(rows)
    told: list[Assessment] = []
    for item in rows:
        rest = [item]
        while isinstance(rest[-1], Block) and len(rest[-1]) > 1:
            rest[-1:] = cut(rest[-1], 1)
        told += [a for one in rest for a in single.observe([one])]
    assert told == expected
    assert same(single.snapshot(), whole.snapshot())


def test_the_streams_have_every_kind_of_trouble() -> None:
    found: set[Check] = set()
    late = missing = known = 0
    for seed in range(25):
        rows, newest = stream(seed), dict[str, int]()
        for told in fresh().observe(rows):
            found |= {c.check for c in told.conditions if c.onset}
            known += any(life.p50_s is not None for life in told.lives)
        for row in rows:
            if isinstance(row, Block):
                last = newest.get(row.machine, 0)
                late += int((row.times_ns < last).sum())
                newest[row.machine] = max(last, int(row.times_ns.max()))
                missing += sum(int(np.isnan(column).sum()) for column in row.columns)
    every = set(Check) - {Check.DETECTOR, Check.RATE, Check.LIMIT_LOW}
    assert every <= found
    assert min(late, missing, known) > 0


def test_snapshots_hold_no_objects() -> None:
    fleet = fresh()
    fleet.observe(stream(3))
    assert not any(array.dtype.hasobject for array in fleet.snapshot().values())


def test_a_restored_fleet_continues_to_grow() -> None:
    fleet = fresh()
    fleet.observe(stream(3))
    again = Fleet.restore(PROFILES, fleet.snapshot(), QUICK)
    for i in range(40):
        again.bind(f"a.more{i}", "pump")
    assert len(again.machines()) == 44
    assert np.array_equal(
        again.snapshot()["lanes"][: len(fleet.snapshot()["lanes"])]["rows"],
        fleet.snapshot()["lanes"]["rows"],
    )


def test_columns_of_one_sheet_are_what_single_columns_are() -> None:
    rows = stream(3)
    sheets = [
        msgspec.structs.replace(item, columns=np.array(item.columns, np.float64))
        if isinstance(item, Block) and not item.missing
        else item
        for item in rows
    ]
    singles, whole = fresh(), fresh()
    assert whole.observe(sheets) == singles.observe(rows)
    assert same(whole.snapshot(), singles.snapshot())


def test_large_groups_are_taken_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = stream(3)
    whole, parts = fresh(), fresh()
    trace, seen = Trace(), Trace()
    expected = whole.observe(rows, trace)
    monkeypatch.setattr("models.fleet.fleet.PORTION", 50)
    assert parts.observe(rows, seen) == expected
    assert same(parts.snapshot(), whole.snapshot())
    for name in ("scores", "strengths", "alarms", "faulty"):
        left, right = getattr(seen, name), getattr(trace, name)
        assert np.array_equal(np.concatenate(left), np.concatenate(right))


def test_telling_nobody_leaves_the_same_state() -> None:
    rows = stream(3)
    told, silent = fresh(), fresh()
    assert told.observe(rows)
    assert silent.observe(rows, tell=False) == []
    assert same(told.snapshot(), silent.snapshot())
    assert silent.current("a.data") == told.current("a.data")
