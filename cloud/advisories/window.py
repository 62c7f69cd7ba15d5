"""When the work is due, how urgent it is, and how sure that is."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
import numpy as np

from cloud.ledger.records import AdvisoryRow, Confidence, EvidenceRow, TicketRow
from models.assessment import NOTICE, Assessment, Check, Life, State
from models.profile import FailureMode, Profile

DAY_S: Final = 86_400.0
NS: Final = 1_000_000_000
MIN_COVERAGE: Final = 0.5  #: below it a life band is not believed
MAX_SPREAD: Final = 4.0  #: a band whose middle is further than 4 horizons off says "not known yet"
END_FACTOR: Final = 1.5  #: hysteresis: a life trigger ends when p10 is 1.5 horizons away
ALARM: Final = 3
#: A band tells no finer: a life is estimated anew when this share of it was used.
USED_UP: Final = 0.02
#: Days until the work is due when no life band is known, by severity.
DUE_D: Final = {1: 30.0, 2: 7.0, 3: 1.0}
#: Days for which an order waits for a band: of readings once a day it comes on the tenth.
AWAIT_D: Final = 10.0


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """When a visit belongs, and by when a part must be ordered; ns of the machine's clock."""

    earliest_ns: int
    latest_ns: int
    order_by_ns: int | None


def visit(work: AdvisoryRow | TicketRow) -> Window:
    """Return the window that an advisory or a ticket names."""
    return Window(
        earliest_ns=work.due_earliest_ns,
        latest_ns=work.due_latest_ns,
        order_by_ns=work.order_by_ns,
    )


def dated(advisory: AdvisoryRow, due: Window) -> AdvisoryRow:
    """Return an advisory with a window."""
    return msgspec.structs.replace(
        advisory,
        due_earliest_ns=due.earliest_ns,
        due_latest_ns=due.latest_ns,
        order_by_ns=due.order_by_ns,
    )


def lead_s(mode: FailureMode, profile: Profile) -> float:
    """Return the seconds from the order of a mode's part to the part at hand (no part: 0)."""
    part = profile.consumables.get(mode.component)
    return part.lead_time_d * DAY_S if part else 0.0


def horizon_s(mode: FailureMode, profile: Profile) -> float:
    """Return how long ahead a planner must know: lead time, planning time, customer's window."""
    return lead_s(mode, profile) + (profile.planning_d + profile.visit_d) * DAY_S


def life_due(life: Life, mode: FailureMode, profile: Profile, assessment: Assessment) -> bool:
    """Whether a life band asks for planning now. A prior alone, without readings, never does."""
    horizon = horizon_s(mode, profile)
    if life.basis == "prior" or life.p10_s is None or life.p50_s is None:
        return False
    if assessment.coverage < MIN_COVERAGE or assessment.state in {State.LEARNING, State.UNKNOWN}:
        return False
    return life.p10_s <= horizon and life.p50_s <= MAX_SPREAD * horizon


def awaited(life: Life | None) -> bool:
    """Whether a part's rate is not known yet, and will be: insufficient data so far."""
    return life is not None and life.p10_s is None and life.coming


def life_at(advisory: AdvisoryRow, at_ns: int) -> Life | None:
    """Return the life that an advisory keeps as it is at a time: nearer by what has passed.

    After `AWAIT_D` no band is awaited any more.
    """
    life, since_ns = advisory.life, advisory.life_at_ns
    if life is None or since_ns is None:
        return life
    coming = life.coming and at_ns < advisory.opened_ns + int(AWAIT_D * DAY_S * NS)
    return msgspec.structs.replace(nearer(life, (at_ns - since_ns) / NS), coming=coming)


def nearer(life: Life, passed_s: float) -> Life:
    """Return a life as it is when some time has passed since it was estimated."""

    def left(seconds: float | None) -> float | None:
        return None if seconds is None else max(seconds - passed_s, 0.0)

    return msgspec.structs.replace(
        life, p10_s=left(life.p10_s), p50_s=left(life.p50_s), p90_s=left(life.p90_s)
    )


def life_over(life: Life, mode: FailureMode, profile: Profile) -> bool:
    """Whether a band that asked for planning has moved clearly away again."""
    return life.p10_s is not None and life.p10_s > END_FACTOR * horizon_s(mode, profile)


def life_severity(life: Life, mode: FailureMode, profile: Profile) -> int:
    """Return 3 when the part would probably come too late, else 2."""
    late = life.p50_s is not None and life.p50_s <= lead_s(mode, profile)
    return ALARM if late else ALARM - 1


def alarms(
    evidence: Iterable[EvidenceRow], life: Life | None, profile: Profile
) -> Iterator[EvidenceRow]:
    """Yield the alarm limits that stand now and set the date of the work, whatever the band says.

    While there is a band, an alarm on the part's own end (`_is_end`) does not: the band knows that
    limit, and the noise by which single readings touch it early. Once the limit is reached by the
    band too, as likely as not, it does.
    """
    told = life if life is not None and life.p10_s is not None and life.p50_s else None
    for row in evidence:
        stands = row.kind == "condition" and row.ended_ns is None and row.severity >= ALARM
        if stands and not (told and _is_end(row, told, profile)):
            yield row


def _is_end(alarm: EvidenceRow, life: Life, profile: Profile) -> bool:
    """Whether an alarm limit is where the part ends whose life the same signal tells.

    It is on the side of wear, at the failure limit or beyond it, or so near before it that a usual
    part has no more of its life left there than a band can tell (`USED_UP`, by the curve). Under
    `norm` it never is: the alarm is of readings as they come, the failure limit of those at the
    nominal load.
    """
    part = profile.consumables.get(life.component)
    name = part.indicator if part else None
    if (
        part is None
        or name is None
        or part.limit is None
        or part.norm is not None
        or not alarm.signal == life.signal == name
    ):
        return False
    high = part.worse == "high"
    limits = profile.signals[name].limits
    limit = limits.alarm_high if high else limits.alarm_low
    if limit is None or alarm.check is not (Check.LIMIT_HIGH if high else Check.LIMIT_LOW):
        return False
    sign = 1.0 if high else -1.0
    if sign * (limit - part.limit) >= 0.0 or not part.curve:
        return sign * (limit - part.limit) >= 0.0
    used = np.linspace(0.0, 1.0, len(part.curve))
    return bool(np.interp(sign * limit, sign * np.array(part.curve), used) >= 1.0 - USED_UP)


def pressing(evidence: Iterable[EvidenceRow], life: Life | None, profile: Profile) -> bool:
    """Whether an alarm that stands says when the work is due, whatever the band says."""
    return any(True for _ in alarms(evidence, life, profile))


def hastened(due: Window, old: Window, at_ns: int) -> Window:
    """Return the window of an alarm: it never puts off a date that lies ahead."""
    if not at_ns < old.latest_ns < due.latest_ns:
        return due
    return msgspec.structs.replace(due, latest_ns=old.latest_ns)


def window(  # noqa: PLR0917  all of it says when
    at_ns: int,
    life: Life | None,
    severity: int,
    mode: FailureMode,
    profile: Profile,
    evidence: Iterable[EvidenceRow] = (),
) -> Window:
    """Return the due window as seen at `at_ns`.

    The visit comes when part and planner are ready, and ends before the component has failed with
    10 % probability (p10). The part is ordered so that it is there when the customer's window opens
    before p10, or now; when even that is too late by the usual way, the visit may come as soon as
    it can be planned. While a band is awaited nothing says by when to order: the window is wide
    until then. Where an alarm is `pressing` the work is due from now on and within a day, or before
    the early end of the band if that is yet to come within the day.
    """
    lead, planning = lead_s(mode, profile), profile.planning_d * DAY_S
    now, waits = pressing(evidence, life, profile), False
    if life is not None and life.p10_s is not None:
        left = max(life.p10_s - mode.duration_h * 3600.0, 0.0)
    else:
        now = now or severity >= ALARM
        waits = not now and awaited(life)
        left = DUE_D[NOTICE if waits else severity] * DAY_S
    if now:
        left = min(left or DAY_S, DUE_D[ALARM] * DAY_S)
    latest = at_ns + int(left * NS)
    ready = 0.0 if now else planning if lead > left else max(lead, planning)
    earliest = min(latest, at_ns + int(ready * NS))
    order_by = None
    if lead and not waits:
        order_by = at_ns + int(max(left - horizon_s(mode, profile), 0.0) * NS)
    return Window(earliest_ns=earliest, latest_ns=latest, order_by_ns=order_by)


def absorbed(due: Window, planned: Iterable[Window], at_ns: int) -> Window:
    """Return the window of a visit that may be spared: the nearest planned one that suits.

    One suits when the two windows have time in common; that time is then the window of both. Of
    several the earliest is taken. The part must be there by then: its order moves as much.
    """
    for visit in sorted(planned, key=lambda one: (one.earliest_ns, one.latest_ns)):
        earliest = max(due.earliest_ns, visit.earliest_ns)
        latest = min(due.latest_ns, visit.latest_ns)
        if earliest < latest:
            order_by = due.order_by_ns
            if order_by is not None:
                order_by = max(order_by - (due.latest_ns - latest), at_ns)
            return Window(earliest_ns=earliest, latest_ns=latest, order_by_ns=order_by)
    return due


def priority(severity: int, life: Life | None, mode: FailureMode, profile: Profile) -> int:
    """Return 1 (high) to 3: the mode's own, one step up for an alarm, one for little time left."""
    steps = int(severity >= ALARM)
    if life is not None and life.p50_s is not None:
        steps += life.p50_s <= max(lead_s(mode, profile), DAY_S)
    return max(1, mode.priority - steps)


def confidence(coverage: float, life: Life | None) -> Confidence:
    """Say how sure it is, from what is heard (coverage) and how wide the life band is."""
    if coverage < MIN_COVERAGE:
        return "low"
    if life is None or life.p10_s is None or life.p50_s is None or life.p90_s is None:
        return "medium"
    width = (life.p90_s - life.p10_s) / max(life.p50_s, 1.0)
    if width > 2.0:
        return "low"
    return "high" if width <= 1.0 and coverage >= 0.8 else "medium"
