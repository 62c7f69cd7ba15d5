"""What the API needs from the rest of the service."""

import copy
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final, Protocol, TypeVar

from fastapi import Depends, Request

from cloud.accounts.desk import TRIAL, Desk
from cloud.accounts.errors import NotAllowed, SignInNeeded
from cloud.accounts.values import Principal, Role, check_name
from cloud.api.access import NOBODY, rule_of
from cloud.api.cookies import bearer_of, cookie_of
from cloud.api.cursors import Cursors
from cloud.api.exports import Exports
from cloud.diagnostics.console import Console
from cloud.errors import NotFound, Refused, StoreError
from cloud.ledger import Ledger, Repair
from cloud.ledger.writer import Submit
from cloud.live import Live
from cloud.metrics import Metrics, Status
from cloud.notify.channels import Outlet
from cloud.quota import Throttled
from cloud.telemetry import TelemetryStore
from models.profile import Profile
from models.units import shown

T = TypeVar("T")
log = logging.getLogger(__name__)


class ServiceStatus(Status, Protocol):
    """How the ingest side is (`cloud.service.Status` is one)."""

    @property
    def refusals(self) -> Sequence[tuple[str, Throttled]]:
        """Devices that ran into a limit, and what was refused."""
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
    """How the service is at `now_ns` (wall time, ns since 1970 UTC).

    `drifts`: (profile, trained model) -> machines whose rows no longer fit it.
    """

    service: ServiceStatus
    now_ns: int
    drifts: Mapping[tuple[str, str], int] = field(default_factory=dict)


class Outlets(Protocol):
    """The channels of the notifier."""

    def outlets(self) -> Sequence[Outlet]:
        """Return the channels."""
        ...

    async def send_test(self, name: str) -> str | None:
        """Send a test message over a channel; return what went wrong, without secrets."""
        ...


class NoOutlets:
    """Nobody is told."""

    def outlets(self) -> Sequence[Outlet]:
        """Return no channel."""
        return ()

    async def send_test(self, name: str) -> str | None:
        """Say that there is no such channel."""
        return f"there is no channel '{name}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDeps:
    """What the routes reach. `secret` signs cursors; `repaired(repair)` says that one is due.

    `public_url` is the address people use when a proxy stands in front. In a `demo` nobody signs
    in. A route gets it for who asks: `principal`, and a `ledger` with the machines within reach.
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
    outlets: Outlets = field(default_factory=NoOutlets)
    principal: Principal = TRIAL
    desk: Desk = field(init=False)
    whole: Ledger = field(init=False)  #: for links that bring their own right
    console: Console | None = None  #: asks devices; None: this service cannot
    live: Live | None = None  #: what is pushed to watchers; None: nothing is
    metrics: Metrics | None = None  #: None: nothing is counted
    cursors: Cursors = field(init=False)
    exports: Exports = field(default_factory=Exports)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cursors", Cursors(self.secret))
        desk = Desk(self.ledger, lambda: self.health().now_ns, demo=self.demo)
        object.__setattr__(self, "desk", desk)
        object.__setattr__(self, "whole", self.ledger)

    def of(self, principal: Principal) -> "ApiDeps":
        """Return this for who asks."""
        mine = copy.copy(self)
        object.__setattr__(mine, "principal", principal)
        object.__setattr__(mine, "ledger", self.ledger.reaching(principal.reach))
        return mine

    def profile_of(self, machine: str, profile: str) -> Profile:
        """Return what is known of a machine's signals: its profile, and the units that it tells."""
        known = self.profiles.get(profile) or self.profiles["generic"]
        return shown(known, self.ledger.units(machine))

    def signed(self, actor: str | None) -> str:
        """Return who acts: who is signed in; on a trial installation, who says so.

        Raises:
            Refused: somebody signed in says to be somebody else, or anybody to be the service.
        """
        if self.principal.account is None:
            check_name("body/actor", actor or "")
            return actor or self.principal.name
        if actor not in (None, self.principal.name):
            raise Refused("body/actor", "you act in your own name; leave it out")
        return self.principal.name


_STRANGER: Final = Principal(account=None, name="", role=Role.CUSTOMER, reach=NOBODY)


def admit(request: Request) -> ApiDeps:
    """Let in whoever may call the route, and return what it reaches for them.

    Raises:
        SignInNeeded: nobody known asks.
        NotAllowed: the role or the token's scope is not enough.
    """
    deps = request.app.state.deps
    assert isinstance(deps, ApiDeps)
    rule = rule_of(request.scope["route"].name)
    if rule.blind:
        return deps
    try:
        principal = deps.desk.principal(cookie_of(request), bearer_of(request))
    except SignInNeeded:
        if rule.roles is not None:
            raise
        principal = _STRANGER
    if rule.roles is not None and not principal.may(rule.roles, rule.scope):
        roles = ", ".join(role for role in Role if role in rule.roles)
        raise NotAllowed(
            f"this is for {roles} with scope '{rule.scope}'; you are {principal.role} "
            f"with scope '{principal.scope}'"
        )
    return deps.of(principal)


def welcome(request: Request, deps: ApiDeps, machines: Iterable[str] = ()) -> bool:
    """Whether whoever made a request that goes on may still do so, and still sees these machines.

    A ledger that is busy is asked again next time.
    """
    try:
        fresh = admit(request)
        if fresh.principal.reach != deps.principal.reach:
            return False  # what they see has changed: they begin again
        for machine in machines if fresh.principal.reach is not None else ():
            fresh.ledger.machine(machine)
    except (SignInNeeded, NotAllowed, NotFound):
        return False
    except StoreError as error:
        log.info("not looked whether somebody may still listen: %s", error)
    return True


Deps = Annotated[ApiDeps, Depends(admit)]
