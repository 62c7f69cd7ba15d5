"""From the state of a machine to the values that people and rules read."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from models.assessment import (
    SENSOR_CHECKS,
    Assessment,
    Check,
    Comparison,
    Condition,
    Contribution,
    Life,
    State,
)
from models.fleet import layout as at
from models.fleet.terms import Terms
from models.fleet.witnesses import explained
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
BITS: Final = tuple(sum(1 << bit for bit in bits) for _, bits, _ in TOLD)  #: of each check
ONSETS: Final = 1 << at.LEVEL | 1 << at.AGAIN
APART: Final = 3.0  #: standard deviations from which what others say is worth a word
MOST_CONTRIBUTIONS: Final = 5
MIN_WEIGHT: Final = 0.01


def assess(  # noqa: PLR0917  what a machine is made of
    machine: str,
    record: Any,
    lanes: Sequence[tuple[str, Any]],
    profile: Profile,
    lives: Iterable[Life],
    said: Mapping[str, tuple[Comparison, ...]],
    since: Mapping[str, Mapping[int, int]],
    terms: Terms,
) -> Assessment:
    """Read one machine's assessment out of its state.

    `lanes`: (signal, record) of each; `said`: what others say of some (`witnesses`); `since`:
    when checks of some began or ended; `terms`: what the contexts explain.
    """
    conditions = tuple(
        c
        for name, lane in lanes
        if name in since
        for c in _conditions(name, lane, record, said.get(name, ()), since[name], terms)
    )
    return Assessment(
        machine=machine,
        at_ns=int(record["at_ns"]),
        n=int(record["n"]),
        state=STATES[record["state"]],
        score=float(record["score"]),
        health=float(record["health"]),
        coverage=float(record["coverage"]),
        conditions=conditions,
        contributions=tuple(_contributions(lanes, profile, said)),
        lives=tuple(lives),
    )


def expected(lane: Any, said: Sequence[Comparison] = ()) -> float | None:
    """Return what a signal should be: by its healthy reference, else by its sisters or its level.

    `said`: what others say of it.
    """
    if lane["rows"] < 1 or lane["role"] == at.DETECTOR:
        return None
    lent = [one.expected for one in said if one.sisters]
    if lent and not lane["armed"]:
        return lent[0]
    value = float(lane["expected"] if lane["armed"] else lane["level"])
    return value if math.isfinite(value) else None


def _replaced(lane: Any, record: Any, said: Sequence[Comparison], terms: Terms) -> float | None:
    """Return what stands in for a signal of a bad sensor; None if nothing does."""
    partners = [one.expected for one in said if one.beside is not None]
    return partners[0] if partners else explained(lane, record, terms)


@lru_cache(maxsize=1_024)
def _shown(active: int, changed: int) -> tuple[tuple[Check, bool, tuple[int, ...], int, bool], ...]:
    """Return what the bits of a signal tell, the mildest first.

    Of each check: whether it is active, its bits, how severe it is, and whether it begins.
    """
    found = []
    for (check, bits, severities), mask in zip(TOLD, BITS, strict=True):
        if not (active | changed) & mask:
            continue
        told = active & mask or changed
        shown = [i for i, bit in enumerate(bits) if told >> bit & 1]
        severity = max(severities[i] for i in shown)
        begins = bool(active & mask) and not (active ^ changed) & mask
        found.append((check, bool(active & mask), tuple(bits[i] for i in shown), severity, begins))
    return tuple(found)


def _conditions(  # noqa: PLR0917  as `assess`
    name: str,
    lane: Any,
    record: Any,
    said: Sequence[Comparison],
    since: Mapping[int, int],
    terms: Terms,
) -> Iterator[Condition]:
    for check, now, bits, severity, begins in _shown(int(lane["active"]), int(lane["changed"])):
        detector = lane["role"] == at.DETECTOR
        sensor = check in SENSOR_CHECKS
        value = None if check is Check.DROPOUT else float(lane["last"])
        odds = float(lane["odds"])
        yield Condition(
            signal=name.partition(":")[2] if detector else name,
            check=Check.DETECTOR if detector else check,
            active=now,
            since_ns=min(map(since.__getitem__, bits)),
            score=odds / (1.0 + odds),
            severity=1 if detector else severity,
            onset=begins,
            value=value,
            expected=_replaced(lane, record, said, terms) if sensor else expected(lane, said),
            witnesses=() if sensor else tuple(o for o in said if abs(o.deviation) >= APART),
        )


def _heaviest(lane: Any) -> Check:
    """Name the check that speaks loudest on a signal."""
    active = int(lane["active"]) & ~ONSETS
    if active:
        return _shown(active, 0)[0][0]
    return Check.SHIFT if max(lane["rise"], lane["fall"]) >= 1.0 and lane["shifts"] else Check.LEVEL


def _contributions(
    lanes: Sequence[tuple[str, Any]],
    profile: Profile,
    said: Mapping[str, tuple[Comparison, ...]],
) -> Iterator[Contribution]:
    """Yield the signals that make up most of the score, the heaviest first."""
    odds = [
        (float(lane["odds"]), name, lane) for name, lane in lanes if lane["role"] != at.DETECTOR
    ]
    total = sum(one for one, _, _ in odds)
    if total <= 0.0:
        return
    weights = [(-(one / total), name, lane) for one, name, lane in odds]
    weights.sort(key=lambda found: found[:2])
    for weight, name, lane in weights[:MOST_CONTRIBUTIONS]:
        if -weight < MIN_WEIGHT:
            return
        signal = profile.said(name)
        yield Contribution(
            signal=name,
            check=_heaviest(lane),
            value=float(lane["last"]),
            expected=expected(lane, said.get(name, ())),
            unit=signal.unit if signal else None,
            weight=-weight,
        )
