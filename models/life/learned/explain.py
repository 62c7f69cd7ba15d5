"""Why a forecast is what it is: the signals that drive it, and what similar past units did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.life.learned.card import Card
from models.life.learned.prognosis import Prognosis
from models.life.learned.runs import Floats, Runs, Whole

ALIKE_SHOWN: Final = 5  #: past units that stood where one stands
ALIKE: Final = 0.1  #: share of the largest remaining life by which forecasts may differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """A past unit at the time when its forecast was most like this one.

    `left` is what it then really had left, in the unit of time; more than that if not `failed`.
    """

    unit: str
    time: float
    forecast: float
    left: float
    failed: bool


def drivers(prognosis: Prognosis, runs: Runs, rows: Whole) -> Floats:
    """Return by how much each signal moves the forecast of some rows, (rows, s), unit of time.

    The forecast with the signal minus the one without it, as if it had never been measured; the
    signals are those of the card, in its order. A negative number shortens the life.
    """
    signals = prognosis.card.signals
    lives, _ = prognosis.lives(runs)
    runs, rows = lives.runs, lives.place[rows]
    whole = prognosis.points(prognosis.features(runs)[rows])
    effect = np.empty((len(rows), len(signals)))
    for k, signal in enumerate(signals):
        others = runs.arranged(tuple(name for name in signals if name != signal))
        effect[:, k] = whole - prognosis.points(prognosis.features(others)[rows])
    return effect


def similar(card: Card, age: float, forecast: float) -> list[Similar]:
    """Return past units that stood where this one stands, the most alike first."""
    found: list[tuple[float, int, Similar]] = []
    for past in card.past:
        off = np.abs(np.array(past.forecast) - forecast) / card.top
        apart = np.abs(np.array(past.time) - age) / card.typical
        at = int(np.argmin(off + 0.5 * apart))
        if off[at] <= ALIKE:
            one = Similar(
                unit=past.unit,
                time=past.time[at],
                forecast=past.forecast[at],
                left=past.end - past.time[at],
                failed=past.failed,
            )
            found.append((float(off[at] + 0.5 * apart[at]), len(found), one))
    return [one for _, _, one in sorted(found)[:ALIKE_SHOWN]]
