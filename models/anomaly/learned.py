"""A trained model as a detector: how badly an ONNX model reconstructs or foretells a row.

Square prediction error over standardised residuals (Jackson & Mudholkar, Technometrics 21, 1979),
turned into a tail probability by the card's calibration. The weights are frozen, so a fault is
never learned. One row a run and one thread: the same bits however the stream is cut, and on every
replay on the same type of processor with the same onnxruntime.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.anomaly.card import Card, ModelError, read
from models.anomaly.files import contents
from models.anomaly.tail import score_of

INPUT_CLIP: Final = 8.0  #: standard deviations; the network saw nothing further out
FAR: Final = 1e6  #: standard deviations; further out is no more unusual

Vector = NDArray[np.float64]


class Drift(Protocol):
    """Watches whether rows are still like those of the calibration."""

    @property
    def drifted(self) -> bool:
        """Whether they have not been for long."""
        ...

    def learn(self, probability: float) -> None:
        """Take the tail probability of one row: uniform from 0 to 1 while the model fits."""
        ...


class Learned:
    """A detector from a card and an onnxruntime session.

    `score_one` is 0 while a forecaster has not seen its lags, and for a row with none of the
    model's signals. `learn_one` fills the lags and lets the drift monitor see the error.
    """

    def __init__(self, card: Card, session: Any, drift: Drift | None = None) -> None:
        self.card = card
        self._session = session
        self._input = session.get_inputs()[0].name
        self._drift = drift
        self._centre = np.array([f.centre for f in card.features])
        self._scale = np.array([f.scale for f in card.features])
        self._residual = np.array([f.residual for f in card.features])
        self._past: deque[Vector] = deque(maxlen=card.lags)
        self._known: tuple[dict[str, float], Vector] | None = None

    @property
    def drifted(self) -> bool:
        """Whether rows have not fitted the model for so long that it should be trained anew."""
        return self._drift is not None and self._drift.drifted

    def score_one(self, x: Mapping[str, float]) -> float:
        """Return the score of the tail probability of the row's error."""
        error = self.error_one(x)
        return 0.0 if error is None else score_of(self.card.tail.probability(error))

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Take the row into the lags; the weights stay as they are."""
        if self._drift is not None and (error := self.error_one(x)) is not None:
            self._drift.learn(self.card.tail.probability(error))
        if self.card.lags:
            self._past.append(np.nan_to_num(self._standard(x)))
            self._known = None

    def error_one(self, x: Mapping[str, float]) -> float | None:
        """Return the RMS of the residuals, 1 in training; None when nothing can be said."""
        residuals = self._residuals(x)
        known = np.isfinite(residuals)
        if not known.any():
            return None
        return math.sqrt(float(np.mean(residuals[known] ** 2)))

    def explain_one(self, x: Mapping[str, float]) -> dict[str, float]:
        """Return each signal's share of the blame for the row's error, the largest first.

        The blame is by how much the squared error falls when the signal is taken as missing: a
        wrong value also spoils what is expected of the others (reconstruction-based contribution,
        Alcala & Qin, Automatica 45, 2009). One more run of the model for each signal.
        """
        whole = _square(self._residuals(x))
        blame = {
            name: max(whole - _square(self._run({k: v for k, v in x.items() if k != name})), 0.0)
            for name in self.card.signals
        }
        total = sum(blame.values()) or 1.0
        return {name: blame[name] / total for name in sorted(blame, key=lambda n: -blame[n])}

    def _standard(self, x: Mapping[str, float]) -> Vector:
        row = np.array([x.get(name, math.nan) for name in self.card.signals])
        return np.asarray(np.clip((row - self._centre) / self._scale, -FAR, FAR))

    def _residuals(self, x: Mapping[str, float]) -> Vector:
        """Return standardised residuals (k,); those just asked for are not computed twice."""
        if self._known is None or self._known[0] != x:
            self._known = (dict(x), self._run(x))
        return self._known[1]

    def _run(self, x: Mapping[str, float]) -> Vector:
        """Return standardised residuals (k,), NaN where the row has no value."""
        row = self._standard(x)
        if len(self._past) < self.card.lags:
            return np.full_like(row, math.nan)
        given = np.concatenate([*self._past]) if self.card.lags else np.nan_to_num(row)
        given = np.clip(given, -INPUT_CLIP, INPUT_CLIP).astype(np.float32)
        expected = self._session.run(None, {self._input: given[np.newaxis]})[0]
        return np.asarray((row - expected[0].astype(np.float64)) / self._residual)


def _square(residuals: Vector) -> float:
    return float(np.nansum(residuals**2))


def session_of(model: bytes, card: Card, origin: str = "model") -> Any:
    """Return an onnxruntime session of one thread; `ModelError` when it does not fit the card."""
    try:
        import onnxruntime  # noqa: PLC0415  only where a model is run
    except ImportError:
        raise ModelError(
            f"{origin}: onnxruntime is not installed: pip install 'forewarn[onnx]'"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        made = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no common base of its errors
        raise ModelError(f"{origin}: onnxruntime does not load the model: {error}") from error
    width = len(card.features)
    wanted = [width * max(card.lags, 1)], [width]
    shapes = [list(s.shape[1:]) for s in (*made.get_inputs(), *made.get_outputs())]
    if shapes != list(wanted):
        raise ModelError(f"{origin}: the model has shapes {shapes}, its card needs {list(wanted)}")
    return made


def learned(
    text: bytes, model: bytes, origin: str = "model", drift: Callable[[], Drift] | None = None
) -> tuple[Card, Callable[[], Learned]]:
    """Return the card and what makes detectors of a model's two files, each with its `drift`.

    The detectors share one session, which keeps nothing from row to row. `ModelError` says what is
    wrong with the files.
    """
    card = read(text, model, origin)
    session = session_of(model, card, origin)
    return card, lambda: Learned(card, session, None if drift is None else drift())


def load(
    model: Path, drift: Callable[[], Drift] | None = None
) -> tuple[Card, Callable[[], Learned]]:
    """Return the same of the files on disk; `ModelError` says what is wrong with one of them."""
    return learned(*contents(model), str(model), drift)
