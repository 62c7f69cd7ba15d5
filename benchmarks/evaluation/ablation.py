"""What each layer of the onset alarm is worth and costs, with the threshold chosen inside.

Every variant has its limit chosen on other recordings than it is scored on (folds by whole files).
The nested figure also chooses the variant inside: it is what choosing among these is worth.
"""
# ruff: noqa: ARG001  the parts are called alike

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numba
import numpy as np

from benchmarks.evaluation.detection import (
    Bools,
    Floats,
    Set,
    nab_files,
    nab_total,
    outputs,
    skab,
)
from models.fleet import Config, early, onset
from models.fleet.layout import ONSET

LIMITS: Final = (0.4, 0.5, 0.6, 0.7, 0.8, 0.95, 1.1, 1.3, 1.5, 1.75, 2.0, 2.5)
FOLDS: Final = 5
REPEATS: Final = 20
ROUNDING: Final = 1e-12
#: a scale so large that a layer's exponents vanish
OFF: Final = 1e30
_FULL: Final = Config()
VARIANTS: Final[dict[str, Config]] = {
    "all layers": _FULL,
    "without level": replace(_FULL, level_least=OFF, layer_weight=2**-0.5),
    "without season": replace(_FULL, season_least=OFF, layer_weight=2**-0.5),
    "without pattern": replace(_FULL, pattern_least=OFF, layer_weight=2**-0.5),
    "pattern only": replace(_FULL, level_least=OFF, season_least=OFF, layer_weight=1.0),
    "level only": replace(_FULL, season_least=OFF, pattern_least=OFF, layer_weight=1.0),
    "evidence of one row (no memory)": replace(_FULL, evidence_share=1.0),
    "spread and tail forget as fast as the level": replace(
        _FULL, spread_share=_FULL.level_share, tail_share=1 / 64
    ),
    "limit that does not grow": replace(_FULL, onset_growth=1e-9),
    "pause of 150 rows always": replace(_FULL, onset_pause=150.0, onset_pause_share=1e-9),
    "no pause after long gaps": replace(_FULL, gap_s=1e12),
    "range of the pattern widens at once": replace(_FULL, range_rows=1e12),
    "… by 32 rows' share": replace(_FULL, range_rows=32.0),
    "first days: as it is at a quarter of the way": replace(_FULL, early_even=0.25),
    "… at the whole way": replace(_FULL, early_even=1.0),
    "early state as easy after any number of rows": replace(_FULL, early_growth=1e-9),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """One variant on streams (NAB standard) and on the rig (SKAB at the default limit).

    `best`, `outside`: at its best limit; `validated`: limit chosen on other files; `rig`: change
    points, lift over the same detections shifted, detections outside windows a run; `free`: events
    (alarms and ends of state) of the run without a fault.
    """

    name: str
    best: float
    limit: float
    validated: float
    outside: float
    rig: tuple[float, float, float]
    free: int


def tables(score: Any, series: Set) -> dict[tuple[str, float], Floats]:
    """Return per variant and limit the files' figures, as `nab_files` gives them.

    The evidence does not depend on the limit, so each variant runs once.
    """
    found = {}
    for name, config in VARIANTS.items():
        run = outputs(series, config)
        for key, out in run.items():
            assert (alarms(out.score, config, config.onset_limit) == out.alarm).all(), key
        for limit in LIMITS:
            at = {key: alarms(out.score, config, limit) for key, out in run.items()}
            found[name, limit] = nab_files(score, series, at, "standard")
    return found


def alarms(scores: Floats, config: Config, limit: float) -> Bools:
    """Return the alarms (n,) of a recording had the limit been another one.

    `scores` are a detector's with its own limit: half of one where the evidence reaches it.
    """
    rows = np.arange(1.0, len(scores) + 1)
    growth = config.onset_growth * np.log(np.maximum(rows, 1000.0) / 1000.0)
    strength = scores / (1.0 - scores) * (config.onset_limit + growth) / (limit + growth)
    pause = np.maximum(config.onset_pause, config.onset_pause_share * rows)
    found, last = np.zeros(len(scores), bool), 0.0
    for i in np.flatnonzero(strength >= 1.0 - ROUNDING):
        if last == 0.0 or rows[i] - last > pause[i]:
            found[i], last = True, rows[i]
    return found


def validated(found: dict[tuple[str, float], Floats], names: list[str]) -> Floats:
    """Return the left-out files' figures with variant and limit chosen on the others.

    Shape (repeats * files, 5).
    """
    keys = [(name, limit) for name in names for limit in LIMITS]
    count = len(found[keys[0]])
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(REPEATS):
        order = rng.permutation(count)
        for fold in range(FOLDS):
            left = order[fold::FOLDS]
            rest = np.setdiff1d(order, left)
            best = max(keys, key=lambda key: nab_total(found[key][rest]))
            parts.append(found[best][left])
    return np.concatenate(parts)


def worths(found: dict[tuple[str, float], Floats], score: Any, runs: Set) -> Iterator[Worth]:
    """Yield what each variant is worth. `found`: of `tables`; `runs`: those of the rig."""
    for name, config in VARIANTS.items():
        rig = skab(score, runs, outputs(runs, config))
        limit = max(LIMITS, key=lambda one: nab_total(found[name, one]))
        figures = found[name, limit]
        yield Worth(
            name=name,
            best=nab_total(figures),
            limit=limit,
            validated=nab_total(validated(found, [name])),
            outside=figures[:, 2].sum() / max(figures[:, 1].sum(), 1.0),
            rig=(rig.points, rig.lift, rig.extras),
            free=rig.free_alarms,
        )


def nested(found: dict[tuple[str, float], Floats]) -> float:
    """Return the NAB score with variant and limit both chosen inside the folds."""
    return nab_total(validated(found, list(VARIANTS)))


def _loop(part: Callable[..., Any]) -> Any:
    """Compile a loop of one part over readings, so that it can be timed alone."""

    def run(state: Any, rules: Any, values: Floats) -> None:
        o, constants = state[0], rules[0]
        for i in range(values.shape[0]):
            part(o, i, values[i], constants)

    return numba.njit(error_model="numpy")(run)


@numba.njit(error_model="numpy")
def _level(o: Any, i: int, x: float, rules: Any) -> None:
    o.rows, o.since = i, float(i)
    s = onset._level(o, x, x, 1e-3, rules)
    if s >= 0.0:
        onset._tail(o, onset.LEVEL, s, rules.level_least, rules)


@numba.njit(error_model="numpy")
def _season(o: Any, i: int, x: float, rules: Any) -> None:
    o.rows = i
    s = onset._season(o, (i // 30) % onset.SEASONS, i // 1440, x, x, 1e-3, rules)
    if s >= 0.0:
        onset._tail(o, onset.SEASON, s, rules.season_least, rules)


@numba.njit(error_model="numpy")
def _pattern(o: Any, i: int, x: float, rules: Any) -> None:
    o.rows = i
    s = onset._pattern(o, onset._cell(o, x, rules), rules)
    if s >= 0.0:
        onset._tail(o, onset.PATTERN, s, rules.pattern_least, rules)


@numba.njit(error_model="numpy")
def _early(o: Any, i: int, x: float, rules: Any) -> None:
    early.stay(o, x, x, rules)


PARTS: Final = {
    "level": _level,
    "season": _season,
    "pattern": _pattern,
    "early state (first three days)": _early,
}


def costs(readings: int = 400_000) -> Iterator[tuple[str, float]]:
    """Yield the CPU time of each part alone, ns a reading, the best of three."""
    values = np.random.default_rng(0).normal(50.0, 1.0, readings)
    for name, part in PARTS.items():
        loop, spent = _loop(part), []
        for _ in range(4):  # the first run compiles
            state = np.zeros(1, ONSET)
            begin = time.process_time()
            loop(state, _FULL.record(), values)
            spent.append(time.process_time() - begin)
        yield name, min(spent[1:]) / readings * 1e9
