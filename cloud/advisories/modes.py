"""Which failure modes a condition speaks for."""

from collections.abc import Iterator, Mapping
from typing import Final

from cloud.ledger.records import AdvisoryRow
from models.assessment import NOTICE, SENSOR_CHECKS, Assessment, Check, Condition, Life, State
from models.profile import FailureMode, Profile

LIMITS: Final = frozenset({Check.LIMIT_HIGH, Check.LIMIT_LOW})

#: Modes that every machine has, whatever its profile says.
BUILT_IN: Final[Mapping[str, FailureMode]] = {
    "abnormal": FailureMode(
        component="machine",
        title={"en": "Abnormal behaviour", "zh": "运行异常"},
        action={"en": "Look at the signals named below.", "zh": "请检查下列信号。"},
    ),
    "unusual-pattern": FailureMode(
        component="machine",
        title={"en": "Unusual pattern", "zh": "异常模式"},
        action={"en": "Look at the signals named below.", "zh": "请检查下列信号。"},
        policy="shadow",
    ),
    "sensor": FailureMode(
        component="sensor",
        title={"en": "Sensor fault", "zh": "传感器故障"},
        action={
            "en": "Check the sensors named below and their wiring.",
            "zh": "请检查下列传感器及其接线。",
        },
        priority=3,
        duration_h=0.5,
    ),
    "silent": FailureMode(
        component="connection",
        title={"en": "Machine not heard", "zh": "设备失联"},
        action={
            "en": "Check power, network and the agent of the machine.",
            "zh": "请检查设备的电源、网络和采集程序。",
        },
        priority=2,
        duration_h=0.5,
    ),
}


def mode_of(profile: Profile, name: str) -> FailureMode:
    """Return a failure mode of the profile, or one that every machine has."""
    return profile.failure_modes.get(name) or BUILT_IN[name]


def modes_for(condition: Condition, profile: Profile, state: State) -> list[str]:
    """Return the failure modes that a condition is evidence for (empty: it is only a notice).

    A profile's mode counts when it names the check, and the signal or no signal at all (then it
    takes what no other claims). Faults of sensors never speak for wear. One change of level is a
    notice; changes that come back are abnormal unless a mode names them. A limit that no mode
    claims is abnormal; a lasting shift only on signals that no mode claims, since where one does,
    its checks say what matters. Plug-in detectors stay in the shadow until a profile names them.
    """
    check = condition.check
    if check is Check.LEVEL and condition.severity == NOTICE:
        return []
    named = [
        name
        for name, mode in profile.failure_modes.items()
        if (check in mode.checks and condition.signal in mode.signals)
        or (check is Check.DETECTOR and condition.signal in mode.detectors)
    ]
    if named:
        return [] if _for_the_better(condition, profile) else named
    if check in SENSOR_CHECKS:
        return ["silent" if state is State.SILENT and check is Check.DROPOUT else "sensor"]
    if check in {Check.DETECTOR, Check.LEVEL}:
        return ["unusual-pattern" if check is Check.DETECTOR else "abnormal"]
    claimed = any(condition.signal in mode.signals for mode in profile.failure_modes.values())
    if (claimed and check not in LIMITS) or _for_the_better(condition, profile):
        return []
    catch_all = [
        name
        for name, mode in profile.failure_modes.items()
        if not mode.signals and not mode.life and check in mode.checks
    ]
    return catch_all or ["abnormal"]


def _for_the_better(condition: Condition, profile: Profile) -> bool:
    """Whether a shift goes the way that does not mean wear (a pump runs smoother)."""
    signal = profile.said(condition.signal)
    if condition.check is not Check.SHIFT or signal is None or signal.worse == "both":
        return False
    if condition.value is None or condition.expected is None:
        return False
    if signal.worse == "high":
        return condition.value < condition.expected
    return condition.value > condition.expected


def band_now(
    advisory: AdvisoryRow, now: Assessment | None, profile: Profile
) -> tuple[Life | None, int | None]:
    """Return the band of what an advisory is about, by the newest assessment, and its time.

    Where that has none, the one that the advisory keeps.
    """
    known = dict(lives_by_mode(now, profile)).get(advisory.mode) if now is not None else None
    if now is not None and known is not None and known.p50_s is not None:
        return known, now.at_ns
    return advisory.life, advisory.life_at_ns


def lives_by_mode(assessment: Assessment, profile: Profile) -> Iterator[tuple[str, Life]]:
    """Pair each life band with the failure mode that it counts down to."""
    for life in assessment.lives:
        if life.mode in profile.failure_modes:
            if profile.failure_modes[life.mode].life:
                yield life.mode, life
            continue
        for name, mode in profile.failure_modes.items():
            if mode.life and mode.component == life.component:
                yield name, life
                break
