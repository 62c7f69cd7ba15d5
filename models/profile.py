"""Machine types as data: what a type of machine has, needs and costs.

Terms follow ISO 14224: component (maintainable item), failure mode, severity. A profile is one TOML
file in `models/profiles/`; adding a type needs no code. Words are pairs `{en = "…", zh = "…"}`.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

import msgspec

from models.channels import UNITS, Bearing, Channel
from models.toml import TomlError, parse

CURVE_POINTS = 21  #: most values of a wear curve

Words = Mapping[str, str]  #: language ("en", "zh") -> text


class ProfileError(ValueError):
    """A profile file is wrong; the message names the file and the key."""


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Limits(_Strict, frozen=True, kw_only=True):
    """Limits in the signal's unit. `alert` asks for planning, `alarm` for action now."""

    alert_low: float | None = None
    alert_high: float | None = None
    alarm_low: float | None = None
    alarm_high: float | None = None
    rate: float | None = None  #: largest believable change a second


class Signal(_Strict, frozen=True, kw_only=True):
    """One measured quantity.

    `role`: a condition is scored, a context explains, a counter counts usage.
    """

    unit: str | None = None
    title: Words = msgspec.field(default_factory=dict)
    role: Literal["condition", "context", "counter"] = "condition"
    limits: Limits = Limits()
    stuck_after_s: float | None = None  #: the same value for so long is a fault of the sensor
    dropout_after_s: float | None = None  #: silence for so long is a dropout (default: see fleet)
    worse: Literal["high", "low", "both"] = "both"  #: which direction means wear


class Norm(_Strict, frozen=True, kw_only=True):
    """An indicator depends on a load too: it is read as value * (nominal / load) ** power."""

    by: str  #: signal of the load, in the same rows
    nominal: float
    power: float = 1.0


class Consumable(_Strict, frozen=True, kw_only=True):
    """A part that is used up.

    Its life comes from a counter (`rated` units of `counter`), from wear (`indicator`, `limit`), or
    from both: then the counter says how much it was used and the indicator what that did to it.
    With a `curve`, and `rated` or `life_d`, wear is followed as a process whose rate is learned for
    each part, from a prior (`rated` or `life_d` with `spread`) that the fleet's old parts correct.
    Without any signal, `life_d` and `spread` give the odds of a part's age.
    """

    title: Words
    part: str  #: part number to order
    lead_time_d: float = 7.0  #: days from order to part at hand
    counter: str | None = None
    rated: float | None = None
    indicator: str | None = None  #: signal that shows the wear
    limit: float | None = None  #: the indicator's failure limit, in its unit
    worse: Literal["high", "low"] = "high"
    curve: tuple[float, ...] = ()  #: usual indicator at equal steps of life, new to the limit
    new_spread: float = 0.0  #: how new parts differ: standard deviation of the indicator
    limit_spread: float = 0.0  #: how failing parts differ: standard deviation of the indicator
    life_d: float | None = None  #: usual life in days where no counter counts the use
    spread: float | None = None  #: how lives differ: standard deviation of life by usual life
    varies: float = 0.5  #: how the use of single days differs: standard deviation by mean use
    varies_for_d: float = 0.0  #: days for which use that differs stays alike (correlation time)
    season: float = 0.0  #: use is 1 + season * cos(days since peak_day), by mean use
    peak_day: float = 0.0  #: day of the year with the most use
    norm: Norm | None = None
    renews: bool = False  #: the counter is the part's own and starts at 0 with a new one

    @property
    def lives_differ(self) -> float:
        """Relative standard deviation of life: `spread`, or 0.1 where use is counted, else 0.3."""
        if self.spread is not None:
            return self.spread
        return 0.1 if self.counter is not None and self.rated is not None else 0.3


class FailureMode(_Strict, frozen=True, kw_only=True):
    """One way in which a component fails, how it shows and what to do about it."""

    component: str  #: a consumable of this profile, or any component's name
    title: Words
    action: Words
    policy: Literal["shadow", "advise", "auto"] = "advise"
    signals: tuple[str, ...] = ()  #: conditions on these signals are evidence for this mode
    checks: tuple[str, ...] = ("limit-high", "limit-low", "shift")
    detectors: tuple[str, ...] = ()  #: plug-in detectors that are evidence; else they only watch
    life: bool = False  #: also raised when the component's life band reaches the planning horizon
    priority: int = 2  #: 1 high .. 3 low
    duration_h: float = 1.0  #: planned hours of work


MOST_ROWS: Final = 64  #: that a `Rule` looks back


class Rule(_Strict, frozen=True, kw_only=True):
    """N of the last M rows must agree before a condition becomes active, and as many to end it."""

    n: int = 3
    m: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.n <= self.m <= MOST_ROWS:
            raise ValueError(f"n is from 1 to m, and m at most {MOST_ROWS}")


class Profile(_Strict, frozen=True, kw_only=True):
    """A type of machine."""

    name: str
    version: int
    title: Words
    signals: Mapping[str, Signal] = msgspec.field(default_factory=dict)
    consumables: Mapping[str, Consumable] = msgspec.field(default_factory=dict)
    failure_modes: Mapping[str, FailureMode] = msgspec.field(default_factory=dict)
    bearings: Mapping[str, Bearing] = msgspec.field(default_factory=dict)
    channels: Mapping[str, Channel] = msgspec.field(default_factory=dict)  #: high-rate channels
    trigger: Rule = Rule()
    planning_d: float = 2.0  #: days a planner needs to place a visit
    visit_d: float = 2.0  #: days from which the customer chooses the one of the visit

    def __post_init__(self) -> None:
        for name, mode in self.failure_modes.items():
            for signal in mode.signals:
                if self.said(signal) is None:
                    raise ValueError(f"failure_modes.{name}.signals: no signal '{signal}'")
            if mode.life and mode.component not in self.consumables:
                raise ValueError(f"failure_modes.{name}.life: no consumable '{mode.component}'")
        for name, part in self.consumables.items():
            for key in ("counter", "indicator"):
                signal = getattr(part, key)
                if signal is not None and signal not in self.signals:
                    raise ValueError(f"consumables.{name}.{key}: no signal '{signal}'")
            if part.norm is not None and part.norm.by not in self.signals:
                raise ValueError(f"consumables.{name}.norm.by: no signal '{part.norm.by}'")
            _check_wear(f"consumables.{name}", part)
        for name, channel in self.channels.items():
            if channel.bearing is not None and channel.bearing not in self.bearings:
                raise ValueError(f"channels.{name}.bearing: no bearing '{channel.bearing}'")
            for feature, signal in channel.signals.items():
                if signal not in self.signals:
                    raise ValueError(f"channels.{name}.signals.{feature}: no signal '{signal}'")

    def said(self, signal: str) -> Signal | None:
        """Return what is known of a signal, also of a channel's feature; None for any other."""
        if signal in self.signals:
            return self.signals[signal]
        name, _, feature = signal.rpartition(".")
        channel = self.channels.get(name)
        if channel is None or feature not in UNITS or feature in channel.signals:
            return None
        return Signal(
            unit=UNITS[feature],
            title=channel.words(name, feature),
            role="context" if feature == "speed" else "condition",
            worse="both" if feature == "speed" else "high",
        )


def _check_wear(where: str, part: Consumable) -> None:
    """Raise `ValueError` for a curve or spread that says nothing."""
    if not 0.0 < part.lives_differ <= 1.0:
        raise ValueError(f"{where}.spread must be above 0 and at most 1, is {part.spread}")
    if part.life_d is not None and part.life_d <= 0.0:
        raise ValueError(f"{where}.life_d must be above 0, is {part.life_d}")
    for name, value in (("varies", part.varies), ("varies_for_d", part.varies_for_d)):
        if not 0.0 <= value < float("inf"):
            raise ValueError(f"{where}.{name} must be a number and at least 0, is {value}")
    if not 0.0 <= part.season < 1.0:
        raise ValueError(f"{where}.season must be at least 0 and below 1, is {part.season}")
    if not part.curve:
        return
    if not 2 <= len(part.curve) <= CURVE_POINTS:
        raise ValueError(f"{where}.curve needs 2 to {CURVE_POINTS} values, has {len(part.curve)}")
    if part.indicator is None or part.limit is None or part.limit != part.curve[-1]:
        raise ValueError(f"{where}.curve needs an indicator and must end at its limit")
    sign = 1.0 if part.worse == "high" else -1.0
    if any(sign * (b - a) <= 0.0 for a, b in pairwise(part.curve)):
        raise ValueError(f"{where}.curve must get worse ({part.worse}) from each value to the next")


def parse_profile(text: str, origin: str = "profile") -> Profile:
    """Read one profile from TOML text; `ProfileError` names line and key of what is wrong."""
    try:
        return parse(text, Profile, origin)
    except TomlError as error:
        raise ProfileError(str(error)) from error


def load_profiles(folder: Path | None = None) -> dict[str, Profile]:
    """Read every `*.toml` of a folder (default: the ones that come with forewarn), by name."""
    root = folder or Path(__file__).parent / "profiles"
    profiles = (parse_profile(p.read_text("utf-8"), p.name) for p in sorted(root.glob("*.toml")))
    return {profile.name: profile for profile in profiles}
