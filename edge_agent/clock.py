"""The agent's only look at a clock. Everything else gets times with its data."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.contract.ids import uuid7
from models.contract.messages import Clock

#: systemd-timesyncd makes this file once the clock was set from the network.
SYNCHRONISED: Final = Path("/run/systemd/timesync/synchronized")


@dataclass(frozen=True, slots=True)
class Now:
    """One moment on both clocks: ns since 1970 UTC, and ns that never jump."""

    wall_ns: int
    mono_ns: int


def now() -> Now:
    """Return this moment."""
    return Now(time.time_ns(), time.monotonic_ns())  # noqa: TID251  the one place


def new_boot() -> str:
    """Return an id never used before on this device (UUIDv7)."""
    return uuid7(now().wall_ns, os.urandom(10))


def quality(source: str) -> Clock | None:
    """Return how good the clock is. `auto` says `ntp` only where the system vouches for it."""
    if source != "auto":
        return Clock(src=source)
    return Clock(src="ntp") if SYNCHRONISED.exists() else None
