"""Why an advisory or a ticket is there: in plain words, how sure, and how long is left.

Also how a remaining life was estimated, what such parts did before, and what became of earlier
forecasts of this one.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from cloud.advisories.hindsight import own, sentences
from cloud.advisories.modes import band_now
from cloud.advisories.reason import reasons
from cloud.advisories.window import NS, nearer
from cloud.api.deps import ApiDeps
from cloud.api.machines import Clocks
from cloud.ledger import AdvisoryRow, AdvisoryState, EvidenceRow
from cloud.ledger.records import Clock, Confidence
from models.assessment import Assessment, Check, Condition, Life
from models.profile import Profile
from models.words import drivers

LANGUAGES = ("en", "zh")
STANDING = (
    AdvisoryState.SHADOW,
    AdvisoryState.OPEN,
    AdvisoryState.DEFERRED,
    AdvisoryState.ACCEPTED,
)
FORECASTS = 500  #: newest assessments in which earlier forecasts are looked for


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Sentences by language, heaviest evidence first; the life band as of `life_at`.

    While the advisory waits or is worked on they say what the newest assessment says, with what is
    left counted from the machine's present, afterwards what the advisory keeps: conditions as they
    were when worst, and the last life band that was written down with it.

    `confidence` says how much to rely on it, `coverage` (0..1) how much of what the profile asks
    for was heard and learned. `life` is null where there is insufficient data. `forecast` says how
    it was estimated, what such parts did before and what became of earlier forecasts of this one;
    empty where no life is estimated.
    """

    advisory_id: str
    machine: str
    clock: Clock
    why: Mapping[str, Sequence[str]]
    forecast: Mapping[str, Sequence[str]]
    life: Life | None
    life_at_ns: int | None
    confidence: Confidence
    coverage: float


def explain(deps: ApiDeps, row: AdvisoryRow) -> Why:
    """Return the reasons of an advisory: as they stand now while it waits or is worked on."""
    profile = deps.profile_of(row.machine, row.profile)
    now = _now(deps, row)
    evidence = _as_now(deps.ledger.evidence(row.id), now)
    life, life_at_ns = band_now(row, now, profile)
    clock = Clocks(deps).of(row.machine)
    left = life
    if now is not None and life is not None and life_at_ns is not None:
        left = nearer(life, max(0, _present_ns(deps, now, clock) - life_at_ns) / NS)
    return Why(
        advisory_id=row.id,
        machine=row.machine,
        clock=clock,
        why={lang: reasons(evidence, left, profile, lang) for lang in LANGUAGES},
        forecast=forecast(deps, row.component, life, profile, recent(deps, row.machine)),
        life=life,
        life_at_ns=life_at_ns,
        confidence=row.confidence,
        coverage=row.coverage,
    )


def evidence_now(deps: ApiDeps, row: AdvisoryRow) -> list[EvidenceRow]:
    """Return what speaks for an advisory, oldest first: as it stands now while it is not over."""
    return _as_now(deps.ledger.evidence(row.id), _now(deps, row))


def _now(deps: ApiDeps, row: AdvisoryRow) -> Assessment | None:
    """Return what is known of the machine now; None when the advisory is over."""
    current = deps.ledger.current(row.machine) if row.state in STANDING else None
    return current.assessment if current else None


def _present_ns(deps: ApiDeps, now: Assessment, clock: Clock) -> int:
    """Return a machine's present: the service's, or its newest reading where it keeps its own."""
    if clock == "wall":
        return deps.health().now_ns
    glance = deps.live.glance(now.machine) if deps.live else None
    return max(now.at_ns, (glance.data_ns if glance else None) or now.at_ns)


def _as_now(rows: list[EvidenceRow], now: Assessment | None) -> list[EvidenceRow]:
    """Return evidence with what its condition says now; what has ended stays as it was."""
    active: dict[tuple[str | None, Check | None], Condition] = {
        (one.signal, one.check): one for one in (now.conditions if now else ()) if one.active
    }

    def newer(row: EvidenceRow) -> EvidenceRow:
        one = active.get((row.signal, row.check))
        if one is None or row.ended_ns is not None:
            return row
        return replace(
            row,
            severity=one.severity,
            value=one.value,
            expected=one.expected,
            witnesses=one.witnesses,
        )

    return [newer(row) for row in rows]


def recent(deps: ApiDeps, machine: str) -> list[Assessment]:
    """Return a machine's newest assessments, in which earlier forecasts are found."""
    kept, _ = deps.ledger.assessments(machine, limit=FORECASTS)
    return [row.assessment for row in kept if not row.assessment.revision]


def forecast(
    deps: ApiDeps,
    component: str,
    life: Life | None,
    profile: Profile,
    assessments: Sequence[Assessment],
) -> dict[str, list[str]]:
    """Return by language how a life was estimated and how far such estimates held.

    `assessments`: the machine's, newest first.
    """
    if life is None or life.p50_s is None:
        return {lang: [] for lang in LANGUAGES}
    before = own(component, assessments)
    ended = deps.ledger.ended_parts(component, profile.name)
    return {
        lang: drivers(life, profile, lang) + sentences(before, ended, lang) for lang in LANGUAGES
    }
