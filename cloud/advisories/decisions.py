"""What a planner can decide about an advisory. Pure."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from cloud.advisories.modes import mode_of
from cloud.advisories.values import OBSERVE_NS, Standing
from cloud.advisories.window import dated, life_at, window
from cloud.errors import Conflict, Refused
from cloud.ledger.records import AdvisoryRow, AdvisoryState
from models.profile import Profile

Decision = Literal["accept", "defer", "shelve", "reject"]

#: state -> what can be decided in it
TABLE: Final[Mapping[AdvisoryState, tuple[Decision, ...]]] = {
    AdvisoryState.SHADOW: ("reject",),
    AdvisoryState.OPEN: ("accept", "defer", "shelve", "reject"),
    AdvisoryState.DEFERRED: ("accept", "defer", "shelve", "reject"),
}


def decide(
    advisory: AdvisoryRow,
    decision: Decision,
    *,
    actor: str,
    reason: str | None,
    until_ns: int | None,
    at_ns: int,
) -> AdvisoryRow:
    """Return the advisory after a decision at `at_ns` (machine's clock).

    Raises `Conflict` when its state does not allow it, `Refused` when a reason or time is missing.
    """
    possible = TABLE.get(advisory.state, ())
    if decision not in possible:
        can = " or ".join(possible) or "nothing more"
        raise Conflict(f"the advisory is '{advisory.state}', '{decision}' is not possible: {can}")
    decided = msgspec.structs.replace(
        advisory, version=advisory.version + 1, decided_by=actor, reason=reason, last_ns=at_ns
    )
    if decision == "accept":
        return msgspec.structs.replace(decided, state=AdvisoryState.ACCEPTED, defer_until_ns=None)
    if decision == "defer":
        if until_ns is None or until_ns <= at_ns:
            raise Refused("/until", "say until when, later than the machine's present time")
        return msgspec.structs.replace(
            decided, state=AdvisoryState.DEFERRED, defer_until_ns=until_ns
        )
    if not (reason or "").strip():
        raise Refused("/reason", f"say why: '{decision}' without a reason helps nobody")
    if decision == "shelve":  # no time: it comes back when it gets worse
        return msgspec.structs.replace(decided, state=AdvisoryState.DEFERRED, defer_until_ns=None)
    return msgspec.structs.replace(
        decided,
        state=AdvisoryState.REJECTED,
        defer_until_ns=None,
        observe_until_ns=at_ns + OBSERVE_NS,
    )


def recalled(one: Standing, profile: Profile, at_ns: int) -> AdvisoryRow:
    """Return a snoozed advisory whose time has come, back in the inbox and due as of `at_ns`."""
    advisory = one.advisory
    mode, life = mode_of(profile, advisory.mode), life_at(advisory, at_ns)
    due = window(at_ns, life, advisory.severity, mode, profile, one.evidence)
    return msgspec.structs.replace(
        dated(advisory, due),
        state=AdvisoryState.OPEN,
        version=advisory.version + 1,
        last_ns=at_ns,
        defer_until_ns=None,
    )
