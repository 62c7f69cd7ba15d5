"""What is known of a unit at each of its rows, from that row and those before it alone.

Of each signal and of the health index: exponentially weighted means of two spans, their change
against a longer one and against the unit's own beginning, local spread and mean load. Of those that
stand at a common level at failure: the time until they are there, along lines through three spans,
and how noisy they are. And the age. Spans are shares of a typical life, so that cycles, seconds and
days need no settings.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.life.learned.health import Health, line, reached, rise_of_new
from models.life.learned.runs import Floats, Runs, Whole

SPANS: Final = (0.02, 0.07, 0.2)  #: of a typical life: short, middle, long
LINES: Final = (0.07, 0.2, 0.5)  #: of a typical life: what a line to the level at failure goes by
BEGINNING: Final = 0.1  #: of a typical life: what counts as the unit's beginning
KINDS: Final = ("short", "middle", "bend", "drift", "spread", "load")
WIDEST: Final = 8.0  #: standard deviations beyond which a measured value says no more
FLAT: Final = 0.05  #: squared spans: keeps a line through few rows flat
LONGEST: Final = 3.0  #: typical lives: no line says more
SOONEST: Final = 0.03  #: typical lives: times are told apart down to this
QUIET: Final = 0.05  #: noise is told apart down to this


def learned(runs: Runs, z: Floats, typical: float, top: float, far: float) -> Health:
    """Return the health index of some runs, and the levels at failure.

    Args:
        runs: the rows; one unit at least failed.
        z: their standardised signals, (n, s).
        typical: a typical life, in the unit of time.
        top: the largest remaining life that is learned, in the unit of time.
        far: weight of a row that has more left.
    """
    z = np.clip(z, -WIDEST, WIDEST)
    level, _ = _lines(runs, z, SPANS[0] * typical)
    rows = runs.failed[runs.owner]
    left = runs.left[rows]
    weight = np.where(left > top, far, 1.0)
    slopes, offset = line(level[rows], np.sqrt(np.minimum(left, top) / top), weight)
    blank = Health(
        slopes=slopes.tolist(),
        offset=offset,
        reaching=[],
        edges=[],
        levels=[],
        near=[],
        renewal=0.0,
    )
    joined = blank.joined(z)
    level, _ = _lines(runs, joined, SPANS[0] * typical)
    reaching, edges, levels, near = reached(runs, level, _noise(runs, joined, typical))
    return Health(
        slopes=blank.slopes,
        offset=offset,
        reaching=reaching,
        edges=edges,
        levels=levels,
        near=near,
        renewal=rise_of_new(runs, joined[:, -1], levels[0]),
    )


def features(runs: Runs, z: Floats, typical: float, health: Health) -> Floats:
    """Return the features of each row, (n, 6 (s + 1) + 4 r + 1), NaN where never seen.

    Args:
        runs: the rows.
        z: their standardised signals, (n, s).
        typical: a typical life, in the unit of time.
        health: the index that is added to the signals, and r levels at failure.
    """
    z = health.joined(np.clip(z, -WIDEST, WIDEST))
    row, col = _places(runs)
    grid, clock = _grid(runs, z), _grid(runs, runs.time[:, None])[:, :, 0]
    short, middle, long = (_smooth(grid, clock, share * typical) for share in SPANS)
    square = _smooth(grid**2, clock, SPANS[1] * typical)
    first = _first(grid, clock, BEGINNING * typical)
    load = _smooth(grid, clock, np.inf)
    spread = np.sqrt(np.maximum(square - middle**2, 0.0))
    parts = (short, middle, middle - long, middle - first, spread, load)
    return np.column_stack(
        [p[row, col] for p in parts] + [_reach(runs, z, typical, health), runs.time / typical]
    )


def names(signals: tuple[str, ...], health: Health) -> list[str]:
    """Return the names: `kind:signal`, `reach<span>:signal`, `noise:signal` and `age`."""
    all_of = (*signals, "health")
    reaching = [*(f"reach{span:g}" for span in LINES), "noise"]
    return [
        *(f"{kind}:{signal}" for kind in KINDS for signal in all_of),
        *(f"{kind}:{all_of[j]}" for kind in reaching for j in health.reaching),
        "age",
    ]


def signal_shares(gain: Floats, health: Health) -> Floats:
    """Return each signal's share in the gain of the features (p,), by way of the index too."""
    slopes = np.abs(health.slopes)
    count = len(slopes) + 1
    owner = [*list(range(count)) * len(KINDS), *health.reaching * (len(LINES) + 1)]
    shares = np.bincount(owner, gain[:-1], count)
    shares = shares[:-1] + shares[-1] * slopes / max(float(slopes.sum()), 1e-300)
    return np.asarray(shares / max(float(shares.sum()), 1e-12))


def _reach(runs: Runs, z: Floats, typical: float, health: Health) -> Floats:
    """Return logarithms of the time until signals stand at their levels, and of noise, (n, 4 r)."""
    chosen = z[:, health.reaching]
    level, _ = _lines(runs, chosen, SPANS[0] * typical)
    noise = _noise(runs, chosen, typical)
    ahead = level - np.array(health.edges) * np.nan_to_num(noise) - np.array(health.levels)
    ahead = np.maximum(ahead, np.array(health.near))
    times = []
    for share in LINES:
        _, slope = _lines(runs, chosen, share * typical)
        fall = np.maximum(-slope, ahead / (LONGEST * typical))
        times.append(np.log(ahead / fall / typical + SOONEST))
    return np.column_stack([*times, np.log(noise + QUIET)])


def _noise(runs: Runs, values: Floats, typical: float) -> Floats:
    """Return the standard deviation of readings, of their steps from row to row, (n, s)."""
    grid, clock = _grid(runs, values), _grid(runs, runs.time[:, None])[:, :, 0]
    step = np.diff(grid, axis=1, prepend=np.nan)
    return np.sqrt(_smooth(0.5 * step**2, clock, SPANS[2] * typical)[_places(runs)])


def _places(runs: Runs) -> tuple[Whole, Whole]:
    row = runs.owner
    return row, np.arange(len(row)) - runs.starts[row]


def _grid(runs: Runs, values: Floats) -> Floats:
    """Return the rows (n, s) as units by rows by signals, NaN behind a unit's last row."""
    grid = np.full((len(runs.units), int(runs.counts.max()), values.shape[1]), np.nan)
    grid[_places(runs)] = values
    return grid


def _lines(runs: Runs, values: Floats, span: float) -> tuple[Floats, Floats]:
    """Return level and slope now of least squares lines that forget over `span`, (n, s) each."""
    grid, clock = _grid(runs, values), _grid(runs, runs.time[:, None])[:, :, 0]
    known = ~np.isnan(grid)
    filled = np.where(known, grid, 0.0)
    level, slope = np.full_like(grid, np.nan), np.full_like(grid, np.nan)
    w, x, xx, y, xy = np.zeros((5, grid.shape[0], grid.shape[2]))
    for i in range(grid.shape[1]):
        if i:
            step = np.nan_to_num(clock[:, i] - clock[:, i - 1])[:, None]
            keep = np.exp(-step / span)
            xx = (xx - 2.0 * step * x + step**2 * w) * keep
            xy = (xy - step * y) * keep
            x = (x - step * w) * keep
            w, y = w * keep, y * keep
        w, y = w + known[:, i], y + filled[:, i]
        count = np.where(w > 0.0, w, np.nan)
        slope[:, i] = (xy - x * y / count) / (xx - x**2 / count + FLAT * span**2)
        level[:, i] = (y - slope[:, i] * x) / count
    at = _places(runs)
    return level[at], slope[at]


def _smooth(grid: Floats, clock: Floats, span: float) -> Floats:
    """Return exponentially weighted means (u, rows, s) that forget over `span` of time."""
    out = np.full_like(grid, np.nan)
    known = ~np.isnan(grid)
    filled = np.where(known, grid, 0.0)
    total = np.zeros((grid.shape[0], grid.shape[2]))
    weight = np.zeros_like(total)
    for i in range(grid.shape[1]):
        if i:
            step = clock[:, i] - clock[:, i - 1]
            keep = np.exp(-np.where(np.isnan(step), 0.0, step) / span)[:, None]
            total *= keep
            weight *= keep
        total += filled[:, i]
        weight += known[:, i]
        np.divide(total, weight, out=out[:, i], where=weight > 0.0)
    return out


def _first(grid: Floats, clock: Floats, until: float) -> Floats:
    """Return the mean of each signal's rows of the beginning, so far, (u, rows, s)."""
    early = (clock - clock[:, :1] <= until)[:, :, None] & ~np.isnan(grid)
    count = np.cumsum(early, axis=1)
    total = np.cumsum(np.where(early, grid, 0.0), axis=1)
    out = np.full_like(grid, np.nan)
    np.divide(total, count, out=out, where=count > 0)
    return out
