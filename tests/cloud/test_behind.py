"""What waits to be taken further counts for what it takes."""

import gc
import tracemalloc
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.behind import BIRTHS, Behind
from cloud.ingest import Ingest
from cloud.journal import SegmentJournal
from cloud.quota import Limits, Quota
from cloud.reader import Arrived
from cloud.sequence import Sequencer
from models.contract import codec
from models.contract.messages import Batch, MachineRef, Metric
from tests.cloud.wires import BOOT, T0, birth, floats, up

DEVICES = 20
UNLIMITED = Limits(device_messages_per_s=0, device_values_per_s=0, tenant_values_per_s=0)


def _batch(at: int, rows: int, names: int, form: codec.Format, *, times: bool = False) -> Arrived:
    said = Batch(
        boot=BOOT,
        seq=at // DEVICES * rows,
        unreceipted=0,
        t0_ns=T0 + at * 10**10,
        offsets_ns=array("q", [k * 10**6 + k % 3 for k in range(rows)]) if times else 10**6,
        count=rows,
        columns={f"temp{name}": floats([1.0] * rows) for name in range(names)},
    )
    payload = codec.encode(said, form).replace(b"1.0", b"1")
    return up(payload, device=f"acme.d{at % DEVICES}")


def _birth(at: int) -> Arrived:
    machines = {str(k): MachineRef(profile="p", name="n") for k in range(5)}
    metrics = tuple(Metric(name=f"t{k}.{at}", unit="Cel") for k in range(30))
    said = birth(machines, metrics=metrics, dictionary=f"{at:08x}")
    return up(said, "birth", device=f"acme.e{at}")


@pytest.mark.parametrize(
    "message",
    [
        lambda at: _batch(at, 1, 1, "cbor"),
        lambda at: _batch(at, 1, 50, "json"),
        lambda at: _batch(at, 1, at % 9 + 1, "json"),
        lambda at: _batch(at, 100, 3, "cbor", times=True),
        lambda at: _batch(at, 1000, 1, "json"),
        _birth,
    ],
    ids=["small", "wide", "various", "own times", "many readings", "births"],
)
def test_what_waits_takes_no_more_than_is_counted(
    tmp_path: Path, message: Callable[[int], Arrived]
) -> None:
    journal = SegmentJournal(tmp_path / "journal")
    ingest = Ingest(journal, Sequencer(), Quota(UNLIMITED))
    groups = [[message(128 * n + k) for k in range(128)] for n in range(5)]
    ingest.handle(groups.pop(0), T0)
    behind = Behind()
    gc.collect()
    tracemalloc.start()
    for group in groups:
        behind.add(ingest.handle(group, T0))
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(behind) >= len(groups)
    assert taken < behind.bytes < 6 * taken
    while behind:
        behind.take()
    assert behind.bytes == 0
    journal.close()


def test_births_are_taken_further_few_at_once(tmp_path: Path) -> None:
    ingest = Ingest(SegmentJournal(tmp_path / "journal"), Sequencer(), Quota(UNLIMITED))
    births = [_birth(at) for at in range(2 * BIRTHS + 1)]
    batches = [_batch(at, 1, 1, "cbor") for at in range(100)]
    handled = ingest.handle([*batches, *births], T0)
    behind = Behind()
    behind.add(handled)
    portions = [behind.take()[0] for _ in range(len(behind))]
    assert [len(records) for records in portions] == [100 + BIRTHS, BIRTHS, 1]
    assert [record for records in portions for record in records] == handled.records
    assert behind.bytes == 0


def test_a_birth_explains_batches_while_it_waits(tmp_path: Path) -> None:
    ingest = Ingest(SegmentJournal(tmp_path / "journal"), Sequencer(), Quota(UNLIMITED))
    behind = Behind()
    for group in ([_birth(1), _birth(2)], [_birth(3)]):
        behind.add(ingest.handle(group, T0))
    assert behind.explains("acme.e1", "00000001")
    assert behind.explains("acme.e3", "00000003")
    assert not behind.explains("acme.e1", "00000002")
    behind.take()
    assert not behind.explains("acme.e1", "00000001")
    assert behind.explains("acme.e3", "00000003")
