"""On recordings of bearings run to failure: what fails rises, and a trained model says so.

The recordings hold one feature a snapshot (mean absolute vibration), no waveforms; features of
waveforms are tested on made ones in `tests/models/test_features.py`.
"""

import os
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.recordings import Recording, read
from forewarn.trainer import Options, train
from models.anomaly.card import written
from models.anomaly.learned import learned
from models.profile import load_profiles

DAY = 144  #: rows of ten minutes


@cache
def recorded() -> tuple[Recording, NDArray[np.bool_]]:
    """Return all channels of the test as one recording, and which of them failed."""
    folder = Path(os.environ.get("FOREWARN_DATA", "../shared/data")) / "ims_bearing"
    if not (folder / "labels.json").exists():
        pytest.skip(f"no bearing recordings in {folder}: set FOREWARN_DATA")
    labels = msgspec.json.decode((folder / "labels.json").read_bytes())
    channels = [read(folder / name) for name in sorted(labels)]
    joined = Recording(
        path=folder,
        sha256="0" * 64,
        signals=tuple(one.path.stem for one in channels),
        times_ns=channels[0].times_ns,
        values=np.column_stack([one.values[:, 0] for one in channels]),
    )
    return joined, np.array([labels[name]["failed"] for name in sorted(labels)])


def test_every_channel_that_failed_rises_more_than_every_sound_one() -> None:
    joined, failed = recorded()
    n = len(joined)
    usual = np.median(joined.values[n // 4 : n // 2], axis=0)
    rise = np.median(joined.values[-DAY:], axis=0) / usual
    assert np.min(rise[failed]) > 1.05 > np.max(rise[~failed])


@pytest.mark.parametrize(("kind", "share"), [("autoencoder", 1.0), ("forecaster", 0.2)])
def test_a_model_of_healthy_rows_is_quiet_in_health_and_names_what_fails(
    kind: str, share: float
) -> None:
    joined, failed = recorded()
    healthy = msgspec.convert({"name": "ims", "kind": kind, "trials": 0}, Options)
    half = len(joined) // 2
    seen = Recording(
        path=joined.path,
        sha256=joined.sha256,
        signals=joined.signals,
        times_ns=joined.times_ns[:half],
        values=joined.values[:half],
    )
    made = train([seen], healthy, load_profiles())
    detector = learned(written(made.card), made.model)[1]()
    scores, shares = [], []
    for row in joined.values.tolist():
        x = dict(zip(joined.signals, row, strict=True))
        scores.append(detector.score_one(x))
        named = detector.explain_one(x)
        shares.append([named[name] for name in joined.signals])
        detector.learn_one(x)
    unusual = np.array(scores) >= 0.95
    assert np.mean(unusual[:half]) < 0.01
    assert np.mean(unusual[-DAY:]) >= share
    assert np.mean(np.array(shares)[-DAY:, failed].sum(axis=1)) > 0.6
