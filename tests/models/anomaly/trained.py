"""One small trained model for all tests: 4 signals that hang together, made once a run."""

from functools import cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from forewarn.recordings import Recording
from forewarn.trainer import Options, Trained, train
from models.anomaly.card import Card, written
from models.anomaly.files import card_of
from models.profile import load_profiles

MINUTE = 60 * 10**9
START = 1_790_000_000 * 10**9
SIGNALS = ("load", "flow", "temp", "vib")


def plant(count: int, seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    load = 10 + 3 * np.sin(2 * np.pi * np.arange(count) / 1440) + rng.normal(0, 0.5, count)
    flow = 2 * load + rng.normal(0, 0.3, count)
    temp = 40 + 1.5 * load + rng.normal(0, 0.5, count)
    vib = 2 + 0.1 * load + rng.normal(0, 0.1, count)
    return np.column_stack([load, flow, temp, vib])


def recording(
    values: NDArray[np.float64], signals: tuple[str, ...] = SIGNALS, name: str = "plant.csv"
) -> Recording:
    times = START + np.arange(len(values)) * MINUTE
    return Recording(
        path=Path(name), sha256="0" * 64, signals=signals, times_ns=times, values=values
    )


@cache
def trained(kind: str = "autoencoder") -> Trained:
    options = msgspec.convert({"name": f"plant-{kind}", "kind": kind, "trials": 4}, Options)
    return train([recording(plant(3_000))], options, load_profiles())


def saved(folder: Path, kind: str = "autoencoder", **changes: object) -> Path:
    path = folder / f"plant-{kind}.onnx"
    made = trained(kind)
    path.write_bytes(made.model)
    card: Card = msgspec.structs.replace(made.card, **changes)
    card_of(path).write_bytes(written(card))
    return path
