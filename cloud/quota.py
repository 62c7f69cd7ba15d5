"""The second valve: how much of a device and of a tenant is taken. Pure.

Token buckets count messages and values. What is over the limit is acknowledged to the broker and
counted but not stored; the receipt refuses it with `quota` and says how many samples the device may
have in flight, so that its outbox keeps the rest and sends more slowly.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from models.contract.messages import MAX_SAMPLES

S: Final = 1_000_000_000
BIRTHS_PER_S: Final = 5.0  #: of one device
RECOVERED_NS: Final = 60 * S  #: after so long without a refusal a device's credit is lifted
FORGET_NS: Final = S  #: between two looks at which buckets are full again: they say nothing
MAX_NAMED: Final = 100  #: devices whose refusals are told


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is taken per second. A bucket holds `burst_s` seconds of it; 0 means no limit."""

    device_messages_per_s: float = 1_000.0
    device_values_per_s: float = 1_000_000.0
    tenant_values_per_s: float = 10_000_000.0
    burst_s: float = 5.0


@dataclass(slots=True)
class _Bucket:
    rate: float
    size: float
    level: float
    at_ns: int
    group: int = 0  #: the last one that drew from it
    before: float = 0.0  #: its level before that group

    def fill(self, now_ns: int) -> float:
        """Return the level now; a clock that was set back adds nothing."""
        past = now_ns - self.at_ns
        self.at_ns = now_ns
        if past > 0:
            level = self.level + past * self.rate / S
            self.level = level if level < self.size else self.size
        return self.level

    def full(self, now_ns: int) -> bool:
        """Whether it is full by now; asking changes nothing."""
        return self.level + max(now_ns - self.at_ns, 0) * self.rate / S >= self.size


def _forget(buckets: dict[str, _Bucket], now_ns: int) -> None:
    """Drop the buckets that are full again."""
    for whose in [whose for whose, one in buckets.items() if one.full(now_ns)]:
        del buckets[whose]


class Sluice:
    """The limit on a device's messages, looked at before a message is kept.

    So a flood costs the others no place in a queue. It passes what `Quota.message` passes. One
    thread asks, another collects what was refused.
    """

    def __init__(self, limits: Limits) -> None:
        self._rate = limits.device_messages_per_s
        self._size = self._rate * limits.burst_s
        self._buckets: dict[str, _Bucket] = {}
        self._looked_ns = 0
        self._refused: Counter[str] = Counter()
        self._lock = threading.Lock()

    def passes(self, identity: str, now_ns: int) -> bool:
        """Whether one more message of a device may be kept."""
        if not self._rate:
            return True
        if not 0 <= now_ns - self._looked_ns < FORGET_NS:
            self._looked_ns = now_ns
            _forget(self._buckets, now_ns)
        bucket = self._buckets.get(identity)
        if bucket is None:
            bucket = self._buckets[identity] = _Bucket(self._rate, self._size, self._size, now_ns)
        if bucket.fill(now_ns) < min(1, bucket.size):
            with self._lock:
                self._refused[identity] += 1
            return False
        bucket.level -= 1
        return True

    def refused(self) -> Counter[str]:
        """Return how many messages were refused since the last call, by device."""
        with self._lock:
            counts, self._refused = self._refused, Counter()
        return counts


@dataclass(slots=True)
class _Limit:
    """A limit and its buckets by whom they count; rate 0: none."""

    name: str
    rate: float
    burst_s: float
    buckets: dict[str, _Bucket] = field(default_factory=dict)


@dataclass(slots=True)
class Throttled:
    """What was refused of one device: by which limit, how many messages, when last."""

    limit: str
    messages: int
    last_ns: int


def named(*refusals: Mapping[str, Throttled]) -> list[tuple[str, Throttled]]:
    """Return what was refused, the newest first, of `MAX_NAMED` devices at most.

    A device stands there once for each of the mappings that names it.
    """
    found = [item for one in refusals for item in list(one.items())]
    found.sort(key=lambda item: item[1].last_ns, reverse=True)
    told = set(list(dict.fromkeys(device for device, _ in found))[:MAX_NAMED])
    return [item for item in found if item[0] in told]


class Quota:
    """The buckets of all devices and tenants. One thread uses it."""

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        burst = limits.burst_s
        self.refusals: dict[str, Throttled] = {}
        self._births = _Limit("births_per_s", BIRTHS_PER_S, burst)
        self._messages = _Limit("device_messages_per_s", limits.device_messages_per_s, burst)
        self._values = _Limit("device_values_per_s", limits.device_values_per_s, burst)
        self._tenants = _Limit("tenant_values_per_s", limits.tenant_values_per_s, burst)
        self._looked_ns = 0
        self._group = 0
        self._drawn: list[_Bucket] = []  #: by the group in hand

    def begin(self, now_ns: int) -> None:
        """Begin a group, received from `now_ns` on: `rollback` returns to here."""
        self._group += 1
        self._drawn = []
        if not 0 <= now_ns - self._looked_ns < FORGET_NS:
            self._looked_ns = now_ns
            for limit in (self._births, self._messages, self._values, self._tenants):
                _forget(limit.buckets, now_ns)

    def rollback(self) -> None:
        """Give back what was drawn since `begin`: the group comes again."""
        for bucket in self._drawn:
            bucket.level = bucket.before

    def counts(self, *, birth: bool) -> bool:
        """Whether there is a limit on such messages."""
        return birth or self._messages.rate > 0

    def message(self, identity: str, now_ns: int, *, birth: bool = False) -> bool:
        """Whether one more message of this device may be looked at.

        Births have a small bucket of their own: without one nothing else can be read.
        """
        limit = self._births if birth else self._messages
        return not limit.rate or self._draw(limit, identity, 1, now_ns, identity)

    def values(self, identity: str, count: int, now_ns: int) -> bool:
        """Whether so many values are within the limits of device and tenant."""
        own, all_ = self._values, self._tenants
        if own.rate and not self._draw(own, identity, count, now_ns, identity):
            return False
        if not all_.rate:
            return True
        return self._draw(all_, identity.partition(".")[0], count, now_ns, identity)

    def _draw(self, limit: _Limit, whose: str, count: int, now_ns: int, identity: str) -> bool:
        bucket = limit.buckets.get(whose)
        if bucket is None:
            size = limit.rate * limit.burst_s
            bucket = limit.buckets[whose] = _Bucket(limit.rate, size, size, now_ns)
        level = bucket.fill(now_ns)
        if bucket.group != self._group:
            bucket.group, bucket.before = self._group, level
            self._drawn.append(bucket)
        # A batch larger than the whole bucket passes when the bucket is full.
        if level < count and level < bucket.size:
            self._note(limit.name, identity, now_ns)
            return False
        bucket.level -= count
        return True

    def refused_before(self, identity: str, messages: int, now_ns: int) -> None:
        """Note messages over the limit of a device that a `Sluice` has refused."""
        self._note("device_messages_per_s", identity, now_ns, messages)

    def _note(self, limit: str, identity: str, now_ns: int, messages: int = 1) -> None:
        known = self.refusals.get(identity)
        if known is None and len(self.refusals) < MAX_NAMED:
            self.refusals[identity] = Throttled(limit, messages, now_ns)
        elif known is not None:
            known.limit, known.last_ns = limit, now_ns
            known.messages += messages

    def credit(self, identity: str, columns: int, now_ns: int) -> int | None:
        """Return how many samples a device that was refused may have in flight.

        A message carries at least one sample, so that the room for messages bounds it too. None for
        a device that was not refused; one that stayed within its limits for a minute is told the
        largest batch there is, and forgotten.
        """
        known = self.refusals.get(identity)
        if known is None:
            return None
        values = self._room(self._values, identity, now_ns) / max(columns, 1)
        messages = self._room(self._messages, identity, now_ns)
        if now_ns - known.last_ns >= RECOVERED_NS:
            del self.refusals[identity]
            return MAX_SAMPLES
        return int(max(min(values, messages, MAX_SAMPLES), 1))

    def _room(self, limit: _Limit, identity: str, now_ns: int) -> float:
        bucket = limit.buckets.get(identity)
        return bucket.fill(now_ns) if bucket else MAX_SAMPLES
