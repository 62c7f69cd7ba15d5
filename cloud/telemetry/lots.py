"""Rows of one machine on their way into the file, with the numbers that they will have there."""

from dataclasses import dataclass, field

from cloud.telemetry.fresh import Group


@dataclass(slots=True)
class Part:
    """A group, the id of its layout, and those of its blocks' (device, boot, stream)."""

    layout: int
    group: Group
    sources: list[int]


@dataclass(slots=True)
class Lot:
    """A machine's rows in order of arrival. `first`: the number of the first one."""

    machine: int
    first: int
    parts: list[Part] = field(default_factory=list)
    rows: int = 0
