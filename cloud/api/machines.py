"""Machines: list, one with its newest assessment, its signals with their newest values."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from cloud.accounts.values import Site
from cloud.api.assessments import in_units
from cloud.api.deps import ApiDeps, Deps
from cloud.api.pages import Paging, answer, one, single
from cloud.api.problems import declared
from cloud.api.wire import Json
from cloud.ledger import Key, MachineRow
from cloud.ledger.records import Clock
from models.assessment import Assessment, State
from models.profile import Limits, Signal, Words

router = APIRouter(prefix="/api/v1/machines", tags=["machines"])


class MachineView(MachineRow, frozen=True, kw_only=True):
    """A machine, whose it is and where it stands.

    `seen` is when it was last assessed, on its own `clock`: at every change, and at least each six
    hours. The board and the stream of events say when it was last heard. `first` and
    `profile_since` are when the service was told of it, on the service's clock.
    """

    customer: str
    site: str | None


class MachineDetail(MachineView, frozen=True, kw_only=True):
    """A machine with its newest assessment, whose times are on the machine's `clock`."""

    assessment: Assessment | None


class SignalView(msgspec.Struct, frozen=True, kw_only=True):
    """One signal: what the profile says of it and its newest reading.

    `unit` is a UCUM code, of a signal that the profile does not name the one its device tells.

    `quality`: 0 good, 1 uncertain, 2 bad, 3 stale.
    """

    signal: str
    unit: str | None
    profile_unit: str | None  #: where the device tells another one: limits of it do not apply
    title: Words
    role: str
    limits: Limits
    stored: bool  #: readings of it have arrived
    at_ns: int | None
    value: float | None
    quality: int | None


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """All signals of a machine, those of its profile and those heard."""

    machine: str
    clock: Clock
    items: list[SignalView]


@router.get("", responses=answer("MachinePage") | declared())
def list_machines(
    paging: Paging,
    q: Annotated[str | None, Query(max_length=200, description="part of id or name")] = None,
    state: Annotated[State | None, Query(description="only machines in this state")] = None,
) -> Json:
    """List machines by id."""
    ledger = paging.deps.ledger

    def read(**filters: Any) -> tuple[list[MachineView], Key | None]:
        rows, following = ledger.machines(**filters)
        sites = ledger.sites([row.id for row in rows])
        return [MachineView(**_known(row, sites[row.id])) for row in rows], following

    return paging.show(read, query=q, state=state)


@router.get("/{machine}", responses=one("MachineDetail") | declared(404))
def one_machine(request: Request, deps: Deps, machine: str) -> Response:
    """Return one machine with its newest assessment."""
    row = deps.ledger.machine(machine)
    current = deps.ledger.current(machine)
    known = _known(row, deps.ledger.site(machine))
    profile = deps.profile_of(machine, row.profile)
    since_ns = deps.ledger.units_since_ns(machine)
    assessment = in_units(current.assessment, profile, since_ns) if current else None
    return single(request, MachineDetail(**known, assessment=assessment))


def _known(row: MachineRow, site: Site) -> dict[str, Any]:
    return {**msgspec.structs.asdict(row), "customer": site.customer, "site": site.site}


@router.get("/{machine}/history", responses=answer("EventPage") | declared(404))
def machine_history(paging: Paging, machine: str) -> Json:
    """List what happened to a machine, its advisories and its tickets, oldest first."""
    ledger = paging.deps.ledger
    ledger.machine(machine)
    return paging.show(ledger.events, machine=machine)


@router.get("/{machine}/signals", responses=answer("Signals") | declared(404))
def list_signals(deps: Deps, machine: str) -> Json:
    """List a machine's signals with their newest readings."""
    row = deps.ledger.machine(machine)
    profile = deps.profile_of(machine, row.profile)
    known = deps.profiles[row.profile].signals if row.profile in deps.profiles else {}
    stored = deps.telemetry.signals(machine)
    latest = {one.signal: one for one in deps.telemetry.latest(machine)}
    views = []
    for name in sorted({*known, *stored}):
        said, heard = profile.said(name) or Signal(), latest.get(name)
        views.append(
            SignalView(
                signal=name,
                unit=said.unit,
                profile_unit=_other(known.get(name), said),
                title=said.title,
                role=said.role,
                limits=said.limits,
                stored=name in stored,
                at_ns=heard.at_ns if heard else None,
                value=heard.value if heard else None,
                quality=heard.quality if heard else None,
            )
        )
    return Json(Signals(machine=machine, clock=row.clock, items=views))


def _other(known: Signal | None, said: Signal) -> str | None:
    """Return the unit of a profile's signal if its readings have another one."""
    return None if known is None or known.unit == said.unit else known.unit


class Clocks:
    """Looks up the clocks of machines, each once."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._known: dict[str, Clock] = {}

    def of(self, machine: str) -> Clock:
        """Return which clock the times of a machine are on."""
        if machine not in self._known:
            self._known[machine] = self._deps.ledger.machine(machine).clock
        return self._known[machine]
