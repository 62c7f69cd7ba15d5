"""Rows a CPU-second of the default detector beside river's half-space trees and Gaussian scorer.

Same rows (10 signals), same run, one core, everything warm. Ours does limits, rate, dropout,
healthy reference, lasting shift and onset (three layers of surprise) with state per machine; the
peers score and learn one row. "Core only" leaves the onset and the early state out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure, cpu
from benchmarks.workload import plant_rows
from forewarn.backtest import main as command
from models.fleet import Config, Fleet, fleet
from models.fleet.layout import LANE, ONSET
from models.rows import Block

SIGNALS = 10
NAMES = tuple(f"s{i}" for i in range(SIGNALS))
START_NS = 1_790_000_000 * 10**9
REPEATS = 3
FORTNIGHT = 20_200  #: rows of a minute, and a little more
#: the reference is complete after the first run; what it costs does not depend on when
SETTLED = Config(reference_rows=60, reference_span_s=60.0, freeze_span_s=90.0)
SETTLED_LATE = Config(reference_span_s=1_500.0, freeze_span_s=1_900.0)


def blocks(
    values: NDArray[np.float64], seconds: NDArray[np.int64], size: int, first: int
) -> list[Block]:
    """Cut readings (machines, rows, signals) into blocks of `size` rows, time by time.

    `seconds` (rows,): when each row is; `first`: how many rows each machine sent before.
    """
    machines, rows, _ = values.shape
    times = START_NS + seconds * 10**9
    return [
        Block(
            n=0,
            machine=f"bench.m{m}",
            device=f"bench.m{m}",
            boot="bench",
            stream="live",
            seq=first + at,
            times_ns=times[at : at + size],
            received_ns=int(times[at : at + size][-1]) + 10**9,
            signals=NAMES,
            columns=np.ascontiguousarray(values[m, at : at + size].T),
        )
        for at in range(0, rows, size)
        for m in range(machines)
    ]


def measured(
    config: Config,
    machines: int,
    seconds: NDArray[np.int64],
    warm: int,
    size: int,
    group: int,
    off: float = 0.0,
) -> float:
    """Return rows a CPU-second of healthy machines, median of three runs over rows that follow.

    `seconds`: when each row is, of which the first `warm` are learned from and not counted. `off`:
    share by which all signals are off from then on.
    """
    values = plant_rows(machines, len(seconds), SIGNALS, seconds=seconds)
    values[:, warm:] *= 1.0 + off
    machines_of = Fleet({}, config)
    rows = (len(seconds) - warm) // REPEATS
    rates: list[float] = []
    for first in range(warm - rows, len(seconds), rows):
        part = slice(first if rates else 0, first + rows)
        items = blocks(values[:, part], seconds[part], size, part.start)
        begin = cpu()
        for i in range(0, len(items), group):
            machines_of.observe(items[i : i + group])
        rates.append(machines * rows / (cpu() - begin))
    return float(np.median(rates[1:]))


def ours(config: Config, machines: int, rows: int, size: int, group: int) -> float:
    """Return rows a CPU-second at a row a second, in the machines' first hours."""
    return measured(config, machines, np.arange((REPEATS + 1) * rows), rows, size, group)


def third_week(step_s: int, off: float = 0.0) -> float:
    """Return rows a CPU-second at a row in `step_s`, after two weeks of a row a minute."""
    rows = np.arange(FORTNIGHT + REPEATS * 2_000)
    seconds = 60 * np.minimum(rows, FORTNIGHT) + step_s * np.maximum(rows - FORTNIGHT, 0)
    return measured(Config(), 50, seconds, FORTNIGHT, 100, 256, off)


@contextmanager
def core_only() -> Iterator[None]:
    """Leave out the watch (`models.fleet.watch`) for a while."""
    whole: Any = vars(fleet)["watch"]

    def nothing(*arrays: object) -> None:
        """Watch nothing."""

    vars(fleet)["watch"] = nothing
    try:
        yield
    finally:
        vars(fleet)["watch"] = whole


def peer(make: Callable[[], Callable[[dict[str, float]], None]], rows: int) -> float:
    """Return rows a CPU-second of a peer that takes one dictionary at a time; the best of three."""
    values = plant_rows(1, 500 + REPEATS * rows, SIGNALS)[0]
    low, high = values.min(axis=0), values.max(axis=0)
    scaled = (values - low) / (high - low)
    take = make()
    dicts = [dict(zip(NAMES, row, strict=True)) for row in scaled.tolist()]
    for row in dicts[:500]:
        take(row)
    rates = []
    for k in range(REPEATS):
        begin = cpu()
        for row in dicts[500 + k * rows : 500 + (k + 1) * rows]:
            take(row)
        rates.append(rows / (cpu() - begin))
    return max(rates)


def backtest(rows: int, signals: int) -> float:
    """Return rows a CPU-second of `forewarn backtest anomalies` over one file, reading and all."""
    values = plant_rows(1, rows, signals)[0]
    times = np.datetime64("2026-01-01T00:00:00") + np.arange(rows) * np.timedelta64(60, "s")
    head = ",".join(("timestamp", *NAMES[:signals]))
    body = (
        f"{t}Z,{','.join(map(repr, row))}" for t, row in zip(times, values.tolist(), strict=True)
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_text("\n".join((head, *body)) + "\n", "utf-8")
        spent = []
        for _ in range(2):  # the first run loads the machine code
            begin = cpu()
            command(["anomalies", "--out", f"{folder}/out", "--json", str(path)])
            spent.append(cpu() - begin)
    return rows / spent[1]


def half_space_trees() -> Callable[[dict[str, float]], None]:
    """Return river's half-space trees: score, then learn."""
    from river.anomaly import HalfSpaceTrees

    model: Any = HalfSpaceTrees(n_trees=25, height=8, seed=1)

    def take(row: dict[str, float]) -> None:
        model.score_one(row)
        model.learn_one(row)

    return take


def gaussian_scorers() -> Callable[[dict[str, float]], None]:
    """Return one of river's Gaussian scorers a signal: score, then learn."""
    from river.anomaly import GaussianScorer

    make: Any = GaussianScorer
    models = {name: make() for name in NAMES}

    def take(row: dict[str, float]) -> None:
        for name, value in row.items():
            models[name].score_one(None, value)
            models[name].learn_one(None, value)

    return take


def run() -> Iterator[Figure]:
    """Yield the figures."""
    batched = ours(SETTLED_LATE, 100, 2_000, 100, 256)
    yield Figure("everything on, 100 rows a batch", batched, "rows/CPU-s")
    large = ours(SETTLED_LATE, 100, 2_000, 1_000, 256)
    yield Figure("same, 1000 rows a batch", large, "rows/CPU-s")
    learning = ours(Config(), 100, 2_000, 100, 256)
    yield Figure("same, 100 rows, still learning its reference", learning, "rows/CPU-s")
    single = ours(SETTLED, 1_000, 100, 1, 256)
    yield Figure("1000 machines, 1 row a batch, groups of 256", single, "rows/CPU-s")
    second, minute, faulty = third_week(1), third_week(60), third_week(60, 0.1)
    yield Figure("third week, a row a second, 100 a batch", second, "rows/CPU-s")
    yield Figure("third week, a row a minute, 100 a batch", minute, "rows/CPU-s")
    yield Figure("same, all signals in a lasting shift", faulty, "rows/CPU-s")
    with core_only():
        core = ours(SETTLED_LATE, 100, 2_000, 100, 256)
    yield Figure("core only, 100 rows a batch", core, "rows/CPU-s")
    yield Figure("state a signal", LANE.itemsize + ONSET.itemsize, "bytes")
    with redirect_stdout(StringIO()):
        one, eight = backtest(200_000, 1), backtest(50_000, 8)
    yield Figure("backtest of a file, one signal (goal 50,000)", one, "rows/CPU-s")
    yield Figure("backtest of a file, eight signals", eight, "rows/CPU-s")
    trees, gauss = peer(half_space_trees, 2_000), peer(gaussian_scorers, 4_000)
    yield Figure("river HalfSpaceTrees(25, height 8)", trees, "rows/CPU-s")
    yield Figure("river GaussianScorer, one a signal", gauss, "rows/CPU-s")
    yield Figure("ratio to half-space trees (goal 60)", batched / trees, "x")
    yield Figure("ratio to half-space trees, 1000 rows a batch", large / trees, "x")
    yield Figure("ratio to half-space trees, 1 row a batch", single / trees, "x")
    yield Figure("ratio, third week, a row a second (goal 60)", second / trees, "x")
    yield Figure("ratio, third week, a row a minute (goal 60)", minute / trees, "x")
    yield Figure("ratio, same, all signals in a lasting shift", faulty / trees, "x")
    yield Figure("ratio to half-space trees, core only (goal 500)", core / trees, "x")
    yield Figure("ratio to Gaussian scorers", batched / gauss, "x")
