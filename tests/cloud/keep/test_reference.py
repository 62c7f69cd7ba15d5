"""The reference data set: how long a backup and a start from its copy take. Figures are printed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from cloud.app import App
from cloud.journal import Entry, Kind
from cloud.keep.backup import back_up
from cloud.keep.restore import restore
from cloud.ledger import Registration
from cloud.places import places
from cloud.settings import CloudSettings
from cloud.telemetry.sqlite import SqliteTelemetry
from models.rows import Block
from tests.cloud.keep.conftest import DEVICES, Plant
from tests.cloud.wires import T0, S

MACHINES = 1_000
SIGNALS = tuple(f"s{i}" for i in range(10))
SAMPLES = 1_000  #: a signal; 10 million values in all


def _block(machine: str, seed: int, n: int = 0) -> Block:
    rng = np.random.default_rng(seed)
    times = T0 + np.arange(SAMPLES, dtype=np.int64) * S
    return Block(
        n=n,
        machine=machine,
        device=machine,
        boot="boot0001",
        stream="live",
        seq=0,
        times_ns=times,
        received_ns=int(times[-1]),
        signals=SIGNALS,
        columns=tuple(np.round(rng.normal(50, 5, SAMPLES), 2) for _ in SIGNALS),
        quality={},
    )


@contextmanager
def _timed(what: str) -> Iterator[None]:
    begin, used = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - begin, time.process_time() - used
    print(f"{what}: {wall:.1f} s, CPU {cpu:.1f} s")


@pytest.mark.long
def test_ten_million_values_of_a_thousand_machines(
    plant: Plant, places_of: Callable[[str], CloudSettings], tmp_path: Path
) -> None:
    births = [
        Registration(
            machine=f"ref.m{n}", device=f"ref.m{n}", profile="centrifugal-pump", name=None, at_ns=T0
        )
        for n in range(MACHINES)
    ]
    with _timed("register"):
        assert plant.ledger.register(births) == MACHINES
    ticks = plant.journal.append([Entry(Kind.TICK, T0)] * MACHINES)  # a position for each block
    for n, (birth, tick) in enumerate(zip(births, ticks, strict=True)):
        plant.telemetry.write([_block(birth.machine, n, tick.n)], tick.n)
    for _ in range(1_000):
        plant.go_on()
    assert isinstance(plant.telemetry, SqliteTelemetry)
    plant.telemetry.compact()
    with _timed("backup"):
        made = back_up(plant.places, tmp_path / "b", lambda: T0)
    print(f"{made.size() / 1e6:.1f} MB, {sum(made.rows.values()):,} rows of the ledger")
    plant.close()
    settings = places_of("second")
    with _timed("restore"):
        restore(tmp_path / "b", places(settings))
    with _timed("start, the journal replayed"):
        app = App(settings)
    for machine in ("ref.m0", f"ref.m{MACHINES - 1}"):
        again = app.telemetry.series(machine, "s3", 0, 2**62, SAMPLES + 1).values
        assert np.array_equal(again, _block(machine, int(machine[5:])).columns[3])
    assert len(app.telemetry.series(DEVICES[2], "vibration_rms", 0, 2**62, 2_000).values) == 1_000
    assert made.machines == {"acme": 2, "ref": MACHINES, "zeta": 1}
    app.close()
