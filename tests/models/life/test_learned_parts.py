"""The parts of the learned prognosis: conditions, features, survival, trees, surface, the file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from models.life.learned import bands, conditions, graph, kernel, trees, windows
from models.life.learned.health import Health
from models.life.learned.outliers import outliers
from models.life.learned.runs import Runs
from models.life.learned.survival import product_limit, survival
from tests.models.life.fleet import fleet


def test_switching_loads_are_found_and_taken_out() -> None:
    runs = fleet(1, switching=True)
    found = conditions.find(runs)
    assert len(found.centres) == 3
    z = found.standardised(runs.values)
    load = np.round(runs.values[:, 3] / 100.0).astype(int)
    for signal in range(3):
        means = [z[load == k, signal].mean() for k in range(3)]
        assert np.ptp(means) < 0.01


def test_one_condition_without_switching() -> None:
    assert conditions.find(fleet(1)).centres == []


def test_a_level_set_once_in_a_life_is_no_condition() -> None:
    runs = fleet(1)
    late = runs.time > 40.0
    values = runs.values.copy()
    values[late, 3] = 1.0
    values[late, :2] += 10.0
    assert conditions.find(runs.arranged(runs.signals)).centres == []


def test_conditions_are_the_same_in_other_units() -> None:
    runs = fleet(2, switching=True)
    z = conditions.find(runs).standardised(runs.values)
    other = runs.arranged(runs.signals)
    other.values[:] = runs.values * [3.0, 1e-3, 1e4, 7.0, 2.0] + [1.0, -5.0, 1e3, 0.0, 9.0]
    assert np.allclose(conditions.find(other).standardised(other.values), z, atol=1e-6)


def test_a_row_that_does_not_tell_its_condition_is_missing() -> None:
    runs = fleet(2, switching=True)
    found = conditions.find(runs)
    values = runs.values.copy()
    values[5, found.telling] = np.nan
    z = found.standardised(values)
    assert np.isnan(z[5]).all()
    assert not np.isnan(z[6]).any()


def test_turned_conditions_measure_alike() -> None:
    runs = fleet(3, switching=True).arranged(("dead", "a", "b", "c", "load"))
    found = conditions.find(runs)
    order = np.array([4, 2, 1, 3])
    sign = np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    turned = found.turned(order, sign)
    z = found.standardised(runs.values)
    assert np.allclose(turned.standardised(runs.values[:, order]), (z * sign)[:, order])


@given(cut=st.integers(2, 59), seed=st.integers(0, 20))
@settings(max_examples=20, deadline=None)
def test_features_know_nothing_later(cut: int, seed: int) -> None:
    runs = fleet(seed, units=3)
    z = runs.values.copy()
    z[np.random.default_rng(seed).random(z.shape) < 0.2] = np.nan
    health = windows.learned(runs, np.nan_to_num(z), 80.0, 100.0, 0.25)
    whole = windows.features(runs, z, 80.0, health)
    rows = np.concatenate([np.arange(s, s + cut) for s in runs.starts[:-1]])
    short = runs.pick(np.arange(3))
    short = type(runs)(
        units=runs.units,
        starts=np.arange(4) * cut,
        time=short.time[rows],
        values=runs.values[rows],
        signals=runs.signals,
        failed=runs.failed,
    )
    np.testing.assert_array_equal(windows.features(short, z[rows], 80.0, health), whole[rows])


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_survival_agrees_with_lifelines(share: float) -> None:
    rng = np.random.default_rng(5)
    ends, failed = rng.weibull(2.0, 300) * 100.0, rng.random(300) < 0.7
    oracle = KaplanMeierFitter().fit(ends, failed)
    ours = survival(ends, failed)
    for time, alive in zip(ours.times, ours.alive, strict=True):
        assert alive == pytest.approx(float(oracle.predict(time)), abs=1e-9)
    left = ours.remaining(np.array([0.0, 50.0, 1e6]), share)
    assert np.isfinite(left).all()
    assert (left >= 0.0).all()


def test_a_stage_that_censored_rows_alone_support_gets_all_that_can_be() -> None:
    stage = np.concatenate([np.linspace(0.0, 10.0, 50), np.linspace(700.0, 1000.0, 200)])
    seen = np.arange(250) < 50
    age, weight = 1_000.0 - stage, np.full(250, 0.1)
    found = bands.calibrate(stage, age, stage - 0.5, seen, weight, top=1200.0, typical=1000.0)
    low, _, high = found.around(np.array([5.0, 900.0]), np.array([995.0, 100.0]))
    assert low[1] == 0.0
    assert high[1] == 1200.0
    assert high[0] - low[0] < 100.0


def test_product_limit_of_nothing_seen_is_empty() -> None:
    values, alive = product_limit(np.array([3.0, 1.0]), np.zeros(2, bool), np.ones(2))
    assert len(values) == len(alive) == 0


def test_a_lone_absurd_cell_is_an_outlier_and_what_units_share_is_not() -> None:
    runs = fleet(1, switching=True)
    assert not outliers(runs).any()
    runs.values[777, 0] = 65_535.0 * 100.0
    runs.values[778, 4] = np.nan
    assert np.argwhere(outliers(runs)).tolist() == [[777, 0]]
    runs.values[runs.starts[1:] - 1, 0] = 6_553_500.0
    assert not outliers(runs).any()
    level = fleet(1)
    level.values[level.owner == 3, 0] = 6_553_500.0
    assert not outliers(level).any()


def test_product_limit_without_censoring_counts() -> None:
    values, alive = product_limit(np.array([3.0, 1.0, 2.0, 2.0]), np.ones(4, bool), np.ones(4))
    assert values.tolist() == [1.0, 2.0, 3.0]
    assert alive == pytest.approx([0.75, 0.25, 0.0])


def test_the_graph_computes_what_was_fitted() -> None:
    import onnxruntime

    rng = np.random.default_rng(3)
    raw = rng.normal(3.0, 2.0, (400, 5))
    raw[rng.random(raw.shape) < 0.1] = np.nan
    middle, spread = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    x = graph.scaled(raw, middle, spread)
    y = (np.abs(x[:, 0]) + x[:, 1]).astype(np.float64)
    weight = np.ones(len(y))
    grown = [trees.grow(x, y, weight, seed=s) for s in (1, 2)]
    fold = np.arange(len(y)) % 2
    pair = kernel.surfaces(x, y, weight / 10.0, fold=fold, folds=2, rng=rng)
    shares = np.array([0.0, 0.5, 0.3, 0.2, 0.0, 0.0])
    surface = kernel.mean(pair, 7.0 * shares)
    forest = trees.joined([f for f, _ in grown])
    session = onnxruntime.InferenceSession(graph.assembled(forest, 2, surface, middle, spread))
    said = session.run(["trees", "surface"], {"features": raw.astype(np.float32)})
    by_trees = np.mean([b.predict(x) for _, b in grown], axis=0)
    by_surface = np.mean([kernel.said(x, some) @ shares for some in pair], axis=0)
    np.testing.assert_allclose(said[0][:, 0], by_trees, atol=1e-4)
    np.testing.assert_allclose(said[1][:, 0], by_surface, atol=1e-6)
    assert np.corrcoef(by_trees, y)[0, 1] > 0.95
    for part, some in enumerate(pair):
        left_out = fold == part
        fits = [
            np.corrcoef(values, y[left_out])[0, 1] for values in kernel.said(x[left_out], some).T
        ]
        assert fits[0] > 0.9
        assert fits[0] > fits[-1]


def test_a_surface_agrees_with_the_textbook_process() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(60, 2)).astype(np.float32)
    y = np.sin(x[:, 0]) + 0.3 * x[:, 1]
    found = kernel.surfaces(
        x,
        y,
        np.full(60, 1.0 / kernel.ROWS_OF_UNIT[1]),
        fold=np.zeros(60, np.intp),
        folds=1,
        rng=rng,
    )[0][1]
    new = rng.normal(size=(10, 2)).astype(np.float32)

    def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        gap = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2)
        found: np.ndarray = np.exp(-gap / 4.0 / kernel.LENGTH**2) + a @ b.T / 2.0
        return found

    wide, far = x.astype(float), new.astype(float)
    mean, spread = y.mean(), y.std()
    noise = kernel.NOISE**2 * np.eye(60)
    one = np.full((60, 60), 1.0 / kernel.JITTER)
    weights = np.linalg.solve(covariance(wide, wide) + one + noise, (y - mean) / spread)
    constant = weights.sum() / kernel.JITTER
    expected = mean + spread * (covariance(far, wide) @ weights + constant)
    np.testing.assert_allclose(kernel.said(new, [found])[:, 0], expected, atol=1e-3)


def test_a_health_index_leans_on_the_signals_that_wear() -> None:
    runs = fleet(7, units=12)
    scale = conditions.find(runs)
    z = scale.standardised(runs.values)
    health = windows.learned(runs, z, 80.0, 100.0, 0.25)
    index = health.joined(z)[:, -1]
    root = np.sqrt(runs.left)
    best = max(abs(np.corrcoef(z[:, j], root)[0, 1]) for j in (0, 1, 2))
    assert np.corrcoef(index, root)[0, 1] > best - 0.001
    slopes = np.abs(health.slopes)
    assert slopes[2] < 0.1 * slopes[:2].min()
    assert health.reaching[0] == z.shape[1]
    assert {0, 1} <= set(health.reaching)
    assert 2 not in health.reaching


def test_the_time_to_the_level_at_failure_shrinks_with_the_life() -> None:
    runs = fleet(8, units=12)
    z = conditions.find(runs).standardised(runs.values)
    health = windows.learned(runs, z, 80.0, 100.0, 0.25)
    x = windows.features(runs, z, 80.0, health)
    names = windows.names(runs.signals, health)
    assert len(names) == x.shape[1]
    times = 80.0 * np.exp(x[:, names.index("reach0.2:health")])
    late = (runs.left < 30.0) & (runs.left > 3.0)
    assert np.corrcoef(times[late], runs.left[late])[0, 1] > 0.8


def test_noisier_units_fail_at_an_earlier_level() -> None:
    rng = np.random.default_rng(9)
    lives = []
    for noise in np.linspace(0.02, 0.2, 16):
        wear = np.linspace(0.0, 1.2, 400) + noise * rng.normal(size=400)
        lives.append(wear[: int(np.argmax(wear >= 1.0)) + 1])
    counts = [len(life) for life in lives]
    runs = Runs(
        units=tuple(map(str, range(16))),
        starts=np.concatenate([[0], np.cumsum(counts)]),
        time=np.concatenate([np.arange(count, dtype=float) for count in counts]),
        values=np.concatenate(lives)[:, None],
        signals=("wear",),
        failed=np.ones(16, bool),
    )
    health = windows.learned(runs, -runs.values, 300.0, 400.0, 0.25)
    assert health.reaching == [1, 0]
    assert min(health.edges) > 0.0
    x = windows.features(runs, -runs.values, 300.0, health)
    noise = x[:, windows.names(runs.signals, health).index("noise:wear")]
    assert np.all(np.diff(noise[runs.starts[1:] - 1][::3]) > 0.0)


def test_what_the_index_explains_belongs_to_its_signals() -> None:
    health = Health(
        slopes=[3.0, -1.0],
        offset=0.0,
        reaching=[2, 0],
        edges=[0.0] * 2,
        levels=[0.0] * 2,
        near=[1.0] * 2,
        renewal=2.0,
    )
    names = windows.names(("a", "b"), health)
    gain = np.array([float(name in {"short:b", "reach0.2:a", "load:health"}) for name in names])
    np.testing.assert_allclose(windows.signal_shares(gain, health), [1.75 / 3.0, 1.25 / 3.0])
