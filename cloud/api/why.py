"""Why an advisory or a ticket is there: in plain words, how sure, and how long is left."""

from collections.abc import Mapping, Sequence

import msgspec

from cloud.advisories.reason import reasons
from cloud.api.deps import ApiDeps
from cloud.api.machines import Clocks
from cloud.ledger import AdvisoryRow
from cloud.ledger.records import Clock, Confidence
from models.assessment import Life

LANGUAGES = ("en", "zh")


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Sentences by language, heaviest evidence first; the life band as of `life_at`.

    `confidence` says how much to rely on it, `coverage` (0..1) how much of what the profile asks
    for was heard and learned. `life` is null where there is insufficient data.
    """

    advisory_id: str
    machine: str
    clock: Clock
    why: Mapping[str, Sequence[str]]
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
        life=row.life,
        life_at_ns=row.life_at_ns,
        confidence=row.confidence,
        coverage=row.coverage,
    )
