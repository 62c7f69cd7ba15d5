"""Trained models as detectors: the suite of all detectors, and the same bits on every replay."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.recordings import blocks
from forewarn.trainer import Options, train
from models.anomaly.card import written
from models.anomaly.checks import check_detector, rows
from models.anomaly.detector import Factory
from models.anomaly.drift import ErrorDrift
from models.anomaly.learned import Learned, learned, load
from models.assessment import Assessment, Check
from models.fleet import Fleet
from models.profile import load_profiles
from tests.models.anomaly.trained import MINUTE, SIGNALS, START, plant, recording, saved, trained

KINDS = ("autoencoder", "forecaster")


@cache
def of_the_suite(kind: str) -> Factory:
    given = rows(3_000, seed=7)
    values = np.array([[row["a"], row["b"], row["still"]] for row in given])
    options = Options(name="suite", kind=kind, lags=4, trials=0)  # type: ignore[arg-type]
    made = train([recording(values, ("a", "b", "still"))], options, load_profiles())
    return learned(written(made.card), made.model)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_conformance(kind: str) -> None:
    check_detector(of_the_suite(kind))


def told(factory: Factory, sizes: tuple[int, ...]) -> list[Assessment]:
    fleet = Fleet({}, detectors={"generic": {"learned": factory}})
    values = plant(600, seed=3)
    values[300:400, 1] += np.where(np.arange(100) % 2, 15.0, -15.0)
    times = START + np.arange(600) * MINUTE
    found, at, k = [], 0, 0
    while at < 600:
        size = sizes[k % len(sizes)]
        part = slice(at, at + size)
        found += fleet.observe(list(blocks("m", SIGNALS, times[part], values[part])))
        at, k = at + size, k + 1
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_any_cut_and_any_replay_give_the_same_bits(kind: str, tmp_path: Path) -> None:
    path = saved(tmp_path, kind)
    whole = told(load(path)[1], (600,))
    assert told(load(path)[1], (1,)) == whole
    assert told(load(path)[1], (7, 64, 3)) == whole
    onsets = [c for a in whole for c in a.conditions if c.onset and c.check is Check.DETECTOR]
    assert {c.signal for c in onsets} == {"learned"}
    assert START + 300 * MINUTE <= onsets[0].since_ns < START + 310 * MINUTE


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_process_gives_the_same_bits(kind: str, tmp_path: Path) -> None:
    path = saved(tmp_path, kind)
    text = f"""
import sys
from pathlib import Path
from models.anomaly.learned import load
from tests.models.anomaly.test_learned import scores
print(*(s.hex() for s in scores(load(Path({str(path)!r}))[1])))
"""
    shown = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.split() == [s.hex() for s in scores(load(path)[1])]


def scores(factory: Factory, count: int = 100) -> list[float]:
    made, found = factory(), []
    for row in plant(count, seed=5).tolist():
        x = dict(zip(SIGNALS, row, strict=True))
        found.append(made.score_one(x))
        made.learn_one(x)
    return found


def test_inference_needs_no_training_library(tmp_path: Path) -> None:
    path = saved(tmp_path)
    text = f"""
import sys
from pathlib import Path
from models.anomaly.learned import load
load(Path({str(path)!r}))[1]().score_one({{"load": 1.0}})
print(*(m for m in sys.modules if m.split(".")[0] in
        ("sklearn", "skl2onnx", "onnx", "scipy", "river", "numba", "pandas", "torch")))
"""
    shown = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.strip() == ""


def test_a_broken_bond_between_usual_values_is_seen_and_named() -> None:
    made = learned(written(trained().card), trained().model)[1]()
    assert isinstance(made, Learned)
    usual = dict(zip(SIGNALS, plant(1).tolist()[0], strict=True))
    broken = usual | {"flow": usual["flow"] * 0.7}
    assert made.score_one(usual) < 0.9 < 0.999 < made.score_one(broken)
    assert next(iter(made.explain_one(broken))) == "flow"
    assert sum(made.explain_one(broken).values()) == pytest.approx(1.0)


def drifted(values: NDArray[np.float64]) -> list[bool]:
    made = trained()
    _, make = learned(written(made.card), made.model, drift=ErrorDrift)
    detector, found = make(), []
    for row in values.tolist():
        detector.learn_one(dict(zip(SIGNALS, row, strict=True)))
        found.append(detector.drifted)
    return found


def test_drift_is_told_while_it_lasts() -> None:
    values = plant(2_400, seed=9)
    assert not any(drifted(values))
    values[800:1_600, 3] += 0.4
    found = drifted(values)
    assert not any(found[:800])
    assert all(found[1_300:1_600])
    assert not any(found[2_100:])


def test_without_a_monitor_there_is_no_drift() -> None:
    detector = learned(written(trained().card), trained().model)[1]()
    detector.learn_one({})
    assert not detector.drifted
