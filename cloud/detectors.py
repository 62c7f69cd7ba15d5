"""Which plug-in detectors run for which profile, from the settings.

A detector is named by its entry in `models.anomaly`, by an entry point of another package, or by
the path of a trained model (`NAME.onnx` with its card). All of them only watch, until a failure
mode of the profile names them; a trained model may only be named there once it was activated.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from cloud.errors import SettingsError
from models.anomaly.card import ModelError
from models.anomaly.detector import Detector, Factory, detector
from models.anomaly.learned import Learned, load
from models.plugins import BrokenPluginError, UnknownPluginError
from models.profile import Profile

MODEL: Final = ".onnx"
log = logging.getLogger(__name__)


class Watched:
    """A trained model whose drift is said in the log, once when it begins and once when it ends."""

    def __init__(self, inner: Learned, profile: str) -> None:
        self._inner = inner
        self._profile = profile
        self._told = False

    def score_one(self, x: Mapping[str, float]) -> float:
        """Return the model's score."""
        return self._inner.score_one(x)

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Let the model see the row."""
        self._inner.learn_one(x)
        if self._inner.drifted != self._told:
            self._told = self._inner.drifted
            log.warning(
                "detector %s on a machine of %s: %s",
                self._inner.card.name,
                self._profile,
                "its rows no longer fit the model: look at the machine, or train it anew"
                if self._told
                else "its rows fit the model again",
            )


def detectors_of(
    named: Mapping[str, Sequence[str]], profiles: Mapping[str, Profile]
) -> dict[str, dict[str, Factory]]:
    """Return profile -> detector's name -> factory. `SettingsError` names the entry."""
    return {
        profile: dict(
            _one(f"detectors.{profile}", profile, name, profiles[profile]) for name in names
        )
        for profile, names in named.items()
        if _known(profile, profiles)
    }


def _known(profile: str, profiles: Mapping[str, Profile]) -> bool:
    if profile not in profiles:
        known = ", ".join(profiles)
        raise SettingsError(f"detectors.{profile}: there is no such profile: use {known}")
    return True


def _one(key: str, name: str, entry: str, profile: Profile) -> tuple[str, Factory]:
    try:
        if not entry.endswith(MODEL):
            return entry, detector(entry)
        from models.anomaly.drift import ErrorDrift  # noqa: PLC0415  brings river, 150 MB

        card, make = load(Path(entry), ErrorDrift)
    except (ModelError, UnknownPluginError, BrokenPluginError) as error:
        raise SettingsError(f"{key}: {error}") from error
    modes = [mode for mode, said in profile.failure_modes.items() if card.name in said.detectors]
    if modes and card.state != "active":
        raise SettingsError(
            f"{key}: failure mode {modes[0]} of {name} counts on {card.name}, which is still in "
            f"the shadow: forewarn train activate {entry}"
        )
    return card.name, _watched(make, name)


def _watched(make: Callable[[], Learned], profile: str) -> Callable[[], Detector]:
    return lambda: Watched(make(), profile)
