"""Bands at many ages of each unit, their widths by folds, and units that fail in one step."""

import msgspec
import numpy as np

from benchmarks.evaluation import life_cuts, life_spread
from benchmarks.evaluation.life_ends import figures, size, sudden
from models.life.learned.bands import Bands
from models.life.learned.runs import Runs


def test_late_coverage_counts_the_late_rows_of_units_alone() -> None:
    units = np.repeat(np.array(["a", "b"]), 200)
    truth = np.tile(np.arange(200.0)[::-1], 2)
    late = truth <= life_cuts.LATE
    low = np.where(late & (units == "b"), truth + 1.0, truth - 5.0)
    band = np.column_stack([low, np.maximum(low, truth), np.maximum(low, truth) + 5.0])
    found = life_cuts.figures(units, truth, band)
    share, least, most = found["late"]["coverage"]
    assert 0.3 < share < 0.7
    assert (least, most) == (0.0, 1.0)  # both units held, or neither
    assert found["all"]["coverage"][0] > share
    assert found["late"]["winkler"] > found["late"]["width"]
    assert found["swing"][0] <= share <= found["swing"][1]


def test_bands_that_hold_everywhere_cover_all_at_every_age() -> None:
    truth = np.arange(60.0)[::-1]
    band = np.column_stack([truth - 2.0, truth, truth + 1.0])
    found = life_cuts.figures(np.repeat(np.array(["a"]), 60), truth, band)
    assert found["all"]["coverage"] == found["late"]["coverage"] == (1.0, 1.0, 1.0)
    assert found["all"]["width"] == found["all"]["winkler"] == 3.0
    assert found["swing"] == (1.0, 1.0)


def test_a_unit_is_sudden_by_its_last_step_and_only_if_it_failed() -> None:
    volts = [12.0, 11.0, 10.8, 10.2, 12.0, 11.5, 11.3, 8.3, 12.0, 11.5, 11.3, 8.3, 12.0, 8.0]
    runs = Runs(
        units=("worn", "fell", "lost", "new", "one row"),
        starts=np.array([0, 4, 8, 12, 13, 14]),
        time=np.r_[np.tile(np.arange(4.0), 3), 0.0, 0.0],
        values=np.array(volts).reshape(-1, 1),
        signals=("battery_v",),
        failed=np.array([True, True, False, True, True]),
    )
    assert sudden(runs, "battery_v", 0.7) == {"fell"}


def test_ends_are_where_the_pressure_is_as_where_runs_were_stopped() -> None:
    runs, stopped = (
        Runs(
            units=tuple("ab"[:units]),
            starts=np.arange(units + 1) * 40,
            time=np.tile(np.arange(40.0), units),
            values=np.repeat([0.0, height] * units, 20).reshape(-1, 1),
            signals=("differential_pressure_pa",),
            failed=np.full(units, failed),
        )
        for units, height, failed in ((2, 500.0, True), (1, 400.0, False))
    )
    missed = {"a": 1.0, "b": 3.0}
    every = [f"{u},{t},0,{39 - t + missed[u]},0" for u in missed for t in range(40)]
    cut = [line for line in every if line.startswith(("a,5,", "b,7,"))]
    found = figures({"ours": every}, {"ours": cut}, runs, stopped)
    assert found["cuts"] == 2  # a run each, at the first row whose median is over 400
    assert found["ours"] == [(2.0, 1.0, 3.0, np.sqrt(5.0))] * 9


def test_the_interval_of_a_mean_error_is_of_units_not_of_rows() -> None:
    unit = np.repeat(np.arange(20), 500)
    error = np.where(unit % 2, 1.0, -3.0)
    mean, least, most, _ = size(unit, error)
    assert mean == 2.0
    assert 1.4 < least < 1.7  # of 20 units: a mean's standard deviation is .22, of rows .01
    assert 2.3 < most < 2.6


def test_widths_of_folds_are_compared_at_the_forecasts_of_all() -> None:
    wide, narrow = (
        {
            "whole": {"forewarn": [f"{unit},{age},0,{said},0" for age, said in ((1, 10), (2, 20))]},
            "age": [1.0, 2.0],
            "bands": msgspec.to_builtins(
                Bands(
                    grid=[0.0, 100.0],
                    ages=[0.0, 2.0],
                    low=[[-spread, -3.0 * spread]] * 2,
                    high=[[spread, 3.0 * spread]] * 2,
                    top=100.0,
                )
            ),
        }
        for unit, spread in (("a", 2.0), ("b", 1.0))
    )
    widths = life_spread.widths([wide, narrow], [wide, narrow])
    assert widths["whole"] == [10.0, 5.0]
    assert widths["many"] == [8.0, 4.0]  # a unit of two rows is cut at its first
    assert life_spread.widths([], [wide])["many"] == []
    assert [life_spread.spread(some) for some in (widths["many"], [5.0])] == ["66.7%", "–"]
