"""A second look at spans whose readings came late: what would have been said had they come in time.

Late readings are stored and never enter the live state. Once a span of them has been quiet for a
minute, the machine's stored readings around it go through a fleet of their own, in order of time
and on the data's clock; what that fleet says of the span becomes assessments with a higher
`revision`. Triage lets those open or annotate an advisory, never order or repeat a ticket.

All of it is paced by the journal's ticks, one machine and one bounded piece a tick, so that a
replay looks at the same spans at the same place. A service that is behind with what comes in has no
time for looks: all but one in ten minutes wait. Reading and scoring are another thread's; what it
found is handed over a fixed number of ticks after it began, so that ingest need not wait for it.
Where rows come meanwhile to what is looked at, whether it saw them would be chance: that look is
given up, and its span waits until it is quiet again.
"""

import logging
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from cloud.errors import StoreError
from cloud.telemetry import TelemetryStore
from models.assessment import Assessment
from models.fleet import Fleet
from models.profile import Profile
from models.rows import Block, Tick

S: Final = 1_000_000_000
LATE_NS: Final = 60 * S  #: readings so far behind their signals' newest are late
OLDEST_NS: Final = 30 * 86_400 * S  #: later ones are stored only
QUIET_NS: Final = 60 * S  #: without more late readings before a span is looked at
WARM_NS: Final = 4 * 3_600 * S  #: of readings before the span, for the models to learn from
MAX_ROWS: Final = 20_000  #: of a signal in one piece
MAX_CELLS: Final = 2_000_000  #: of a piece: signals may each have times of their own
MAX_SETS: Final = 64  #: sets of signals of a machine whose newest time is known
MAX_TOLD: Final = 100  #: assessments kept of a piece
MAX_MACHINES: Final = 1_000  #: that wait for a second look
BAD: Final = 2  #: quality from here on is no reading
LOOK_TICKS: Final = 5  #: from the beginning of a look to what it found
LOOK_S: Final = 60.0  #: that ingest waits for a look which is due
BEHIND_NS: Final = 3 * S  #: readings that waited longer for ingest say that it is behind
CALM_NS: Final = 60 * S  #: without such ones before a look begins
PATIENCE_NS: Final = 600 * S  #: from one look to the next while ingest stays behind
Times = NDArray[np.int64]
log = logging.getLogger(__name__)


class Span(msgspec.Struct):
    """Where a machine has late readings, inclusive; `noted_ns`: when the last of them came."""

    start_ns: int
    end_ns: int
    noted_ns: int


class Pace(msgspec.Struct):
    """What says whether ingest has time for a look: service's times in ns, 0 for never."""

    heard_ns: int = 0  #: arrival of the newest readings since the last tick
    behind_ns: int = 0  #: the last tick before which even those had waited
    began_ns: int = 0  #: the last tick at which a look began


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look found, and where it ended when that was not the end of the span."""

    told: list[Assessment]
    end_ns: int | None = None


@dataclass(slots=True, eq=False)
class _Look:
    """A look that has begun; `ticks` are left until it is handed over."""

    machine: str
    span: Span
    ticks: int
    found: "Future[_Found]"


def _repeats(times_ns: Times) -> Times:
    """Return how many of the times (n,), which ascend, before each one equal it."""
    return np.arange(len(times_ns)) - np.searchsorted(times_ns, times_ns)


def _rows(series_ns: Sequence[Times], end_ns: int, most: int) -> tuple[Times, int]:
    """Return the times before `end_ns` of the rows that hold all series, and where they end.

    A time is there as often as in the series that has it most often. No more than `most` rows: the
    times that make more are left for the next piece.
    """
    times = np.unique(np.concatenate([np.zeros(0, np.int64), *series_ns]))
    often = np.ones(len(times), np.int64)
    for one in series_ns:
        np.maximum.at(often, np.searchsorted(times, one), _repeats(one) + 1)
    rows = np.repeat(times, often)
    rows = rows[rows < end_ns]
    if len(rows) <= most:
        return rows, end_ns
    end_ns = max(int(rows[most]), int(rows[0]) + 1)  # one time at least, if not all of its readings
    return rows[:most][rows[:most] < end_ns], end_ns


class Reviews:
    """The spans that wait for a second look. One thread uses it; another does the looking."""

    def __init__(self, profile_of: Callable[[str], Profile], telemetry: TelemetryStore) -> None:
        self._profile_of = profile_of
        self._telemetry = telemetry
        #: machine -> signals and their newest time, and so on: a table each would take thrice that
        self._newest: dict[str, tuple[Any, ...]] = {}
        self._spans: dict[str, Span] = {}
        self._looks: dict[str, int] = {}  #: machine -> revision of its last second look
        self._begun: deque[_Look] = deque()
        self._eyes = ThreadPoolExecutor(1, thread_name_prefix="review")
        self.tick_ns = 0
        self.pace = Pace()

    def close(self) -> None:
        """End the thread. A look that has begun is in `dump`, and begins again after `load`."""
        self._eyes.shutdown(cancel_futures=True)

    def note(self, blocks: Sequence[Block]) -> None:
        """Note whether readings are behind those of the same signals that were scored before."""
        heard_ns, known = self.pace.heard_ns, self._newest
        for block in blocks:
            times_ns, machine, signals = block.times_ns, block.machine, block.signals
            if not len(times_ns):
                continue
            heard_ns = max(heard_ns, block.received_ns)
            if self._begun:
                self._give_up(block)
            first, last = times_ns.item(0), times_ns.item(-1)
            sets = known.get(machine, ())
            if len(sets) == 2 and sets[0] == signals:  # as nearly always
                newest: int | None = sets[1]
                if last > sets[1]:
                    known[machine] = (signals, last)  # these names are all devices'
            else:
                newest = self._renew(machine, sets, signals, last)
            if newest is not None and LATE_NS < newest - first <= OLDEST_NS:
                self._late(machine, first, min(last, newest))
        self.pace.heard_ns = heard_ns

    def _renew(
        self, machine: str, sets: tuple[Any, ...], signals: tuple[str, ...], last_ns: int
    ) -> int | None:
        """Note the newest time of some signals of a machine; return what it was before.

        `sets`: what is known of the machine.
        """
        found = dict(zip(sets[::2], sets[1::2], strict=True))
        before: int | None = found.pop(signals, None)
        found[signals] = last_ns if before is None else max(before, last_ns)
        if len(found) > MAX_SETS:
            del found[next(iter(found))]
        self._newest[machine] = tuple(chain.from_iterable(found.items()))
        return before

    def _give_up(self, block: Block) -> None:
        """Let the spans wait again whose rows are looked at while more of them come."""
        first, last = int(block.times_ns.min()), int(block.times_ns.max())
        for look in list(self._begun):
            span = look.span
            if (
                look.machine == block.machine
                and first <= span.end_ns
                and last >= span.start_ns - WARM_NS
            ):
                self._begun.remove(look)
                self._wait(look.machine, Span(span.start_ns, span.end_ns, self.tick_ns))

    def _late(self, machine: str, start_ns: int, end_ns: int) -> None:
        span = self._spans.pop(machine, None)
        if span is not None:
            start_ns, end_ns = min(start_ns, span.start_ns), max(end_ns, span.end_ns)
        elif len(self._spans) >= MAX_MACHINES:
            log.warning("late readings of %s are stored only: too many machines wait", machine)
            return
        self._spans[machine] = Span(start_ns, end_ns, self.tick_ns)

    def due(self, tick: Tick, *, waiting: bool = False) -> list[Assessment]:
        """Return what the look found that is due at a tick, and begin the next one.

        None begins while readings wait for the store or, but for one in ten minutes, for ingest.
        """
        self._keep_pace(tick.at_ns)
        self.tick_ns = tick.at_ns
        told: list[Assessment] = []
        for look in self._begun:
            look.ticks -= 1
        if self._begun and self._begun[0].ticks <= 0:
            told = self._landed(self._begun.popleft(), tick.n)
        machine, span = next(iter(self._spans.items()), ("", None))
        quiet = span is not None and not 0 <= tick.at_ns - span.noted_ns < QUIET_NS
        if span is not None and quiet and not waiting and self._has_time():
            del self._spans[machine]
            self.pace.began_ns = tick.at_ns
            self._begin(machine, span, LOOK_TICKS)
        return told

    def _keep_pace(self, now_ns: int) -> None:
        """Note whether even the newest readings since the last tick had waited when it came."""
        pace = self.pace
        if pace.heard_ns and self.tick_ns - pace.heard_ns > BEHIND_NS:
            pace.behind_ns = now_ns
        pace.heard_ns = 0

    def _has_time(self) -> bool:
        """Return whether ingest keeps up, or no look has begun for long."""
        pace = self.pace
        return (
            not 0 <= self.tick_ns - pace.behind_ns < CALM_NS
            or not 0 <= self.tick_ns - pace.began_ns < PATIENCE_NS
        )

    def _begin(self, machine: str, span: Span, ticks: int) -> None:
        found = self._eyes.submit(self._look, machine, span, self._profile_of(machine))
        self._begun.append(_Look(machine, span, ticks, found))

    def _landed(self, look: _Look, n: int) -> list[Assessment]:
        """Return what a look found, as said at position `n`; see to what is left of its span."""
        machine, span = look.machine, look.span
        try:
            found = look.found.result(LOOK_S)
        except (StoreError, TimeoutError) as error:
            why = str(error) or f"the store did not answer for {LOOK_S:.0f} s"
            log.warning("late readings of %s: %s; tried again", machine, why)
            self._wait(machine, span)
            return []
        except Exception:  # a second look must not end ingest
            log.exception("late readings of %s are stored only: the second look failed", machine)
            return []
        if found.end_ns is not None:  # the rest has its turn after the others
            self._wait(machine, Span(found.end_ns, span.end_ns, span.noted_ns))
        if not found.told:
            return []
        log.info("%s: a second look at the span of its late readings", machine)
        revision = self._looks[machine] = self._looks.get(machine, 0) + 1
        return [msgspec.structs.replace(one, n=n, revision=revision) for one in found.told]

    def _wait(self, machine: str, span: Span) -> None:
        """Let a span wait, with what came meanwhile."""
        other = self._spans.pop(machine, span)
        self._spans[machine] = Span(
            min(span.start_ns, other.start_ns),
            max(span.end_ns, other.end_ns),
            max(span.noted_ns, other.noted_ns),
        )

    def _look(self, machine: str, span: Span, profile: Profile) -> _Found:
        """Score rows of a machine beside the live state; keep what is said of the span."""
        block, whole = self._block(machine, span)
        if not len(block):
            return _Found([])
        fleet = Fleet({profile.name: profile})
        fleet.bind(machine, profile.name, "data")
        told = [one for one in fleet.observe([block]) if one.at_ns >= span.start_ns]
        last = fleet.current(machine)
        kept = [one for one in told if one.conditions and one.at_ns < last.at_ns][: MAX_TOLD - 1]
        newest = int(block.times_ns[-1])
        return _Found([*kept, last], newest if not whole and newest > span.start_ns else None)

    def _block(self, machine: str, span: Span) -> tuple[Block, bool]:
        """Return the stored rows of the span and before it, and whether that is all of the span.

        No more than `MAX_ROWS` of a signal; where those end before the span has begun, they are
        taken from its start on.
        """
        signals = tuple(self._telemetry.signals(machine))
        for start_ns in (span.start_ns - WARM_NS, span.start_ns):
            end_ns = span.end_ns + 1
            found = [
                self._telemetry.series(machine, one, start_ns, end_ns, MAX_ROWS) for one in signals
            ]
            for series in found:
                if len(series.times_ns) == MAX_ROWS:
                    end_ns = min(end_ns, int(series.times_ns[-1]) + 1)
            most = MAX_CELLS // max(len(signals), 1)
            times, end_ns = _rows([s.times_ns for s in found], end_ns, most)
            if end_ns > span.start_ns + 1:
                break
        columns = np.full((len(signals), len(times)), np.nan)
        for row, series in zip(columns, found, strict=True):
            at = np.searchsorted(times, series.times_ns) + _repeats(series.times_ns)
            good = (series.times_ns < end_ns) & (series.quality < BAD) & ~series.missing
            good &= at < len(times)
            row[at[good]] = series.values[good]
        block = Block(
            n=0,
            machine=machine,
            device=machine,
            boot="",
            stream="",
            seq=0,
            times_ns=times,
            received_ns=span.noted_ns,
            signals=signals,
            columns=columns,
        )
        return block, end_ns > span.end_ns

    def dump(self) -> list[Any]:
        """Return the state as rows that begin with the machine, for a snapshot."""
        begun: dict[str, list[tuple[int, Span]]] = {}
        for look in self._begun:
            begun.setdefault(look.machine, []).append((look.ticks, look.span))
        return [
            [
                machine,
                list(zip(sets[::2], sets[1::2], strict=True)),
                self._looks.get(machine, 0),
                self._spans.get(machine),
                begun.get(machine, []),
            ]
            for machine, sets in self._newest.items()
        ]

    def load(self, rows: Sequence[Any], tick_ns: int, pace: Any = None) -> None:
        """Take over what `dump` returned; `tick_ns`: the last tick; `pace` as it was."""
        self.tick_ns = tick_ns
        self.pace = msgspec.convert(pace or {}, Pace)
        begun: list[tuple[int, str, Span]] = []
        known: dict[tuple[str, ...], tuple[str, ...]] = {}
        for machine, newest, looks, span, *more in rows:
            pairs = [(tuple(map(sys.intern, signals)), at_ns) for signals, at_ns in newest]
            sets = [(known.setdefault(signals, signals), at_ns) for signals, at_ns in pairs]
            self._newest[sys.intern(machine)] = tuple(chain.from_iterable(sets))
            if looks:
                self._looks[machine] = looks
            if span is not None:
                self._spans[machine] = msgspec.convert(span, Span)
            for ticks, one in more[0] if more else ():
                begun.append((ticks, machine, msgspec.convert(one, Span)))
        # in the order in which they became due
        self._spans = dict(sorted(self._spans.items(), key=lambda item: item[1].noted_ns))
        for ticks, machine, span in sorted(begun, key=lambda item: item[0]):
            self._begin(machine, span, ticks)
