"""Learned remaining life beside simpler ways, on recordings of machines that failed.

`python -m benchmarks.evaluation.life [SET...]` splits each set by whole units with the scorer of
FOREWARN_DATA, fits on some and forecasts the others with the code of `forewarn life`, scores all
forecasts with the scorer run as a program, and writes the section `life` of
`docs/reference/evaluation.md`, anew after each set. The units of the first fold's fit are fitted
once more with each of some seeds, for how much the width of bands hangs on chance. What a fold
forecast is kept in a folder (`--keep`): a run that was ended goes on there, and folds of another
recipe are measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation import life_cuts, life_ends, life_spread
from benchmarks.evaluation.life_page import page
from benchmarks.evaluation.page import write_section
from forewarn import life
from forewarn.runs import File, read
from models.life.learned import fitting
from models.life.learned.card import unpacked
from models.life.learned.prognosis import Prognosis
from models.life.learned.runs import Runs
from models.life.learned.windows import KINDS

Array = NDArray[np.float64]
DATA: Final = Path(os.environ.get("FOREWARN_DATA", "../shared/data")).resolve()
ALPHA: Final = 0.2  #: half width of the alpha-lambda cone, a share of the true remaining life
LAMBDAS: Final = (0.5, 0.7, 0.9)  #: shares of life at which the cone is looked at
DRAWS: Final = 1_000  #: of units, for the intervals
RECIPE: Final = Path(fitting.__file__).parent  #: the code that folds are measured with


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """One set of runs: file, kind for the scorer, cap, folds, level and window of a ticket.

    `censored` is a file of like units that were replaced before they failed. `skip`: so many first
    forecasts of a unit, and then its last row, are not counted by the scorer. `sudden`: a signal
    and by how much it falls on the last row of a unit that nothing announced.
    """

    path: str
    kind: str
    cap: float | None = None
    folds: int = 5
    ticket: tuple[float, int, float, float] | None = None
    censored: str = ""
    skip: int = 0
    sudden: tuple[str, float] | None = None


_ENGINES: Final = (30.0, 3, 15.0, 45.0)
SETS: Final = {
    **{
        name: Set(path=f"cmapss/runs_{name}.csv.gz", kind="cmapss", cap=125, ticket=_ENGINES)
        for name in ("FD001", "FD002", "FD003", "FD004")
    },
    "filter": Set(
        path="hse_filter/runs.csv.gz",
        kind="filter",
        ticket=(20, 20, 5, 40),
        censored="hse_filter/preventive_runs_censored.csv.gz",
    ),
    "buoys": Set(
        path="chicago_buoys/runs.csv",
        kind="buoys",
        folds=9,
        ticket=(7, 1, 2, 21),
        skip=6,
        sudden=("battery_v", 0.5),
    ),
    "NASA cells": Set(path="batteries/nasa_runs.csv", kind="batteries", folds=2),
    "CALCE cells": Set(path="batteries/calce_runs.csv", kind="batteries", folds=2),
}


def main() -> None:
    """Evaluate the sets that are named, or all, in that order, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", help=f"of {', '.join(SETS)}; default: all")
    parser.add_argument("--folds", type=int, help="measure so many of the folds, for a quick look")
    parser.add_argument("--keep", type=Path, help="folder of forecasts; default: a new one")
    chosen = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"{DATA} is not there; set FOREWARN_DATA to the folder of recordings")
    with tempfile.TemporaryDirectory(prefix="forewarn-life-") as new:
        keep = chosen.keep or Path(new)
        keep.mkdir(parents=True, exist_ok=True)
        for name in chosen.sets or SETS:
            measure(name, keep, SETS[name].folds if chosen.folds is None else chosen.folds)
            found: dict[str, dict[str, Any]] = {}
            for other in SETS:
                found |= evaluated(other, keep)
            if found:
                write_section("life", page(found, SETS))


def measure(name: str, keep: Path, folds: int) -> None:
    """Fit and forecast the first folds of a set, those that are not kept yet."""
    one = SETS[name]
    with tempfile.TemporaryDirectory(prefix="forewarn-life-") as folder:
        at = Path(folder)
        score("folds", str(DATA / one.path), str(at), "--k", str(one.folds))
        for fold in range(min(folds, one.folds)):
            if _kept(name, fold, keep) is None:
                _keep(_measured(at, fold, one), name, fold, keep)
                print(f"{name}: fold {fold + 1} of {one.folds}", flush=True)
        for seed in range(1, life_spread.SPLITS if folds >= one.folds else 1):
            if _kept(name, f"0.{seed}", keep) is None:
                _verb("fit", at, 0, one, seed=seed)
                _keep(_bands(at, 0), name, f"0.{seed}", keep)
                print(f"{name}: split {seed + 1} of {life_spread.SPLITS}", flush=True)


def _measured(at: Path, fold: int, one: Set) -> dict[str, Any]:
    """Return what was forecast of the units of a fold, by us and by simpler ways."""
    begun = time.perf_counter()
    _verb("fit", at, fold, one)
    found = _bands(at, fold) | {"seconds": time.perf_counter() - begun}
    whole, cut = (_verb("predict", at, fold, one, part) for part in ("whole", "cut"))
    prognosis = Prognosis((at / f"model_{fold}").read_bytes())
    past, left_out = read(at / f"fit_{fold}.csv").runs, read(at / f"whole_{fold}.csv")
    simpler = peers(prognosis, past, left_out, one)
    ends = {_row(line) for line in cut}
    found["whole"] = {"forewarn": whole} | simpler
    found["cut"] = {"forewarn": cut} | {
        peer: [line for line in lines if _row(line) in ends] for peer, lines in simpler.items()
    }
    lives, renewed = prognosis.lives(left_out.runs)
    age = np.empty(len(left_out.order))
    age[left_out.order] = lives.runs.time[lives.place]
    return found | {"renewed": [one.unit for one in renewed], "age": age.tolist()}


def _bands(at: Path, fold: int) -> dict[str, Any]:
    """Return the bands of the fit of a fold, and with which recipe it was fitted."""
    card, _ = unpacked((at / f"model_{fold}").read_bytes())
    return {"recipe": _recipe(), "bands": msgspec.to_builtins(card.bands)}


def _row(line: str) -> tuple[str, ...]:
    """Return unit and time of a forecast. What simpler ways say of a row knows nothing later."""
    return tuple(line.split(",")[:2])


def _recipe() -> str:
    code = sorted(RECIPE.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in code)).hexdigest()


def _keep(found: dict[str, Any], name: str, fold: int | str, keep: Path) -> None:
    part = keep / f".{name}.{fold}.json"
    part.write_text(json.dumps(found))
    part.replace(keep / f"{name}.{fold}.json")


def _kept(name: str, fold: int | str, keep: Path) -> dict[str, Any] | None:
    """Return what is kept of a fold, or of a fit with a seed, if the recipe is as it was."""
    path = keep / f"{name}.{fold}.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    return found if found["recipe"] == _recipe() else None


def evaluated(name: str, keep: Path) -> dict[str, dict[str, Any]]:
    """Return the figures of a set by its name, and of the rest without renewed or sudden units."""
    one = SETS[name]
    folds = [fold for k in range(one.folds) if (fold := _kept(name, k, keep)) is not None]
    if not folds:
        return {}
    fits = [_kept(name, f"0.{seed}", keep) for seed in range(1, life_spread.SPLITS)]
    known = [folds[0], *(fit for fit in fits if fit is not None)]
    splits = known if len(known) == life_spread.SPLITS else []
    widths = {
        "widths": life_spread.widths(folds, folds),
        "splits": life_spread.widths(splits, folds),
    }
    found = {name: _figures(one, folds, frozenset()) | widths}
    apart = {unit for fold in folds for unit in fold["renewed"]}
    if one.sudden:
        apart |= life_ends.sudden(read(DATA / one.path).runs, *one.sudden)
    if apart:
        rest = f"{name} but {', '.join(sorted(apart))}"
        found[rest] = _figures(one, folds, frozenset(apart)) | widths
    return found


def _figures(one: Set, folds: list[dict[str, Any]], without: frozenset[str]) -> dict[str, Any]:
    def lines(part: str, peer: str, of: list[dict[str, Any]]) -> list[str]:
        every = (line for fold in of for line in fold[part][peer])
        return [line for line in every if line.partition(",")[0] not in without]

    runs = DATA / one.path
    found: dict[str, Any] = {
        "folds": f"{len(folds)} of {one.folds}",
        "seconds": [fold["seconds"] for fold in folds],
    }
    for part in ("whole", "cut"):
        names = folds[0][part]
        found[part] = {peer: scored(lines(part, peer, folds), runs, one) for peer in names}
    if one.censored:
        whole, cut = (
            {peer: lines(part, peer, folds) for peer in names} for part in ("whole", "cut")
        )
        censored = read(DATA / one.censored).runs
        found["ends"] = life_ends.figures(whole, cut, read(runs).runs, censored)
    return found | details(lines("whole", "forewarn", folds), read(runs).runs, one)


def _verb(
    verb: str, at: Path, fold: int, one: Set, part: str = "whole", *, seed: int = 0
) -> list[str]:
    """Run a verb of the command line on a fold; return the forecasts it wrote."""
    model, out = at / f"model_{fold}", at / f"{part}_{fold}.pred"
    if verb == "fit":
        words = ["fit", "--runs", str(at / f"fit_{fold}.csv"), "--model", str(model)]
        words += ["--seed", str(seed), *(["--cap", str(one.cap)] if one.cap else [])]
    else:
        words = ["predict", "--model", str(model), "--runs", str(at / f"{part}_{fold}.csv")]
        words += ["--out", str(out), *(["--every-row"] if part == "whole" else [])]
    if life.main(words):
        raise SystemExit(f"forewarn life {' '.join(words)} failed")
    return [] if verb == "fit" else out.read_text().splitlines()[1:]


def score(*words: str) -> dict[str, Any]:
    """Run the scorer of the recordings as a program; return its last line."""
    done = subprocess.run(
        [sys.executable, str(DATA / "score.py"), *words], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    return dict(json.loads(lines[-1])) if lines else {}


def scored(lines: list[str], runs: Path, one: Set) -> dict[str, Any]:
    """Return what the scorer says of forecasts, and the interval of the RMSE over units."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write("unit,time,rul_p05,rul_p50,rul_p95\n" + "\n".join(lines) + "\n")
        file.flush()
        found = score("life", file.name, str(runs), "--set", one.kind)
    units, truth, band = truths(lines, read(runs).runs, one)
    if not len(units):
        return found | {"interval": [float("nan")] * 2}
    error = (band[:, 1] - truth) ** 2
    _, code = np.unique(units, return_inverse=True)
    total, count = np.bincount(code, error), np.bincount(code)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(total), (DRAWS, len(total)))
    draws = np.sqrt(total[drawn].sum(axis=1) / count[drawn].sum(axis=1))
    return found | {"interval": np.quantile(draws, [0.025, 0.975]).tolist()}


def truths(lines: list[str], runs: Runs, one: Set) -> tuple[NDArray[np.str_], Array, Array]:
    """Return unit, true remaining life and band of the forecasts that the scorer counts."""
    cells = np.array([line.split(",") for line in lines])
    end = {n: t for n, t, f in zip(runs.units, runs.ends, runs.failed, strict=True) if f}
    cells = cells[[unit in end for unit in cells[:, 0]]]
    band = cells[:, 1:].astype(float)
    truth = np.array([end[unit] for unit in cells[:, 0]]) - band[:, 0]
    top = one.cap or np.inf
    if one.skip:
        nth = np.concatenate([np.arange(n) for n in _lengths(cells[:, 0])])
        counted = (nth >= one.skip) & (truth > 0.0)
        cells, truth, band = cells[counted], truth[counted], band[counted]
    return cells[:, 0], np.minimum(truth, top), np.minimum(band[:, 1:], top)


def _lengths(units: NDArray[np.str_]) -> list[int]:
    """Return how many rows each unit has, one unit after another."""
    return [int((units == unit).sum()) for unit in dict.fromkeys(units)]


def details(lines: list[str], runs: Runs, one: Set) -> dict[str, Any]:
    """Return alpha-lambda, the leads of tickets and bands at many ages, of whole runs."""
    units, truth, band = truths(lines, runs, one)
    cone: dict[str, list[bool]] = {}
    leads = []
    for unit in dict.fromkeys(units):
        own = np.flatnonzero(units == unit)
        for share in LAMBDAS:
            k = own[int(share * (len(own) - 1))]
            cone.setdefault(f"{share:.0%}", []).append(
                bool(abs(band[k, 1] - truth[k]) <= ALPHA * truth[k])
            )
        if one.ticket:
            leads.append(_lead(band[own, 1], truth[own], one.ticket))
    return {
        "cone": {at: float(np.mean(hits)) for at, hits in cone.items()},
        "leads": leads,
        "many": life_cuts.figures(units, truth, band),
    }


def _lead(forecast: Array, truth: Array, ticket: tuple[float, int, float, float]) -> float | None:
    level, rows, *_ = ticket
    row = 0
    for k, value in enumerate(forecast):
        row = row + 1 if value <= level else 0
        if row >= rows:
            return float(truth[k])
    return None


def peers(prognosis: Prognosis, past: Runs, file: File, one: Set) -> dict[str, list[str]]:
    """Return the forecasts of simpler ways, fitted on the same units, as lines of points.

    They see windows of the signals and the age, not the health index and what follows from it.
    """
    plain = [i for i, name in enumerate(prognosis.card.features) if _plain(name)]
    fitted = np.nan_to_num(prognosis.features(past)[:, plain])
    new = np.nan_to_num(prognosis.features(file.runs)[:, plain])
    known = past.failed[past.owner]
    top = one.cap or np.inf
    target = np.minimum(past.left, top)[known]
    mean = float(past.ends[past.failed].mean())
    ways: dict[str, Callable[[], Array]] = {
        "mean life": lambda: mean - file.runs.time,
        "linear extrapolation": lambda: _line(past, fitted, file.runs, new, mean),
        "ridge": lambda: _ridge(fitted[known], target, new),
        "LightGBM": lambda: _trees(fitted[known], target, new),
    }
    found = {}
    for name, way in ways.items():
        said = np.clip(way(), 0.0, min(top, 3.0 * mean))
        found[name] = [
            f"{file.unit[k]},{file.time[k]},{v:.6g},{v:.6g},{v:.6g}"
            for k, v in zip(file.order, said, strict=True)
        ]
    return found


def _plain(feature: str) -> bool:
    kind, _, signal = feature.partition(":")
    return feature == "age" or (kind in KINDS and signal != "health")


def _line(past: Runs, fitted: Array, runs: Runs, new: Array, mean: float) -> Array:
    """Extend the signal that follows life best to where it stood at failures."""
    signals = (fitted.shape[1] - 1) // len(KINDS)
    last = (past.starts[1:] - 1)[past.failed]
    end = float(np.median(fitted[last, signals]))
    level, since = new[:, signals], new[:, 3 * signals]
    pace = -since / np.maximum(runs.time, 1e-9)
    rest = np.maximum(level - end, 0.0)
    late = mean - runs.time
    return np.where(pace > 1e-9, np.minimum(rest / np.maximum(pace, 1e-9), 3 * mean), late)


def _ridge(x: Array, y: Array, new: Array) -> Array:
    middle, spread = x.mean(axis=0), np.where(x.std(axis=0) > 0.0, x.std(axis=0), 1.0)
    z, w = (x - middle) / spread, (new - middle) / spread
    slope = np.linalg.solve(z.T @ z + 100.0 * np.eye(z.shape[1]), z.T @ (y - y.mean()))
    return np.asarray(y.mean() + w @ slope)


def _trees(x: Array, y: Array, new: Array) -> Array:
    import lightgbm

    settings = {"verbose": -1, "seed": 0, "num_threads": 1, "learning_rate": 0.05}
    booster = lightgbm.train(settings, lightgbm.Dataset(x, y, params={"verbose": -1}), 200)
    return np.asarray(booster.predict(new))


if __name__ == "__main__":
    main()
