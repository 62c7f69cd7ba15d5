"""How a machine went: its kept assessments as columns, for charts."""

import msgspec
from fastapi import APIRouter

from cloud.api.assessments import Moment
from cloud.api.deps import ApiDeps, Deps
from cloud.api.pages import answer
from cloud.api.problems import declared
from cloud.api.wire import Json
from cloud.ledger import Key
from cloud.ledger.records import Clock
from cloud.times import parse_time
from models.assessment import Assessment, Check, State

PAGE = 500
router = APIRouter(prefix="/api/v1/machines", tags=["assessments"])


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """A condition became active; `value` against `expected`, in the signal's unit."""

    signal: str
    check: Check
    since_ns: int
    severity: int
    value: float | None
    expected: float | None


class LifeTrend(msgspec.Struct, frozen=True, kw_only=True):
    """What was left of one component at each moment, in seconds; null where it was unknown.

    `basis` says what the estimate stands on: one component may have several.
    """

    component: str
    basis: str
    signal: str | None  #: the one that shows the wear
    p10_s: list[float | None]
    p50_s: list[float | None]
    p90_s: list[float | None]


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of equal length, oldest first, on the machine's clock (`at_ms`: ms since 1970 UTC).

    `score` 0..1, `health` 0..100, `coverage` 0..1.
    """

    machine: str
    clock: Clock
    at_ms: list[int]
    state: list[State]
    score: list[float]
    health: list[float]
    coverage: list[float]
    lives: list[LifeTrend]
    beginnings: list[Beginning]


@router.get("/{machine}/trend", responses=answer("Trend") | declared(404))
def trend(deps: Deps, machine: str, start: Moment = None, end: Moment = None) -> Json:
    """Return how a machine was assessed, with start <= at < end, on the machine's clock."""
    clock = deps.ledger.machine(machine).clock
    start_ns = parse_time(start, "query/start") if start else None
    end_ns = parse_time(end, "query/end") if end else None
    found = _kept(deps, machine, start_ns, end_ns)
    return Json(
        Trend(
            machine=machine,
            clock=clock,
            at_ms=[a.at_ns // 1_000_000 for a in found],
            state=[a.state for a in found],
            score=[a.score for a in found],
            health=[a.health for a in found],
            coverage=[a.coverage for a in found],
            lives=_lives(found),
            beginnings=_beginnings(found),
        )
    )


def _kept(
    deps: ApiDeps, machine: str, start_ns: int | None, end_ns: int | None
) -> list[Assessment]:
    """Return the assessments of a span, oldest first; of several at one moment the last look."""
    found: dict[int, Assessment] = {}
    after: Key | None = None
    while True:
        rows, after = deps.ledger.assessments(
            machine, after=after, limit=PAGE, start_ns=start_ns, end_ns=end_ns
        )
        for row in rows:
            found.setdefault(row.assessment.at_ns, row.assessment)
        if after is None:
            return [found[at_ns] for at_ns in sorted(found)]


def _lives(found: list[Assessment]) -> list[LifeTrend]:
    names = sorted({(life.component, life.basis) for a in found for life in a.lives})
    return [_life(*name, found) for name in names]


def _life(component: str, basis: str, found: list[Assessment]) -> LifeTrend:
    key = (component, basis)
    each = [
        next((one for one in a.lives if (one.component, one.basis) == key), None) for a in found
    ]
    return LifeTrend(
        component=component,
        basis=basis,
        signal=next((life.signal for life in reversed(each) if life), None),
        p10_s=[life.p10_s if life else None for life in each],
        p50_s=[life.p50_s if life else None for life in each],
        p90_s=[life.p90_s if life else None for life in each],
    )


def _beginnings(found: list[Assessment]) -> list[Beginning]:
    seen: dict[tuple[str, Check, int], Beginning] = {}
    for assessment in found:
        for condition in assessment.conditions:
            if condition.onset:
                seen[condition.signal, condition.check, condition.since_ns] = Beginning(
                    signal=condition.signal,
                    check=condition.check,
                    since_ns=condition.since_ns,
                    severity=condition.severity,
                    value=condition.value,
                    expected=condition.expected,
                )
    return list(seen.values())
