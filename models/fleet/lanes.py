"""From a profile to the configuration of lanes: limits, roles, which checks matter."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.fleet.layout import (
    AGAIN,
    BOUND,
    CONDITION,
    CONTEXT,
    CONTEXTS,
    COUNTER,
    DETECTOR,
    HISTORY,
    LANE,
    MACHINE,
    NEVER,
    SHIFT,
    UNTIMED,
)
from models.profile import Limits, Profile, Signal

ROLES: Final[Mapping[str, int]] = {"condition": CONDITION, "context": CONTEXT, "counter": COUNTER}
DETECTED: Final = "detector:"  #: names of lanes that hold the scores of a plug-in detector
DETECTED_AT: Final = 0.95  #: a plug-in's score from here on counts as unusual
#: what a lane learned of a part that is gone
FORGOTTEN: Final = (
    *("learned", "fast", "level", "spread", "armed", "frozen", "first_ns", "count", "mean"),
    *("beyond_ns", "sigma", "slack", "expected", "rise", "fall"),
)
_UNSEEN: Final = Signal()


def grown(array: NDArray[Any], count: int) -> NDArray[Any]:
    """Return the array, or a copy of at least twice its length that holds row `count`."""
    if count < len(array):
        return array
    bigger = np.zeros(max(2 * len(array), count + 1, 16), array.dtype)
    bigger[: len(array)] = array
    return bigger


def new_lane() -> NDArray[Any]:
    """Return the state (1,) of a signal that was never heard."""
    lane = np.zeros(1, LANE)
    lane["next"] = lane["history"] = lane["onset"] = -1
    lane["step"] = np.inf
    lane["last"] = np.nan
    lane["expected"] = np.nan
    return lane


def new_machine(data_clock: bool) -> NDArray[Any]:
    """Return the state (1,) of a machine that was never heard."""
    machine = np.zeros(1, MACHINE)
    machine["data_clock"] = int(data_clock)
    machine["first"] = -1
    machine["health"] = machine["told_health"] = 100.0
    machine["context"] = np.nan
    return machine


def new_history(lane: int) -> NDArray[Any]:
    """Return the history (1,) of a lane without any past."""
    history = np.zeros(1, HISTORY)
    history["lane"] = lane
    history["pending"] = history["before"] = np.inf
    history["raw"] = history["low"] = -np.inf
    history["high"] = np.inf
    return history


def forget(lane: Any) -> None:
    """Make a lane learn its level and its healthy reference anew (a part is new)."""
    fresh = new_lane()[0]
    for field in FORGOTTEN:
        lane[field] = fresh[field]
    gone = int(lane["active"]) & (1 << SHIFT | 1 << AGAIN)
    lane["active"] ^= gone
    if gone:  # no row did it: both are told as of their beginning
        lane["changed"] |= gone | UNTIMED


def contexts(profile: Profile) -> dict[str, int]:
    """Number the signals that explain the others: contexts that do not show wear themselves."""
    names = [n for n, s in profile.signals.items() if s.role == "context" and s.worse == "both"]
    return {name: slot for slot, name in enumerate(names[:CONTEXTS])}


def configure(lane: Any, name: str, profile: Profile) -> None:
    """Write what a profile says of a signal into its lane (also again, after a new version)."""
    signal = profile.said(name) or _UNSEEN
    lane["role"] = DETECTOR if name.startswith(DETECTED) else ROLES[signal.role]
    lane["slot"] = contexts(profile).get(name, -1)
    lane["expected_lane"] = int(name in profile.signals)
    lane["up"] = int(signal.worse != "low")
    lane["down"] = int(signal.worse != "high")
    lane["shifts"] = int(_shift_matters(name, profile))
    high, low = _goals(name, profile)
    lane["wears"] = int(high is not None or low is not None)


def configure_history(history: Any, name: str, profile: Profile) -> None:
    """Write what a profile says of a signal into its history."""
    signal = profile.said(name) or _UNSEEN
    parts = profile.consumables.values()
    lives = (part.rated for part in parts if part.counter == name and part.rated is not None)
    history["counter"] = int(signal.role == "counter")
    history["rated"] = min(lives, default=np.inf)


def bound_of(name: str, profile: Profile) -> NDArray[Any]:
    """Return what a profile allows a signal (1,)."""
    signal = profile.said(name) or _UNSEEN
    limits = Limits(alert_high=DETECTED_AT) if name.startswith(DETECTED) else signal.limits
    bound = np.zeros(1, BOUND)
    bound["indicates"] = any(part.indicator == name for part in profile.consumables.values())
    bound["limited"] = limits != Limits(rate=limits.rate)
    bound["need"], bound["window"] = profile.trigger.n, profile.trigger.m
    for key, missing in (
        ("alert_low", -np.inf),
        ("alarm_low", -np.inf),
        ("alert_high", np.inf),
        ("alarm_high", np.inf),
        ("rate", np.inf),
    ):
        value = getattr(limits, key)
        bound[key] = missing if value is None else value
    high, low = _goals(name, profile)
    bound["goal_high"] = np.nan if high is None else high
    bound["goal_low"] = np.nan if low is None else low
    bound["stuck_ns"] = NEVER if signal.stuck_after_s is None else int(signal.stuck_after_s * 1e9)
    bound["dropout_ns"] = 0 if signal.dropout_after_s is None else int(signal.dropout_after_s * 1e9)
    return bound


def keeps_history(name: str, profile: Profile) -> bool:
    """Whether a component's life is read from this signal."""
    return any(
        name in (part.indicator, part.counter) or (part.norm is not None and name == part.norm.by)
        for part in profile.consumables.values()
    )


def signals_of(component: str, profile: Profile) -> frozenset[str]:
    """Return the signals that speak of a component."""
    part = profile.consumables.get(component)
    names = {part.indicator, part.counter} - {None} if part else set()
    for mode in profile.failure_modes.values():
        if mode.component == component:
            names |= set(mode.signals)
    return frozenset(name for name in names if name is not None)


def _shift_matters(name: str, profile: Profile) -> bool:
    """A lasting shift is looked for unless every failure mode of the signal leaves it out."""
    modes = [mode for mode in profile.failure_modes.values() if name in mode.signals]
    return not modes or any("shift" in mode.checks for mode in modes)


def _goals(name: str, profile: Profile) -> tuple[float | None, float | None]:
    """Return the limits that wear runs into, above and below."""
    for part in profile.consumables.values():
        if part.indicator == name and part.limit is not None:
            return (part.limit, None) if part.worse == "high" else (None, part.limit)
    signal = profile.signals.get(name, _UNSEEN)
    high = signal.limits.alarm_high if signal.worse != "low" else None
    low = signal.limits.alarm_low if signal.worse != "high" else None
    return high, low
