"""What belongs to a customer, a tenant or one machine: what an erasure of it is about."""

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from cloud.accounts.values import Reach
from cloud.errors import NotFound
from cloud.ledger import Ledger, MachineRow, open_ledger
from cloud.places import places
from cloud.settings import CloudSettings

Scope = Literal["customer", "tenant", "machine"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to a scope. `shared` devices serve other machines, too."""

    machines: tuple[str, ...]
    devices: tuple[str, ...]
    shared: tuple[str, ...]
    customer: str | None


def wanted(settings: CloudSettings, scope: Scope, name: str, now: Callable[[], int]) -> Wanted:
    """Return what would be erased. `NotFound` when there is nothing of that name."""
    found = places(settings)
    ledger = open_ledger(found.ledger, now)
    try:
        return _wanted(ledger, scope, name, _stored(found.telemetry))
    finally:
        ledger.close()


def names_of(found: Wanted) -> re.Pattern[bytes]:
    """Match an erased name that is not a part of a longer one, in UTF-8 or in NumPy's UTF-32."""
    names = {*found.machines, *found.devices}
    parts = []
    for name in sorted(names, key=len, reverse=True):
        parts.append(rb"(?<![a-z0-9.-])" + re.escape(name.encode()) + rb"(?![a-z0-9-])")
        wide = np.array([name], "U").tobytes()
        parts.append(re.escape(wide) + rb"(?![a-z0-9-]\0\0\0)")
    return re.compile(b"|".join(parts))


def _wanted(ledger: Ledger, scope: Scope, name: str, stored: Sequence[str]) -> Wanted:
    everything = {row.id: row.device for row in _all(ledger)}
    if scope == "customer":
        mine = {row.id for row in _all(ledger.reaching(Reach(customer=name)))}
    elif scope == "tenant":
        mine = {one for one in (*everything, *stored) if one.partition(".")[0] == name}
    else:
        mine = {one for one in (*everything, *stored) if one == name}
    devices = {everything.get(one, one.partition(":")[0]) for one in mine}
    others = {device for one, device in everything.items() if one not in mine}
    if scope == "tenant":
        registered = ledger.devices_registered()
        devices |= {device for device in registered if device.partition(".")[0] == name}
    if not mine and not devices:
        raise NotFound(f"there is no {scope} '{name}', or nothing of it is kept")
    return Wanted(
        machines=tuple(sorted(mine)),
        devices=tuple(sorted(devices - others)),
        shared=tuple(sorted(devices & others)),
        customer=None if scope == "machine" else name,
    )


def _all(ledger: Ledger) -> Iterator[MachineRow]:
    after = None
    while True:
        rows, after = ledger.machines(after=after, limit=1000)
        yield from rows
        if after is None:
            return


def _stored(path: Path) -> list[str]:
    """Return the machines that the embedded store names, known to the ledger or not."""
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        return [name for (name,) in db.execute("SELECT name FROM machine")]
