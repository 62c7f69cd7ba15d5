"""The second valve: how much of a device and of a tenant is taken. Pure.

Token buckets count messages and values. What is over the limit is acknowledged to the broker and
counted but not stored; the receipt refuses it with `quota` and says how many samples the device may
have in flight, so that its outbox keeps the rest and sends more slowly.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from models.contract.messages import MAX_SAMPLES

S: Final = 1_000_000_000
BIRTHS_PER_S: Final = 5.0  #: of one device
RECOVERED_NS: Final = 60 * S  #: after so long without a refusal a device's credit is lifted
MAX_NAMED: Final = 100  #: devices named in `Quota.refusals`


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

    def fill(self, now_ns: int) -> float:
        """Return the level now; a clock that was set back adds nothing."""
        past = max(now_ns - self.at_ns, 0) / S
        self.level = min(self.size, self.level + past * self.rate)
        self.at_ns = now_ns
        return self.level


class _Limit(NamedTuple):
    name: str
    whose: str
    rate: float


@dataclass(slots=True)
class Throttled:
    """What was refused of one device: by which limit, how many messages, when last."""

    limit: str
    messages: int
    last_ns: int


@dataclass(slots=True)
class Quota:
    """The buckets of all devices and tenants. One thread uses it."""

    limits: Limits = field(default_factory=Limits)
    refusals: dict[str, Throttled] = field(default_factory=dict)
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)
    _before: dict[tuple[str, str], float] = field(default_factory=dict)

    def begin(self) -> None:
        """Begin a group: `rollback` returns to here."""
        self._before = {}

    def rollback(self) -> None:
        """Give back what was drawn since `begin`: the group comes again."""
        for key, level in self._before.items():
            self._buckets[key].level = level

    def message(self, identity: str, now_ns: int, *, birth: bool = False) -> bool:
        """Whether one more message of this device may be looked at.

        Births have a small bucket of their own: without one nothing else can be read.
        """
        if birth:
            return self._draw(_Limit("births_per_s", identity, BIRTHS_PER_S), identity, 1, now_ns)
        limit = _Limit("device_messages_per_s", identity, self.limits.device_messages_per_s)
        return self._draw(limit, identity, 1, now_ns)

    def values(self, identity: str, count: int, now_ns: int) -> bool:
        """Whether so many values are within the limits of device and tenant."""
        tenant = identity.partition(".")[0]
        own = _Limit("device_values_per_s", identity, self.limits.device_values_per_s)
        all_ = _Limit("tenant_values_per_s", tenant, self.limits.tenant_values_per_s)
        return self._draw(own, identity, count, now_ns) and self._draw(
            all_, identity, count, now_ns
        )

    def _draw(self, limit: _Limit, identity: str, count: int, now_ns: int) -> bool:
        if not limit.rate:
            return True
        key = (limit.name, limit.whose)
        bucket = self._buckets.get(key)
        if bucket is None:
            size = limit.rate * self.limits.burst_s
            bucket = self._buckets[key] = _Bucket(limit.rate, size, size, now_ns)
        # A batch larger than the whole bucket passes when the bucket is full.
        level = bucket.fill(now_ns)
        self._before.setdefault(key, level)
        if level < min(count, bucket.size):
            self._note(limit.name, identity, now_ns)
            return False
        bucket.level -= count
        return True

    def _note(self, limit: str, identity: str, now_ns: int) -> None:
        known = self.refusals.get(identity)
        if known is None and len(self.refusals) < MAX_NAMED:
            self.refusals[identity] = Throttled(limit, 1, now_ns)
        elif known is not None:
            known.limit, known.messages, known.last_ns = limit, known.messages + 1, now_ns

    def credit(self, identity: str, columns: int, now_ns: int) -> int | None:
        """Return how many samples a device that was refused may have in flight.

        A message carries at least one sample, so that the room for messages bounds it too. None for
        a device that was not refused; one that stayed within its limits for a minute is told the
        largest batch there is, and forgotten.
        """
        known = self.refusals.get(identity)
        if known is None:
            return None
        values = self._room("device_values_per_s", identity, now_ns) / max(columns, 1)
        messages = self._room("device_messages_per_s", identity, now_ns)
        if now_ns - known.last_ns >= RECOVERED_NS:
            del self.refusals[identity]
            return MAX_SAMPLES
        return int(max(min(values, messages, MAX_SAMPLES), 1))

    def _room(self, limit: str, identity: str, now_ns: int) -> float:
        bucket = self._buckets.get((limit, identity))
        return bucket.fill(now_ns) if bucket else MAX_SAMPLES

    def forget(self, now_ns: int) -> None:
        """Drop the buckets that are full again: they say nothing."""
        for key in [k for k, b in self._buckets.items() if b.fill(now_ns) >= b.size]:
            del self._buckets[key]
