from typing import Any

import msgspec

from models.assessment import Assessment, Check, Condition, Life, State
from models.profile import Profile, parse_profile

PUMP = """
name = "pump"
version = 3
title = { en = "Pump", zh = "泵" }
planning_d = 2.0
visit_d = 0.0
[signals.vibration]
unit = "mm/s"
worse = "high"
[signals.pressure]
worse = "low"
[consumables.bearing]
title = { en = "Bearing", zh = "轴承" }
part = "6309"
lead_time_d = 5.0
indicator = "vibration"
limit = 7.1
[failure_modes.bearing-wear]
component = "bearing"
title = { en = "Bearing wear", zh = "轴承磨损" }
action = { en = "Replace both bearings.", zh = "更换两端轴承。" }
policy = "auto"
signals = ["vibration"]
checks = ["limit-high", "shift"]
life = true
priority = 2
duration_h = 4.0
[failure_modes.loss-of-head]
component = "impeller"
title = { en = "Loss of head", zh = "扬程下降" }
action = { en = "Check the impeller.", zh = "检查叶轮。" }
policy = "advise"
signals = ["pressure"]
checks = ["limit-low"]
[failure_modes.cavitation]
component = "impeller"
title = { en = "Cavitation", zh = "汽蚀" }
action = { en = "Check suction.", zh = "检查吸入口。" }
policy = "shadow"
signals = ["pressure"]
checks = ["shift"]
"""
GENERIC = """
name = "generic"
version = 1
title = { en = "Machine", zh = "设备" }
[failure_modes.abnormal]
component = "machine"
title = { en = "Abnormal behaviour", zh = "运行异常" }
action = { en = "Look at the signals.", zh = "请检查信号。" }
"""
MACHINE = "acme.pump1"
SECOND = 10**9
DAY = 86_400 * SECOND
T0 = 1_700_000_000 * SECOND


def profiles() -> dict[str, Profile]:
    return {"pump": parse_profile(PUMP), "generic": parse_profile(GENERIC)}


class Clock:
    """A wall clock that the test moves."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> int:
        self.now += 1000  # ns; never the same twice
        return self.now


def high(
    *, at_ns: int = T0, active: bool = True, severity: int = 2, signal: str = "vibration"
) -> Condition:
    return Condition(
        signal=signal,
        check=Check.LIMIT_HIGH,
        active=active,
        since_ns=at_ns,
        score=0.9,
        severity=severity,
        onset=active,
        value=5.0,
        expected=4.5,
    )


def band(p10_d: float, p50_d: float, p90_d: float) -> Life:
    return Life(
        component="bearing",
        mode="bearing-wear",
        basis="trend",
        p10_s=p10_d * 86_400,
        p50_s=p50_d * 86_400,
        p90_s=p90_d * 86_400,
        fraction=0.2,
        signal="vibration",
    )


def assess(
    n: int,
    *conditions: Condition,
    at_ns: int | None = None,
    lives: tuple[Life, ...] = (),
    machine: str = MACHINE,
    revision: int = 0,
) -> Assessment:
    return Assessment(
        machine=machine,
        at_ns=T0 + n * SECOND if at_ns is None else at_ns,
        n=n,
        state=State.ALERT if conditions else State.NORMAL,
        score=0.5,
        health=60.0,
        coverage=0.9,
        conditions=conditions,
        lives=lives,
        revision=revision,
    )


def replaced(condition: Condition, **fields: Any) -> Condition:
    return msgspec.structs.replace(condition, **fields)
