"""A bounded queue that is fair to its senders: each in turn, in the order of what it sent."""

import threading
from collections import OrderedDict, deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")
TURN: Final = 16  #: taken from one sender before the next has its turn


class FairQueue(Generic[T]):
    """Many threads put, one takes. One sender cannot keep the others waiting."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return self._size

    def put(self, sender: str, item: T, timeout: float) -> bool:
        """Add an item; False when there was no room within `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._size < self._most, timeout):
                return False
            self._waiting.setdefault(sender, deque()).append(item)
            self._size += 1
            if self._size == 1:
                self._changed.notify_all()
            return True

    def take(self, most: int, timeout: float) -> list[T]:
        """Return up to `most` items, waiting up to `timeout` seconds for the first one."""
        out: list[T] = []
        with self._changed:
            if not self._changed.wait_for(lambda: self._size > 0, timeout):
                return out
            full = self._size >= self._most
            while self._waiting and len(out) < most:
                sender, items = self._waiting.popitem(last=False)
                turn = min(TURN, len(items), most - len(out))
                out += [items.popleft() for _ in range(turn)]
                if items:
                    self._waiting[sender] = items
            self._size -= len(out)
            if full:
                self._changed.notify_all()
        return out
