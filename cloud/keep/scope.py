"""What belongs to a customer, a tenant or one machine: what an erasure of it is about."""

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np

from cloud.accounts.values import Reach
from cloud.errors import NotFound
from cloud.ledger import Ledger, MachineRow, open_ledger
from cloud.places import places
from cloud.settings import CloudSettings

Scope = Literal["customer", "tenant", "machine"]
LEAST: Final = 6  #: bytes of a person's name; a shorter one stands by chance in files of numbers


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to a scope. `shared` devices serve other machines, too; `people` sign in."""

    machines: tuple[str, ...]
    devices: tuple[str, ...]
    shared: tuple[str, ...]
    customer: str | None
    people: tuple[str, ...] = ()


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
    return re.compile(b"|".join(parts) or rb"(?!)")


def searched_for(found: Wanted, least: int = 1) -> re.Pattern[bytes]:
    """Match what `names_of` does, or a name of a person of at least so many bytes."""
    names = sorted((one.encode() for one in found.people), key=len, reverse=True)
    parts = [re.escape(name) for name in names if len(name) >= least]
    people = rb"(?<![\w.@+-])(?:" + b"|".join(parts) + rb")(?![\w@+-])" if parts else rb"(?!)"
    return re.compile(names_of(found).pattern + b"|" + people)


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
    customer = None if scope == "machine" else name
    people = [] if customer is None else _people(ledger, customer)
    if not mine and not devices and not people:
        raise NotFound(f"there is no {scope} '{name}', or nothing of it is kept")
    return Wanted(
        machines=tuple(sorted(mine)),
        devices=tuple(sorted(devices - others)),
        shared=tuple(sorted(devices & others)),
        customer=customer,
        people=tuple(sorted(people)),
    )


def _all(ledger: Ledger) -> Iterator[MachineRow]:
    after = None
    while True:
        rows, after = ledger.machines(after=after, limit=1000)
        yield from rows
        if after is None:
            return


def _people(ledger: Ledger, customer: str) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        rows, after = ledger.accounts(after=after, limit=1000)
        found += [row.name for row in rows if row.customer == customer]
        if after is None:
            return found


def _stored(path: Path) -> list[str]:
    """Return the machines that the embedded store names, known to the ledger or not."""
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        return [name for (name,) in db.execute("SELECT name FROM machine")]
