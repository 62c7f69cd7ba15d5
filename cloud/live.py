"""What changes now, for people who watch: coalesced to one message a second, kept for resuming.

The ingest thread says what it heard (`Live.heard`); the loop of the API asks once a second what
changed (`Live.run`) and hands it to every watcher. A watcher that was cut off names the last
message it saw and gets what it missed, or is told to read everything anew. Nothing here is durable:
after a restart the ledger and the telemetry store say how things are.
"""

import asyncio
import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Final, NamedTuple

import msgspec
import numpy as np

from cloud.errors import StoreError
from cloud.glance import Glance, after, past
from cloud.ledger import EventRow, Key, Ledger
from cloud.trail import longer, points
from models.assessment import Assessment
from models.rows import Block

PERIOD_S: Final = 1.0
UNWATCHED: Final = 10  #: periods until something is handed out though nobody watches
AT_MOST: Final = 500  #: machines in one message; the others come with the next
SIGNALS: Final = 500  #: newest values in one message
KEPT: Final = 300  #: messages kept for resuming: five minutes
BACKLOG: Final = 10  #: messages a slow watcher may be behind before it is let go
EVENTS: Final = 1_000  #: changes of the ledger in one message
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of the ledger's event log, in short: what it is about and what happened."""

    subject: str
    subject_id: str
    machine: str | None
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What changed in one second; `n` counts messages since the start of this service."""

    n: int
    at_ns: int  #: wall clock
    machines: tuple[Glance, ...]
    changes: tuple[Change, ...]


class Kept(NamedTuple):
    """What is kept of a message: names, because an old glance says nothing that a new one does not.

    With all glances of five minutes, 10,000 machines would cost 24 MB.
    """

    n: int
    machines: tuple[str, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The newest value of a signal, in its unit; None where it is missing."""

    machine: str
    signal: str
    at_ns: int
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What one watcher gets at once: a message, and the newest values of what it looks at."""

    message: Message
    readings: tuple[Reading, ...] = ()
    whole: bool = True  #: else changes are left out of it: read everything anew


@dataclass(eq=False, slots=True, kw_only=True)
class Watcher:
    """One stream of messages; `None` in the queue ends it."""

    machines: frozenset[str]
    queue: "asyncio.Queue[Delivery | None]" = field(
        default_factory=lambda: asyncio.Queue(BACKLOG + 1)
    )


def _newest(blocks: Sequence[Block]) -> list[int]:
    """Return the newest time of each block; all have rows. One look costs as much as one block."""
    times = [block.times_ns for block in blocks]
    first = list(accumulate(map(len, times[:-1]), initial=0))
    found: list[int] = np.maximum.reduceat(np.concatenate(times), first).tolist() if times else []
    return found


class Live:
    """Collects what changes and hands it to watchers. `heard` may be called from any thread."""

    def __init__(self, ledger: Ledger, now: Callable[[], int]) -> None:
        self._ledger = ledger
        self._now = now
        self._lock = threading.Lock()
        self._glances: dict[str, Glance] = {}
        self._changed: dict[str, None] = {}
        self._readings: dict[str, dict[str, Reading]] = {}
        self._watched: frozenset[str] = frozenset()
        self._watchers: set[Watcher] = set()
        self._kept: deque[Kept] = deque(maxlen=KEPT)
        self._events: Key | None = None
        self._run = secrets.token_hex(6)  #: names this run of the service
        self.n = 0
        self.dropped = 0  #: watchers that were too slow
        self.shown: dict[int, bytes] = {}  #: the newest messages as on the wire, by number
        self.profiles: dict[str, str] = {}  #: by machine, as whoever watches has looked them up

    # -- from the ingest thread

    def heard(self, blocks: Sequence[Block], assessments: Sequence[Assessment]) -> None:
        """Take note of readings and of what the models said of them."""
        with self._lock:
            newest: dict[str, tuple[int, int]] = {}  # data and wall time by machine
            live = [block for block in blocks if len(block.times_ns) and not block.historical]
            for block, data_ns in zip(live, _newest(live), strict=True):
                machine, heard_ns = block.machine, block.received_ns
                before = newest.get(machine)
                if before is not None:
                    data_ns, heard_ns = max(data_ns, before[0]), max(heard_ns, before[1])  # noqa: PLW2901
                newest[machine] = data_ns, heard_ns
                if machine in self._watched:
                    self._values(block, int(block.times_ns.argmax()))
            for machine, times_ns in newest.items():
                self._received(machine, *times_ns)
            for assessment in assessments:
                known = self._glance(assessment.machine)
                self._set(after(known, assessment))

    def _received(self, machine: str, data_ns: int, heard_ns: int) -> None:
        known = self._glance(machine)
        if known.data_ns is not None:
            data_ns = max(data_ns, known.data_ns)
        heard_ns = max(heard_ns, known.heard_ns or 0)
        self._set(msgspec.structs.replace(known, data_ns=data_ns, heard_ns=heard_ns))

    def _values(self, block: Block, row: int) -> None:
        found = self._readings.setdefault(block.machine, {})
        at_ns = int(block.times_ns[row])
        for signal, column in zip(block.signals, block.columns, strict=True):
            if signal in found and found[signal].at_ns > at_ns:
                continue
            gone = block.missing.get(signal)
            value = None if gone is not None and gone[row] else float(column[row])
            found[signal] = Reading(
                machine=block.machine,
                signal=signal,
                at_ns=at_ns,
                value=None if value is None or value != value else value,  # noqa: PLR0124 (NaN)
            )

    def _glance(self, machine: str) -> Glance:
        return self._glances.get(machine) or Glance(machine=machine)

    def _set(self, glance: Glance) -> None:
        self._glances[glance.machine] = glance
        self._changed[glance.machine] = None

    # -- from the API

    def glance(self, machine: str) -> Glance | None:
        """Return a machine at a glance, if anything is known of it."""
        with self._lock:
            return self._glances.get(machine)

    def remember(self, glance: Glance) -> None:
        """Take what the ledger knew before this run, behind what was heard meanwhile."""
        with self._lock:
            known = self._glances.get(glance.machine)
            if known is None:
                self._glances[glance.machine] = glance
            elif known.seen_ns is None:
                self._glances[glance.machine] = msgspec.structs.replace(
                    glance, data_ns=known.data_ns, heard_ns=known.heard_ns
                )
            elif glance.trail:
                trail = glance.trail
                for at_ns, health in points(known.trail):
                    trail = longer(trail, at_ns, health)
                self._glances[glance.machine] = msgspec.structs.replace(known, trail=trail)

    def watch(self, machines: frozenset[str]) -> Watcher:
        """Begin to hand out messages, with the newest values of these machines.

        More than a message holds that waited while nobody watched would delay what comes now: it is
        left to what the watcher reads by itself.
        """
        if not self._watchers and len(self._changed) > AT_MOST:
            self.hand_out(())
        watcher = Watcher(machines=machines)
        self._watchers.add(watcher)
        self._look()
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """End a watcher's stream."""
        self._watchers.discard(watcher)
        self._look()

    def _look(self) -> None:
        watched = frozenset[str]().union(*(w.machines for w in self._watchers))
        with self._lock:
            self._watched = watched

    def place(self, n: int | None = None) -> str:
        """Return the id of message `n` of this run of the service, of the newest without one."""
        return f"{self._run}-{self.n if n is None else n}"

    def since(self, place: str) -> list[Message] | None:
        """Return what came after the message with this id; None when it is too long ago.

        Each machine comes once, as it is now, `AT_MOST` in a message. Only the last one has the
        newest number: who is cut off before it gets all of them again.
        """
        run, _, text = place.partition("-")
        if run != self._run or not text.isdecimal() or len(text) > 15:
            return None
        n = int(text)
        if n == self.n:
            return []
        if not self._kept or not self._kept[0].n - 1 <= n < self.n:
            return None
        missed = [kept for kept in self._kept if kept.n > n]
        names = dict.fromkeys(chain.from_iterable(kept.machines for kept in missed))
        with self._lock:
            glances = tuple(self._glances[name] for name in names)
        changes = tuple(chain.from_iterable(kept.changes for kept in missed))
        now_ns, pieces = self._now(), max(-(-len(glances) // AT_MOST), -(-len(changes) // EVENTS))
        return [
            Message(
                n=self.n if k == pieces - 1 else n,
                at_ns=now_ns,
                machines=glances[k * AT_MOST : (k + 1) * AT_MOST],
                changes=changes[k * EVENTS : (k + 1) * EVENTS],
            )
            for k in range(pieces)
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Hand out what changed, each period (or `UNWATCHED`), until `stop`; end every stream."""
        periods = 0
        try:
            await asyncio.to_thread(self._begin)
            while not stop.is_set():
                try:
                    await asyncio.wait_for(stop.wait(), PERIOD_S)
                except TimeoutError:
                    periods += 1
                    if self._watchers or periods % UNWATCHED == 0:
                        self.hand_out(await self.changes())
        finally:
            for watcher in list(self._watchers):
                self._end(watcher)

    async def changes(self) -> tuple[Change, ...]:
        """Return what the ledger wrote down since the last call."""
        return await asyncio.to_thread(self._written)

    def hand_out(self, changes: tuple[Change, ...]) -> None:
        """Make a message of what changed and give it to every watcher; none if nothing did.

        Changes beyond `EVENTS` are left out, and machines beyond `AT_MOST` wait, but not where
        nobody watches. Who was away then is told to read everything anew.
        """
        with self._lock:
            names = list(self._changed)[: AT_MOST if self._watchers else None]
            for name in names:
                del self._changed[name]
            glances = tuple(self._glances[name] for name in names)
            readings, self._readings = self._readings, {}
        if not glances and not changes:
            return
        for change in changes:
            if change.subject == "machine":
                self.profiles.pop(change.subject_id, None)
        self.n += 1
        whole, changes = max(len(names) - AT_MOST, len(changes) - EVENTS) <= 0, changes[-EVENTS:]
        message = Message(n=self.n, at_ns=self._now(), machines=glances, changes=changes)
        if whole:
            self._kept.append(Kept(self.n, tuple(names), changes))
        else:
            self._kept.clear()
        for old in [n for n in tuple(self.shown) if n < self.n - BACKLOG]:
            del self.shown[old]
        for watcher in list(self._watchers):
            mine = [one for name in watcher.machines for one in readings.get(name, {}).values()]
            delivery = Delivery(message=message, readings=tuple(mine[:SIGNALS]), whole=whole)
            if watcher.queue.qsize() >= BACKLOG:
                self.dropped += 1
                self._end(watcher)
            else:
                watcher.queue.put_nowait(delivery)

    def _end(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)
        if watcher.queue.full():
            watcher.queue.get_nowait()
        watcher.queue.put_nowait(None)

    # -- from the ledger

    def _begin(self) -> None:
        """Find the end of the event log, and what the ledger knew of the machines."""
        try:
            self._written()
            machine: Key | None = None
            while True:
                rows, machine = self._ledger.machines(after=machine, limit=200)
                for row in rows:
                    self.remember(past(self._ledger, row.id))
                if machine is None:
                    return
        except StoreError as error:
            log.warning("ledger: %s; trails begin now", error)

    def _written(self) -> tuple[Change, ...]:
        """Return what was written since the last call, but the oldest of more than `EVENTS` + 1."""
        found: deque[EventRow] = deque(maxlen=EVENTS + 1)
        try:
            while True:
                rows, more = self._ledger.events(after=self._events, limit=EVENTS)
                found.extend(rows)
                if rows:
                    self._events = (rows[-1].seq,)
                if more is None:
                    break
        except StoreError as error:
            log.warning("ledger: %s; its changes come later", error)
        return tuple(
            Change(subject=e.subject, subject_id=e.subject_id, machine=e.machine, type=e.type)
            for e in found
        )
