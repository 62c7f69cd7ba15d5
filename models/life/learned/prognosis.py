"""Forecasts from an artefact: ONNX Runtime and NumPy, no training library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.life.learned import renewal, windows
from models.life.learned.card import BadArtefact, Card, unpacked
from models.life.learned.graph import life
from models.life.learned.renewal import Lives, Renewal
from models.life.learned.runs import Floats, Runs

#: rows of each call, filled up: sums are then taken in the same order for every row of every file
BATCH: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Remaining life of some rows in the unit of time: 0 <= p05 <= p50 <= p95, (n,) each.

    `age` is that of the part at work, (n,); `renewed` names those that were renewed in mid-run.
    """

    p05: Floats
    p50: Floats
    p95: Floats
    age: Floats
    renewed: list[Renewal]


class Prognosis:
    """A fitted model that is ready to forecast."""

    def __init__(self, artefact: bytes) -> None:
        """Read an artefact; raise BadArtefact if it is not as it was fitted."""
        import onnxruntime  # noqa: PLC0415  the service starts without it

        self.card, model = unpacked(artefact)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        known = windows.names(tuple(self.card.signals), self.card.health)
        if self.card.features != known:
            raise BadArtefact("the card's features are not those of its signals; fit again")
        try:
            self._session: Any = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
            said = self._said(np.zeros((BATCH, len(known)), np.float32))
        except Exception as error:  # onnxruntime has no common base of its errors
            raise BadArtefact(f"the model's graph cannot be run: {error}") from error
        if any(part.shape != (BATCH, 1) or not np.isfinite(part).all() for part in said):
            raise BadArtefact("the model's graph does not say one number for each row; fit again")

    def lives(self, runs: Runs) -> tuple[Lives, list[Renewal]]:
        """Return the lives of the units' parts as each row could tell them, and the renewals."""
        runs = runs.arranged(tuple(self.card.signals))
        z = self.card.conditions.standardised(runs.values)
        renewals = renewal.found(runs, z, self.card.health)
        return renewal.divided(runs, renewals, known=False), renewals.named(runs)

    def features(self, runs: Runs) -> Floats:
        """Return the features of each row of lives, (n, p); absent signals are missing."""
        runs = runs.arranged(tuple(self.card.signals))
        z = self.card.conditions.standardised(runs.values)
        return windows.features(runs, z, self.card.typical, self.card.health)

    def points(self, x: Floats) -> Floats:
        """Return the forecast of rows of features (n, p), (n,), in [0, top]."""
        said = [np.zeros(0)]
        rows = np.zeros((BATCH, x.shape[1]), np.float32)
        for at in range(0, len(x), BATCH):
            rows[: len(x) - at] = x[at : at + BATCH]
            trees, surface = self._said(rows)
            said.append(surface[:, 0] + self.card.blend * (trees[:, 0] - surface[:, 0]))
        return life(np.concatenate(said)[: len(x)], self.card.top)

    def _said(self, rows: NDArray[np.float32]) -> list[Floats]:
        """Return what trees and surface say of BATCH rows of features, (BATCH, 1) each."""
        said: list[Floats] = self._session.run(["trees", "surface"], {"features": rows})
        return said

    def forecast(self, runs: Runs) -> Forecast:
        """Return the forecast of every row; each uses its unit's rows up to itself alone.

        The first row of a unit gets the prior band: what the age alone tells. So does a row of
        which every signal is missing; where some are, the band spans both. Where the health index
        shows a new part in the unit, history and age begin anew.
        """
        lives, renewed = self.lives(runs)
        x = self.features(lives.runs)[lives.place]
        age = lives.runs.time[lives.place]
        bands = self.card.bands.around(self.points(x))
        prior = _prior(self.card, age)
        doubt = self._doubt(x)
        doubt[runs.starts[:-1]] = 1.0
        middle = bands[1] + doubt * (prior[1] - bands[1])
        low = _between(bands[0], np.minimum(bands[0], prior[0]), prior[0], doubt)
        high = _between(bands[2], np.maximum(bands[2], prior[2]), prior[2], doubt)
        return Forecast(
            p05=np.minimum(low, middle),
            p50=middle,
            p95=np.maximum(high, middle),
            age=age,
            renewed=renewed,
        )

    def _doubt(self, x: Floats) -> Floats:
        """Return the share of what the model knows life by that each row has not, (n,)."""
        signals = len(self.card.signals)
        missing: NDArray[np.bool_] = np.isnan(x[:, :signals])
        return np.asarray(np.minimum(missing @ np.array(self.card.weights), 1.0))


def _between(known: Floats, either: Floats, unknown: Floats, doubt: Floats) -> Floats:
    """Return an edge that goes from the model's to the wider of both to the prior's."""
    first, second = np.minimum(2.0 * doubt, 1.0), np.maximum(2.0 * doubt - 1.0, 0.0)
    wide = known + first * (either - known)
    return wide + second * (unknown - wide)


def _prior(card: Card, age: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the band that the age alone gives, (n,) each."""
    low, middle, high = (card.survival.remaining(age, share) for share in (0.05, 0.5, 0.95))
    return np.minimum(low, card.top), np.minimum(middle, card.top), np.minimum(high, card.top)
