"""The units that a birth tells, by machine."""

from collections.abc import Iterable
from typing import Final

from models.contract.messages import Birth
from models.units import spelled

Units = tuple[tuple[str, str], ...]  #: (signal, UCUM code) of one machine, each signal once

MOST: Final = 16_384  #: of a device's machines together, beside those that name their machine


def by_machine(birth: Birth) -> dict[str, Units]:
    """Return the units that a birth tells of each of its machines, by key, as UCUM codes.

    `key/signal` is of that machine alone. A name without one is of every machine, unless the
    machine has its own; of so many machines that all would be too much, the first names count.
    """
    shared: dict[str, str] = {}
    own: dict[str, dict[str, str]] = {key: {} for key in birth.machines}
    for metric in birth.metrics:
        unit = spelled(metric.unit or "")
        if not unit:
            continue
        key, slash, signal = metric.name.partition("/")
        if slash and key in own:
            own[key][signal] = unit
        else:
            shared[metric.name] = unit
    first = _first(shared.items(), MOST // max(len(own), 1))
    return {key: tuple((first | mine).items()) for key, mine in own.items()}


def _first(items: Iterable[tuple[str, str]], count: int) -> dict[str, str]:
    return dict(pair for pair, _ in zip(items, range(count), strict=False))
