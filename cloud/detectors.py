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


#: (profile, trained model) -> machines whose rows no longer fit it
Drifts = dict[tuple[str, str], int]


class Watched:
    """A trained model whose drift is counted, and said in the log when it begins and when it ends.

    `drifts` has an entry of the model for its profile.
    """

    def __init__(self, inner: Learned, profile: str, drifts: Drifts) -> None:
        self._inner = inner
        self._profile = profile
        self._drifts = drifts
        self._told = False

    def score_one(self, x: Mapping[str, float]) -> float:
        """Return the model's score."""
        return self._inner.score_one(x)

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Let the model see the row."""
        self._inner.learn_one(x)
        if self._inner.drifted != self._told:
            self._told = self._inner.drifted
            self._drifts[self._profile, self._inner.card.name] += 1 if self._told else -1
            log.warning(
                "detector %s on a machine of %s: %s",
                self._inner.card.name,
                self._profile,
                "its rows no longer fit the model: look at the machine, or train it anew"
                if self._told
                else "its rows fit the model again",
            )


def detectors_of(
    named: Mapping[str, Sequence[str]],
    profiles: Mapping[str, Profile],
    drifts: Drifts | None = None,
) -> dict[str, dict[str, Factory]]:
    """Return profile -> detector's name -> factory. `SettingsError` names the entry.

    `drifts` gets an entry for each trained model; its detectors keep it up to date.
    """
    counted: Drifts = {} if drifts is None else drifts
    return {
        profile: dict(
            _one(f"detectors.{profile}", profile, name, profiles[profile], counted)
            for name in names
        )
        for profile, names in named.items()
        if _known(profile, profiles)
    }


def _known(profile: str, profiles: Mapping[str, Profile]) -> bool:
    if profile not in profiles:
        known = ", ".join(profiles)
        raise SettingsError(f"detectors.{profile}: there is no such profile: use {known}")
    return True


def _one(key: str, name: str, entry: str, profile: Profile, drifts: Drifts) -> tuple[str, Factory]:
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
    drifts[name, card.name] = 0
    return card.name, _watched(make, name, drifts)


def _watched(make: Callable[[], Learned], profile: str, drifts: Drifts) -> Callable[[], Detector]:
    return lambda: Watched(make(), profile, drifts)
