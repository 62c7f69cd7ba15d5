"""How many signals a machine and a device may have. Pure: a replay leaves out the same columns.

Each signal keeps state in the models and names in the store for good, so that a device whose names
never end would fill the memory of all. What the models know is what counts: they go through a
snapshot, and this needs none of its own.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from cloud.decode import Aside, Item
from cloud.ledger import Registration
from cloud.quota import MAX_NAMED, Throttled
from models.contract.errors import Reason
from models.counts import counted
from models.fleet import Fleet
from models.rows import Block

OF_MACHINE: Final = 4_096
OF_DEVICE: Final = 16_384  #: its machines together


class Signals:
    """Leaves out the columns beyond the limits. One thread uses it."""

    def __init__(self, fleet: Fleet) -> None:
        #: device -> its machines, but the one that is named as the device is
        self._machines: dict[str, dict[str, None]] = {}
        self.refusals: dict[str, Throttled] = {}  #: since the start, by device
        for machine in fleet.machines():
            self._note(machine.partition(":")[0], machine)

    def _note(self, device: str, machine: str) -> None:
        if machine != device:
            self._machines.setdefault(device, {})[machine] = None

    def within(self, fleet: Fleet, items: Sequence[Item]) -> list[Item]:
        """Return the items with blocks that hold no more signals than their machine may have.

        What is left out is set aside as `quota`, with its readings. `fleet`: has not seen these.
        """
        out: list[Item] = []
        coming: dict[str, dict[str, None]] = {}  #: machine -> signals that the fleet will learn
        for item in items:
            if isinstance(item, Registration):
                self._note(item.device, item.machine)
            if not isinstance(item, Block):
                out.append(item)
                continue
            fresh = fleet.lacking(item.machine, item.signals)
            if not fresh:
                out.append(item)
                continue
            known = fleet.signals(item.machine)
            self._note(item.device, item.machine)
            mine = coming.setdefault(item.machine, {})
            fresh = [name for name in fresh if name not in mine]
            taken = fresh[: self._room(fleet, item, coming)]
            mine.update(dict.fromkeys(taken))
            if len(taken) == len(fresh):
                out.append(item)
                continue
            self._refused(item, len(known) + len(mine))
            out += _parted(item, set(fresh[len(taken) :]))
        return out

    def _refused(self, block: Block, signals: int) -> None:
        """Note a message of a machine that has so many signals already."""
        limit = "signals_of_machine" if signals >= OF_MACHINE else "signals_of_device"
        refusal = self.refusals.get(block.device)
        if refusal is None and len(self.refusals) < MAX_NAMED:
            refusal = self.refusals[block.device] = Throttled(limit, 0, 0)
        if refusal is not None:
            refusal.limit, refusal.last_ns = limit, block.received_ns
            refusal.messages += 1

    def _room(self, fleet: Fleet, block: Block, coming: dict[str, dict[str, None]]) -> int:
        """Return how many more signals a block's machine may have."""

        def count(machine: str) -> int:
            return len(fleet.signals(machine)) + len(coming.get(machine, ()))

        machines = (block.device, *self._machines.get(block.device, ()))
        device = sum(count(machine) for machine in machines)
        return max(min(OF_MACHINE - count(block.machine), OF_DEVICE - device), 0)


def _parted(block: Block, beyond: set[str]) -> list[Item]:
    """Return a block without some signals, if any are left, and these set aside."""
    places = [at for at, name in enumerate(block.signals) if name not in beyond]
    readings = {
        name: np.asarray(column).tolist()
        for name, column in zip(block.signals, block.columns, strict=True)
        if name in beyond
    }
    whole = {"boot": block.boot, "seq": block.seq, "times_ns": block.times_ns.tolist()}
    aside = Aside(
        n=block.n,
        at_ns=block.received_ns,
        topic=f"pm/1/{block.device}/up/t/{block.stream}",
        reason=Reason.QUOTA,
        detail=f"{block.machine}: {counted(len(beyond), 'signal is', 'signals are')} beyond "
        f"{OF_MACHINE} of a machine or {OF_DEVICE} of a device; use the same names in every "
        "message",
        payload=msgspec.json.encode({**whole, "columns": readings}),
    )
    if not places:
        return [aside]
    columns = block.columns
    left = columns[places] if isinstance(columns, np.ndarray) else [columns[at] for at in places]
    names = tuple(block.signals[at] for at in places)
    rest = msgspec.structs.replace(
        block,
        signals=names,
        columns=left if isinstance(left, np.ndarray) else tuple(left),
        quality={name: block.quality[name] for name in names if name in block.quality},
        missing={name: block.missing[name] for name in names if name in block.missing},
    )
    return [rest, aside]
