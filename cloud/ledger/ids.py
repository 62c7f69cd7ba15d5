"""Ids that grow: UUIDv7 with a counter within the millisecond (RFC 9562, 6.2, method 1)."""

import secrets
import threading
from collections.abc import Callable
from typing import Final

from models.contract.ids import uuid7

COUNTER_BITS: Final = 12
START: Final = 1 << 10  #: a new millisecond begins at a random number below this


class Ids:
    """Makes ids, each greater than the one before, whatever the clock does."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ms = 0
        self._counter = 0

    def __call__(self) -> str:
        """Return the next id."""
        with self._lock:
            ms = self._clock() // 1_000_000
            if ms > self._ms:
                self._ms, self._counter = ms, secrets.randbelow(START)
            else:
                self._counter += 1
                if self._counter >> COUNTER_BITS:
                    self._ms, self._counter = self._ms + 1, 0
            head = self._counter.to_bytes(2, "big")
            return uuid7(self._ms * 1_000_000, head + secrets.token_bytes(8))
