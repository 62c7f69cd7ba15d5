"""A second look at spans whose readings came late: what would have been said had they come in time.

Late readings are stored and never enter the live state. Once a span of them has been quiet for a
minute, the machine's stored readings around it go through a fleet of their own, in order of time
and on the data's clock; what that fleet says of the span becomes assessments with a higher
`revision`. Triage lets those open or annotate an advisory, never order or repeat a ticket.

All of it is paced by the journal's ticks, one machine and one bounded piece a tick, so that a
replay looks at the same spans at the same place.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

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
log = logging.getLogger(__name__)


class Span(msgspec.Struct):
    """Where a machine has late readings, inclusive; `noted_ns`: when the last of them came."""

    start_ns: int
    end_ns: int
    noted_ns: int


class Reviews:
    """The spans that wait for a second look. One thread uses it."""

    def __init__(self, profile_of: Callable[[str], Profile], telemetry: TelemetryStore) -> None:
        self._profile_of = profile_of
        self._telemetry = telemetry
        self._newest: dict[str, dict[tuple[str, ...], int]] = {}
        self._spans: dict[str, Span] = {}
        self._looks: dict[str, int] = {}  #: machine -> revision of its last second look
        self.tick_ns = 0

    def note(self, block: Block) -> None:
        """Note whether readings are behind those of the same signals that were scored before."""
        if not len(block):
            return
        first, last = int(block.times_ns[0]), int(block.times_ns[-1])
        sets = self._newest.setdefault(block.machine, {})
        newest = sets.pop(block.signals, None)
        sets[block.signals] = last if newest is None else max(newest, last)
        if len(sets) > MAX_SETS:
            del sets[next(iter(sets))]
        if newest is not None and LATE_NS < newest - first <= OLDEST_NS:
            self._late(block.machine, first, min(last, newest))

    def _late(self, machine: str, start_ns: int, end_ns: int) -> None:
        span = self._spans.pop(machine, None)
        if span is not None:
            start_ns, end_ns = min(start_ns, span.start_ns), max(end_ns, span.end_ns)
        elif len(self._spans) >= MAX_MACHINES:
            log.warning("late readings of %s are stored only: too many machines wait", machine)
            return
        self._spans[machine] = Span(start_ns, end_ns, self.tick_ns)

    def due(self, tick: Tick, *, waiting: bool = False) -> list[Assessment]:
        """Return the second look that is due at a tick; none while readings wait for the store."""
        self.tick_ns = tick.at_ns
        if waiting:
            return []
        machine, span = next(iter(self._spans.items()), ("", None))
        if span is None or 0 <= tick.at_ns - span.noted_ns < QUIET_NS:
            return []
        del self._spans[machine]
        try:
            block, whole = self._block(machine, span, tick.n)
        except StoreError as error:
            log.warning("late readings of %s: %s; tried again", machine, error)
            self._spans[machine] = span
            return []
        if not len(block):
            return []
        newest = int(block.times_ns[-1])
        if not whole and newest > span.start_ns:  # the rest has its turn after the others
            self._spans[machine] = Span(newest, span.end_ns, span.noted_ns)
        log.info("%s: a second look at the span of its late readings", machine)
        return self._look(block, span)

    def _look(self, block: Block, span: Span) -> list[Assessment]:
        """Score rows of a machine beside the live state; keep what is said of the span."""
        profile = self._profile_of(block.machine)
        fleet = Fleet({profile.name: profile})
        fleet.bind(block.machine, profile.name, "data")
        told = [one for one in fleet.observe([block]) if one.at_ns >= span.start_ns]
        last = fleet.current(block.machine)
        kept = [one for one in told if one.conditions and one.at_ns < last.at_ns][: MAX_TOLD - 1]
        revision = self._looks[block.machine] = self._looks.get(block.machine, 0) + 1
        return [msgspec.structs.replace(one, revision=revision) for one in (*kept, last)]

    def _block(self, machine: str, span: Span, n: int) -> tuple[Block, bool]:
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
            parts = [s.times_ns for s in found]
            times = np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))
            times = times[times < end_ns]
            most = MAX_CELLS // max(len(signals), 1)
            if len(times) > most:
                end_ns = int(times[most])
                times = times[:most]
            if end_ns > span.start_ns + 1:
                break
        columns = np.full((len(signals), len(times)), np.nan)
        for row, series in zip(columns, found, strict=True):
            good = (series.times_ns < end_ns) & (series.quality < BAD) & ~series.missing
            row[np.searchsorted(times, series.times_ns[good])] = series.values[good]
        block = Block(
            n=n,
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
        return [
            [machine, list(sets.items()), self._looks.get(machine, 0), self._spans.get(machine)]
            for machine, sets in self._newest.items()
        ]

    def load(self, rows: Sequence[Any], tick_ns: int) -> None:
        """Take over what `dump` returned; `tick_ns`: the last tick."""
        self.tick_ns = tick_ns
        for machine, newest, looks, span in rows:
            self._newest[machine] = {tuple(signals): at_ns for signals, at_ns in newest}
            if looks:
                self._looks[machine] = looks
            if span is not None:
                self._spans[machine] = msgspec.convert(span, Span)
        # in the order in which they became due
        self._spans = dict(sorted(self._spans.items(), key=lambda item: item[1].noted_ns))
