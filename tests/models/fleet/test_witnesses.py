"""Who else speaks of a signal: a partner that it moved with, its sisters, and on whose word."""

from collections.abc import Mapping

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation.healthy import DAY_ROWS, PROFILE, PROFILES, STEP_S, machine
from models.assessment import Check, Comparison, Condition
from models.fleet import Fleet
from models.fleet.forget import without
from models.words import explain
from tests.models.fleet.machines import START, S, block

DAYS = 14
SICK = 10 * DAY_ROWS
OTHER = msgspec.structs.replace(PROFILE, name="other")
Columns = Mapping[str, NDArray[np.float64]]


def bound(seed: int = 0, fault: float = 0.0) -> dict[str, NDArray[np.float64]]:
    """A machine whose pressure follows a demand that no context tells, as its current does."""
    columns = machine("steady", DAYS, seed)
    rng = np.random.default_rng(100 + seed)
    demand = np.repeat(rng.normal(0, 1, DAYS * 24), DAY_ROWS // 24)
    columns["pressure"] = columns["pressure"] + 0.5 * demand
    columns["current"] = columns["current"] + 2.0 * demand
    columns["pressure"][SICK:] += fault
    return columns


def feed(fleet: Fleet, name: str, columns: Columns, first: int = 0, size: int = DAY_ROWS) -> None:
    fleet.bind(name, "machine", "data")
    for row in range(first, DAYS * DAY_ROWS, size):
        part = slice(row, min(row + size, DAYS * DAY_ROWS))
        times = START + np.arange(part.start, part.stop) * STEP_S * S
        fleet.observe([block(name, times, {k: v[part] for k, v in columns.items()})])


def shift(fleet: Fleet, signal: str = "pressure") -> Condition:
    conditions = fleet.current("m").conditions
    return next(c for c in conditions if (c.signal, c.check) == (signal, Check.SHIFT))


def test_a_correlation_that_broke_is_said_with_the_signal_that_it_broke_with() -> None:
    fleet, columns = Fleet(PROFILES), bound(fault=-2.0)
    feed(fleet, "m", columns)
    found = shift(fleet)
    [one] = found.witnesses
    assert (one.beside, one.sisters) == ("current", 0)
    assert one.value - one.expected == pytest.approx(-2.0, abs=0.6)
    assert "below what current explains" in explain(found, PROFILE)
    assert "current所能解释的低" in explain(found, PROFILE, "zh")


def test_signals_that_have_nothing_to_do_with_each_other_are_no_partners() -> None:
    columns = machine("steady", DAYS, 1)
    columns["vibration"][SICK:] += 1.0
    fleet = Fleet(PROFILES)
    feed(fleet, "m", columns)
    assert shift(fleet, "vibration").witnesses == ()


def test_what_moves_together_still_is_no_break() -> None:
    columns = bound(2)
    columns["pressure"][SICK:] += 1.5
    columns["current"][SICK:] += 6.0  # both, in their usual proportion
    fleet = Fleet(PROFILES)
    feed(fleet, "m", columns)
    assert shift(fleet).witnesses == ()


def test_a_silent_sensor_is_replaced_by_what_its_partner_says() -> None:
    columns = bound(3)
    truth = float(columns["pressure"][-1])
    columns["pressure"][SICK:] = np.nan
    fleet = Fleet(PROFILES)
    feed(fleet, "m", columns)
    [silent] = fleet.current("m").conditions
    assert silent.check is Check.DROPOUT
    assert silent.expected == pytest.approx(truth, abs=0.5)  # by the contexts alone: 1 off
    assert "; the other signals say about " in explain(silent, PROFILE)


def newcomer(sisters: int, days: float) -> Fleet:
    """A machine that was built with 2 bar too much; half an hour ago it gained 3."""
    fleet, columns = Fleet(PROFILES), machine("steady", DAYS, 20)
    for i in range(sisters):
        feed(fleet, f"s{i}", machine("steady", DAYS, 10 + i))
    columns["pressure"] += 2.0
    columns["pressure"][-6:] += 3.0
    feed(fleet, "m", columns, first=int((DAYS - days) * DAY_ROWS))
    return fleet


def test_sisters_lend_their_reference_to_one_who_has_none() -> None:
    alone, among = newcomer(0, 2.0), newcomer(4, 2.0)
    for fleet, gap in ((alone, 3.0), (among, 5.0)):
        [notice] = [c for c in fleet.current("m").conditions if c.signal == "pressure"]
        assert notice.check is Check.LEVEL
        assert notice.value is not None
        assert notice.expected is not None
        assert notice.value - notice.expected == pytest.approx(gap, abs=0.5)
        assert [one.sisters for one in notice.witnesses] == ([4] if gap > 4.0 else [])


def test_a_borrowed_reference_counts_for_a_third_of_an_own_one() -> None:
    own = 0.25 + 0.75 * 0.25 / 3  # as of the last report, six hours ago
    alone, among = (newcomer(n, 0.5).current("m").coverage for n in (0, 4))
    assert alone == pytest.approx((2 + 4 * own) / 6, abs=0.02)  # two contexts, four conditions
    assert among == pytest.approx((2 + 4 * 0.5) / 6, abs=0.02)


def test_sisters_witness_a_fault() -> None:
    sick = machine("steady", DAYS, 21)
    sick["pressure"][SICK:] += 1.0
    fleet = Fleet(PROFILES)
    for i in range(4):
        feed(fleet, f"s{i}", machine("steady", DAYS, 30 + i))
    feed(fleet, "m", sick)
    [one] = shift(fleet).witnesses
    assert (one.sisters, one.beside) == (4, None)
    assert one.deviation > 3.0
    assert "above 4 machines like it under the same conditions" in explain(shift(fleet), PROFILE)


def test_cuts_snapshots_and_other_machines_change_nothing() -> None:
    columns = bound(5, fault=-2.0)
    whole, cut = Fleet(PROFILES), Fleet(PROFILES)
    feed(whole, "m", columns)
    feed(cut, "m", columns, size=41)
    assert cut.current("m") == whole.current("m")
    crowd = Fleet(PROFILES)
    feed(crowd, "gone", machine("steady", DAYS, 6))
    feed(crowd, "m", columns)
    kept = Fleet.restore(PROFILES, without(crowd.snapshot(), {"gone"}))
    assert shift(kept).witnesses == shift(whole).witnesses


def test_how_far_a_signal_is_off() -> None:
    one = Comparison(signal="x", value=2.0, expected=3.0, spread=0.5, sisters=0, beside="y")
    assert one.deviation == -2.0


def test_a_restored_fleet_asks_the_same_sisters() -> None:
    fleet = newcomer(20, 2.0)
    again = Fleet.restore(PROFILES, fleet.snapshot())
    assert again.current("m") == fleet.current("m")
    [notice] = [c for c in again.current("m").conditions if c.signal == "pressure"]
    assert [one.sisters for one in notice.witnesses] == [16]
    moved = Fleet.restore({**PROFILES, "other": OTHER}, fleet.snapshot())
    for i in range(18):
        moved.bind(f"s{i}", "other", "data")
    assert all(one.sisters < 3 for one in moved.sisters("m"))
