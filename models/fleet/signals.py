"""Which lanes a machine's signals have: machines with the same signals share their names."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray


class Places(dict[str, int]):
    """Signal -> place, of all machines whose signals are these in this order."""

    __slots__ = ("__weakref__",)


class Orders:
    """The orders of signals that some machine has, each once."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[tuple[str, ...], Places] = WeakValueDictionary()

    def of(self, names: tuple[str, ...]) -> Places:
        """Return the places of signals in this order."""
        found = self._known.get(names)
        if found is None:
            found = self._known[names] = Places(zip(names, range(len(names)), strict=True))
        return found


class Signals(Mapping[str, int]):
    """Signal -> lane of one machine, in the order in which they became known."""

    __slots__ = ("_lanes", "_places")

    def __init__(
        self, orders: Orders, names: Sequence[str] = (), lanes: Sequence[int] = ()
    ) -> None:
        self._places, self._lanes = orders.of(tuple(names)), array("i", lanes)

    def add(self, names: Sequence[str], lanes: Sequence[int], orders: Orders) -> None:
        """Take new signals and their lanes."""
        self._places = orders.of((*self._places, *names))
        self._lanes = self._lanes + array("i", lanes)  # no room for more

    def lacking(self, names: Sequence[str]) -> list[str]:
        """Return which of these it does not have, in their order."""
        places = self._places
        return [name for name in names if name not in places]

    def plain(self) -> dict[str, int]:
        """Return the same as a dictionary, which is many times faster to go through."""
        return dict(zip(self._places, self._lanes, strict=True))

    def of(self, names: Iterable[str]) -> list[int]:
        """Return the lanes of signals, -1 of those that it does not have."""
        places, lanes = self._places, self._lanes
        return [lanes[places[name]] if name in places else -1 for name in names]

    def __getitem__(self, name: str) -> int:
        return self._lanes[self._places[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._lanes)


def together(machines: Sequence[Signals], names: Sequence[str]) -> NDArray[np.int64]:
    """Return the lanes (machines, names) of signals, -1 of those that a machine does not have."""
    order = machines[0]._places if machines else Places()
    if not order or not names or any(one._places is not order for one in machines):
        found = np.array([one.of(names) for one in machines], np.int64)
        return found.reshape(len(machines), len(names))
    places = np.array([order.get(name, -1) for name in names], np.int64)
    lanes = np.frombuffer(b"".join([one._lanes for one in machines]), np.int32)
    picked = lanes.reshape(len(machines), -1).take(places, 1, mode="wrap")
    return np.where(places >= 0, picked, -1).astype(np.int64)
