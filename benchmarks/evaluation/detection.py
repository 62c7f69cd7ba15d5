"""Recordings with labels, and what the detector and its peers make of them.

The recordings and their scorer (`score.py`) lie outside the project, in `FOREWARN_DATA`; nothing of
them is in it. Scores are defined there.
"""

import importlib.util
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.csv_rows import CsvFile
from models.backtest import Backtest
from models.fleet import Config

DATA: Final = Path(os.environ.get("FOREWARN_DATA", "../shared/data"))
DRAWS: Final = 1000

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One recording: `times_ns` (n,) as written, `columns` k arrays (n,), what is known of it."""

    times_ns: NDArray[np.int64]
    columns: tuple[Floats, ...]
    label: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a detector says of each row: score 0..1, alarm, state (n,)."""

    score: Floats
    alarm: Bools
    state: Bools


Set = dict[str, Series]
Outputs = dict[str, Output]


def scorer(folder: Path = DATA) -> Any:
    """Return the scorer that lies beside the recordings."""
    path = folder / "score.py"
    spec = importlib.util.spec_from_file_location("score", path)
    if spec is None or spec.loader is None or not path.exists():
        raise FileNotFoundError(f"no recordings in {folder}: set FOREWARN_DATA to their folder")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(name: str, folder: Path = DATA) -> Set:
    """Read one set: file -> series, in the order of the labels."""
    labels = json.loads((folder / name / "labels.json").read_text("utf-8"))
    found: Set = {}
    for key, label in labels.items():
        file = CsvFile(folder / name / key)
        pieces = list(file.pieces())
        columns = zip(*(piece.columns for piece in pieces), strict=True)
        found[key] = Series(
            times_ns=np.concatenate([piece.times_ns for piece in pieces]),
            columns=tuple(np.concatenate(parts) for parts in columns),
            label=label,
        )
    return found


def outputs(series: Set, config: Config | None = None) -> Outputs:
    """Run the detector over a set, each recording by itself."""
    out: Outputs = {}
    for key, one in series.items():
        found = Backtest([str(i) for i in range(len(one.columns))], config=config).take(
            one.times_ns, one.columns
        )
        out[key] = Output(score=found.score, alarm=found.alarm, state=found.state)
    return out


def nab_files(score: Any, series: Set, alarms: Mapping[str, Bools], profile: str) -> Floats:
    """Return (files, 5): raw score, windows hit, rows outside, windows scored, windows."""
    nab = score.Nab({key: one.label for key, one in series.items()})
    return np.array([nab._file(key, alarms[key], profile) for key in series], float)


def nab_total(files: Floats, missed: float = 1.0) -> float:
    """Return the NAB score of some files. `missed`: cost of a missed window in the profile."""
    nothing = -missed * files[:, 3].sum()
    perfect = files[:, 4].sum()
    return float(100 * (files[:, 0].sum() - nothing) / (perfect - nothing))


def interval(files: Sequence[Floats], value: Callable[..., float], seed: int = 0) -> Floats:
    """Return the 95 % bootstrap interval (2,) of a value over whole recordings, paired."""
    rng = np.random.default_rng(seed)
    count = len(files[0])
    drawn = [rng.integers(0, count, count) for _ in range(DRAWS)]
    return np.percentile([value(*(f[rows] for f in files)) for rows in drawn], [2.5, 97.5])


@dataclass(frozen=True, slots=True, kw_only=True)
class Skab:
    """SKAB's lines: change points with ends of state, state, the anomaly-free run."""

    points: float
    alarms_only: float
    lift: float
    extras: float
    false_rate: float
    missed_rate: float
    free_alarms: int
    free_state: float


def skab(score: Any, series: Set, found: Outputs, keys: Sequence[str] | None = None) -> Skab:
    """Score the runs (all, or those of `keys`) as the scorer beside the data defines it."""
    alone, ends, truth, state = [], [], [], []
    free, share = 0, 0.0
    for key in keys or list(series):
        one, out = series[key], found[key]
        seconds = (one.times_ns // 10**9).astype(float)
        first = int(one.label["scored_from_row"])
        kept = np.arange(len(seconds)) >= first
        falls = np.r_[False, out.state[:-1] & ~out.state[1:]]
        if not one.label["fault"]:
            free = int(out.alarm[kept].sum() + falls[kept].sum())
            share = 100 * float(out.state[kept].mean())
            continue
        changes = [seconds[i] for i in one.label["changepoints"] if i >= first]
        alone.append((changes, seconds[kept][out.alarm[kept]]))
        ends.append((changes, seconds[kept], (out.alarm | falls)[kept]))
        fault = np.zeros(len(seconds), bool)
        for begin, end in one.label["fault"]:
            fault[begin : end + 1] = True
        truth.append(fault[kept])
        state.append(out.state[kept])
    both = score.changepoint_score([(c, t[d]) for c, t, d in ends])
    chance = score.changepoint_chance(ends) if keys is None else 0.0
    false_rate, missed_rate = score.far_mar(np.concatenate(truth), np.concatenate(state))
    return Skab(
        points=float(both["standard"]),
        alarms_only=float(score.changepoint_score(alone)["standard"]),
        lift=float(both["standard"]) - chance,
        extras=both["fp"] / len(ends),
        false_rate=float(false_rate),
        missed_rate=float(missed_rate),
        free_alarms=free,
        free_state=share,
    )


def bearings(series: Set, found: Outputs) -> tuple[int, float]:
    """Return alarms in the first half of life (all channels) and the best lead, hours."""
    early, lead = 0, 0.0
    for key, one in series.items():
        seconds = one.times_ns * 1e-9
        half = seconds[0] + 0.5 * (seconds[-1] - seconds[0])
        at = seconds[found[key].alarm]
        early += int((at < half).sum())
        if one.label["failed"] and (at >= half).any():
            lead = max(lead, float(seconds[-1] - at[at >= half][0]) / 3600)
    return early, lead


def local_records(scores: Floats, rows: int = 100) -> Floats:
    """Keep a score where none of the `rows` before was as high, else 0: one alarm an event."""
    kept = np.zeros(len(scores))
    for i, value in enumerate(scores):
        if value > 0 and (i == 0 or value > scores[max(0, i - rows) : i].max()):
            kept[i] = value
    return kept


def half_space_trees(one: Series) -> Floats:
    """Return river's half-space trees (defaults, min-max scaled) over the first column (n,)."""
    from river.anomaly import HalfSpaceTrees
    from river.preprocessing import MinMaxScaler

    model: Any = MinMaxScaler() | HalfSpaceTrees(seed=42)
    out = np.zeros(len(one.times_ns))
    for i, value in enumerate(one.columns[0].tolist()):
        row = {"x": value}
        out[i] = model.score_one(row)
        model.learn_one(row)
    return local_records(out)


def gaussian(one: Series) -> Floats:
    """Return river's Gaussian scorer of the last 1000 readings over the first column (n,)."""
    from river.anomaly import GaussianScorer

    make: Any = GaussianScorer
    model = make(window_size=1000)
    out = np.zeros(len(one.times_ns))
    for i, value in enumerate(one.columns[0].tolist()):
        out[i] = model.score_one(None, value)
        model.learn_one(None, value)
    return local_records(np.nan_to_num(out))


def ewma(one: Series) -> Floats:
    """Return |z| against exponentially weighted mean and variance (0.02), first column (n,)."""
    out = np.zeros(len(one.times_ns))
    mean, variance = float(one.columns[0][0]), 0.0
    for i, value in enumerate(one.columns[0].tolist()):
        off = value - mean
        out[i] = abs(off) / np.sqrt(variance) if variance > 0 and i >= 50 else 0.0
        mean += 0.02 * off
        variance = 0.98 * (variance + 0.02 * off * off)
    return local_records(out)


PEERS: Final[dict[str, Callable[[Series], Floats]]] = {
    "river HalfSpaceTrees, one alarm per 100 rows": half_space_trees,
    "river GaussianScorer(1000), the same": gaussian,
    "EWMA z (0.02), the same": ewma,
}
