"""Which signals of a machine are not heard any more, compiled."""

from typing import Any

import numpy as np

from models.fleet.checks import set_condition
from models.fleet.layout import CHANGED, CONTEXT, DETECTOR, DROPOUT, NEVER
from models.fleet.silence import patience, sleep
from models.life.compiled import lean


@lean
def dropouts(lanes: Any, bounds: Any, m: Any, now: int, rules: Any) -> None:
    """Find the signals that have not been heard for too long, and when to look again.

    Only sleep is waited for longer than usual, and meanwhile a context is not known: where it alone
    is not heard, the others were judged by what it was long ago.
    """
    due = NEVER
    i = m.first
    while i >= 0:
        lane = lanes[i]
        i = lane.next
        if lane.rows == 0 or lane.role == DETECTOR or lane.active & (1 << DROPOUT):
            continue
        usual = wait = bounds[lane.bound].dropout_ns
        if wait == 0:
            seconds = patience(lane, m.data_clock, rules)
            usual = int(seconds * 1e9)
            wait = int(max(seconds, sleep(lane, m.data_clock, rules)) * 1e9)
            if lane.interval_s == 0.0 if m.data_clock == 1 else lane.group_s <= 0.0:
                due = min(due, now + int(rules.dropout_min_s * 1e9))  # more may be known by then
        heard = lane.last_ns if m.data_clock == 1 else lane.received_ns
        if now - heard > usual and lane.role == CONTEXT and lane.slot >= 0:
            m.context[lane.slot] = np.nan
        if now - heard > wait:
            set_condition(lane, DROPOUT, True)
            m.dropped_ns = now
            m.flags |= CHANGED
        else:
            later = heard + usual if now - heard <= usual else now + usual  # or it wakes up by then
            due = min(due, later, heard + wait)
    m.due_ns = due
