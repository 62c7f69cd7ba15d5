"""One-class support vector machine (Schölkopf et al., Neural Computation 13, 2001) of river.

It is linear; random Fourier features (Rahimi & Recht, NIPS 2007) give it a Gaussian kernel.
"""

from collections.abc import Mapping
from typing import Any, Final

from river.anomaly import OneClassSVM
from river.feature_extraction import RBFSampler

from models.anomaly.calibrated import Calibrated

NU: Final = 0.1  #: at most this share of the rows lies outside
GAMMA: Final = 0.1  #: of the kernel exp(-gamma * distance^2), in standard deviations
COMPONENTS: Final = 100


class Support:
    """How far a row lies outside of the region that holds most rows."""

    def __init__(self) -> None:
        self._features: Any = RBFSampler(gamma=GAMMA, n_components=COMPONENTS, seed=1)
        self._model: Any = OneClassSVM(nu=NU)

    def raw_one(self, x: Mapping[str, float]) -> float:
        """Return the distance beyond the border; negative inside."""
        return -float(self._model.score_one(self._features.transform_one(x)))

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Move the border by one step of its gradient."""
        self._model.learn_one(self._features.transform_one(x))


def one_class_svm() -> Calibrated:
    """Return a detector."""
    return Calibrated(Support())
