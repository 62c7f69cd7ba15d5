"""Simulated machine types by the name of their profile."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from simulators.plants.battery import BatteryPack
from simulators.plants.plant import Array, Plant, Specimen, WearFault, true_life_s
from simulators.plants.printer import OfficePrinter
from simulators.plants.pump import CentrifugalPump
from simulators.plants.purifier import AirPurifier

PLANTS: Final[Mapping[str, Callable[[Sequence[Specimen], int], Plant]]] = {
    "air-purifier": AirPurifier,
    "battery-pack": BatteryPack,
    "centrifugal-pump": CentrifugalPump,
    "office-printer": OfficePrinter,
}

__all__ = ["PLANTS", "Array", "Plant", "Specimen", "WearFault", "true_life_s"]
