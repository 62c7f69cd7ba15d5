"""Whether a trained model still fits: ADWIN (Bifet & Gavaldà, SDM 2007) of river on its errors."""

from typing import Any, Final

from river.drift import ADWIN

ENOUGH: Final = 200  #: rows that must speak for it
DRIFTED: Final = 0.25  #: mean tail probability; 0.5 when rows are as in the calibration


class ErrorDrift:
    """Says so while rows are, in the mean, further out than three of four calibration rows.

    ADWIN drops what is older than the newest change, so it also says when the rows fit again.
    """

    def __init__(self) -> None:
        made: Any = ADWIN  # its signature is untyped
        self._adwin = made()

    @property
    def drifted(self) -> bool:
        """Whether the model should be trained anew, or the machine looked at."""
        return bool(self._adwin.width >= ENOUGH and self._adwin.estimation < DRIFTED)

    def learn(self, probability: float) -> None:
        """Take the tail probability of one row."""
        self._adwin.update(probability)
