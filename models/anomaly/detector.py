"""The protocol of plug-in detectors and the table of those that come with forewarn.

The verbs are river's. The built-in detector of `models.fleet` needs none of them; these run beside
it, one for each machine, and are shown as `Check.DETECTOR` until a profile's failure mode names
that check. Their state is not in a snapshot: it is learned again from the rows that follow.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from models.plugins import find

GROUP: Final = "forewarn.detectors"  #: entry points of other packages


class Detector(Protocol):
    """Says how unusual a row is, then learns it. Deterministic: time and chance come from rows."""

    def score_one(self, x: Mapping[str, float]) -> float:
        """Return how unusual a row is, 0 (as always) to 1. Signals may be absent."""
        ...

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Learn one row."""
        ...


Factory = Callable[[], Detector]

#: name -> where its class is; `river` is imported when one of them is asked for
DETECTORS: Final[Mapping[str, str]] = {
    "forest": "models.anomaly.forest:Forest",
    "gaussian": "models.anomaly.gaussian:Gaussian",
    "lof": "models.anomaly.factor:local_outlier_factor",
    "onesvm": "models.anomaly.support:one_class_svm",
}


def detector(name: str) -> Factory:
    """Return what makes a detector; `UnknownPluginError` lists the names there are."""
    made: Factory = find(DETECTORS, GROUP, name)
    return made
