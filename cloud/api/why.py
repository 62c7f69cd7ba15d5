"""Why an advisory or a ticket is there: in plain words, how sure, and how long is left.

Also how a remaining life was estimated, what such parts did before, and what became of earlier
forecasts of this one.
"""

from collections.abc import Mapping, Sequence

import msgspec

from cloud.advisories.hindsight import own, sentences
from cloud.advisories.reason import reasons
from cloud.api.deps import ApiDeps
from cloud.api.machines import Clocks
from cloud.ledger import AdvisoryRow
from cloud.ledger.records import Clock, Confidence
from models.assessment import Assessment, Life
from models.profile import Profile
from models.words import drivers

LANGUAGES = ("en", "zh")
FORECASTS = 500  #: newest assessments in which earlier forecasts are looked for


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Sentences by language, heaviest evidence first; the life band as of `life_at`.

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
    """Return the reasons of an advisory as they stand now."""
    profile = deps.profiles.get(row.profile) or deps.profiles["generic"]
    evidence = deps.ledger.evidence(row.id)
    return Why(
        advisory_id=row.id,
        machine=row.machine,
        clock=Clocks(deps).of(row.machine),
        why={lang: reasons(evidence, row.life, profile, lang) for lang in LANGUAGES},
        forecast=forecast(deps, row.component, row.life, profile, recent(deps, row.machine)),
        life=row.life,
        life_at_ns=row.life_at_ns,
        confidence=row.confidence,
        coverage=row.coverage,
    )


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
