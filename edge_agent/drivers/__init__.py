"""Sources of readings. A driver is any class with the two methods of `Driver`.

Ours are named in `DRIVERS`; others announce themselves in the entry-point group
`forewarn.drivers` (name -> "module:attribute") and are checked with `edge_agent.drivers.checks`.
"""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol

import msgspec

from models import plugins
from models.contract.messages import Metric
from models.contract.wire import NAME_PATTERN

Value = float | int | bool | None

#: name -> "module:attribute"; imported only when asked for
DRIVERS: Final[Mapping[str, str]] = {
    "high-rate": "edge_agent.drivers.highrate:HighRateDriver",
    "high-rate-file": "edge_agent.drivers.highrate_file:HighRateFileDriver",
    "host": "edge_agent.drivers.host:HostDriver",
    "program": "edge_agent.drivers.program:ProgramDriver",
    "replay": "edge_agent.drivers.replay:ReplayDriver",
}
GROUP: Final = "forewarn.drivers"
#: whether a text can name a signal, the machine's key before it included
names_signal: Final = re.compile(NAME_PATTERN).match


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Signal values of one moment. None means that a signal gave no value.

    `wall_ns` is ns since 1970 UTC. `mono_ns` is the monotonic clock, or None where the time is
    the data's own.
    """

    values: Mapping[str, Value]
    wall_ns: int
    mono_ns: int | None = None
    quality: Mapping[str, int] = msgspec.field(default_factory=dict)  #: 0 good … 3 stale


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a driver's settings (the table `[sources.options]`)."""


class Driver(Protocol):
    """Gives readings until it is cancelled or has no more.

    `patient` says that the source can wait (a file, a simulation): then the outbox slows it down
    instead of dropping. `readings` cleans up after itself when it is closed or cancelled.
    """

    Options: ClassVar[type[Options]]
    patient: ClassVar[bool]

    def __init__(self, options: Any, *, interval_s: float) -> None: ...

    def signals(self) -> Sequence[Metric]:
        """Return what is known of the signals now; more may come with readings."""

    def readings(self) -> AsyncGenerator[Reading, None]:
        """Yield readings. `DriverError` means: try again later."""


def names() -> list[str]:
    """Return the names of all drivers that can be used here."""
    return sorted({*DRIVERS, *plugins.offers(GROUP)})


def find(name: str) -> type[Driver]:
    """Return the class of a driver; `plugins.UnknownPluginError` lists those that there are."""
    found: type[Driver] = plugins.find(DRIVERS, GROUP, name)
    return found
