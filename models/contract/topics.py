"""Topics `pm/1/{tenant}.{device}/{up|down}/{channel}/…`, built and read by inverse functions.

Tenant and device are one level, equal to the MQTT user name and the client id, so that two lines
of broker configuration give each device exactly its own topics.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, get_args

from models.contract.errors import BadTopic

ROOT: Final = "pm/1"
MAX_TOPIC: Final = 250  #: characters (all are ASCII)
MAX_LEVELS: Final = 4  #: levels of a channel, e.g. `t/live`

Direction = Literal["up", "down"]
DIRECTIONS: Final[Mapping[str, Direction]] = {d: d for d in get_args(Direction)}

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_LEVEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Topic:
    """One of our topics. It checks itself: `BadTopic` names the part that is not allowed."""

    tenant: str
    device: str
    direction: Direction
    channel: tuple[str, ...]
    #: `tenant.device`, as in the user name, the client id and the certificate
    identity: str = field(init=False)

    def __post_init__(self) -> None:
        identity = sys.intern(f"{self.tenant}.{self.device}")  # a dozen tables are keyed by it
        object.__setattr__(self, "identity", identity)
        for what, part in (("tenant", self.tenant), ("device", self.device)):
            if not _ID.fullmatch(part):
                raise BadTopic(f"{what} {part[:40]!a} is not [a-z0-9][a-z0-9-]{{0,30}}")
        if self.direction not in DIRECTIONS:
            raise BadTopic(f"direction {self.direction[:40]!a} is neither up nor down")
        if not 1 <= len(self.channel) <= MAX_LEVELS:
            raise BadTopic(f"a channel has 1 to {MAX_LEVELS} levels, not {len(self.channel)}")
        for level in self.channel:
            if not _LEVEL.fullmatch(level):
                raise BadTopic(f"level {level[:40]!a} is not [a-z0-9][a-z0-9-]{{0,62}}")

    @property
    def text(self) -> str:
        """The topic as MQTT carries it."""
        return "/".join((ROOT, self.identity, self.direction, *self.channel))


def build(topic: Topic) -> str:
    """Return the topic as MQTT carries it; `BadTopic` when it is longer than 250 characters."""
    text = topic.text
    if len(text) > MAX_TOPIC:
        raise BadTopic(f"{len(text)} characters are more than {MAX_TOPIC}")
    return text


def parse(text: str) -> Topic:
    """Read a topic; `BadTopic` says which part is not one of ours.

    What is read once a connection is not remembered.
    """
    return _read(text) if text.endswith("/up/birth") else _remembered(text)


def _read(text: str) -> Topic:
    if len(text) > MAX_TOPIC:
        raise BadTopic(f"{len(text)} characters are more than {MAX_TOPIC}")
    parts = text.split("/")
    if len(parts) < 5 or parts[0] != "pm" or parts[1] != "1":
        raise BadTopic(f"{text[:80]!a} does not follow {ROOT}/{{tenant}}.{{device}}/{{up|down}}/…")
    tenant, dot, device = parts[2].partition(".")
    if not dot:
        raise BadTopic(f"{parts[2][:80]!a} is not {{tenant}}.{{device}}")
    direction = DIRECTIONS.get(parts[3])
    if direction is None:
        raise BadTopic(f"direction {parts[3][:40]!a} is neither up nor down")
    return Topic(sys.intern(tenant), device, direction, _one(tuple(parts[4:])))


_remembered = lru_cache(maxsize=65_536)(_read)


@lru_cache(maxsize=4_096)
def _one(channel: tuple[str, ...]) -> tuple[str, ...]:
    """Return the channel that equals this one: thousands of devices have the same few."""
    return channel


@lru_cache(maxsize=65_536)
def _of(identity: str, direction: Direction, channel: tuple[str, ...]) -> str:
    tenant, dot, device = identity.partition(".")
    if not dot:
        raise BadTopic(f"{identity[:80]!a} is not {{tenant}}.{{device}}")
    return build(Topic(tenant, device, direction, channel))


def up(identity: str, *channel: str) -> str:
    """Return a topic from a device to the cloud, e.g. `up("acme.pump1", "t", "live")`."""
    return _of(identity, "up", channel)


def receipts(identity: str) -> str:
    """Return the topic of a device's receipts, `down(identity, "ack")`, and remember nothing.

    `identity`: of a topic that was read, so it is not looked at again.
    """
    return f"{ROOT}/{identity}/down/ack"


def down(identity: str, *channel: str) -> str:
    """Return a topic from the cloud to a device, e.g. `down("acme.pump1", "ack")`."""
    return _of(identity, "down", channel)
