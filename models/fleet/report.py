"""From the state of a machine to the values that people and rules read."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from models.assessment import SENSOR_CHECKS, Assessment, Check, Condition, Contribution, Life, State
from models.fleet import layout as at
from models.profile import Profile

STATES: Final = (
    State.UNKNOWN,
    State.LEARNING,
    State.NORMAL,
    State.ALERT,
    State.ALARM,
    State.SILENT,
)
#: a check as told, its bits in the state (mildest first), and how severe each is
TOLD: Final = (
    (Check.LIMIT_HIGH, (at.ALERT_HIGH, at.ALARM_HIGH), (2, 3)),
    (Check.LIMIT_LOW, (at.ALERT_LOW, at.ALARM_LOW), (2, 3)),
    (Check.RATE, (at.RATE,), (2,)),
    (Check.STUCK, (at.STUCK,), (2,)),
    (Check.DROPOUT, (at.DROPOUT,), (2,)),
    (Check.LEVEL, (at.LEVEL, at.AGAIN), (1, 2)),
    (Check.SHIFT, (at.SHIFT,), (2,)),
)
MOST_CONTRIBUTIONS: Final = 5
MIN_WEIGHT: Final = 0.01


def assess(
    machine: str,
    record: Any,
    lanes: Sequence[tuple[str, Any]],
    profile: Profile,
    lives: Iterable[Life],
) -> Assessment:
    """Read one machine's assessment out of its state. `lanes`: (signal, record) of each."""
    conditions = tuple(c for name, lane in lanes for c in _conditions(name, lane, record))
    return Assessment(
        machine=machine,
        at_ns=int(record["at_ns"]),
        n=int(record["n"]),
        state=STATES[record["state"]],
        score=float(record["score"]),
        health=float(record["health"]),
        coverage=float(record["coverage"]),
        conditions=conditions,
        contributions=_contributions(lanes, profile),
        lives=tuple(lives),
    )


def expected(lane: Any) -> float | None:
    """Return what a signal should be: by the healthy reference if there is one, else its level."""
    if lane["rows"] < 1 or lane["role"] == at.DETECTOR:
        return None
    value = float(lane["expected"] if lane["armed"] else lane["level"])
    return value if np.isfinite(value) else None


def explained(lane: Any, record: Any) -> float | None:
    """Return what the contexts, as they are now, explain of a signal; None if they do not."""
    count = int(record["contexts"])
    slopes = lane["slope"][:count]
    if not lane["armed"] or not slopes.any():
        return None
    off = np.where(slopes != 0.0, record["context"][:count] - lane["c_mean"][:count], 0.0)
    value = float(lane["mean"]) + sum((slopes * off).tolist())
    return value if np.isfinite(value) else None


def _conditions(name: str, lane: Any, record: Any) -> Iterator[Condition]:
    active, changed = int(lane["active"]), int(lane["changed"])
    if not active | changed:
        return
    for check, bits, severities in TOLD:
        now = [i for i, bit in enumerate(bits) if active >> bit & 1]
        moved = [i for i, bit in enumerate(bits) if changed >> bit & 1]
        if not now and not moved:
            continue
        shown = now or moved
        before = any((active ^ changed) >> bit & 1 for bit in bits)
        detector = lane["role"] == at.DETECTOR
        value = None if check is Check.DROPOUT else float(lane["last"])
        odds = float(lane["odds"])
        yield Condition(
            signal=name.partition(":")[2] if detector else name,
            check=Check.DETECTOR if detector else check,
            active=bool(now),
            since_ns=min(int(lane["since_ns"][bits[i]]) for i in shown),
            score=odds / (1.0 + odds),
            severity=1 if detector else max(severities[i] for i in shown),
            onset=bool(now) and not before,
            value=value,
            expected=explained(lane, record) if check in SENSOR_CHECKS else expected(lane),
        )


def _heaviest(lane: Any) -> Check:
    """Name the check that speaks loudest on a signal."""
    active = int(lane["active"])
    for check, bits, _ in TOLD:
        if check is not Check.LEVEL and any(active >> bit & 1 for bit in bits):
            return check
    return Check.SHIFT if max(lane["rise"], lane["fall"]) >= 1.0 and lane["shifts"] else Check.LEVEL


def _contributions(lanes: Sequence[tuple[str, Any]], profile: Profile) -> tuple[Contribution, ...]:
    lanes = [(name, lane) for name, lane in lanes if lane["role"] != at.DETECTOR]
    total = sum(float(lane["odds"]) for _, lane in lanes)
    if total <= 0.0:
        return ()
    found = []
    for name, lane in lanes:
        weight = float(lane["odds"]) / total
        if weight < MIN_WEIGHT:
            continue
        signal = profile.signals.get(name)
        found.append(
            Contribution(
                signal=name,
                check=_heaviest(lane),
                value=float(lane["last"]),
                expected=expected(lane),
                unit=signal.unit if signal else None,
                weight=weight,
            )
        )
    found.sort(key=lambda c: (-c.weight, c.signal))
    return tuple(found[:MOST_CONTRIBUTIONS])
