"""The constants of the scoring core, each with its reason."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Constants of the default detector. Scales ("sigma") are the signal's own, so no units.

    Sources: Huber, Robust estimation of a location parameter (1964), for clipped learning; Page,
    Continuous inspection schemes, Biometrika 41 (1954), for the cumulative sum; Sen, JASA 63
    (1968), for the trend (see `models.life.trend`).
    """

    #: rows until a new signal is scored at all: fewer say nothing about its spread
    warm_rows: int = 16
    #: share of a row in the adaptive level; 1/256 follows the hour at one row a minute
    level_share: float = 1 / 256
    #: share of a row in the fast mean: about the mean of the last seven
    fast_share: float = 1 / 4
    #: a row moves the level by at most so many sigma (Huber), so that spikes teach nothing
    clip: float = 3.0
    #: beyond it a row is suspicious and does not widen the spread
    suspicious: float = 5.0
    #: the fast mean so many sigma off the level is an onset; it ends at half of that
    level_on: float = 4.0
    #: sigma at which one signal alone brings the fused score to 0.5
    half_score: float = 5.0

    #: the healthy reference needs so many rows: standard error of its spread below 10 %
    reference_rows: int = 60
    #: and so long: three daily cycles, or every morning looks like a fault
    reference_span_s: float = 3 * 86_400.0
    #: then it still grows by healthy rows until a week, with its weekend, is in it
    freeze_span_s: float = 7 * 86_400.0
    #: spread of a reference that has seen no weekend yet is taken wider by this
    provisional: float = 1.25
    #: residual spread is at least this share of the raw one: three days show too little
    residual_floor: float = 0.25
    #: ridge on the standardised contexts: flow and speed say nearly the same
    ridge: float = 0.02

    #: cumulative sum: half of the smallest lasting shift of interest, sigma (Page)
    slack: float = 1.5
    #: time in which one sigma beyond the slack adds 1; a quarter of a day evens out the day
    shift_span_s: float = 6 * 3600.0
    #: sums where a shift begins and ends; it never exceeds twice the former, so recovery ends it
    shift_on: float = 3.0
    shift_off: float = 1.0
    #: one row counts as at most so many sigma
    shift_clip: float = 6.0
    #: a shift of less than this share of the way to a limit does not matter to anyone
    material: float = 0.1

    #: a part's own indicator always moves: only a fifth of the way to its limit is a shift
    material_wear: float = 0.2

    #: silence of so many usual intervals, and at least `dropout_min_s`, is a dropout
    dropout_intervals: float = 10.0
    dropout_min_s: float = 60.0

    #: health moved by so many points: worth telling; it moves in steps of `health_step`
    health_told: float = 5.0
    health_step: float = 2.0
    #: a life band is told again when its middle moved by this share
    life_told: float = 0.1
    #: an assessment at least so often in the machine's time
    report_every_s: float = 6 * 3600.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise ValueError(f"{field.name} must be above 0")

    def record(self) -> NDArray[Any]:
        """Return the constants as one record (1,) of float64, as the kernels read them."""
        names = [field.name for field in fields(self)]
        row = np.zeros(1, np.dtype([(name, "f8") for name in names]))
        for name in names:
            row[name] = float(getattr(self, name))
        return row
