"""Forecasts from an artefact: ONNX Runtime and NumPy, no training library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.life.learned import renewal, windows
from models.life.learned.card import BadArtefact, Card, unpacked
from models.life.learned.graph import life
from models.life.learned.outliers import FAR
from models.life.learned.renewal import Lives, Renewal
from models.life.learned.runs import Floats, Runs, Whole

#: rows of each call, filled up: sums are then taken in the same order for every row of every file
BATCH: Final = 256
CELLS: Final = 1 << 20  #: of a grid of units by rows, of those that are taken together


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
        shows a new part in the unit, history and age begin anew. Units are taken some at a time:
        memory grows with their number times the longest.
        """
        done = [self._forecast(runs.pick(units)) for units in _some(runs.counts)]
        return Forecast(
            p05=np.concatenate([one.p05 for one in done]),
            p50=np.concatenate([one.p50 for one in done]),
            p95=np.concatenate([one.p95 for one in done]),
            age=np.concatenate([one.age for one in done]),
            renewed=[renewal for one in done for renewal in one.renewed],
        )

    def absurd(self, runs: Runs) -> NDArray[np.bool_]:
        """Return which cells lie `FAR` standard deviations from all that was fitted, (n, s).

        Each is judged by the card alone, so that a row's forecast knows nothing later.
        """
        found = np.zeros(runs.values.shape, bool)
        known = self.card.conditions
        for name, middle, spread in zip(self.card.signals, known.middle, known.spread, strict=True):
            if name in runs.signals:
                at = runs.signals.index(name)
                found[:, at] = np.abs(runs.values[:, at] - middle) > FAR * abs(spread)
        return found

    def _forecast(self, runs: Runs) -> Forecast:
        lives, renewed = self.lives(runs)
        x = self.features(lives.runs)[lives.place]
        age = lives.runs.time[lives.place]
        bands = self.card.bands.around(self.points(x), age)
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


def _some(counts: Whole) -> Iterator[Whole]:
    """Yield the units, (u,) rows each, in their order and as many at a time as `CELLS` allows."""
    first = longest = 0
    for unit, rows in enumerate(counts):
        longest = max(longest, int(rows))
        if unit > first and longest * (unit + 1 - first) > CELLS:
            yield np.arange(first, unit)
            first, longest = unit, int(rows)
    yield np.arange(first, len(counts))


def _between(known: Floats, either: Floats, unknown: Floats, doubt: Floats) -> Floats:
    """Return an edge that goes from the model's to the wider of both to the prior's."""
    first, second = np.minimum(2.0 * doubt, 1.0), np.maximum(2.0 * doubt - 1.0, 0.0)
    wide = known + first * (either - known)
    return wide + second * (unknown - wide)


def _prior(card: Card, age: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the band that the age alone gives, (n,) each."""
    low, middle, high = (card.survival.remaining(age, share) for share in (0.05, 0.5, 0.95))
    return np.minimum(low, card.top), np.minimum(middle, card.top), np.minimum(high, card.top)
