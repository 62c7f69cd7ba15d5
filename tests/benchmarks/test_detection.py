"""What detection is worth on labelled recordings must not fall. Skipped without the recordings."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from benchmarks.evaluation.ablation import costs
from benchmarks.evaluation.detection import (
    DATA,
    Outputs,
    Set,
    bearings,
    load,
    local_records,
    nab_files,
    nab_total,
    outputs,
    scorer,
    skab,
)

needs_data = pytest.mark.skipif(
    not (DATA / "score.py").exists(), reason=f"no recordings in {DATA} (set FOREWARN_DATA)"
)


@cache
def score() -> Any:
    return scorer()


@cache
def series(name: str) -> Set:
    return load(name)


@cache
def found(name: str) -> Outputs:
    return outputs(series(name))


def nab(profile: str, given: Outputs) -> np.ndarray:
    return nab_files(score(), series("nab"), {k: o.alarm for k, o in given.items()}, profile)


@needs_data
def test_streams() -> None:
    own = nab("standard", found("nab"))
    assert nab_total(own) >= 55
    assert nab_total(nab("lowFP", found("nab"))) >= 48
    assert own[:, 2].sum() / own[:, 1].sum() <= 2.0


@needs_data
def test_change_points_and_state() -> None:
    line = skab(score(), series("skab"), found("skab"))
    assert line.points >= 36
    assert line.lift >= 20
    assert line.extras <= 3
    assert line.false_rate <= 10
    assert line.missed_rate <= 30


@needs_data
def test_bearings() -> None:
    early, lead = bearings(series("ims_bearing"), found("ims_bearing"))
    assert early == 0
    assert lead >= 24


@needs_data
@pytest.mark.parametrize(("scale", "offset", "shift_s"), [(-3.7, 11.0, 0), (1e5, 0.0, 50_000)])
def test_units_and_clock(scale: float, offset: float, shift_s: int) -> None:
    other = {
        key: replace(
            one,
            times_ns=one.times_ns + shift_s * 10**9,
            columns=tuple(c * scale + offset for c in one.columns),
        )
        for key, one in series("nab").items()
    }
    plain, changed = nab("standard", found("nab")), nab("standard", outputs(other))
    assert nab_total(changed) == pytest.approx(nab_total(plain), abs=0.5)


def test_a_local_record_is_kept_once() -> None:
    kept = local_records(np.array([0.0, 0.2, 0.5, 0.4, 0.5, 0.6, 0.0, 0.1]), rows=3)
    assert kept.tolist() == [0.0, 0.2, 0.5, 0.0, 0.0, 0.6, 0.0, 0.0]


def test_the_parts_of_the_detector_still_run_alone() -> None:
    assert all(cost > 0.0 for _, cost in costs(1_000))
