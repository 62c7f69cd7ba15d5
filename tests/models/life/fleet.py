"""A small fleet that wears out under two loads, made from a seed."""

import numpy as np

from models.life.learned.runs import Runs


def fleet(seed: int, units: int = 24, *, censored: float = 0.0, switching: bool = False) -> Runs:
    """Return units whose wear signals grow to a limit at a rate of their own."""
    rng = np.random.default_rng(seed)
    times, rows, counts, failed = [], [], [], []
    for _ in range(units):
        life = int(rng.integers(60, 120))
        age = np.arange(1.0, life + 1.0)
        wear = (age / life) ** 2
        load = rng.integers(0, 3, life) if switching else np.zeros(life)
        noise = rng.normal(0.0, 0.05, (life, 3))
        signals = np.column_stack(
            [
                20.0 * load + wear + noise[:, 0],
                -7.0 * load + 3.0 * wear + noise[:, 1],
                5.0 * load + noise[:, 2],
                100.0 * load,
                np.full(life, 3.0),
            ]
        )
        end = life
        fails = rng.random() >= censored
        if not fails:
            end = int(rng.integers(20, life))
        times.append(age[:end])
        rows.append(signals[:end])
        counts.append(end)
        failed.append(fails)
    return Runs(
        units=tuple(f"u{k}" for k in range(units)),
        starts=np.concatenate([[0], np.cumsum(counts)]),
        time=np.concatenate(times),
        values=np.concatenate(rows),
        signals=("a", "b", "c", "load", "dead"),
        failed=np.array(failed),
    )


def chained(runs: Runs, first: int, second: int) -> Runs:
    """Return the runs with one unit's rows behind those of another, under one name."""
    start, middle = runs.starts[second], runs.starts[second + 1]
    own = np.arange(runs.starts[first], runs.starts[first + 1])
    rest = [np.arange(a, b) for a, b in zip(runs.starts[:-1], runs.starts[1:], strict=True)]
    rest[first] = np.concatenate([own, np.arange(start, middle)])
    del rest[second]
    time = runs.time.copy()
    time[start:middle] += runs.ends[first]
    rows = np.concatenate(rest)
    kept = [k for k in range(len(runs.units)) if k != second]
    return Runs(
        units=tuple(runs.units[k] for k in kept),
        starts=np.concatenate([[0], np.cumsum([len(r) for r in rest])]),
        time=time[rows],
        values=runs.values[rows],
        signals=runs.signals,
        failed=runs.failed[kept],
    )
