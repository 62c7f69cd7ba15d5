"""What a fleet found in each row, for those who ask: back-tests, comparisons of models."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.fleet.layout import FAULTY, ONSET_ALARM, STAYS


@dataclass(slots=True)
class Trace:
    """What was found in every row, one array (n,) a block, in the order of the blocks.

    `strengths`: the strongest evidence of an onset over its limit, 0 while too little is known;
    `alarms`: bool, onset alarms; `faulty`: bool, a signal is in a lasting shift or, while the daily
    cycle is not known, stays away from where it was.
    """

    scores: list[NDArray[np.float64]] = field(default_factory=list)
    strengths: list[NDArray[np.float64]] = field(default_factory=list)
    alarms: list[NDArray[np.bool_]] = field(default_factory=list)
    faulty: list[NDArray[np.bool_]] = field(default_factory=list)

    def take(
        self,
        items: NDArray[Any],
        scores: NDArray[np.float64],
        strengths: NDArray[np.float64],
        flags: NDArray[np.uint8],
    ) -> None:
        """Add the rows of blocks. `flags`: bits of the watch and the kernel (`layout`)."""
        for item in items[items["machine"] >= 0]:
            first = int(item["first_row"])
            part = slice(first, first + int(item["rows"]))
            self.scores.append(scores[part].copy())
            self.strengths.append(strengths[part].copy())
            self.alarms.append(flags[part] & ONSET_ALARM != 0)
            self.faulty.append(flags[part] & (STAYS | FAULTY) != 0)
