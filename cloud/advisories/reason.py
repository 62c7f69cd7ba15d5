"""Why an advisory is there, in words."""

from collections.abc import Sequence

from cloud.advisories.window import awaited
from cloud.ledger.records import EvidenceRow
from models.assessment import Condition, Life
from models.profile import Profile
from models.words import explain


def reasons(
    evidence: Sequence[EvidenceRow], life: Life | None, profile: Profile, language: str
) -> list[str]:
    """Return one sentence (without a full stop) for each piece of evidence, heaviest first.

    A life band, or that there is none yet, comes last. Words of devices (names of signals) are in
    them as they came.
    """
    rows = sorted(evidence, key=lambda row: (-row.severity, row.since_ns, row.id))
    found = [explain(condition, profile, language) for row in rows if (condition := _seen(row))]
    if life is not None and (life.p10_s is not None or awaited(life)):
        found.append(explain(life, profile, language))
    return found


def _seen(row: EvidenceRow) -> Condition | None:
    """Return the evidence as the condition that it was."""
    if row.signal is None or row.check is None:
        return None
    return Condition(
        signal=row.signal,
        check=row.check,
        active=row.ended_ns is None,
        since_ns=row.since_ns,
        score=row.score,
        severity=row.severity,
        onset=False,
        value=row.value,
        expected=row.expected,
        witnesses=row.witnesses or (),
    )
