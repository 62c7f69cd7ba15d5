"""What the API needs from the rest of the service."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Protocol, TypeVar

from fastapi import Depends, Request

from cloud.api.cursors import Cursors
from cloud.api.repeats import Repeats
from cloud.ledger import Ledger, Repair
from cloud.live import Live
from cloud.telemetry import TelemetryStore
from models.profile import Profile

T = TypeVar("T")


class ServiceStatus(Protocol):
    """How the ingest side is (`cloud.service.Status` is one)."""

    @property
    def connected(self) -> bool:
        """Whether the broker is reached."""
        ...

    @property
    def position(self) -> int:
        """Journal position that the models have taken."""
        ...

    @property
    def waiting(self) -> int:
        """Batches held for an earlier one."""
        ...

    @property
    def store_error(self) -> str | None:
        """What keeps the telemetry store from writing."""
        ...

    @property
    def broker_error(self) -> str | None:
        """What the broker last complained of."""
        ...

    @property
    def counters(self) -> object:
        """Totals with the fields of `cloud.api.health.Counters`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """How the service is at `now_ns` (wall time, ns since 1970 UTC)."""

    service: ServiceStatus
    now_ns: int


class Submit(Protocol):
    """Runs a ledger write on the one writer thread and returns its result."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Run `work` after what was submitted before it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDeps:
    """What the routes reach. `secret` signs cursors; `repaired(repair)` says that one is due.

    `public_url` is the address people use when a proxy stands in front; `demo` is shown on the
    health page.
    """

    ledger: Ledger
    telemetry: TelemetryStore
    profiles: Mapping[str, Profile]
    health: Callable[[], HealthReport]
    submit: Submit
    repaired: Callable[[Repair], None]
    secret: bytes
    public_url: str | None = None
    demo: bool = False
    live: Live | None = None  #: what is pushed to watchers; None: nothing is
    cursors: Cursors = field(init=False)
    repeats: Repeats = field(init=False, default_factory=Repeats)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cursors", Cursors(self.secret))


async def _deps(request: Request) -> ApiDeps:
    deps = request.app.state.deps
    assert isinstance(deps, ApiDeps)
    return deps


Deps = Annotated[ApiDeps, Depends(_deps)]
