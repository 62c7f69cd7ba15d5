"""Why an advisory is there, in words."""

from collections.abc import Sequence
from typing import Final

from cloud.advisories.window import awaited, pressing
from cloud.ledger.records import EvidenceRow
from models.assessment import Condition, Life
from models.profile import Profile, Words
from models.words import explain

_BY_ALARM: Final[Words] = {
    "en": "The alarm sets the date, whatever the days left say: due within a day",
    "zh": "到期日由报警确定，不论剩余天数：须在一天内处理",
}
_BY_BAND: Final[Words] = {
    "en": "The days left set the date, not the alarm: single readings touch its limit early",
    "zh": "到期日由剩余天数确定，而非由报警确定：单次读数会提前触及其限值",
}


def reasons(
    evidence: Sequence[EvidenceRow], life: Life | None, profile: Profile, language: str
) -> list[str]:
    """Return one sentence (without a full stop) for each piece of evidence, heaviest first.

    A life band, or that there is none yet, comes after them; beside an alarm also which of the two
    sets the date. Words of devices (names of signals) are in them as they came.
    """
    rows = sorted(evidence, key=lambda row: (-row.severity, row.since_ns, row.id))
    found = [explain(condition, profile, language) for row in rows if (condition := _seen(row))]
    if life is not None and (life.p10_s is not None or awaited(life)):
        found.append(explain(life, profile, language))
        found += _dated_by(evidence, life, profile, language)
    return found


def _dated_by(
    evidence: Sequence[EvidenceRow], life: Life, profile: Profile, language: str
) -> list[str]:
    """Say which sets the date where an alarm stands and days are left (else nothing)."""
    if not life.p50_s or not pressing(evidence, None, profile):
        return []
    words = _BY_ALARM if pressing(evidence, life, profile) else _BY_BAND
    return [words.get(language) or words["en"]]


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
