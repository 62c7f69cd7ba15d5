"""One stream of numbers: which of them are here, and which batches wait for earlier ones. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cloud.intervals import Intervals
from cloud.marks import Marks

MAX_ISLANDS: Final = 10_000  #: intervals of one stream beyond its first hole
NO_HOLES: Final = Intervals()  #: of a stream without holes, as nearly all are; never added to

T = TypeVar("T")
Parts = list[tuple[int, int]]  #: [first, end) of each


@dataclass(slots=True)
class Held(Generic[T]):
    """A batch that waits; `item` is whatever the caller wants back."""

    seq: int
    count: int
    parts: Parts  #: of it that neither were here nor waited before
    fingerprint: int
    since_ns: int
    item: T
    size: int


Memo = tuple[int, int, Intervals | None, list[Held[T]] | None]


@dataclass(slots=True)
class Stream(Marks, Generic[T]):
    """What is known of a stream: the numbers that are here, those that wait, and its marks."""

    expected: int = 0  #: the first number that is not here
    above: Intervals = NO_HOLES
    heard_ns: int = 0  #: when a batch of it last came
    held: Sequence[Held[T]] = ()  #: in the order of their numbers

    def memo(self) -> Memo[T]:
        """Return what `recall` needs to undo all that follows but `remember`."""
        above = self.above.copy() if self.above else None
        return self.expected, self.heard_ns, above, list(self.held) if self.held else None

    def recall(self, memo: Memo[T]) -> None:
        """Return to `memo`."""
        self.expected, self.heard_ns, above, held = memo
        self.above = above or NO_HOLES
        self.held = held or ()

    @property
    def frontier(self) -> int:
        """Return the first number behind all that are here."""
        return self.above.end or self.expected

    @property
    def whole(self) -> bool:
        """Whether nothing is missing and nothing waits."""
        return not self.above and not self.held

    def missing_of(self, first: int, end: int) -> Parts:
        """Return the parts of [first, end) that are not here yet."""
        first = max(first, self.expected)
        return self.above.missing(first, end) if first < end else []

    def waiting(self, first: int, end: int) -> "list[Held[T]]":
        """Return the batches that wait and have some of [first, end)."""
        return [held for held in self.held if held.seq < end and first < held.seq + held.count]

    def crowded(self, first: int, end: int) -> bool:
        """Whether [first, end) would be one island too many."""
        full = len(self.above) >= MAX_ISLANDS
        return full and first > self.expected and not self.above.joins(first, end)

    def add(self, first: int, end: int) -> None:
        """Note [first, end) as being here."""
        if first > self.expected:
            if self.above is NO_HOLES:
                self.above = Intervals()
            self.above.add(first, end)
        else:
            self.expected = self.above.take_below(max(self.expected, end))
            self.above = self.above or NO_HOLES

    def settle(self, first: int, end: int) -> None:
        """Note [first, end) as needing nothing more, but for what waits: that is to be stored."""
        for held in list(self.held):
            if first < held.seq < end:
                self.add(first, held.seq)
            if held.seq < end:
                first = max(first, held.seq + held.count)
        if first < end:
            self.add(first, end)
