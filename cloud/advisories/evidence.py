"""What an assessment says for or against each failure mode, and how it joins what is known."""

from collections.abc import Sequence
from typing import Final

import msgspec

from cloud.advisories.modes import lives_by_mode, mode_of, modes_for
from cloud.advisories.values import EXPIRE_NS, Case
from cloud.advisories.window import ALARM, alarms, life_due, life_over, life_severity
from cloud.ledger.records import EvidenceRow
from models.assessment import Assessment, Condition, Life
from models.profile import Profile

replace = msgspec.structs.replace


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one assessment says of one failure mode. `life` is its band, due or not."""

    conditions: tuple[Condition, ...] = ()
    life: Life | None = None
    life_severity: int = 0  #: 0: the band asks for nothing
    life_over: bool = False

    @property
    def known(self) -> bool:
        """Whether there is a band."""
        return self.life is not None and self.life.p10_s is not None

    @property
    def severity(self) -> int:
        """The heaviest that is active now (0: nothing)."""
        return max(self.life_severity, *(c.severity for c in self.conditions if c.active), 0)


NOTHING: Final = Finding()


def findings(assessment: Assessment, profile: Profile) -> dict[tuple[str, str], Finding]:
    """Sort an assessment's conditions and life bands by (component, failure mode)."""
    conditions: dict[str, list[Condition]] = {}
    for condition in assessment.conditions:
        for name in modes_for(condition, profile, assessment.state):
            conditions.setdefault(name, []).append(condition)
    lives = dict(lives_by_mode(assessment, profile))
    out: dict[tuple[str, str], Finding] = {}
    for name in {**conditions, **lives}:
        mode, life = mode_of(profile, name), lives.get(name)
        due = life is not None and life_due(life, mode, profile, assessment)
        out[(mode.component, name)] = Finding(
            conditions=tuple(conditions.get(name, ())),
            life=life,
            life_severity=life_severity(life, mode, profile) if due and life else 0,
            life_over=life is not None and life_over(life, mode, profile),
        )
    return out


def update(
    known: Sequence[EvidenceRow], finding: Finding, advisory_id: str, case: Case
) -> tuple[EvidenceRow, ...]:
    """Return the evidence rows that a finding adds or changes; the same again changes none."""
    rows = {(row.signal, row.check): row for row in known if row.kind == "condition"}
    before = dict(rows)
    for condition in finding.conditions:
        key = (condition.signal, condition.check)
        row = rows.get(key)
        if row is None and condition.active:
            rows[key] = _begin(condition, advisory_id, case)
        elif row is not None:
            rows[key] = _again(row, condition, case.assessment.at_ns)
    changed = [row for key, row in rows.items() if row is not before.get(key)]
    band = next((row for row in known if row.kind == "life"), None)
    new_band = _band(band, finding, advisory_id, case)
    if new_band is not None and new_band is not band:
        changed.append(new_band)
    return tuple(changed)


def merge(known: Sequence[EvidenceRow], changed: Sequence[EvidenceRow]) -> tuple[EvidenceRow, ...]:
    """Return the known rows with the changed ones in their places, new ones last."""
    rows = {row.id: row for row in known}
    rows.update({row.id: row for row in changed})
    return tuple(rows.values())


def told(evidence: Sequence[EvidenceRow], life: Life | None, case: Case) -> tuple[EvidenceRow, ...]:
    """Return the alarms that set the date now, as a message of now tells them."""
    at_ns = case.assessment.at_ns
    return tuple(replace(row, told_ns=at_ns) for row in alarms(evidence, life, case.profile))


def untold(evidence: Sequence[EvidenceRow], life: Life | None, case: Case) -> bool:
    """Whether an alarm sets the date now that no message told of lately."""
    lately = case.assessment.at_ns - EXPIRE_NS
    rows = alarms(evidence, life, case.profile)
    return any(row.told_ns is None or row.told_ns <= lately for row in rows)


def _begin(condition: Condition, advisory_id: str, case: Case) -> EvidenceRow:
    return EvidenceRow(
        id=case.stamp.new_id(),
        recorded_ns=case.stamp.recorded_ns,
        advisory_id=advisory_id,
        kind="condition",
        signal=condition.signal,
        check=condition.check,
        since_ns=condition.since_ns,
        last_ns=case.assessment.at_ns,
        ended_ns=None,
        count=1,
        severity=condition.severity,
        score=condition.score,
        value=condition.value,
        expected=condition.expected,
        life=None,
        witnesses=condition.witnesses,
    )


def _again(row: EvidenceRow, condition: Condition, at_ns: int) -> EvidenceRow:
    """Return the row with what the condition adds to it (the row itself when that is nothing).

    It keeps the worst that was seen; but an alarm that fell back to an alert is none any more.
    """
    if not condition.active:
        return row if row.ended_ns is not None else replace(row, ended_ns=at_ns, last_ns=at_ns)
    worst = row.severity
    if row.ended_ns is not None:
        worst = 0 if at_ns - row.ended_ns >= EXPIRE_NS else worst
        row = replace(row, ended_ns=None, last_ns=at_ns, count=row.count + 1)
    if condition.severity > worst or row.severity >= ALARM > condition.severity:
        row = replace(
            row,
            severity=condition.severity,
            score=condition.score,
            value=condition.value,
            expected=condition.expected,
            witnesses=condition.witnesses,
            last_ns=at_ns,
        )
    return row


def _band(
    row: EvidenceRow | None, finding: Finding, advisory_id: str, case: Case
) -> EvidenceRow | None:
    """Return the row of the life band with what the finding says (the row itself: nothing new)."""
    life, severity, at_ns = finding.life, finding.life_severity, case.assessment.at_ns
    if life is None:
        return row
    if row is None:
        return _begin_band(life, severity, advisory_id, case) if severity else None
    if row.ended_ns is None and finding.life_over:
        return replace(row, ended_ns=at_ns, last_ns=at_ns)
    if row.ended_ns is not None and severity:
        row = replace(row, ended_ns=None, last_ns=at_ns, count=row.count + 1, life=life)
    if severity > row.severity:
        row = replace(row, severity=severity, last_ns=at_ns, life=life)
    return row


def _begin_band(life: Life, severity: int, advisory_id: str, case: Case) -> EvidenceRow:
    return EvidenceRow(
        id=case.stamp.new_id(),
        recorded_ns=case.stamp.recorded_ns,
        advisory_id=advisory_id,
        kind="life",
        signal=life.signal,
        check=None,
        since_ns=case.assessment.at_ns,
        last_ns=case.assessment.at_ns,
        ended_ns=None,
        count=1,
        severity=severity,
        score=1.0,
        value=None,
        expected=None,
        life=life,
    )
