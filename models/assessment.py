"""What the models say about machines: conditions, health, remaining life, assessments.

Names follow ISO 13374 (state detection, health assessment, prognostic assessment). Everything is a
frozen value; words for people are made from these values when they are shown (`models.words`), so
that an assessment can be read in every language and compared bit for bit.
"""

from enum import StrEnum
from typing import Final

import msgspec


class Check(StrEnum):
    """What can be found on one signal."""

    LIMIT_HIGH = "limit-high"
    LIMIT_LOW = "limit-low"
    RATE = "rate"
    STUCK = "stuck"
    DROPOUT = "dropout"
    LEVEL = "level"  #: away from the adaptive baseline: something changed now (onset)
    SHIFT = "shift"  #: away from the frozen healthy reference for long (CUSUM): state of fault
    DETECTOR = "detector"  #: a plug-in detector


#: checks that speak of a sensor, not of the machine
SENSOR_CHECKS: Final = frozenset({Check.RATE, Check.STUCK, Check.DROPOUT})
NOTICE: Final = 1  #: the severity that asks for nothing


class State(StrEnum):
    """How a machine is. Ordered by urgency in `STATE_ORDER`."""

    UNKNOWN = "unknown"  #: nothing heard yet
    LEARNING = "learning"  #: no healthy reference yet
    NORMAL = "normal"
    ALERT = "alert"  #: not as it should be; plan something
    ALARM = "alarm"  #: act now
    SILENT = "silent"  #: nothing heard for too long


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """One signal's part in a finding: `value` against `expected`, in the signal's unit."""

    signal: str
    check: Check
    value: float | None
    expected: float | None
    unit: str | None
    weight: float  #: share of the fused score, 0..1


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A signal beside others that should agree with it, now.

    Its sisters (`sisters` machines of the same type under the same conditions: the middle of what
    they would show, and how far they differ), or another signal of the machine (`beside`: what it
    explains by the healthy reference, and how well). `spread` is one standard deviation; both in
    the signal's unit.
    """

    signal: str
    value: float
    expected: float
    spread: float
    sisters: int
    beside: str | None = None

    @property
    def deviation(self) -> float:
        """Return how many spreads the machine is above (+) or below (-) what is expected."""
        return (self.value - self.expected) / self.spread


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A check on one signal that became active or ended (after N-of-M and hysteresis)."""

    signal: str
    check: Check
    active: bool
    since_ns: int
    score: float  #: 0..1, how surprising
    severity: int  #: 1 notice, 2 alert, 3 alarm
    onset: bool  #: true on the row where it became active
    value: float | None
    expected: float | None
    witnesses: tuple[Comparison, ...] = ()  #: others that do not agree with it


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """Time until a component's limit is reached, as a band, in seconds of the machine's clock.

    `None` = insufficient data. `fraction` is the remaining life from 1 (new) to 0 (used up).
    """

    component: str
    mode: str
    basis: str  #: wear | counter | trend | hazard, or prior: nothing of this part is known
    p10_s: float | None
    p50_s: float | None
    p90_s: float | None
    fraction: float | None
    signal: str | None = None
    slope_per_s: float | None = None  #: in the signal's unit a second
    rate: float | None = None  #: how fast it wears with its use, by a usual part
    coming: bool = False  #: no band yet, but all that one is made of is heard often enough for it


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one machine at one moment of its own clock.

    `n` is the journal position of the deciding record, `revision` grows when late data led to a
    second look at the same moment. `health` is 0..100, `coverage` 0..1 says how much of what the
    profile asks for is heard and learned. `contributions` are sorted, heaviest first.
    """

    machine: str
    at_ns: int
    n: int
    state: State
    score: float
    health: float
    coverage: float
    conditions: tuple[Condition, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    lives: tuple[Life, ...] = ()
    revision: int = 0
