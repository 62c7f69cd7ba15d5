"""The constants of the scoring core, each with its reason."""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.layout import LANE

MOST_NOTICE: Final = int(np.iinfo(LANE["notice"]).max)  #: what the state has room for


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
    #: a row counts as at most so many sigma (Huber), so that spikes teach next to nothing
    clip: float = 3.0
    #: beyond it a row is suspicious, and not learned when it leapt there
    suspicious: float = 5.0
    #: an onset stands for so many readings of its signal, so that people see it; at most 127
    notice_rows: float = 30.0

    #: evidence (-ln p over the root of the layers) that makes an onset alarm in the first 1000 rows
    onset_limit: float = 1.25
    #: it grows by so much for each e-fold of the rows: the alarms of a healthy signal die out
    onset_growth: float = 1.25
    #: fifteen readings beyond the 95 % quantile must be known before evidence counts
    onset_rows: float = 300.0
    #: rows without a second alarm: at least, and as a share of all rows seen
    onset_pause: float = 30.0
    onset_pause_share: float = 0.05
    #: three onsets within it are no chance any more; without one for as long, they are over
    again_span_s: float = 7 * 86_400.0
    #: share of a row in the evidence: two strange rows count more than one twice as strange
    evidence_share: float = 0.25
    #: 1 / sqrt(layers): independent layers keep the spread of one
    layer_weight: float = 3**-0.5
    #: after a gap of so many usual intervals, and so long, the level is learned anew
    gap_rows: float = 20.0
    gap_s: float = 6 * 3600.0
    #: share of a row in a signal's spread: two weeks at five minutes, or a weekend forgets the week
    spread_share: float = 1 / 4096
    #: rows after a start or a long gap that are no evidence
    settle_rows: float = 100.0
    #: least scale of the excesses: level (mean absolute deviations), season (the same), pattern
    level_least: float = 0.1
    season_least: float = 0.25
    pattern_least: float = 0.05
    #: readings that start a tail; then the share of a row in its quantile and of an excess in it
    tail_rows: float = 20.0
    tail_rate: float = 1 / 200
    tail_share: float = 1 / 128
    #: an excess teaches as at most so many scales
    tail_clip: float = 8.0
    #: readings of a part of the day that are remembered
    season_rows: float = 64.0
    #: a row widens the range of the pattern by at most so much of it, over the rows so far
    range_rows: float = 64.0
    #: share of a row in the pattern: about the last four
    pattern_share: float = 0.25

    #: the early state needs so many rows, and so much memory for where a signal was
    early_rows: float = 100.0
    early_share: float = 1 / 384
    #: share of a row in its quick mean; weight of the wander of block means beside the noise
    early_fast: float = 1 / 16
    early_wander: float = 6.0
    #: the square of the distance that begins it grows by this for each e-fold of rows beyond 1000
    early_growth: float = 1.0
    #: in the first days evidence counts by the way to that distance: as it is at this share of it
    early_even: float = 0.5
    #: it ends at this share of where it began, or after this share of all rows before it
    early_off: float = 0.7
    early_longest: float = 0.75

    #: the healthy reference needs so many rows: standard error of its spread below 10 %
    reference_rows: int = 60
    #: and so long: three daily cycles, or every morning looks like a fault
    reference_span_s: float = 3 * 86_400.0
    #: sisters of the same type count as this share of it while it is learned
    lent: float = 1 / 3
    #: then it still grows by healthy rows until a week, with its weekend, is in it
    freeze_span_s: float = 7 * 86_400.0
    #: spread of a reference that has seen no weekend yet is taken wider by this
    provisional: float = 1.25
    #: residual spread is at least this share of the raw one: three days show too little
    residual_floor: float = 0.25
    #: ridge on the standardised contexts: flow and speed say nearly the same
    ridge: float = 0.02

    #: cumulative sum: half of the smallest lasting shift of interest, sigma (Page)
    slack: float = 1.0
    #: time in which one sigma beyond the slack adds 1; so 2 sigma are held within a day
    shift_span_s: float = 5 * 3600.0
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
    #: of what was heard once nobody knows the interval: many devices report once a day
    dropout_unknown_s: float = 36 * 3600.0

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
        if self.notice_rows > MOST_NOTICE:
            raise ValueError(f"notice_rows must be at most {MOST_NOTICE}")

    def record(self) -> NDArray[Any]:
        """Return the constants as one record (1,) of float64, as the kernels read them."""
        names = [field.name for field in fields(self)]
        row = np.zeros(1, np.dtype([(name, "f8") for name in names]))
        for name in names:
            row[name] = float(getattr(self, name))
        return row
