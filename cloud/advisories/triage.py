"""What an assessment means for planners: open, append, raise, end, expire. Pure.

There is at most one advisory per (machine, component, failure mode) at a time. While it is open,
accepted, or still watched after a decision, new evidence goes to it. Its severity may rise, and
each rise is told once. When the evidence ends, the end is noted and the advisory stays for the
planner; one that nobody took up and that stays quiet expires. One that was accepted and stays
quiet, or whose part became another one, falls to a notice, so that the next problem is told again
(ISA-18.2: what returned to normal is annunciated when it comes again).
"""

from collections.abc import Sequence

from msgspec.structs import replace

from cloud.advisories import evidence as proof
from cloud.advisories.evidence import Finding
from cloud.advisories.modes import mode_of
from cloud.advisories.standing import annotate, carry_on, observation_over
from cloud.advisories.values import TRIGGER, Case, Outcome, Stamp, Standing
from cloud.advisories.window import Window, confidence, priority, visit, window
from cloud.ledger.records import AdvisoryRow, AdvisoryState, EvidenceRow
from cloud.tickets.lifecycle import PLANNED
from models.assessment import Assessment
from models.profile import Profile


def triage(
    standing: Sequence[Standing], profile: Profile, assessment: Assessment, stamp: Stamp
) -> list[Outcome]:
    """Return what an assessment changes, given the machine's standing advisories.

    A second look at the past (`revision` > 0) opens and annotates, and never orders a ticket.
    """
    case = Case(assessment=assessment, profile=profile, stamp=stamp, planned=_planned(standing))
    found = proof.findings(assessment, profile)
    out: list[Outcome] = []
    for one in standing:
        key = (one.advisory.component, one.advisory.mode)
        finding = found.pop(key, proof.NOTHING)
        if assessment.revision:
            outcome = annotate(one, finding, case)
        else:
            outcome = observation_over(one, finding, case)
            if outcome is not None and finding.severity >= TRIGGER:
                out.append(outcome)
                outcome = _open(key, finding, case, one.advisory.id)
            elif outcome is None:
                outcome = carry_on(one, finding, case)
        if outcome is not None:
            out.append(outcome)
    out.extend(
        _open(key, finding, case, None)
        for key, finding in found.items()
        if finding.severity >= TRIGGER
    )
    return out


def _planned(standing: Sequence[Standing]) -> dict[str, Window]:
    """Return the windows of the visits that tickets of the machine have planned."""
    found = {}
    for one in standing:
        if one.ticket is not None and one.ticket.state in PLANNED:
            found[one.advisory.id] = visit(one.ticket)
    return found


def _open(key: tuple[str, str], finding: Finding, case: Case, previous: str | None) -> Outcome:
    mode = mode_of(case.profile, key[1])
    auto = mode.policy == "auto" and not case.assessment.revision
    advisory_id = case.stamp.new_id()
    rows = proof.update((), finding, advisory_id, case)
    advisory = replace(_first(advisory_id, key, finding, case, rows), previous_id=previous)
    if auto:
        advisory = replace(advisory, state=AdvisoryState.ACCEPTED, decided_by="policy")
        rows = proof.merge(rows, proof.told(rows, finding.life, case))
    detail = {"severity": finding.severity, "policy": mode.policy}
    return Outcome(
        standing=Standing(advisory=advisory, evidence=rows),
        changed=rows,
        notes=(("opened", detail),),
        order="open" if auto else None,
        new=True,
    )


def _first(
    advisory_id: str,
    key: tuple[str, str],
    finding: Finding,
    case: Case,
    rows: Sequence[EvidenceRow],
) -> AdvisoryRow:
    """Return the first version of an advisory, on which nobody has decided."""
    component, name = key
    assessment, profile = case.assessment, case.profile
    mode, at_ns = mode_of(profile, name), assessment.at_ns
    due = case.fitted(window(at_ns, finding.life, finding.severity, mode, profile, rows), None)
    part = profile.consumables.get(component)
    return AdvisoryRow(
        id=advisory_id,
        recorded_ns=case.stamp.recorded_ns,
        version=1,
        machine=assessment.machine,
        component=component,
        mode=name,
        profile=profile.name,
        policy=mode.policy,
        state=AdvisoryState.SHADOW if mode.policy == "shadow" else AdvisoryState.OPEN,
        severity=finding.severity,
        priority=priority(finding.severity, finding.life, mode, profile),
        title=dict(mode.title),
        action=dict(mode.action),
        part=part.part if part else None,
        duration_h=mode.duration_h,
        opened_ns=at_ns,
        last_ns=at_ns,
        ended_ns=None,
        life=finding.life,
        life_at_ns=at_ns if finding.life else None,
        due_earliest_ns=due.earliest_ns,
        due_latest_ns=due.latest_ns,
        order_by_ns=due.order_by_ns,
        coverage=assessment.coverage,
        confidence=confidence(assessment.coverage, finding.life),
    )
