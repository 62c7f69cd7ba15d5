"""`forewarn life` on real and simulated recordings, which stay outside the project."""

import csv
import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.evaluation.life import score
from forewarn import life
from forewarn.runs import read
from models.life.learned import conditions, renewal, windows

DATA = Path(os.environ.get("FOREWARN_DATA", "../shared/data"))
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not DATA.is_dir(), reason="FOREWARN_DATA is not there"),
]


def _fit(runs: Path, model: Path, *more: str) -> None:
    assert life.main(["fit", "--runs", str(runs), "--model", str(model), *more]) == 0


def _predict(model: Path, runs: Path, out: Path, *more: str) -> list[list[str]]:
    words = ["predict", "--model", str(model), "--runs", str(runs), "--out", str(out), *more]
    assert life.main(words) == 0
    with out.open(newline="") as stream:
        return list(csv.reader(stream))


@pytest.mark.parametrize(
    "name",
    [
        "hse_filter/runs.csv.gz",
        "hse_filter/preventive_runs_censored.csv.gz",
        "batteries/nasa_runs.csv",
        "batteries/calce_runs.csv",
        "chicago_buoys/runs.csv",
    ],
)
def test_every_set_is_fitted_and_forecast(name: str, tmp_path: Path) -> None:
    _fit(DATA / name, tmp_path / "model")
    rows = _predict(tmp_path / "model", DATA / name, tmp_path / "out", "--every-row")
    opened = gzip.open if name.endswith(".gz") else open
    with opened(DATA / name, "rt") as stream:
        assert len(rows) == sum(1 for _ in stream)
    band = np.array([row[2:] for row in rows[1:]], float)
    assert np.isfinite(band).all()
    assert (band[:, 0] >= 0.0).all()
    assert (np.diff(band, axis=1) >= 0.0).all()


def test_engines_that_were_left_out(tmp_path: Path) -> None:
    score("folds", str(DATA / "cmapss/runs_FD001.csv.gz"), str(tmp_path))
    _fit(tmp_path / "fit_0.csv", tmp_path / "model", "--cap", "125")
    _predict(tmp_path / "model", tmp_path / "whole_0.csv", tmp_path / "out", "--every-row")
    whole = tmp_path / "whole_0.csv"
    found = score("life", str(tmp_path / "out"), str(whole), "--set", "cmapss")
    assert found["RMSE"] < 12.0
    assert 0.8 < found["90 % interval where RUL <= 100: coverage"] < 0.98
    assert found["90 % interval: width"] < 38.0
    assert found["tickets 15..45 ahead (share of units)"] > 0.9


@pytest.mark.parametrize(
    ("name", "renewed"),
    [
        ("cmapss/runs_FD001.csv.gz", 0),
        ("cmapss/runs_FD002.csv.gz", 0),
        ("cmapss/runs_FD003.csv.gz", 0),
        ("cmapss/runs_FD004.csv.gz", 2),
        ("hse_filter/runs.csv.gz", 0),
        ("chicago_buoys/runs.csv", 0),
    ],
)
def test_only_units_with_two_lives_are_divided(name: str, renewed: int) -> None:
    runs = read(DATA / name).runs
    typical = float(np.median(runs.ends[runs.failed]))
    z = conditions.find(runs).standardised(runs.values)
    health = windows.learned(runs, z, typical, 0.5 * typical, 0.25)
    assert len(renewal.found(runs, z, health).begins) == renewed


def test_filters_of_another_bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _fit(DATA / "hse_filter/runs.csv.gz", tmp_path / "model")
    other = DATA / "hse_filter/preventive_runs_censored.csv.gz"
    rows = _predict(tmp_path / "model", other, tmp_path / "out")
    assert len(rows) == 51
    assert "column 'dust' holds text and is ignored" in capsys.readouterr().err


def test_a_file_cut_short_changes_no_earlier_row(tmp_path: Path) -> None:
    runs = DATA / "chicago_buoys/runs.csv"
    _fit(runs, tmp_path / "model")
    lines = runs.read_text().splitlines(keepends=True)
    (tmp_path / "cut.csv").write_text("".join(lines[:500]))
    _predict(tmp_path / "model", runs, tmp_path / "whole", "--every-row")
    _predict(tmp_path / "model", tmp_path / "cut.csv", tmp_path / "short", "--every-row")
    words = [sys.executable, str(DATA / "score.py"), "causal"]
    done = subprocess.run(
        [*words, str(tmp_path / "whole"), str(tmp_path / "short")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"rows that changed": 0' in done.stdout
