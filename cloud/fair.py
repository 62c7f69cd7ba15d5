"""A bounded queue that is fair to its senders: each in turn, in the order of what it sent."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")
TURN: Final = 16  #: taken from one sender before the next has its turn


class FairQueue(Generic[T]):
    """Many threads put, one takes. One sender cannot keep the others waiting."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._size = 0
        self._bytes = 0
        self._woken = False
        self._wanted = 1  #: how many the one who takes waits for
        self._waiting: OrderedDict[str, deque[tuple[str, T, int]]] = OrderedDict()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return self._size

    def _room(self) -> bool:
        return self._size < self._most and self._bytes < self._most_bytes

    def put(self, items: Sequence[tuple[str, T, int]], timeout: float) -> int:
        """Add (sender, item, its bytes) in order; return how many are in.

        The rest found no room within `timeout` seconds.
        """
        with self._changed:
            count = 0
            while count < len(items):
                if not self._changed.wait_for(self._room, timeout):
                    break
                count += self._add(items[count:] if count else items)
            return count

    def _add(self, items: Sequence[tuple[str, T, int]]) -> int:
        """Add items until there is no more room; return how many."""
        before, size, held = self._size, self._size, self._bytes
        for one in items:
            mine = self._waiting.get(one[0])
            if mine is None:
                mine = self._waiting[one[0]] = deque()
            mine.append(one)
            size += 1
            held += one[2]
            if size >= self._most or held >= self._most_bytes:
                break
        self._size, self._bytes = size, held
        if before < self._wanted <= size or not self._room():
            self._changed.notify_all()
        return size - before

    def wake(self) -> None:
        """Let `take`, or the next one, return without waiting for a first item."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def take(self, most: int, timeout: float, gather: float = 0.0, pause: float = 0.0) -> list[T]:
        """Return up to `most` items, waiting up to `timeout` seconds for the first one.

        Then up to `gather` seconds for the rest, as long as some come within `pause` seconds.
        """
        out: list[T] = []
        with self._changed:
            self._changed.wait_for(lambda: self._size > 0 or self._woken, timeout)
            self._woken = False
            if not self._size:
                return out
            self._wanted, seen, ends = most, 0, time.monotonic() + gather
            while seen < self._size < most and self._room() and time.monotonic() < ends:
                seen = self._size
                self._changed.wait(pause)
            self._wanted = 1
            full = not self._room()
            while self._waiting and len(out) < most:
                sender, items = self._waiting.popitem(last=False)
                turn = min(TURN, len(items), most - len(out))
                for _ in range(turn):
                    _, item, size = items.popleft()
                    out.append(item)
                    self._bytes -= size
                if items:
                    self._waiting[sender] = items
            self._size -= len(out)
            if full:
                self._changed.notify_all()
        return out
