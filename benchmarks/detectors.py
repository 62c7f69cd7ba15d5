"""Rows a CPU-second of each plug-in detector beside the default one; the same rows of 10 signals.

A plug-in scores and learns one row a call. The trained models are an autoencoder and a forecaster
of 8 rows, trained in the run on rows like those that are timed; `edge child` is a window of 1 s at
20 kHz through the inference child's frame, features and answer, without the pipe.
"""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter_ns
from typing import Literal

import msgspec
import numpy as np

from benchmarks.report import Figure, cpu
from benchmarks.scoring import NAMES, SETTLED_LATE, SIGNALS, ours
from benchmarks.workload import plant_rows
from edge_agent.inference import Task, frame, serve
from forewarn.recordings import Recording
from forewarn.trainer import Options, train
from models.anomaly.card import written
from models.anomaly.detector import DETECTORS, Factory, detector
from models.anomaly.drift import ErrorDrift
from models.anomaly.learned import learned
from models.profile import load_profiles

WARM = 600  #: rows until each detector is at work
ROWS: Mapping[str, int] = {"lof": 300}  #: rows that are timed, where 2,000 take too long
REPEATS = 3
RATE_HZ = 20_000.0


def rate(make: Factory, rows: int = 2_000) -> float:
    """Return rows a CPU-second, the best of three runs over rows that follow."""
    values = plant_rows(1, WARM + REPEATS * rows, SIGNALS)[0]
    given = [dict(zip(NAMES, row, strict=True)) for row in values.tolist()]
    made = make()
    for row in given[:WARM]:
        made.score_one(row)
        made.learn_one(row)
    rates = []
    for k in range(REPEATS):
        begin = cpu()
        for row in given[WARM + k * rows : WARM + (k + 1) * rows]:
            made.score_one(row)
            made.learn_one(row)
        rates.append(rows / (cpu() - begin))
    return max(rates)


def trained(kind: Literal["autoencoder", "forecaster"], *, watched: bool = False) -> Factory:
    """Return a model trained on the workload."""
    values = plant_rows(1, 4_000, SIGNALS, seed=1)[0]
    recording = Recording(
        path=Path("workload.csv"),
        sha256="0" * 64,
        signals=NAMES,
        times_ns=np.arange(len(values)) * 10**9,
        values=values,
    )
    made = train([recording], Options(name="bench", kind=kind, trials=0), load_profiles())
    drift = ErrorDrift if watched else None
    return learned(written(made.card), made.model, drift=drift)[1]


def windows(count: int = 100) -> float:
    """Return the CPU milliseconds of a window of 20,000 samples with all features."""
    pump = load_profiles()["centrifugal-pump"]
    task = Task(
        channels=pump.channels,
        bearings=pump.bearings,
        layout=tuple(pump.channels),
        rate_hz=RATE_HZ,
        speed_rpm=1_480.0,
    )
    samples = np.random.default_rng(0).normal(0.0, 1.0, int(RATE_HZ)).astype("<f4").tobytes()
    given = io.BytesIO(frame(msgspec.json.encode(task)) + count * frame(samples))
    begin = cpu()
    serve(given, io.BytesIO())
    return (cpu() - begin) * 1000.0 / count


def latency_us(make: Factory, rows: int = 2_000) -> float:
    """Return the median microseconds of `score_one`."""
    made = make()
    values = plant_rows(1, rows, SIGNALS)[0].tolist()
    spans = []
    for row in values:
        x = dict(zip(NAMES, row, strict=True))
        begin = perf_counter_ns()
        made.score_one(x)
        spans.append(perf_counter_ns() - begin)
    return float(np.median(spans)) / 1000.0


def run() -> Iterator[Figure]:
    """Yield the figures."""
    default = ours(SETTLED_LATE, 100, 2_000, 100, 256)
    yield Figure("default detector, 100 rows a batch", default, "rows/CPU-s")
    yield Figure(
        "same, one machine, 1 row a call", ours(SETTLED_LATE, 1, 2_000, 1, 1), "rows/CPU-s"
    )
    found = {name: rate(detector(name), ROWS.get(name, 2_000)) for name in DETECTORS}
    model = trained("autoencoder")
    found["trained autoencoder"] = rate(model)
    found["same, with drift monitor"] = rate(trained("autoencoder", watched=True))
    found["trained forecaster, 8 rows"] = rate(trained("forecaster"))
    for name, value in found.items():
        yield Figure(name, value, "rows/CPU-s")
        yield Figure(f"  default by {name}", default / value, "x")
    yield Figure("trained autoencoder, score of one row", latency_us(model), "µs")
    yield Figure("edge child, 1 s at 20 kHz", windows(), "ms CPU a window")
