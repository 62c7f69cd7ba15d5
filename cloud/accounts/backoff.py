"""How long somebody must wait after wrong passwords. Pure: the caller brings the time.

Failures are counted by name, whether such a person exists or not, and by address. Within bounds:
the oldest counts go first, and they fade after an hour of peace.
"""

from collections import OrderedDict
from typing import Final

import msgspec

SECOND: Final = 1_000_000_000
FADE_NS: Final = 3_600 * SECOND
KEPT: Final = 10_000  #: names and addresses remembered, each


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """After `free` failures wait 1 s, then twice as long each time, up to `longest_s`."""

    free: int
    longest_s: int

    def pause_ns(self, failures: int) -> int:
        """Return how long to wait after the newest of so many failures."""
        over = failures - self.free
        return min(self.longest_s, 2 ** min(over, 30)) * SECOND if over >= 0 else 0


#: a name's wait is short, or anybody could keep its owner out
NAME: Final = Rule(free=5, longest_s=60)
ADDRESS: Final = Rule(free=20, longest_s=900)


class _Failures:
    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()  # count, newest

    def wait_ns(self, key: str, now_ns: int) -> int:
        count, newest = self._seen.get(key, (0, 0))
        if now_ns - newest > FADE_NS:
            return 0
        return max(0, newest + self._rule.pause_ns(count) - now_ns)

    def failed(self, key: str, now_ns: int) -> None:
        count, newest = self._seen.pop(key, (0, 0))
        self._seen[key] = (count + 1 if now_ns - newest <= FADE_NS else 1, now_ns)
        while len(self._seen) > KEPT:
            self._seen.popitem(last=False)

    def forget(self, key: str) -> None:
        self._seen.pop(key, None)


class BackOff:
    """Counts failures and says how long to wait."""

    def __init__(self) -> None:
        self._names = _Failures(NAME)
        self._addresses = _Failures(ADDRESS)

    def wait_ns(self, name: str, address: str, now_ns: int) -> int:
        """Return ns to wait before the next attempt (0: go on)."""
        by_name = self._names.wait_ns(name.casefold(), now_ns)
        return max(by_name, self._addresses.wait_ns(address, now_ns))

    def failed(self, name: str, address: str, now_ns: int) -> None:
        """Count a failure."""
        self._names.failed(name.casefold(), now_ns)
        self._addresses.failed(address, now_ns)

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name; its address must wait for them to fade."""
        self._names.forget(name.casefold())
