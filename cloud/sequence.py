"""Order and repeats: which samples of a stream are new, known, early or missing. Pure.

Every sample has the key (device, boot, stream, seq). For each stream the sequencer keeps the first
number it does not have (`expected`) and the intervals it has above that. A batch beyond a hole
waits, for at most two seconds or 64 batches, so that the stream usually enters the journal in
order; after that it is let go and the hole is reported as missing.

A stream that was silent for a day and has no holes shrinks to one line of a shelf on disk; a late
repeat is recognised from there.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import lru_cache
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from cloud.intervals import Intervals, holes
from cloud.marks import Marks, Undo
from cloud.stream import NO_HOLES, Held, Memo, Parts, Stream

HOLD_NS: Final = 2_000_000_000
HOLD_BATCHES: Final = 64
MAX_HELD: Final = 4096  #: batches of all streams that may wait; beyond it all are let go
MAX_HELD_BYTES: Final = 64 << 20  #: and so many bytes of them
MAX_HOLES: Final = 1000  #: named in one receipt; the rest comes with the next
SILENT_NS: Final = 86_400 * 10**9  #: a whole stream silent for so long is put on the shelf
GONE_NS: Final = 90 * SILENT_NS  #: one with holes: what lacks is then taken for lost
MAX_STREAMS: Final = 10_000  #: of one device that are not on the shelf

OF_STREAM: Final = 2  #: parts of a stream in `Sequencer.dump` behind its numbers

T = TypeVar("T")


class Key(NamedTuple):
    """One stream of one start of one device."""

    identity: str
    boot: str
    stream: str


class Numbered(msgspec.Struct, frozen=True, gc=False):
    """What the sequencer needs to know of a batch."""

    seq: int
    count: int
    unreceipted: int | None  #: the device's first number without a receipt
    fingerprint: int  #: of the content, the same at every repeat


class Verdict(Enum):
    """What is to be done with a batch."""

    ACCEPT = "accept"
    REPEAT = "repeat"
    CONFLICT = "conflict"  #: the same numbers with other content: the first copy stays
    HOLD = "hold"
    LATER = "later"  #: not taken: the stream has too many holes; the device sends it again


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The verdict and, when accepted, the parts that are new as (skip, take)."""

    verdict: Verdict
    parts: tuple[tuple[int, int], ...] = ()


@lru_cache(maxsize=1_024)
def _all_of(count: int) -> Decision:
    """Return the decision to accept a whole batch."""
    return Decision(Verdict.ACCEPT, ((0, count),))


class Shelf(Protocol):
    """Keeps the first number that is not here of streams that fell silent without holes."""

    def get(self, key: Key) -> int | None:
        """Return a stream's first missing number, None if it is not on the shelf."""
        ...

    def put(self, rows: list[tuple[Key, int]]) -> None:
        """Keep these, durably."""
        ...


class Sequencer(Generic[T]):
    """Keeps every stream's numbers; `item` is whatever the caller wants back on release."""

    def __init__(self, shelf: Shelf | None = None) -> None:
        self._shelf = shelf
        self._streams: dict[Key, Stream[T]] = {}
        self._counts: Counter[str] = Counter()  #: streams of each device
        self._touched: set[Key] = set()
        #: what `rollback` undoes, the last first: a stream that was new has None, and none of these
        self._done: list[tuple[Key, Stream[T] | None, Memo[T] | None, Undo | None]] = []
        self._holding: dict[Key, None] = {}  #: streams that may have held batches

    def begin(self) -> None:
        """Begin a group: `rollback` returns to here."""
        self._touched = set()
        self._done = []

    def rollback(self) -> None:
        """Undo all since `begin`: what was decided did not become durable."""
        for key, stream, memo, undo in reversed(self._done):
            if stream is None:
                if self._streams.pop(key, None) is not None:
                    self._counts[key.identity] -= 1
                continue
            if undo is not None:
                stream.forget(undo)
            if memo is not None:
                stream.recall(memo)
                if stream.held:
                    self._holding[key] = None
        self.begin()

    def _touch(self, key: Key) -> Stream[T] | None:
        stream = self._streams.get(key)
        if key not in self._touched:
            self._touched.add(key)
            self._done.append((key, stream, stream.memo() if stream else None, None))
        return stream

    def offer(self, key: Key, batch: Numbered, now_ns: int, item: T, size: int = 0) -> Decision:
        """Decide about one batch. An accepted batch counts as here from now on.

        `size`: bytes that `item` takes while it waits.
        """
        seq, known = batch.seq, self._streams.get(key)
        if known is None or seq != known.expected or known.above is not NO_HOLES or known.held:
            return self._weigh(key, batch, now_ns, item, size)
        memo = seq, known.heard_ns, None, None
        known.heard_ns = now_ns  # the next one of a stream without holes, as nearly always
        known.expected = end = seq + batch.count
        self._done.append((key, known, memo, known.remember(seq, end, batch.fingerprint)))
        return _all_of(batch.count)

    def _weigh(self, key: Key, batch: Numbered, now_ns: int, item: T, size: int) -> Decision:
        """Decide about a batch that is not simply the next one."""
        seq, count, fingerprint = batch.seq, batch.count, batch.fingerprint
        if self._too_many(key):
            return Decision(Verdict.LATER)
        stream = self._known(key, seq, batch.unreceipted)
        stream.heard_ns = now_ns
        end, waiting = seq + count, stream.waiting(seq, seq + count)
        there = Intervals((held.seq, held.seq + held.count) for held in waiting)
        parts = [part for a, b in stream.missing_of(seq, end) for part in there.missing(a, b)]
        if not parts:
            other = stream.differs(seq, end, fingerprint, [held.fingerprint for held in waiting])
            return Decision(Verdict.CONFLICT if other else Verdict.REPEAT)
        if stream.crowded(seq, end):
            return Decision(Verdict.LATER)
        if seq > stream.frontier:
            new = Held(seq, count, parts, fingerprint, now_ns, item, size)
            stream.held = sorted([*stream.held, new], key=lambda h: h.seq)
            self._holding[key] = None
            return Decision(Verdict.HOLD)
        return self._take(key, stream, batch, parts)

    def _found(self, key: Key) -> Stream[T] | None:
        """Return a stream that is known, from the shelf if need be."""
        stream = self._touch(key)
        if stream is None and self._shelf is not None:
            expected = self._shelf.get(key)
            if expected is not None:
                stream = self._add(key, Stream(expected=expected))
        return stream

    def _add(self, key: Key, stream: Stream[T]) -> Stream[T]:
        self._streams[key] = stream
        self._counts[key.identity] += 1
        return stream

    def _known(self, key: Key, seq: int, unreceipted: int | None) -> Stream[T]:
        stream = self._found(key)
        if stream is None:
            stream = self._add(key, Stream(expected=min(unreceipted or 0, seq)))
        elif unreceipted is not None and stream.expected < unreceipted <= seq:
            # The device has receipts for numbers that this service no longer knows of.
            stream.settle(stream.expected, unreceipted)
        return stream

    def _too_many(self, key: Key) -> bool:
        """Whether a device that has too many streams already begins another one."""
        return self._counts[key.identity] >= MAX_STREAMS and key not in self._streams

    def _take(
        self, key: Key, stream: Stream[T], batch: Numbered | Held[T], parts: Parts
    ) -> Decision:
        for first, end in parts:
            stream.add(first, end)
        seq, end = batch.seq, batch.seq + batch.count
        self._done.append((key, stream, None, stream.remember(seq, end, batch.fingerprint)))
        return Decision(Verdict.ACCEPT, tuple((a - seq, b - a) for a, b in parts))

    def holds(self, key: Key) -> bool:
        """Whether batches of a stream may wait for an earlier one."""
        return bool(self._holding) and key in self._holding

    def followers(self, key: Key) -> Iterator[tuple[T, Decision]]:
        """Yield batches that waited and are no longer beyond a hole, now accepted, in order."""
        stream = self._streams.get(key)
        while stream and stream.held and stream.held[0].seq <= stream.frontier:
            yield self._let_go(key, stream, stream.held[0])

    def within(self, key: Key, first: int, last: int) -> Iterator[tuple[T, Decision]]:
        """Yield batches that wait and have some of these inclusive numbers, now accepted."""
        stream = self._touch(key)
        if stream is not None:
            for held in stream.waiting(first, last + 1):
                yield self._let_go(key, stream, held)

    def _let_go(self, key: Key, stream: Stream[T], held: Held[T]) -> tuple[T, Decision]:
        stream.held = [other for other in stream.held if other is not held] or ()
        parts = [part for a, b in held.parts for part in stream.missing_of(a, b)]
        if not parts:
            return held.item, Decision(Verdict.REPEAT)
        return held.item, self._take(key, stream, held, parts)

    def overdue(self, now_ns: int) -> Iterator[tuple[Key, list[tuple[T, Decision]]]]:
        """Yield the streams whose held batches waited long enough, with these, now accepted."""
        crowd = self.waiting() > MAX_HELD or self._waiting_bytes() > MAX_HELD_BYTES
        for key in list(self._holding):
            stream = self._streams.get(key)
            if stream is None or not stream.held:
                del self._holding[key]
                continue
            self._touch(key)
            oldest = min(held.since_ns for held in stream.held)
            waited = not 0 <= now_ns - oldest < HOLD_NS  # also when the clock was set back
            if waited or crowd or len(stream.held) >= HOLD_BATCHES:
                released = []
                while stream.held:
                    released.append(self._let_go(key, stream, stream.held[0]))
                yield key, released

    def waiting(self) -> int:
        """Return how many batches wait for an earlier one."""
        return sum(len(held) for held in self._held())

    def _waiting_bytes(self) -> int:
        return sum(one.size for held in self._held() for one in held)

    def _held(self) -> Iterator[Sequence[Held[T]]]:
        streams = (self._streams.get(key) for key in list(self._holding))
        return (stream.held for stream in streams if stream)

    def account(self, key: Key, first: int, last: int) -> None:
        """Note inclusive numbers as accounted for: stored before, set aside, or declared lost.

        What waits `within` them is to be let go first, else it would be taken for a repeat.
        One island too many is left out: the device declares it again when the first holes are shut.
        """
        if self._too_many(key):
            return
        stream = self._found(key) or self._add(key, Stream())
        if not stream.crowded(first, last + 1):
            stream.add(first, last + 1)

    def restore(self, key: Key, batch: Numbered, skip: int, take: int, at_ns: int) -> None:
        """Note a part of a batch found in the journal while starting."""
        stream = self._known(key, batch.seq, batch.unreceipted)
        stream.heard_ns = at_ns
        stream.add(batch.seq + skip, batch.seq + skip + take)
        if not stream.newest_is(batch.seq, batch.seq + batch.count, batch.fingerprint):
            stream.remember(batch.seq, batch.seq + batch.count, batch.fingerprint)

    def position(self, key: Key) -> tuple[int, tuple[tuple[int, int], ...]]:
        """Return the high-watermark and the inclusive holes above it (for the receipt)."""
        stream = self._streams.get(key)
        if stream is None:
            return -1, ()
        if stream.whole:
            return stream.expected - 1, ()
        held = [(h.seq, h.seq + h.count) for h in stream.held]
        found = holes(stream.expected, stream.above, held)
        return stream.expected - 1, tuple(islice(found, MAX_HOLES))

    def shelve(self, now_ns: int) -> int:
        """Put streams that are whole and were silent for a day on the shelf; return how many."""
        if self._shelf is None:
            return 0
        rows = [
            (key, stream.frontier)
            for key, stream in self._streams.items()
            if now_ns - stream.heard_ns >= (SILENT_NS if stream.whole else GONE_NS)
        ]
        self._shelf.put(rows)
        for key, _ in rows:
            del self._streams[key]
            self._counts[key.identity] -= 1
        return len(rows)

    def dump(self) -> list[list[Any]]:
        """Return the state without held batches (they have no receipt and come again)."""
        return [
            [*key, s.expected, list(s.above), s.heard_ns, Marks.dump(s)]
            for key, s in self._streams.items()
        ]

    @classmethod
    def load(
        cls, rows: list[list[Any]], shelf: Shelf | None = None, *, prints: bool = True
    ) -> "Sequencer[T]":
        """Return a sequencer from `dump`; without `prints` where another version made those."""
        self = cls(shelf)
        for identity, boot, stream, expected, above, *rest in rows:
            ours = len(rest) == OF_STREAM  # of this version
            known: Stream[T] = Stream(expected=expected, above=Intervals(above) or NO_HOLES)
            known.heard_ns = rest[0] if ours else rest[-1]
            if ours and prints:
                known.load(*rest[1])
            self._add(Key(sys.intern(identity), boot, sys.intern(stream)), known)
        return self
