"""How much one person may take out as files: so many at once, and so many readings an hour."""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Final
from weakref import finalize

from cloud.errors import CloudError

AT_ONCE: Final = 2  #: files of one person that are being made
PER_HOUR: Final = 100_000_000  #: readings of one person: five of the largest files
HOUR_NS: Final = 3_600 * 10**9


class TooMuch(CloudError):
    """A person has taken out as much as one may; `seconds`: until it is worth asking again."""

    def __init__(self, detail: str, seconds: int) -> None:
        super().__init__(detail)
        self.seconds = seconds


class Exports:
    """The files that are being made, and what was taken in the last hour, by person.

    May be called from any thread. Nothing is kept over a restart.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: deque[str] = deque()  #: by the collector; it waits for no lock
        self._running: dict[str, int] = {}
        self._taken: dict[str, deque[tuple[int, int]]] = {}

    def begin(self, who: str, readings: int, now_ns: int) -> None:
        """Count a file that is begun.

        Raises:
            TooMuch: over a limit, which is named with its number; nothing was counted.
        """
        with self._lock:
            self._count_ended()
            if self._running.get(who, 0) >= AT_ONCE:
                raise TooMuch(f"{AT_ONCE} exports at once are the limit of one person", 10)
            taken = self._taken.setdefault(who, deque())
            while taken and taken[0][0] <= now_ns - HOUR_NS:
                taken.popleft()
            if sum(count for _, count in taken) + readings > PER_HOUR:
                wait = taken[0][0] + HOUR_NS - now_ns if taken else HOUR_NS
                raise TooMuch(
                    f"{PER_HOUR:,} exported readings an hour are the limit of one person; "
                    f"this file has {readings:,}",
                    max(1, -(-wait // 10**9)),
                )
            if readings:
                taken.append((now_ns, readings))
            self._running[who] = self._running.get(who, 0) + 1

    def _count_ended(self) -> None:
        while self._ended:
            who = self._ended.popleft()
            self._running[who] -= 1
            if not self._running[who]:
                del self._running[who]

    def counted(self, who: str, file: Iterator[bytes]) -> Iterator[bytes]:
        """Return a file that ends its count when it is sent, or when its reader goes away."""

        def sent() -> Iterator[bytes]:
            try:
                yield from file
            finally:
                ended()

        found = sent()
        ended = finalize(found, self._ended.append, who)  # a file nobody began to read ends too
        return found
