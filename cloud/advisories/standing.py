"""What an assessment does to an advisory that stands already."""

from collections.abc import Set

import msgspec

from cloud.advisories import evidence as proof
from cloud.advisories.evidence import Finding
from cloud.advisories.modes import mode_of
from cloud.advisories.values import (
    DAY_NS,
    EXPIRE_NS,
    LATER,
    LATER_HORIZON,
    LEAST_S,
    NEARER,
    RENEWED,
    SETTLE_NS,
    TRIGGER,
    UNDECIDED,
    WATCHED,
    Case,
    Note,
    Order,
    Outcome,
    Standing,
)
from cloud.advisories.window import (
    ALARM,
    awaited,
    confidence,
    dated,
    hastened,
    horizon_s,
    life_at,
    pressing,
    priority,
    visit,
    window,
)
from cloud.ledger.records import AdvisoryRow, AdvisoryState, EvidenceRow, TicketState
from models.assessment import NOTICE, Condition, Life

replace = msgspec.structs.replace


def observation_over(one: Standing, finding: Finding, case: Case) -> Outcome | None:
    """Close what was decided long ago, or what is closed for good and breaks again."""
    advisory, ticket = one.advisory, one.ticket
    if advisory.state not in WATCHED:
        return None
    until = advisory.observe_until_ns
    watched = until is not None and case.assessment.at_ns < until
    final = ticket is not None and ticket.state is not TicketState.RESOLVED
    if watched and not (final and _came_back(one, finding, case.assessment.at_ns)):
        return None
    closed = replace(advisory, state=AdvisoryState.CLOSED, version=advisory.version + 1)
    return Outcome(
        standing=replace(one, advisory=closed),
        changed=(),
        notes=(("closed", {}),),
        order="lapse" if ticket is not None and not final else None,
    )


def annotate(one: Standing, finding: Finding, case: Case) -> Outcome | None:
    """Add late evidence; nothing else changes, since the moment has passed."""
    changed = proof.update(one.evidence, finding, one.advisory.id, case)
    if not changed:
        return None
    advisory = replace(one.advisory, version=one.advisory.version + 1)
    merged = proof.merge(one.evidence, changed)
    return Outcome(
        standing=replace(one, advisory=advisory, evidence=merged),
        changed=changed,
        notes=(("annotated", {"revision": case.assessment.revision}),),
    )


def carry_on(one: Standing, finding: Finding, case: Case) -> Outcome | None:
    """Append evidence, raise, note ends and resumptions, expire. None: nothing new."""
    old, at_ns = one.advisory, case.assessment.at_ns
    changed = proof.update(one.evidence, finding, old.id, case)
    merged = proof.merge(one.evidence, changed)
    new, notes = _from_evidence(one, finding, merged, case)
    state, note = _next_state(one, new, finding, at_ns)
    if note is not None:
        notes.append((note, {}))
        new = _enter(new, state)
    if not notes:
        return None
    kinds = {kind for kind, _ in notes}
    life = finding.life if finding.known else life_at(new, at_ns)
    fresh = _dated(one, merged, life, kinds, case)
    if fresh and finding.known:
        new = replace(new, life=life, life_at_ns=at_ns)
    seen = Standing(advisory=new, evidence=merged, ticket=one.ticket)
    seen = replace(seen, advisory=_seen(seen, case, fresh=fresh))
    hurries = _hurries(one, seen, life, case)
    order = _order(old, kinds, fresh=fresh, hurries=hurries) if one.ticket is not None else None
    if order in {"raise", "reopen"}:
        told = proof.told(merged, life, case)
        changed = proof.merge(changed, told)
        seen = replace(seen, evidence=proof.merge(merged, told))
    return Outcome(standing=seen, changed=changed, notes=tuple(notes), order=order)


def _order(old: AdvisoryRow, kinds: Set[str], *, fresh: bool, hurries: bool) -> Order | None:
    """Return what becomes of the ticket of an advisory that was `old`."""
    if old.state is AdvisoryState.VERIFIED:
        return "reopen" if "came back" in kinds else None
    if "raised" in kinds or hurries:
        return "raise"
    if "eased" in kinds:
        return "ease"
    return "follow" if fresh or "life" in kinds else None


def _dated(
    one: Standing,
    merged: tuple[EvidenceRow, ...],
    life: Life | None,
    kinds: Set[str],
    case: Case,
) -> bool:
    """Whether the dates are worked out anew: it is another case now, or a band moved.

    So are those of what is raised when they have passed. An alarm that begins to press brings a
    date that lies ahead forward, and no band moves it while it does. `life`: as it is now.
    """
    known = life is not None and life.p10_s is not None
    left_ns = one.advisory.due_latest_ns - case.assessment.at_ns
    if kinds & {"opened again", "due again", "came back"}:
        return True
    if "raised" in kinds and (left_ns <= 0 or not known):
        return True
    pressed = pressing(one.evidence, life, case.profile)
    if pressing(merged, life, case.profile):
        return left_ns > (DAY_NS if pressed else 0)
    return "life" in kinds or (known and pressed)


def _hurries(one: Standing, seen: Standing, life: Life | None, case: Case) -> bool:
    """Whether an alarm that no message told of lately brings the date nearer by over a day."""
    nearer_ns = one.advisory.due_latest_ns - seen.advisory.due_latest_ns
    return nearer_ns > DAY_NS and proof.untold(seen.evidence, life, case)


def _from_evidence(
    one: Standing, finding: Finding, merged: tuple[EvidenceRow, ...], case: Case
) -> tuple[AdvisoryRow, list[Note]]:
    old, at_ns = one.advisory, case.assessment.at_ns
    notes: list[Note] = []
    new = old
    if len(merged) > len(one.evidence):
        notes.append(("evidence", {"rows": len(merged)}))
    elif merged != one.evidence:
        notes.append(("evidence changed", {}))
    active = any(row.ended_ns is None for row in merged)
    if _eased(old, finding, at_ns, active=active):
        new = replace(new, severity=NOTICE)
        notes.append(("eased", {"before": old.severity}))
    settled = old.state is not AdvisoryState.VERIFIED or _came_back(one, finding, at_ns)
    if finding.severity > new.severity and settled:
        notes.append(("raised", {"severity": finding.severity, "before": new.severity}))
        new = replace(new, severity=finding.severity)
    if active and old.ended_ns is not None:
        new = replace(new, ended_ns=None)
        notes.append(("resumed", {}))
    elif not active and old.ended_ns is None:
        new = replace(new, ended_ns=at_ns)
        notes.append(("ended", {}))
    life = finding.life
    if life is not None and _moved(old, life, case):
        new = replace(new, life=life, life_at_ns=at_ns)
        notes.append(("life", {"p10_s": life.p10_s, "p50_s": life.p50_s}))
    elif awaited(old.life) and not awaited(life_at(old, at_ns)) and new.severity < ALARM:
        new = replace(new, life=life_at(old, at_ns), life_at_ns=at_ns)
        notes.append(("life", {"p10_s": None, "p50_s": None}))
    return new, notes


def _eased(old: AdvisoryRow, finding: Finding, at_ns: int, *, active: bool) -> bool:
    """Whether the problem of a ticket that nobody resolved is over, so that the next one is told.

    Nothing stood for long before this; or nothing stands and the part has become another one.
    """
    if old.state is not AdvisoryState.ACCEPTED or old.severity <= NOTICE:
        return False
    if old.ended_ns is not None and at_ns - old.ended_ns >= EXPIRE_NS:
        return True
    before = old.life.fraction if old.life else None
    left = finding.life.fraction if finding.life else None
    if active or before is None or left is None:
        return False
    return left - before >= RENEWED


def _next_state(
    one: Standing, new: AdvisoryRow, finding: Finding, at_ns: int
) -> tuple[AdvisoryState, str | None]:
    """Return the state that time and evidence lead to, and what to call the step (None: none)."""
    old = one.advisory
    risen = new.severity > old.severity
    if old.state is AdvisoryState.VERIFIED and _came_back(one, finding, at_ns):
        return AdvisoryState.ACCEPTED, "came back"
    if old.state is AdvisoryState.REJECTED and risen:
        return AdvisoryState.OPEN, "opened again"
    if old.state is AdvisoryState.DEFERRED:
        waited = new.defer_until_ns is not None and at_ns >= new.defer_until_ns
        if risen or (waited and new.ended_ns is None):
            return AdvisoryState.OPEN, "due again"
    quiet = old.ended_ns is not None and new.ended_ns is not None
    if old.state in UNDECIDED and quiet and at_ns - (old.ended_ns or 0) >= EXPIRE_NS:
        return AdvisoryState.EXPIRED, "expired"
    return old.state, None


def _enter(advisory: AdvisoryRow, state: AdvisoryState) -> AdvisoryRow:
    """Return the advisory in a new state, without what belonged to the old one."""
    return replace(advisory, state=state, verdict=None, observe_until_ns=None, defer_until_ns=None)


def _came_back(one: Standing, finding: Finding, at_ns: int) -> bool:
    """Whether a decision did not settle it: worse than before, or anew after a repair.

    What was measured before the repair never speaks against it. A repaired machine runs in for
    `SETTLE_NS`: until then only what is observed anew (a forecast is drawn from the part before)
    and graver than the ticket counts, from then on whatever began after the repair and still
    stands, and a forecast that is graver.
    """
    advisory, ticket = one.advisory, one.ticket
    if finding.severity < TRIGGER:
        return False
    if advisory.verdict != "confirmed" or ticket is None or ticket.resolved_ns is None:
        return finding.severity > advisory.severity
    if at_ns <= ticket.resolved_ns:
        return False
    anew = _anew(one, finding, ticket.resolved_ns)
    if at_ns < ticket.resolved_ns + SETTLE_NS:
        return anew > max(advisory.severity, TRIGGER)
    return anew >= TRIGGER or finding.life_severity > advisory.severity


def _anew(one: Standing, finding: Finding, resolved_ns: int) -> int:
    """Return the severity of the heaviest active condition that is new since a repair (0: none).

    It began after it, or it is older and rises now, above all that was ever said of it and above
    the ticket. That it stood before, however grave, is no news: its readings may have come late.
    """
    said = {(e.signal, e.check): e.severity for e in one.evidence if e.ended_ns is None}
    least = one.advisory.severity

    def is_new(c: Condition) -> bool:
        known = said.get((c.signal, c.check))
        return c.since_ns > resolved_ns or (known is not None and c.severity > max(known, least))

    return max((c.severity for c in finding.conditions if c.active and is_new(c)), default=0)


def _moved(advisory: AdvisoryRow, life: Life, case: Case) -> bool:
    """Whether the early end of the band is so far from the one written down that plans change.

    A nearer end counts from a tenth of what is left or of the planner's horizon, and one that may
    have come counts at once; a later one, which presses nobody, from a quarter of what is left and
    a tenth of the horizon, so that noise does not move a date to and fro. A date that has come
    stays where it is.
    """
    old = advisory.life
    if life.p10_s is None:
        return False
    if old is None or old.p10_s is None or advisory.life_at_ns is None:
        return True
    passed_s = (case.assessment.at_ns - advisory.life_at_ns) / 1e9
    left_s = max(old.p10_s - passed_s, 0.0)
    horizon = horizon_s(mode_of(case.profile, advisory.mode), case.profile)
    if life.p10_s < left_s:
        nearer_s = NEARER * max(left_s, horizon) if life.p10_s > 0.0 else 0.0
        return left_s - life.p10_s > max(nearer_s, LEAST_S)
    return life.p10_s - left_s > max(LATER * left_s, LATER_HORIZON * horizon, LEAST_S)


def _seen(one: Standing, case: Case, *, fresh: bool) -> AdvisoryRow:
    """Return the advisory's next version: priority and confidence, and with `fresh` its window."""
    advisory, at_ns = one.advisory, case.assessment.at_ns
    mode, life = mode_of(case.profile, advisory.mode), life_at(advisory, at_ns)
    coverage = case.assessment.coverage
    changed = replace(
        advisory,
        version=advisory.version + 1,
        last_ns=at_ns,
        coverage=coverage,
        confidence=confidence(coverage, advisory.life),
        priority=priority(advisory.severity, life, mode, case.profile),
    )
    if not fresh:
        return changed
    due = window(at_ns, life, advisory.severity, mode, case.profile, one.evidence)
    if pressing(one.evidence, life, case.profile):
        due = hastened(due, visit(advisory), at_ns)
    return dated(changed, case.fitted(due, advisory.id))
