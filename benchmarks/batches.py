"""Rows of the benchmarks' machine as the line kernel takes them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.store import NAMES, SECOND_NS, START_NS
from cloud.telemetry.influx.lines import NONE, Fields, Rows, Texts

FIELDS: Final = Fields.of(
    [f"f.{name}" for name in NAMES], [f"s.{name}" for name in NAMES], "d" * len(NAMES), "row", "at"
)


def of(values: NDArray[np.float64]) -> Rows:
    """Return rows of one machine, one a second. `values`: (signals, rows)."""
    count = values.shape[1]
    return Rows(
        heads=Texts.of([b"reading,machine=bench.m0,stream=live "]),
        head=np.zeros(count, np.int32),
        times=START_NS + SECOND_NS * np.arange(count),
        own=NONE,
        ids=np.arange(count),
        cells=values.view(np.int64),
        states=np.zeros((0, 0), np.uint8),
    )
