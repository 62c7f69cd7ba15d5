"""The SQLite store by itself: what the conformance suite does not ask of every store."""

from pathlib import Path

import numpy as np

from cloud.telemetry.sqlite import SqliteTelemetry
from models.rows import Block

DAY = 86_400 * 10**9


def block(n: int, seq: int, times: list[int], values: list[float], boot: str = "b") -> Block:
    return Block(
        n=n,
        machine="acme.pump1",
        device="acme.pump1",
        boot=boot,
        stream="live",
        seq=seq,
        times_ns=np.array(times, np.int64),
        received_ns=0,
        signals=("temp",),
        columns=(np.array(values, np.float64),),
    )


def test_keeps_both_samples_of_one_nanosecond_in_order_of_arrival(tmp_path: Path) -> None:
    store = SqliteTelemetry(tmp_path / "t.db")
    store.write([block(0, 0, [5, 7], [1.0, 2.0])], 0)
    store.write([block(1, 2, [5, 6], [3.0, 4.0])], 1)
    series = store.series("acme.pump1", "temp", 0, DAY, 10)
    store.close()
    assert series.times_ns.tolist() == [5, 5, 6, 7]
    assert series.values.tolist() == [1.0, 3.0, 4.0, 2.0]


def test_a_position_already_reached_changes_nothing(tmp_path: Path) -> None:
    store = SqliteTelemetry(tmp_path / "t.db")
    store.write([block(4, 0, [5], [1.0])], 4)
    store.write([block(4, 0, [5], [1.0])], 4)
    assert store.position() == 4
    assert len(store.series("acme.pump1", "temp", 0, DAY, 10).times_ns) == 1
    store.close()
