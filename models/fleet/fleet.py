"""The fleet: state of all machines, rows in, assessments out."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.anomaly.detector import Factory
from models.assessment import Assessment, Comparison
from models.fleet import kernel, persist
from models.fleet.anew import begin_anew
from models.fleet.bounds import Bounds
from models.fleet.config import Config
from models.fleet.gaps import blank
from models.fleet.lanes import (
    configure,
    configure_history,
    contexts,
    grown,
    keeps_history,
    new_history,
    new_lane,
    new_machine,
    signals_of,
)
from models.fleet.layout import (
    CHANGED,
    CONDITION,
    ESTIMATE,
    HISTORY,
    ITEM,
    LANE,
    MACHINE,
    ONSET,
    REFERENCE,
)
from models.fleet.lives import Lives
from models.fleet.plans import MACHINES, Plans
from models.fleet.report import assess
from models.fleet.room import Room
from models.fleet.shadow import Shadow
from models.fleet.signals import Orders, Signals
from models.fleet.since import Began, Since
from models.fleet.sisters import Elders, compare, lent
from models.fleet.terms import Terms
from models.fleet.trace import Trace
from models.fleet.watch import watch
from models.fleet.witnesses import Said, witnesses
from models.profile import Profile
from models.rows import Block, Tick
from models.units import NOTHING, Types

Clock = Literal["wall", "data"]
GENERIC: Final = "generic"
PORTION: Final = 32_768  #: values at a time: they and what is found of them stay in the cache
_NOTHING_KNOWN: Final = Profile(name=GENERIC, version=0, title={"en": "Machine", "zh": "设备"})


class Fleet:
    """Scores the rows of many machines, each by its profile.

    All that it remembers is in arrays (`snapshot`, `restore`). The same rows in the same order give
    the same bits, however they were cut into groups. Not safe for two threads at once.
    `detectors`: plug-ins that run in the shadow, profile -> name -> factory.
    """

    def __init__(
        self,
        profiles: Mapping[str, Profile],
        config: Config | None = None,
        detectors: Mapping[str, Mapping[str, Factory]] | None = None,
    ) -> None:
        self._types = Types(profiles)
        self._shadow = Shadow(detectors) if detectors else None
        self._rules = (config or Config()).record()
        self._generic = self._types.get(GENERIC) or _NOTHING_KNOWN
        self._lanes: NDArray[Any] = np.zeros(0, LANE)
        self._bounds, self._since, self._elders, self._terms = Bounds(), Since(), Elders(), Terms()
        # one a signal that is watched; the kernel looks at some reference of every signal
        self._onsets, self._references = np.zeros(0, ONSET), np.zeros(1, REFERENCE)
        self._machines: NDArray[Any] = np.zeros(0, MACHINE)
        self._histories: NDArray[Any] = np.zeros(0, HISTORY)
        self._lives = Lives(float(self._rules[0]["life_told"]))
        self._lane_count = self._onset_count = self._history_count = 0
        self._numbers, self._profile_of = dict[str, int](), list[Profile]()
        self._names, self._bound = list[str](), list[str]()  # machines and their profiles
        self._signals, self._orders = list[Signals](), Orders()
        self._plans, self._room = Plans(), Room()
        self._cursor = np.zeros(3, np.int64)

    def bind(
        self, machine: str, profile: str, clock: Clock = "wall", told: Mapping[str, str] = NOTHING
    ) -> None:
        """Say what type a machine is, whose clock it follows and the units it tells, by signal.

        Unknown profile: generic. What was learned of signals of like name and unit stays.
        """
        profile = self._types.named(profile, told)
        number = self._numbers.get(machine)
        if number is None:
            number = len(self._names)
            self._numbers[machine] = number
            self._names.append(machine)
            self._bound.append(profile)
            self._profile_of.append(self._generic)
            self._signals.append(Signals(self._orders))
            self._machines = grown(self._machines, number)
            self._machines[number : number + 1] = new_machine(clock == "data")
        elif self._bound[number] == profile:
            self._machines[number]["data_clock"] = int(clock == "data")
            return
        else:
            self._plans.forget(machine)
            self._forget(number, self._types.moved(self._bound[number], profile))
        self._bound[number] = profile
        self._machines[number]["data_clock"] = int(clock == "data")
        self._follow(number)

    def observe(
        self, rows: Sequence[Block | Tick], trace: Trace | None = None, *, tell: bool = True
    ) -> list[Assessment]:
        """Take blocks and ticks in order; return in this order what there is to `tell`, if asked.

        A machine that was not bound is `generic` on the wall clock.
        """
        rows = rows if self._shadow is None else self._shadow.widened(rows, self.profile)
        told, taken = list[Assessment](), 0
        while taken < len(rows):
            taken += self._take(rows[taken:] if taken else rows, told if tell else None, trace)
        return told

    def _take(
        self, rows: Sequence[Block | Tick], told: list[Assessment] | None, trace: Trace | None
    ) -> int:
        """Take the first blocks and ticks, as many as go well together; return how many."""
        items, times, cells = self._gather(rows)
        readings = (items, self._plans.layout, times, cells)
        widest = int(items["columns"].max(initial=0))
        machines = self._machines[: len(self._names)]
        odds, strengths, scores, flags = self._room.made(len(cells), len(times))
        known = (self._onsets, self._lanes, machines, self._rules)
        watch(known, readings, (odds, strengths, flags))
        self._cursor[:] = 0
        while True:
            known = (self._lanes, self._bounds.rows, self._references, self._terms.rows)
            state = (*known, machines, self._histories, self._rules)
            lives = tuple(self._lives.lines())
            number = kernel.run(state, lives, readings, (odds, flags, scores), self._cursor, widest)
            if number < 0:
                break
            assessment = self._told(number, tell=told is not None)
            if told is not None and assessment is not None:
                told.append(assessment)
        if trace is not None:
            trace.take(items, scores, strengths, flags)
        return len(items)

    def current(self, machine: str) -> Assessment:
        """Return what is known of a machine now; `KeyError` when it was never bound or heard."""
        number = self._numbers.get(machine)
        if number is None:
            raise KeyError(f"no machine '{machine}': bind it, or wait for its first reading")
        mine = self._signals[number].plain()
        since = self._since.told(mine, self._lanes, self._machines[number])
        return self._assess(number, mine, self._said(number, mine), since)

    def restart(
        self, machine: str, component: str | None, at_ns: int, n: int = 0
    ) -> Assessment | None:
        """Begin anew after a repair, journal record `n`; return what is known then.

        `component` None: of the whole machine. `at_ns` is when the repair was reported; what was
        learned before it goes: references, wear, base of the counter. Unknown machines: None.
        """
        number = self._numbers.get(machine)
        if number is None:
            return None
        known = self._profile_of[number]
        self._forget(number, signals_of(component, known) if component else self._signals[number])
        self._lives.renew(number, component, at_ns)
        row = self._machines[number]
        row["flags"] |= CHANGED
        row["at_ns"], row["n"] = max(int(row["at_ns"]), at_ns), max(int(row["n"]), n)
        return self._told(number)

    def _forget(self, number: int, names: Collection[str]) -> None:
        which = [lane for name, lane in self._signals[number].items() if name in names]
        watched = self._onsets, self._references
        begin_anew(which, self._lanes, watched, self._terms, self._histories)

    def sisters(self, machine: str) -> list[Comparison]:
        """Return a machine's signals beside those of its type, strangest first; else `KeyError`."""
        number = self._numbers[machine]
        record, mine = self._machines[number], self._signals[number].plain()
        return compare(record, self._lanes, mine, self._family(number), self._terms)

    def _family(self, number: int) -> list[Signals]:
        return [self._signals[other] for other in self._elders.sisters(number)]

    def machines(self) -> list[str]:
        """Return the machines in the order in which they became known."""
        return list(self._names)

    def signals(self, machine: str) -> Mapping[str, int]:
        """Return what a machine's signals are kept under; none for one that is not known."""
        return self._signals[self._numbers[machine]] if machine in self._numbers else {}

    def lacking(self, machine: str, names: Sequence[str]) -> list[str]:
        """Return which of these signals a machine does not have yet."""
        number = self._numbers.get(machine)
        return list(names) if number is None else self._signals[number].lacking(names)

    def profile(self, machine: str) -> Profile:
        """Return the profile that a machine is scored by; generic for one that is not known."""
        number = self._numbers.get(machine)
        return self._generic if number is None else self._profile_of[number]

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return the whole state as arrays, without pickled objects."""
        return {key: array.copy() for key, array in self.state().items()}

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what `snapshot` does without a copy: the next rows change it."""
        return self._lives.dump() | persist.dump(
            machines=self._machines[: len(self._names)],
            lanes=self._lanes[: self._lane_count],
            bounds=self._bounds.dump(),
            since=self._since.dump(),
            onsets=self._onsets[: self._onset_count],
            references=self._references[: self._onset_count],
            terms=self._terms.dump(),
            histories=self._histories[: self._history_count],
            names=self._names,
            bound=self._bound,
            signals=self._signals,
        )

    @classmethod
    def restore(
        cls,
        profiles: Mapping[str, Profile],
        arrays: Mapping[str, NDArray[Any]],
        config: Config | None = None,
        detectors: Mapping[str, Mapping[str, Factory]] | None = None,
    ) -> "Fleet":
        """Return the fleet of a snapshot. `SnapshotError` when it is of another version.

        Plug-in detectors begin anew (see `models.fleet.shadow`).
        """
        fleet = cls(profiles, config, detectors)
        state = persist.load(arrays)
        fleet._machines, fleet._histories = state.machines, state.histories
        fleet._lanes, fleet._onsets, fleet._references = state.lanes, state.onsets, state.references
        counted = (state.lanes, state.onsets, state.histories)
        fleet._lane_count, fleet._onset_count, fleet._history_count = map(len, counted)
        fleet._names, fleet._bound = state.names, state.bound
        fleet._signals = [Signals(fleet._orders, *known) for known in state.signals]
        fleet._bounds.load(arrays["bounds"])
        fleet._since.load(arrays["since"])
        fleet._terms.load(arrays["terms"])
        fleet._lives.load(arrays)
        fleet._numbers = {name: i for i, name in enumerate(state.names)}
        fleet._profile_of = [fleet._generic] * len(state.names)
        for number in range(len(state.names)):
            fleet._follow(number)
        return fleet

    def _follow(self, number: int) -> None:
        """Configure a machine's lanes by its profile."""
        profile = self._types.get(self._bound[number]) or self._generic
        self._profile_of[number] = profile
        self._machines[number]["contexts"] = len(contexts(profile))
        mine = self._signals[number]
        self._take_in(number, [*profile.signals])
        for name in dict.fromkeys([*profile.signals, *mine]):
            lane = mine[name]
            self._configure(lane, name, profile)
            if keeps_history(name, profile) and self._lanes[lane]["history"] < 0:
                self._histories = grown(self._histories, self._history_count)
                self._histories[self._history_count : self._history_count + 1] = new_history(lane)
                self._lanes[lane]["history"] = self._history_count
                self._history_count += 1
            history = int(self._lanes[lane]["history"])
            if history >= 0:
                configure_history(self._histories[history], name, profile)
        self._lives.follow(number, profile, mine)
        self._elders.follow(number, profile.name, self._machines[number])

    def _configure(self, lane: int, name: str, profile: Profile) -> None:
        configure(self._lanes[lane], name, profile)
        self._lanes[lane]["bound"] = self._bounds.number(name, profile)
        if self._lanes[lane]["role"] == CONDITION and self._lanes[lane]["onset"] < 0:
            self._onsets = grown(self._onsets, self._onset_count)
            self._references = grown(self._references, self._onset_count)
            self._lanes[lane]["onset"] = self._onset_count
            self._onset_count += 1
        if self._lanes[lane]["role"] == CONDITION:
            self._terms.widen(self._lanes[lane], len(contexts(profile)))

    def _take_in(self, number: int, names: Sequence[str]) -> list[str]:
        """Give the signals that a machine did not have their lanes; return which these are."""
        mine, first = self._signals[number], self._lane_count
        fresh = [name for name in dict.fromkeys(names) if name not in mine]
        lanes = range(first, first + len(fresh))
        for lane in lanes:
            self._lanes = grown(self._lanes, lane)
            self._lanes[lane : lane + 1] = new_lane()
            self._lanes[lane]["machine"] = number
            self._lanes[lane]["next"] = self._machines[number]["first"]
            self._machines[number]["first"] = lane
        if fresh:
            mine.add(fresh, lanes, self._orders)
            self._lane_count += len(fresh)
        return fresh

    def _plan(self, machine: str, signals: tuple[str, ...]) -> int:
        """Return the plan of blocks of these signals."""
        if machine not in self._numbers:
            self.bind(machine, GENERIC)
        number = self._numbers[machine]
        mine = self._signals[number]
        for name in self._take_in(number, signals):
            self._configure(mine[name], name, self._profile_of[number])
        pairs = [(mine[name], column) for column, name in enumerate(signals)]
        pairs.sort(key=lambda pair: (self._lanes[pair[0]]["role"] != 1, pair))
        return self._plans.add(self._names[number], number, signals, pairs)

    def _gather(
        self, rows: Sequence[Block | Tick]
    ) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.float64]]:
        """Lay the columns of the first blocks in a row: items, times (rows,), cells (values,)."""
        self._plans.tidy(self._lane_count)
        plans = self._plans.known
        items: list[tuple[int, int, int, int, int, int, int, int]] = []
        columns: list[NDArray[Any]] = []
        times: list[NDArray[np.int64]] = []
        gaps: list[tuple[int, Block]] = []
        row = cell = 0
        for block in rows:
            if isinstance(block, Tick):
                items.append((-1, block.n, block.at_ns, 0, 0, 0, 0, block.stopped_ns))
                continue
            signals = block.signals
            plan = plans.get((block.machine, signals))
            if plan is None:
                plan = self._plan(block.machine, signals)
            count, width = len(block.times_ns), len(signals)
            place, number = divmod(plan, MACHINES)
            items.append((number, block.n, block.received_ns, count, row, cell, width, place))
            if block.quality or block.missing:
                gaps.append((cell, block))
            times.append(block.times_ns)
            found = block.columns
            columns.extend([found.reshape(-1)] if isinstance(found, np.ndarray) else found)
            row += count
            cell += count * width
            if cell >= PORTION:
                break
        flat = self._room.cells(cell)
        if cell:
            np.concatenate(columns, out=flat, casting="unsafe")
        for first, block in gaps:
            blank(flat, first, block)
        when = np.concatenate(times) if row else np.zeros(0, np.int64)
        return np.array(items, np.int64).view(ITEM)[:, 0], when, flat

    def _told(self, number: int, *, tell: bool = True) -> Assessment | None:
        """Return the assessment of a machine whose row had something to tell, if it is worth it."""
        machine = self._machines[number]
        flags, machine["flags"] = int(machine["flags"]), 0
        if flags & ESTIMATE:  # trends; all other lives were estimated by the kernel
            where = (number, self._profile_of[number], self._lanes, self._histories)
            flags |= CHANGED * self._lives.trends(*where)
        if not flags & CHANGED:
            return None
        mine = self._signals[number].plain()
        said = self._said(number, mine)
        since = self._since.told(mine, self._lanes, machine, over=True)
        assessment = self._assess(number, mine, said, since) if tell else None
        machine["told_state"], machine["told_health"] = machine["state"], machine["health"]
        machine["report_ns"] = machine["at_ns"] + int(self._rules[0]["report_every_s"] * 1e9)
        self._lives.told(number, int(machine["at_ns"]))
        lanes = np.fromiter(mine.values(), np.int64, len(mine))
        self._elders.told(number, machine, self._lanes, lanes)
        self._lanes["changed"][lanes] = 0
        self._lanes["lent"][lanes] = lent(said, mine) if said else 0
        return assessment

    def _said(self, number: int, mine: Mapping[str, int]) -> Said:
        known = (self._lanes, self._references, self._machines[number])
        return witnesses(mine, *known, lambda: self._family(number), self._terms)

    def _assess(self, number: int, mine: Mapping[str, int], said: Said, since: Began) -> Assessment:
        lanes = [(name, self._lanes[lane]) for name, lane in mine.items()]
        machine, profile = self._machines[number], self._profile_of[number]
        lives = self._lives.read(number, profile, int(machine["at_ns"]), self._lanes)
        name = self._names[number]
        return assess(name, machine, lanes, profile, lives, said, since, self._terms)
