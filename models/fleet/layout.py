"""How the state lies in memory: one record a lane (a signal of a machine), one a machine.

The first part of a record follows from the profile and is written again on restore, the rest is
state. Fields lie at multiples of their size. A change of any field needs a new `VERSION`.
"""

from typing import Final

import numpy as np

VERSION: Final = 20
CONTEXTS: Final = 4  #: so many context signals of a machine can explain the others
PEERS: Final = 6  #: so many signals of a machine are set beside each
LEVELS: Final = 16
PER_LEVEL: Final = 8  #: points of one width in a history
POINTS: Final = LEVELS * PER_LEVEL + 1  #: and one that is being added
SAMPLES: Final = 16  #: most samples kept for the median of one bucket

# Checks as bits of `active`. Alert and alarm of a limit are told as one condition.
ALERT_HIGH: Final = 0
ALARM_HIGH: Final = 1
ALERT_LOW: Final = 2
ALARM_LOW: Final = 3
RATE: Final = 4
LEVEL: Final = 5
STUCK: Final = 6
DROPOUT: Final = 7
SHIFT: Final = 8
AGAIN: Final = 9  #: onsets that come back
CHECKS: Final = 10
REGISTERS: Final = 5  #: the first five go through N of M

CONDITION: Final = 0
CONTEXT: Final = 1
COUNTER: Final = 2
DETECTOR: Final = 3

UNKNOWN: Final = 0
LEARNING: Final = 1
NORMAL: Final = 2
ALERT: Final = 3
ALARM: Final = 4
SILENT: Final = 5

# Why a machine is looked at: bits of `flags`.
CHANGED: Final = 1
MOVED: Final = 2
ESTIMATE: Final = 4

# What the watch says of a row: bits of `flags`, one a row.
ONSET_ALARM: Final = 1
STAYS: Final = 2  #: a signal stays away from where it was (early state)
FAULTY: Final = 4  #: a signal is in a lasting shift (set by the kernel)
BEYOND: Final = 8  #: evidence went beyond the limit of an alarm, also where none is raised so soon
MARKED: Final = 16  #: the odds of a signal are a mark:
ABSURD: Final = -1.0  #: a first reading that is not to be learned,
FALSE_START: Final = -2.0  #: or one that shows that those before it were absurd

NEVER: Final = np.iinfo(np.int64).max
MOST: Final = np.iinfo(np.int32).max  #: where counts of rows stop
UNTIMED: Final = 1 << 14  #: bit of `changed`: no row did it

LANE_CONFIG: Final = [
    ("machine", "i4"),
    ("history", "i4"),  # row in the histories, -1 none
    ("onset", "i4"),  # row in the onsets and in the references, -1 none
    ("bound", "i4"),  # row in the bounds
    ("terms", "i4"),  # place in the terms (`models.fleet.terms`)
    ("wide", "i1"),  # contexts that they are for
    ("role", "i1"),
    ("slot", "i1"),  # place among the machine's contexts, -1 none
    ("shifts", "i1"),  # 1 when a lasting shift matters
    ("up", "i1"),
    ("down", "i1"),
    ("expected_lane", "i1"),  # 1 when the profile asks for it
    ("wears", "i1"),  # 1 when there is a limit that it runs into
    ("lent", "i1"),  # state: sisters that stand in while its own reference is learned
]
LANE_STATE: Final = [
    # what every row touches comes first: few cache lines a row
    ("armed", "i1"),  # the healthy reference
    ("frozen", "i1"),
    ("notice", "i1"),  # rows until the notice of an onset ends
    ("next", "i4"),  # next lane of the same machine, -1 last
    ("active", "i2"),
    ("changed", "i2"),  # at the last row, or when the machine fell silent
    ("learned", "i4"),  # rows since the level began, until there are enough
    ("count", "i4"),  # rows that the reference has learned
    ("last_ns", "i8"),
    ("received_ns", "i8"),
    ("same_ns", "i8"),
    ("rows", "i8"),
    ("last", "f8"),
    ("interval_s", "f8"),  # usual time between readings; negative: one gap alone
    ("fast", "f8"),
    ("level", "f8"),
    ("spread", "f8"),
    ("step", "f8"),  # smallest change ever seen: the resolution
    ("odds", "f8"),
    ("bad", "f8"),
    ("bad_seen", "f8"),
    ("mean", "f8"),
    ("expected", "f8"),
    ("sigma", "f8"),
    ("slack", "f8"),
    ("rise", "f8"),  # the two cumulative sums
    ("fall", "f8"),
    ("register", "u8", (REGISTERS,)),
    ("beyond_ns", "i8", (2,)),  # the last two onsets, alarms or not
    ("group_s", "f8"),  # usual time between receipts; negative: that in which a backlog was made
    ("group_ns", "i8"),  # when the first reading of the newest receipt was
    ("heard_ns", "i8"),  # when the first receipt was
    ("first_ns", "i8"),
    # pauses that come again (`models.fleet.silence`): how long, negative while on trial, and until
    # when after the first receipt it is kept; then one longer than that, on trial
    ("pause_s", "f4", (2,)),
    ("kept_s", "f4", (2,)),
]
LANE: Final = np.dtype(LANE_CONFIG + LANE_STATE)

#: what a profile allows a signal: one for all machines of a type
BOUND: Final = np.dtype(
    [
        ("alert_low", "f8"),
        ("alarm_low", "f8"),
        ("alert_high", "f8"),
        ("alarm_high", "f8"),
        ("rate", "f8"),
        ("goal_high", "f8"),  # the limit that wear runs into, NaN none
        ("goal_low", "f8"),
        ("stuck_ns", "i8"),
        ("dropout_ns", "i8"),  # 0: learned
        ("limited", "i2"),  # 1 when any limit is set
        ("indicates", "i2"),  # 1 when the signal shows the wear of a part
        ("need", "i2"),  # so many of the last rows
        ("window", "i2"),  # of so many
    ]
)

#: when a check of a lane began that is active
SINCE: Final = np.dtype([("lane", "i8"), ("check", "i8"), ("at_ns", "i8")])

#: what a signal's healthy reference is learned from (`models.fleet.reference`), beside its terms
REFERENCE: Final = np.dtype(
    [
        ("solve_at", "f8"),
        ("sxx", "f8"),
        # other signals (`models.fleet.pairs`): lane plus one, rows, sums of products
        ("peer", "i4", (PEERS,)),
        ("pair_n", "i4", (PEERS,)),
        ("pair_xx", "f4", (PEERS,)),
        ("pair_xy", "f4", (PEERS,)),
        ("pair_yy", "f4", (PEERS,)),
    ]
)

MACHINE: Final = np.dtype(
    [
        ("data_clock", "i1"),
        ("contexts", "i1"),
        ("flags", "i1"),
        ("state", "i1"),
        ("told_state", "i1"),
        ("elder", "i1"),  # 1 when it had a healthy reference as it was told of
        ("slot", "i2"),  # of the watch: part of the day
        ("first", "i4"),  # its first lane, -1 none
        ("session", "i4"),  # of the watch: long gaps so far
        ("at_ns", "i8"),
        ("n", "i8"),
        ("rows", "i8"),
        ("due_ns", "i8"),  # no lane can have dropped out before
        ("report_ns", "i8"),
        ("dropped_ns", "i8"),  # when a signal was last found silent
        ("odds", "f8"),
        ("score", "f8"),
        ("health", "f8"),
        ("told_health", "f8"),
        ("coverage", "f8"),
        ("context", "f8", (CONTEXTS,)),
        ("context_ns", "i8", (CONTEXTS,)),
        # of the watch alone (`models.fleet.watch`)
        ("begin_ns", "i8"),  # first row
        ("watch_ns", "i8"),  # newest row
        ("watched", "i8"),  # rows
        ("alarm_row", "i8"),  # row of the last onset alarm, 0 none
        ("beyond_row", "i8"),  # last row with evidence beyond the limit, 0 none
        ("usual_s", "f8"),  # usual interval
        ("day", "i8"),  # since the first row
        ("slot_end_ns", "i8"),
    ]
)

#: what the watch knows of a signal; 1 KB (`models.fleet.onset`, `models.fleet.early`)
ONSET: Final = np.dtype(
    [
        ("rows", "i8"),
        ("since", "i4"),  # rows since the start or the last long gap
        ("session", "i4"),
        ("evidence", "f8"),
        ("step", "f8"),  # smallest change ever seen: the resolution
        ("recent", "f8", (3,)),  # the last readings, the newest first
        ("level", "f8"),
        ("spread", "f8"),  # mean absolute deviation
        ("low", "f8"),  # the range that the cells divide
        ("high", "f8"),
        ("around", "f8"),  # mean distance from the part of the day
        ("fresh", "f8"),  # share of new triples, lately
        ("edge", "f8", (3,)),  # running 95 % quantile of each surprise
        ("scale", "f8", (3,)),  # mean excess over it
        ("seen", "i4", (3,)),
        # the early state
        ("early_since", "i4"),
        ("known", "i4"),
        ("early", "i1"),
        ("blocks", "i1"),  # of the last ones
        ("moves", "i1"),  # as far as they count
        ("block_rows", "i1"),
        ("base", "f8"),
        ("noise", "f8"),
        ("quick", "f8"),
        ("wander", "f8"),
        ("reach", "f8"),  # in standard deviations, where the state begins
        ("block_sum", "f8"),
        ("block_mean", "f8", (2,)),
        # the day and the pattern
        ("origin", "f8"),  # the first reading; the middles are told from there
        ("middle", "f4", (48,)),
        ("width", "f4", (48,)),
        ("visits", "u1", (48,)),
        ("cell", "u1", (16,)),
        ("triples", "u8", (35,)),
    ]
)

HISTORY: Final = np.dtype(
    [
        ("lane", "i4"),
        ("counter", "i2"),
        ("due", "i2"),
        ("kept", "i4"),
        ("points", "i4"),
        ("levels", "i1", (LEVELS,)),
        ("width_ns", "i8"),
        ("end_ns", "i8"),
        ("first_ns", "i8"),
        ("estimate_ns", "i8"),
        ("heard_ns", "i8"),  # the last reading,
        ("usual_s", "f8"),  # and how long after each other they come
        ("base", "f8"),  # counter: use in all = reading - base
        ("start", "f8"),  # counter: use in all when the part was new
        ("rated", "f8"),  # counter: the shortest life of a part by it, inf none
        ("raw", "f8"),  # counter: the last reading that counts, and when it was
        ("raw_ns", "i8"),
        ("pending", "f8"),  # counter: one that does not follow, inf none
        ("held", "i4"),  # so many higher ones
        ("went", "i4"),  # 1: one of them was higher by as much again
        ("before", "f8"),  # counter: base before it fell, inf none
        ("low", "f8"),  # a reading beyond these asks for an estimate at once
        ("high", "f8"),
        ("sample", "f8", (SAMPLES,)),
        ("time", "f8", (POINTS,)),  # s since first_ns
        ("value", "f8", (POINTS,)),
    ]
)

LIFE: Final = np.dtype(
    [
        ("machine", "i8"),
        ("lane", "i8"),
        ("at_ns", "i8"),  # when it was estimated
        ("known", "i8"),
        ("misses", "i8"),  # estimates without a result since
        ("told_known", "i8"),
        ("told_ns", "i8"),
        ("told_s", "f8"),
        ("p10_s", "f8"),
        ("p50_s", "f8"),
        ("p90_s", "f8"),
        ("fraction", "f8"),
        ("slope", "f8"),
    ]
)

ITEM: Final = np.dtype(
    [
        ("machine", "i8"),  # -1: a tick
        ("n", "i8"),
        ("at_ns", "i8"),  # received, or the tick
        ("rows", "i8"),
        ("first_row", "i8"),
        ("first_cell", "i8"),
        ("columns", "i8"),
        ("first_column", "i8"),  # in the lane numbers; of a tick: its `stopped_ns`
    ]
)
