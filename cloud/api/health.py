"""Health: two open probes without detail, and one page with all of it."""

from collections.abc import Callable
from typing import Final, Literal

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from cloud.api.deps import ApiDeps, Deps
from cloud.api.pages import answer
from cloud.api.problems import declared, problem
from cloud.api.wire import Json
from cloud.errors import StoreError

UNREADY: Final = "the service is running but not ready; /api/v1/health says why"
router = APIRouter(tags=["health"])


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer of an open probe."""

    status: Literal["ok"] = "ok"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the service. `position`: journal records it has taken (-1: none)."""

    ok: bool
    error: str | None = None
    position: int | None = None


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Since the start of the service; together they account for every message that arrived."""

    messages: int
    accepted: int
    repeats: int
    conflicts: int
    aside: int
    refused: int
    held: int
    samples: int


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A device that ran into a limit: which one, how many messages were refused, when last.

    With `signals_of_machine` or `signals_of_device` only the readings of names beyond the limit
    were left out: the device makes up new names. Mend it to use the same ones in every message.
    """

    device: str
    limit: str
    messages: int
    last_ns: int


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken in: journal `position` of the models, batches `waiting` for an earlier one.

    `parked` batches wait for the birth which explains them. `refusals` names at most 100 devices,
    the newest first, once for messages and once for names of signals; the limits per second are in
    the settings `[limits]`.
    """

    position: int
    waiting: int
    parked: int
    refusals: list[Refusal]
    counters: Counters


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A trained model that watches machines of a profile.

    `drifted`: of so many the rows no longer fit it; look at them, or train it anew.
    """

    profile: str
    name: str
    drifted: int


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the service is. `now` is wall time."""

    status: Literal["ok", "degraded"]
    now_ns: int
    demo: bool
    service: Intake
    broker: Part
    telemetry: Part
    ledger: Part
    disk: Part
    models: list[Model]


def examine(deps: ApiDeps) -> Health:
    """Look at every part."""
    report = deps.health()
    service = report.service
    broker = Part(
        ok=service.connected,
        error=None if service.connected else service.broker_error or "no connection yet",
    )
    telemetry = _store(deps.telemetry.position, service.store_error)
    ledger = _store(deps.ledger.position, None)
    disk = Part(ok=service.disk_error is None, error=service.disk_error)
    ready = broker.ok and telemetry.ok and ledger.ok and disk.ok
    return Health(
        status="ok" if ready else "degraded",
        now_ns=report.now_ns,
        demo=deps.demo,
        service=Intake(
            position=service.position,
            waiting=service.waiting,
            parked=service.parked,
            refusals=[
                Refusal(device=device, limit=r.limit, messages=r.messages, last_ns=r.last_ns)
                for device, r in service.refusals
            ],
            counters=msgspec.convert(service.counters, Counters, from_attributes=True),
        ),
        broker=broker,
        telemetry=telemetry,
        ledger=ledger,
        disk=disk,
        models=[
            Model(profile=profile, name=name, drifted=drifted)
            for (profile, name), drifted in report.drifts.items()
        ],
    )


def _store(position: Callable[[], int], known: str | None) -> Part:
    try:
        return Part(ok=known is None, error=known, position=position())
    except StoreError as error:
        return Part(ok=False, error=str(error))


@router.get("/livez", responses=answer("Probe") | declared())
def live() -> Json:
    """Say that the process answers."""
    return Json(Probe())


@router.get("/readyz", responses=answer("Probe") | declared(503))
def ready(request: Request, deps: Deps) -> Response:
    """Say whether readings are taken and stored; 503 when not."""
    if examine(deps).status == "ok":
        return Json(Probe())
    return problem(503, UNREADY, request.url.path)


@router.get("/api/v1/health", responses=answer("Health") | declared())
def health(deps: Deps) -> Json:
    """Say how every part of the service is."""
    return Json(examine(deps))
