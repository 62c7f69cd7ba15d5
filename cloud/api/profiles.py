"""Machine types: what a type of machine has, needs and costs, as the service uses it."""

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec
from fastapi import APIRouter

from cloud.api.deps import Deps
from cloud.api.pages import answer
from cloud.api.problems import declared
from cloud.api.wire import Json
from cloud.errors import NotFound
from models.profile import Limits, Profile, Words

router: Final = APIRouter(prefix="/api/v1/profiles", tags=["profiles"])
T = TypeVar("T")


class SignalType(msgspec.Struct, frozen=True, kw_only=True):
    """One measured quantity (`unit` is a UCUM code); `worse` is the direction of wear."""

    signal: str
    unit: str | None
    title: Words
    role: str
    worse: str
    limits: Limits


class PartType(msgspec.Struct, frozen=True, kw_only=True):
    """A part that is used up.

    Its life comes from a counter (`rated` units) or from wear (`indicator` reaching `limit`).
    """

    component: str
    title: Words
    part: str
    lead_time_d: float
    counter: str | None
    rated: float | None
    indicator: str | None
    limit: float | None


class ModeType(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a component fails, and what to do about it; `policy` says who decides."""

    mode: str
    component: str
    title: Words
    action: Words
    policy: str
    signals: list[str]
    priority: int
    duration_h: float


class MachineType(msgspec.Struct, frozen=True, kw_only=True):
    """A type of machine; `planning_d` are the days a planner needs to place a visit."""

    name: str
    version: int
    title: Words
    planning_d: float
    signals: list[SignalType]
    parts: list[PartType]
    modes: list[ModeType]


class MachineTypes(msgspec.Struct, frozen=True, kw_only=True):
    """All machine types, by name."""

    items: list[MachineType]


@router.get("", responses=answer("MachineTypes") | declared())
def list_profiles(deps: Deps) -> Json:
    """List the machine types."""
    return Json(MachineTypes(items=[_view(deps.profiles[name]) for name in sorted(deps.profiles)]))


@router.get("/{profile}", responses=answer("MachineType") | declared(404))
def one_profile(deps: Deps, profile: str) -> Json:
    """Return one machine type."""
    known = deps.profiles.get(profile)
    if known is None:
        names = ", ".join(sorted(deps.profiles))
        raise NotFound(f"there is no machine type '{profile}'; known: {names}")
    return Json(_view(known))


def _view(profile: Profile) -> MachineType:
    return MachineType(
        name=profile.name,
        version=profile.version,
        title=profile.title,
        planning_d=profile.planning_d,
        signals=_named("signal", profile.signals, SignalType),
        parts=_named("component", profile.consumables, PartType),
        modes=_named("mode", profile.failure_modes, ModeType),
    )


def _named(key: str, values: Mapping[str, msgspec.Struct], kind: type[T]) -> list[T]:
    """Return what a profile says by name as rows that hold the name under `key`."""
    rows = ({key: name} | msgspec.structs.asdict(one) for name, one in values.items())
    return [msgspec.convert(row, kind, from_attributes=True) for row in rows]
