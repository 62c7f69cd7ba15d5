"""From whole runs to one artefact: conditions, features, members by left-out units, bands.

Every member, trees and surfaces, is fitted without some units, to the square root of the
remaining life: it is the late errors that count. What the members that never saw a unit said of it
tells how much to trust trees and each of the surfaces (stacking: Breiman, Machine Learning 24,
1996) and calibrates the bands.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.life.learned import conditions, graph, kernel, renewal, trees, windows
from models.life.learned.bands import Bands, calibrate, guessed
from models.life.learned.card import FORMAT, Card, PastUnit, Score, packed
from models.life.learned.health import Health
from models.life.learned.kernel import Surface
from models.life.learned.renewal import Renewal
from models.life.learned.runs import Floats, Runs, Whole
from models.life.learned.survival import Survival, survival
from models.life.learned.trees import Forest

FOLDS: Final = (5, 10)  #: of units: with many units, with few
MANY: Final = 60  #: failed units from which the smaller number of folds does
MOST_ROWS: Final = 100_000  #: that are fitted
ROWS_OF_UNIT: Final = 250  #: rows of a unit that are fitted: denser ones say the same again
FAR: Final = 0.25  #: weight of a row farther from failure than the cap
EARLY: Final = 0.15  #: of the longest life: without a cap, rows weigh less the farther they are
CENSORED: Final = 0.5  #: weight of a row whose remaining life is only known to be longer
WHOLE: Final = 100.0  #: how much it counts that all shares are 1, by all rows
TINY: Final = 1e-9  #: share of a surface that has none
THREADS: Final = 2  #: that grow trees, each a fold of its own
POINTS: Final = 24  #: of a past unit's story


@dataclass(frozen=True, slots=True, kw_only=True)
class _Members:
    """Forests and the boosters they came from, surfaces, and the part of the trees."""

    forests: list[Forest]
    boosters: list[Any]
    surface: Surface
    blend: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lives:
    """Lives, which of them began with a renewed part, their health, survival and typical length."""

    runs: Runs
    renewed: list[Renewal]
    health: Health
    survival: Survival
    typical: float


class NothingFailed(ValueError):
    """No unit among the runs failed: remaining life cannot be learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Data:
    """Rows that are fitted: scaled features, age, remaining life or its bound, if it is known."""

    x: NDArray[np.float32]
    age: Floats
    left: Floats
    known: NDArray[np.bool_]
    owner: Whole
    fold: Whole
    weight: Floats
    top: float


def fit(runs: Runs, *, cap: float | None, seed: int, data_sha256: str) -> tuple[bytes, Card]:
    """Return the artefact of some runs, and its card.

    Args:
        runs: units of at least two rows; one at least failed.
        cap: remaining lives above it count as it, in the unit of time; None: none do.
        seed: of all chance; the same runs and seed give the same forecasts.
        data_sha256: digest of the file, noted in the card.

    Raises:
        NothingFailed: no unit failed.
    """
    if not runs.failed.any():
        raise NothingFailed("no unit failed: life is learned from units with event = 1")
    runs, scale, ignored = _arranged(runs)
    z = scale.standardised(runs.values)
    lives = _lives(runs, z, cap)
    runs, health, typical = lives.runs, lives.health, lives.typical
    x = windows.features(runs, z, typical, health)
    rows = _thinned(runs)
    middle, spread = _moments(x[rows])
    rng = np.random.default_rng(seed)
    data = _data(runs, rows, graph.scaled(x[rows], middle, spread), cap, rng)
    members, forecast = _members(data, rng)
    bands = _bands(data, forecast, typical) if runs.failed.sum() > 1 else guessed(data.top)
    model = graph.assembled(
        trees.joined(members.forests), len(members.forests), members.surface, middle, spread
    )
    shares = windows.signal_shares(trees.gains(members.boosters), health)
    card = Card(
        format=FORMAT,
        data_sha256=data_sha256,
        seed=seed,
        cap=cap,
        units=len(runs.units) - len(lives.renewed),
        failures=int(runs.failed.sum()),
        rows=len(runs.time),
        folds=int(data.fold.max()) + 1,
        signals=list(runs.signals),
        ignored=ignored,
        weights=shares.tolist(),
        features=windows.names(runs.signals, health),
        typical=typical,
        top=data.top,
        conditions=scale,
        health=health,
        blend=members.blend,
        survival=lives.survival,
        bands=bands,
        score=_score(data, forecast, bands),
        past=_past(runs, rows, forecast),
        renewed=lives.renewed,
    )
    return packed(card, model), card


def _lives(runs: Runs, z: Floats, cap: float | None) -> _Lives:
    """Return the lives of units, renewed parts apart, and what is learned from them."""
    health, alive, typical = _health(runs, z, cap)
    renewals = renewal.found(runs, z, health)
    renewed = renewals.named(runs)
    if renewed:
        runs = renewal.divided(runs, renewals, known=True).runs
        health, alive, typical = _health(runs, z, cap)
    return _Lives(runs=runs, renewed=renewed, health=health, survival=alive, typical=typical)


def _health(runs: Runs, z: Floats, cap: float | None) -> tuple[Health, Survival, float]:
    """Return the health index of the runs, their survival and a typical life."""
    alive = survival(runs.ends, runs.failed)
    typical = min(float(alive.remaining(np.zeros(1), 0.5)[0]), float(runs.ends.max()))
    longest = float(runs.left.max())
    return windows.learned(runs, z, typical, min(cap or longest, longest), FAR), alive, typical


def _arranged(runs: Runs) -> tuple[Runs, conditions.Conditions, list[str]]:
    """Return the runs without dead signals, in an order and direction that the data tell.

    Neither the names nor the order nor the sign of the columns carry knowledge: signals are sorted
    by how much they follow the life, and turned so that they fall with it.
    """
    scale = conditions.find(runs)
    z = np.nan_to_num(scale.standardised(runs.values))
    live = np.flatnonzero(z.std(axis=0) > 1e-9)
    rows = runs.failed[runs.owner]
    left = runs.left[rows] - runs.left[rows].mean()
    follows = (z[rows] * left[:, None]).mean(axis=0) / np.where(z.std(axis=0) > 1e-9, 1.0, np.inf)
    follows /= max(float(left.std()), 1e-300)
    order = live[np.argsort(-np.abs(np.round(follows[live], 9)), kind="stable")]
    told = [j for j in scale.telling if j not in order]
    order = np.concatenate([order, np.array(told, np.intp)]).astype(np.intp)
    sign = np.where(follows > 0.0, 1.0, -1.0)
    dropped = [name for j, name in enumerate(runs.signals) if j not in order]
    chosen = tuple(runs.signals[j] for j in order)
    return runs.arranged(chosen), scale.turned(order, sign), dropped


def _thinned(runs: Runs) -> Whole:
    """Return the rows that are fitted: evenly spaced within each unit, its last one among them."""
    stride = max(
        1, round(float(np.median(runs.counts)) / ROWS_OF_UNIT), len(runs.time) // MOST_ROWS
    )
    before_end = np.repeat(runs.starts[1:] - 1, runs.counts) - np.arange(len(runs.time))
    return np.flatnonzero(before_end % stride == 0)


def _moments(x: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of each feature, 0 and 1 where it is never known."""
    known = ~np.isnan(x)
    count = np.maximum(known.sum(axis=0), 1)
    middle = np.where(known, x, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (x - middle) ** 2, 0.0).sum(axis=0) / count)
    return middle, np.where(spread > 1e-9, spread, 1.0)


def _data(
    runs: Runs, rows: Whole, x: NDArray[np.float32], cap: float | None, rng: np.random.Generator
) -> _Data:
    left, owner = runs.left[rows], runs.owner[rows]
    failed = runs.failed[owner]
    top = float(left.max()) if cap is None else min(cap, float(left.max()))
    known = failed | (left >= top)
    weight = np.where(known, np.where(left > top, FAR, 1.0), CENSORED)
    if cap is None:
        weight = weight * EARLY / (EARLY + left / top)
    fold = _folds(runs, rng)
    return _Data(
        x=x,
        age=runs.time[rows],
        left=left,
        known=known,
        owner=owner,
        fold=fold[owner],
        weight=weight,
        top=top,
    )


def _folds(runs: Runs, rng: np.random.Generator) -> Whole:
    """Return the fold of each unit: short and long lives spread evenly, (u,)."""
    failures = int(runs.failed.sum())
    count = FOLDS[0] if failures >= MANY else max(min(FOLDS[1], failures), 1)
    fold = np.empty(len(runs.units), np.intp)
    for group in (runs.failed, ~runs.failed):
        order = np.flatnonzero(group)[np.argsort(runs.ends[group], kind="stable")]
        for at in range(0, len(order), count):
            some = order[at : at + count]
            fold[some] = rng.permutation(count)[: len(some)]
    return fold


def _members(data: _Data, rng: np.random.Generator) -> tuple[_Members, Floats]:
    """Return all members and what those that never saw a row's unit forecast for it, (n,).

    What is expected of a censored row is what surfaces of the others make of it.
    """
    target = np.minimum(data.left, data.top)
    if not data.known.all():
        found, said = _surfaces(data, np.sqrt(target / data.top), data.known, rng)
        first = said @ _shares(said, np.sqrt(target / data.top), data)
        target = np.where(data.known, target, _beyond(data, graph.life(first, data.top)))
    root = np.sqrt(target / data.top)
    grown, by_trees = _trees(data, root, rng)
    found, by_surface = _surfaces(data, root, np.ones(len(root), bool), rng)
    said = np.column_stack([by_trees, by_surface])
    shares = _shares(said, root, data)
    members = _Members(
        forests=[forest for forest, _ in grown],
        boosters=[booster for _, booster in grown],
        surface=kernel.mean(found, np.maximum(shares[1:], TINY)),
        blend=float(shares[0]),
    )
    return members, graph.life(said @ shares, data.top)


def _trees(
    data: _Data, root: Floats, rng: np.random.Generator
) -> tuple[list[tuple[Forest, Any]], Floats]:
    """Return one forest per fold, grown without it, and what each says of its fold, (n,)."""
    count = int(data.fold.max()) + 1

    def one(fold: int, seed: int) -> tuple[Forest, Any, Floats]:
        out = data.fold == fold
        rows = np.flatnonzero(~out) if count > 1 else np.arange(len(root))
        forest, booster = trees.grow(data.x[rows], root[rows], data.weight[rows], seed=seed)
        return forest, booster, booster.predict(data.x[out], num_threads=1)

    seeds = rng.integers(1 << 31, size=count).tolist()
    with ThreadPoolExecutor(THREADS) as pool:
        done = list(pool.map(one, range(count), seeds))
    said = np.zeros(len(root))
    for fold, (_, _, some) in enumerate(done):
        said[data.fold == fold] = some
    return [(forest, booster) for forest, booster, _ in done], said


def _surfaces(
    data: _Data, root: Floats, used: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[list[list[Surface]], Floats]:
    """Return k surfaces per fold, fitted without it, and what they say of their fold, (n, k)."""
    rows = np.flatnonzero(used)
    units = len(np.unique(data.owner[rows]))
    found = kernel.surfaces(
        data.x[rows],
        root[rows],
        data.weight[rows] / data.weight[rows].sum() * units,
        fold=data.fold[rows],
        folds=int(data.fold.max()) + 1,
        rng=rng,
    )
    said = np.empty((len(root), len(found[0])))
    for fold, some in enumerate(found):
        out = data.fold == fold
        said[out] = kernel.said(data.x[out], some)
    return found, said


def _shares(said: Floats, root: Floats, data: _Data) -> Floats:
    """Return shares of members (k,), none negative, 1 in all, by what they say of rows (n, k).

    Those with the least squares over left-out failed units.
    """
    from scipy.optimize import nnls  # noqa: PLC0415  only where models are fitted

    weight = np.sqrt(data.weight * _per_unit(data.owner))[data.known]
    rows = said[data.known] * weight[:, None]
    whole = WHOLE * np.linalg.norm(weight)
    shares, _ = nnls(
        np.vstack([rows, np.full(rows.shape[1], whole)]),
        np.append(root[data.known] * weight, whole),
    )
    return np.asarray(shares / shares.sum())


def _beyond(data: _Data, forecast: Floats) -> Floats:
    """Return what is expected of a censored row: the mean of the lives beyond its bound.

    One step of Buckley and James (Biometrika 66, 1979): the residuals of failed units that would
    carry the forecast beyond the bound.
    """
    error = np.sort((np.minimum(data.left, data.top) - forecast)[data.known])
    total = np.concatenate([[0.0], np.cumsum(error)])
    first = np.searchsorted(error, data.left - forecast, side="right")
    count = len(error) - first
    mean = (total[-1] - total[first]) / np.maximum(count, 1)
    return np.where(count > 0, np.clip(forecast + mean, data.left, data.top), data.left)


def _per_unit(owner: Whole) -> Floats:
    """Return weights of rows such that each unit weighs 1, (n,)."""
    return np.asarray(1.0 / np.bincount(owner)[owner])


def _bands(data: _Data, forecast: Floats, typical: float) -> Bands:
    return calibrate(
        forecast,
        data.age,
        np.minimum(data.left, data.top),
        data.known,
        _per_unit(data.owner),
        top=data.top,
        typical=typical,
    )


def _score(data: _Data, forecast: Floats, bands: Bands) -> Score:
    seen = data.known
    truth = np.minimum(data.left, data.top)[seen]
    low, middle, high = bands.around(forecast[seen], data.age[seen])
    weight = _per_unit(data.owner[seen])
    error = middle - truth
    inside = (truth >= low - 1e-9) & (truth <= high + 1e-9)
    return Score(
        rmse=float(np.sqrt(np.average(error**2, weights=weight))),
        mae=float(np.average(np.abs(error), weights=weight)),
        coverage=float(np.average(inside, weights=weight)),
        width=float(np.average(high - low, weights=weight)),
        rows=int(seen.sum()),
        units=len(np.unique(data.owner[seen])),
    )


def _past(runs: Runs, rows: Whole, forecast: Floats) -> list[PastUnit]:
    story = []
    owner = runs.owner[rows]
    for unit, name in enumerate(runs.units):
        own = np.flatnonzero(owner == unit)
        some = own[np.unique(np.linspace(0, len(own) - 1, POINTS).round().astype(int))]
        story.append(
            PastUnit(
                unit=name,
                failed=bool(runs.failed[unit]),
                end=float(runs.ends[unit]),
                time=runs.time[rows][some].tolist(),
                forecast=np.round(forecast[some], 6).tolist(),
            )
        )
    return story
