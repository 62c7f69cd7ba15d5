"""Loading (or, the first time, compiling) the kernels before the first readings come."""

from collections.abc import Sequence
from functools import cache

from cloud.crc import LEAST, crc32
from cloud.telemetry.influx.grid import Grid
from cloud.telemetry.influx.http import Table
from cloud.telemetry.influx.machines import Machines
from cloud.telemetry.influx.reading import Reader
from cloud.telemetry.influx.setup import Buckets, Retention
from cloud.telemetry.influx.shipment import Builder
from cloud.telemetry.rehearsed import ALL, SURE, rehearsed


class _Empty(Reader):
    """Answers of a server that has nothing."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets

    def ask(self, statements: Sequence[str]) -> list[list[Table]]:
        return [[] for _ in statements]


@cache
def warm() -> None:
    """Build a shipment of two hours that goes nowhere, so that every kernel has run once."""
    Grid.read(("time",), b"\x91\x91\x00")
    crc32(bytes(LEAST))
    buckets = Buckets.of("none")
    builder = Builder(Machines(_Empty(buckets), buckets.ever), buckets, Retention(), lambda: 0)
    for number, hour in enumerate((0, 1, 2, 0)):
        block = rehearsed("none", hour * 3_600 * 10**9 + 1, ALL if number else SURE)
        builder.build([block], number)
