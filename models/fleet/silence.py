"""How long a signal is waited for before it is silent, by what its receipts tell, compiled.

Of most devices the usual time between receipts says it. A device that sleeps and sends several
times while it is awake has no usual time: its gaps are short, but for the *pauses*. A pause that
comes again, and takes a good part of the time, is a sleep, and the device is waited for by it; what
does not come again, or once in a long while, is an outage and changes nothing.
"""

from typing import Any

from models.life.compiled import lean

OUTAGE_S = 12 * 3600.0  #: a longer gap tells of an outage rather than of how often it reports
FEW = 3.0  #: usual intervals, or sleeps, that are waited for at least, but for very long sleeps
LATE = 1.5  #: sleeps that are waited for, however long they are
BRIEF_S = 20.0  #: what pauses no longer is waited for anyhow
LONGEST_S = 8 * 86400.0  #: no sleep is longer
LASTS = 8.0  #: a pause is kept for so many times its length awake,
BELIEVED = 12.0  #: is a sleep when it is to be kept for so many,
KEPT = 16.0  #: and no pause is kept for longer


@lean
def drawn(usual: float, seen: float) -> Any:
    """Return the usual interval after one more, which counts as four times of it at most."""
    return usual + (min(seen, 4.0 * usual) - usual) / 16.0


@lean
def receipt(lane: Any, t: int, received: int) -> None:
    """Learn how often it reports; `t`: the first reading of this receipt, if it is a new one.

    A backlog comes much faster than it was made: its own time says how often it may report, by a
    negative `group_s`, until it first reports live. From then on gaps within a backlog, and within
    what a device sends together, say nothing. At first a gap longer than all the time since it was
    first heard outweighs what was learned in that time: it may have begun with several at once.
    """
    if received <= lane.received_ns:
        return
    came, made = (received - lane.received_ns) * 1e-9, (t - lane.group_ns) * 1e-9
    known = (lane.received_ns - lane.heard_ns) * 1e-9
    usual = lane.group_s
    if 2.0 * came < made:
        if usual <= 0.0:
            usual = made if usual == 0.0 else -usual
            lane.group_s = -drawn(usual, made)
    elif usual <= 0.0:
        lane.group_s = came
    else:
        if came > max(FEW * usual, BRIEF_S):
            paused(lane, came, known)
        if known < min(came, OUTAGE_S):
            lane.group_s = max(min(came, OUTAGE_S), usual)
        else:
            lane.group_s = drawn(usual, came)
    lane.received_ns = received
    lane.group_ns = t


@lean
def paused(lane: Any, came: float, known: float) -> None:
    """Learn from a pause that began `known` seconds after the first receipt.

    Pauses are alike when neither is longer than a few of the other. One is tried, and so is one
    that is longer; a longer one that is believed takes the place of the shorter.
    """
    if known > lane.kept_s[1]:
        lane.pause_s[1] = 0.0
    if known > lane.kept_s[0] or lane.pause_s[0] == 0.0:
        lane.pause_s[0], lane.kept_s[0] = lane.pause_s[1], lane.kept_s[1]
        lane.pause_s[1] = 0.0
    usual, longer = abs(lane.pause_s[0]), -lane.pause_s[1]
    if FEW * came < usual:
        if lane.pause_s[0] > 0.0:
            return
        if longer == 0.0:
            lane.pause_s[1], lane.kept_s[1] = lane.pause_s[0], lane.kept_s[0]
        begin(lane, 0, came, known)
    elif usual == 0.0:
        begin(lane, 0, came, known)
    elif came <= FEW * usual:
        again(lane, 0, came, known)
    else:
        lane.kept_s[0] += came
        if FEW * came < longer or came > FEW * longer:
            begin(lane, 1, came, known)
        else:
            again(lane, 1, came, known)
            if lane.pause_s[1] > 0.0:
                lane.pause_s[0], lane.kept_s[0] = lane.pause_s[1], lane.kept_s[1]
                lane.pause_s[1] = 0.0


@lean
def begin(lane: Any, k: int, came: float, known: float) -> None:
    """Try a pause that is like none before; one that is too long for a sleep is not tried."""
    lane.pause_s[k] = -came if came <= LONGEST_S else 0.0
    lane.kept_s[k] = known + came + LASTS * came


@lean
def again(lane: Any, k: int, came: float, known: float) -> None:
    """Keep a pause that came again for longer, and believe it where it does so often enough."""
    usual = abs(lane.pause_s[k])
    kept = min(lane.kept_s[k] - known + LASTS * usual, KEPT * usual)
    believed = lane.pause_s[k] > 0.0 or kept >= BELIEVED * usual
    usual += (came - usual) / 4.0
    lane.pause_s[k] = usual if believed else -usual
    lane.kept_s[k] = known + came + kept


@lean
def patience(lane: Any, data_clock: int, rules: Any) -> float:
    """Return after how many seconds without a reading a signal that is awake is silent.

    That is `dropout_intervals` of its usual ones; on the wall clock no more than a few, where they
    are long. What one gap alone may have made, what the times in a backlog say, and what is not
    known at all is waited for no longer than `dropout_unknown_s`.
    """
    unknown, many = rules.dropout_unknown_s, rules.dropout_intervals
    usual = lane.interval_s if data_clock == 1 else lane.group_s
    if usual == 0.0:  # heard once
        return float(unknown)
    if data_clock == 0 and usual > 0.0:
        wait = min(many * usual, max(unknown, FEW * usual))
    else:
        wait = many * max(abs(lane.interval_s), -usual)
        wait = min(wait, unknown) if usual < 0.0 else wait
    return float(max(wait, rules.dropout_min_s))


@lean
def sleep(lane: Any, data_clock: int, rules: Any) -> float:
    """Return after how many seconds without a reading a signal sleeps no more; 0 if it never does.

    That is a few of its sleeps, on the wall clock.
    """
    usual = lane.pause_s[0]
    if data_clock == 1 or lane.group_s <= 0.0 or usual <= 0.0:
        return 0.0
    if (lane.received_ns - lane.heard_ns) * 1e-9 > lane.kept_s[0]:
        return 0.0
    return float(min(FEW * usual, max(rules.dropout_unknown_s, LATE * usual)))
