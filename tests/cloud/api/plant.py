"""A small plant on real stores: ledger in SQLite, telemetry in SQLite, the API in between."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar

import httpx
import numpy as np

from cloud.accounts.desk import Desk, blank
from cloud.accounts.values import Account, Role, Scope, Token
from cloud.api import ApiDeps, HealthReport, create_app
from cloud.diagnostics.console import Console
from cloud.diagnostics.signing import Signer
from cloud.ledger import Ledger, Registration
from cloud.metrics import Metrics, Sources
from cloud.telemetry.sqlite import SqliteTelemetry
from models.assessment import Assessment, Check, Condition, State
from models.profile import Consumable, FailureMode, Limits, Profile, Signal
from models.rows import Block

T = TypeVar("T")
T0 = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
BASE = "http://127.0.0.1:8470"
SEAL = {"en": "Seal leaks", "zh": "密封泄漏"}
CHANGE = {"en": "Change the seal", "zh": "更换密封"}
PRESS = Profile(
    name="press",
    version=3,
    title={"en": "Press"},
    signals={
        "pressure": Signal(unit="bar", title={"en": "Pressure"}, limits=Limits(alarm_low=2.0)),
        "axis/x": Signal(unit="mm"),
    },
    consumables={"seal": Consumable(title={"en": "Seal"}, part="S-1", lead_time_d=5.0)},
    failure_modes={
        "leak": FailureMode(
            component="seal",
            title=SEAL,
            action=CHANGE,
            policy="auto",
            signals=("pressure",),
            life=True,
        ),
        "play": FailureMode(
            component="guide",
            title={"en": "Guide worn"},
            action={"en": "Change the guide"},
            signals=("axis/x",),
        ),
    },
)
GENERIC = Profile(name="generic", version=1, title={"en": "Machine"})


@dataclass
class Plant:
    """The stores behind the API, and how to put something into them."""

    ledger: Ledger
    telemetry: SqliteTelemetry
    clock: list[int]
    repaired: list[tuple[str, str | None]] = field(default_factory=list)
    drifts: dict[tuple[str, str], int] = field(default_factory=dict)
    status: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(
            connected=True,
            position=7,
            waiting=0,
            parked=0,
            remembered=0,
            refusals=[],
            disk_error=None,
            store_error=None,
            broker_error=None,
            counters=SimpleNamespace(
                messages=9,
                accepted=4,
                repeats=2,
                conflicts=1,
                aside=1,
                refused=2,
                held=1,
                samples=40,
            ),
        )
    )
    n: int = 0
    sent: list[str] = field(default_factory=list)

    def command(self, topic: str, payload: bytes, *, seconds: int, correlation: bytes) -> None:
        """Take a command where a device would hear it."""
        self.sent.append(topic)

    def metrics(self) -> Metrics:
        return Metrics(
            Sources(
                status=lambda: self.status, intake=lambda: self.status.counters,
                tally=self.ledger.tally, positions={}, damaged=lambda: 0,
                folder=self.telemetry.path.parent, now=lambda: self.clock[0],
            )
        )  # fmt: skip

    def register(
        self, machine: str, clock: Any = "wall", name: str | None = None, **more: Any
    ) -> None:
        device = machine.partition(":")[0]
        said = {"device": device, "profile": "press", "name": name, "clock": clock, "at_ns": T0}
        self.ledger.register([Registration(machine, **(said | more))])

    def person(
        self, role: Role, *, scope: Scope = Scope.MANAGE, **more: Any
    ) -> tuple[Account, Token, str]:
        """Add somebody; return the account, and a token with its secret."""
        self.n += 1
        account = self.ledger.account_add(blank(f"{role}-{self.n}", role, **more), None, actor="x")
        desk = Desk(self.ledger, lambda: self.clock[0])
        token, secret = desk.make_token(account.id, "test", scope, 1, actor=account.name)
        return account, token, secret

    def find(
        self, machine: str, signal: str, at_ns: int = T0, severity: int = 3, **more: Any
    ) -> None:
        """Let the models find something."""
        self.n += 1
        condition = Condition(
            signal=signal,
            check=Check.LIMIT_LOW,
            active=True,
            since_ns=at_ns,
            score=0.9,
            severity=severity,
            onset=True,
            value=1.5,
            expected=3.0,
        )
        assessment = Assessment(
            machine=machine,
            at_ns=at_ns,
            n=self.n,
            state=State.ALARM,
            score=0.9,
            health=20.0,
            coverage=1.0,
            conditions=(condition,),
            **more,
        )
        self.ledger.file(self.n, [assessment])

    def store(self, machine: str, signal: str, times: list[int], values: list[Any]) -> None:
        """Store readings of one signal."""
        self.n += 1
        block = Block(
            n=self.n,
            machine=machine,
            device=machine.partition(":")[0],
            boot="boot-0001",
            stream="live",
            seq=self.n * 100_000,
            times_ns=np.array(times, np.int64),
            received_ns=T0,
            signals=(signal,),
            columns=(np.array(values),),
        )
        self.telemetry.write([block], self.n)


@dataclass
class Opened:
    """Makes applications over a plant."""

    plant: Plant
    pool: ThreadPoolExecutor

    def app(self, **changes: Any) -> Any:
        async def submit(work: Callable[[], T]) -> T:
            return await asyncio.get_running_loop().run_in_executor(self.pool, work)

        plant = self.plant
        changes.setdefault("metrics", plant.metrics())
        signer = Signer(plant.telemetry.path.parent)
        changes.setdefault(
            "console",
            Console(plant.ledger, plant, signer, submit=submit, now=lambda: plant.clock[0]),
        )
        deps = ApiDeps(
            ledger=changes.pop("ledger", plant.ledger),
            telemetry=changes.pop("telemetry", plant.telemetry),
            profiles={"press": PRESS, "generic": GENERIC},
            health=lambda: HealthReport(
                service=plant.status, now_ns=plant.clock[0], drifts=plant.drifts
            ),
            submit=submit,
            repaired=lambda repair: plant.repaired.append((repair.machine, repair.component)),
            secret=b"a key of the installation",
            **changes,
        )
        return create_app(deps)


async def every(api: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    """Follow the pages to the end."""
    found: list[dict[str, Any]] = []
    address: str | None = path
    while address is not None:
        page = (await api.get(address)).json()
        found += page["items"]
        address = page["next"]
    return found
