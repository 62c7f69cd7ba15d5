"""The ingest thread's own decisions: ticks, repairs, room; driven step by step without a broker."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from cloud import snapshot
from cloud.behind import BIRTHS
from cloud.errors import StoreBusy, StoreCorrupt
from cloud.journal import Kind
from cloud.ledger import Ledger, Repair
from cloud.link import Link
from cloud.pipeline import Pipeline
from cloud.reader import Arrived
from cloud.service import Service
from models.assessment import State
from models.contract import codec
from models.contract.messages import MachineRef, Metric, Receipt
from tests.cloud.served import Held, Made, comes
from tests.cloud.wires import DEVICE, T0, S, batch, birth, up


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    made = Made(tmp_path)
    yield made
    made.service.stop()
    made.ledger.close()


def test_ticks_go_on_when_the_clock_is_set_back(made: Made) -> None:
    for second in (0, 0.4, 1, 2, -3600, -3599.5, -3599, 7200):
        made.clock.now = T0 + int(second * S)
        made.service._once()
    assert made.ticks() == [0, 1, 2, -3600, -3599, 7200]


def test_a_repair_that_was_journalled_before_a_kill_is_not_journalled_again(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    repair = Repair(id="r1", machine="acme.pump1", component="bearing", at_ns=T0)
    due = [repair]
    monkeypatch.setattr(type(made.ledger), "repairs_due", lambda _: list(due))
    handed: list[str] = []

    def note(_: Ledger, repair_id: str) -> None:
        handed.append(repair_id)
        due.clear()

    def busy(*_: Any) -> None:
        raise StoreBusy("locked")

    with monkeypatch.context() as patch:
        patch.setattr(type(made.ledger), "repair_handed", busy)
        made.service._once()
        made.service._once()
        made.again()
        made.service._once()
    assert made.kinds().count(Kind.ACTION) == 1
    monkeypatch.setattr(type(made.ledger), "repair_handed", note)
    made.service.repaired(repair)
    made.service._once()
    made.service.pipeline.file()
    assert set(handed) == {"r1"}
    assert made.kinds().count(Kind.ACTION) == 1
    (entry,) = (r.entry for r in made.service.journal.since(-1) if r.entry.kind is Kind.ACTION)
    assert msgspec.json.decode(entry.payload, type=Repair) == repair


def test_that_the_journal_has_a_repair_is_noted_beside_and_a_snapshot_waits_for_it(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    repair = Repair(id="r1", machine="acme.pump1", component="bearing", at_ns=T0)
    monkeypatch.setattr(type(made.ledger), "repairs_due", lambda _: [repair])
    by: list[str] = []
    free = threading.Event()

    def note(_: Ledger, _id: str) -> None:
        by.append(threading.current_thread().name)
        if not free.is_set():
            raise StoreBusy("locked")

    monkeypatch.setattr(type(made.ledger), "repair_handed", note)
    made.service._once()
    assert made.kinds().count(Kind.ACTION) == 1
    made.save()
    assert snapshot.positions(made.folder / "snapshots") == []
    free.set()
    made.save()
    assert len(snapshot.positions(made.folder / "snapshots")) == 1
    assert {name.rpartition("_")[0] for name in by} == {"filing"}


def test_without_room_on_the_disk_nothing_is_taken_not_even_a_tick(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.service.RETRY_S", 0)
    made.service._once()
    made.service._room._share = 2.0
    made.clock.now += 10 * S
    made.service._once()
    assert made.ticks() == [0]
    assert "bytes are free" in str(made.service.status().disk_error)
    made.service._room._share = 0.0
    made.service._room._bytes = 0
    made.clock.now += 1 * S
    made.service._once()
    assert made.ticks() == [0, 11]


def test_a_large_state_is_written_more_seldom(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.keeper.BYTES_PER_S", 1)
    written = []
    for second in range(0, 1500, 50):
        made.clock.now = T0 + second * S
        made.service._once()
        made.service._keeper.look(wait=True)
        written += [second] if snapshot.positions(made.folder / "snapshots") else []
        for path in (made.folder / "snapshots").glob("*.npz"):
            path.unlink()
    assert written == [
        100,
        750,
        1400,
    ]  # after the first, the longest interval there is, looked at every 50 s


def bits(service: Service) -> list[Any]:
    """Return all that a replay must come to again."""
    fleet = {k: v.tobytes() for k, v in service.pipeline.fleet.state().items()}
    rest = [service.ingest.sequencer.dump(), service.pipeline.decoder.dump()]
    return [fleet, *msgspec.json.decode(msgspec.json.encode(rest))]


@pytest.mark.parametrize("killed", ["never", "copying", "copied", "catching up"])
def test_while_the_state_is_copied_messages_are_taken_and_the_snapshot_is_of_before(
    made: Made, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    groups = [[up(batch(seq, [float(seq % 7)]))] for seq in range(12)]
    acknowledged: list[Arrived] = []
    comes(groups, monkeypatch)
    monkeypatch.setattr(Link, "acknowledge", lambda _, group: acknowledged.extend(group))
    for _ in range(4):
        made.service._once()
    before, held = bits(made.service), Held(made, monkeypatch)
    at = made.service.pipeline.position
    made.service._save()
    assert held.begun.wait(120)
    for _ in range(6):
        made.service._once()
    assert len(acknowledged) == 10, "they are durable: nobody waits for the copy"
    assert (made.service.pipeline.position, made.service.journal.end()) == (at, at + 6)
    left = made.service
    if killed != "copying":
        held.go_on.set()
        made.service._keeper.copied()
        for _ in range({"never": 6, "copied": 0, "catching up": 1}[killed]):
            made.service._once()
        left._keeper.look(wait=True)
        found = snapshot.load(made.folder / "snapshots", 10**9)
        assert found is not None
        assert found.n == at
        fleet = {k: v.tobytes() for k, v in found.arrays.items()}
        assert [fleet, found.values["sequencer"], found.values["decoder"]] == before
    if killed != "never":
        made.again()
    held.go_on.set()
    while groups or made.service._behind:
        made.service._once()
    assert made.service.pipeline.position == made.service.journal.end()
    after = bits(made.service)
    left._keeper.close()
    for path in (made.folder / "snapshots").glob("*"):
        path.unlink()
    made.again()
    assert bits(made.service) == after, "as a replay of the whole journal"


def test_a_long_copy_holds_no_more_than_it_may(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.service.BEHIND_BYTES", 4_000)
    waited: list[int] = []
    held = Held(made, monkeypatch)
    copied = made.service._keeper.copied

    def wait() -> None:
        waited.append(made.service._behind.bytes)
        held.go_on.set()
        copied()

    monkeypatch.setattr(made.service._keeper, "copied", wait)
    made.service._save()
    groups = [[up(batch(seq, [1.0] * 10))] for seq in range(0, 50, 10)]
    comes(groups, monkeypatch)
    while groups:
        made.service._once()
    assert len(waited) == 1
    assert waited[0] > 4_000
    while made.service._behind:
        made.service._once()
    assert made.service.pipeline.position == made.service.journal.end()


def test_what_comes_meanwhile_is_made_durable_before_a_large_group_is_taken_further(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.behind.PORTION_BYTES", 1)
    monkeypatch.setattr("cloud.service.FURTHER_S", 0.0)
    steps: list[str] = []
    acknowledge, apply = Link.acknowledge, Pipeline.apply

    def noted(pipeline: Pipeline, records: Any, messages: Any) -> None:
        steps.append(f"{len(records)} applied")
        apply(pipeline, records, messages)

    def noting(link: Link, group: Any) -> None:
        steps.append(f"{len(group)} acknowledged")
        acknowledge(link, group)

    monkeypatch.setattr(Link, "acknowledge", noting)
    monkeypatch.setattr(Pipeline, "apply", noted)
    made.service._next_tick = made.clock.now + S
    large = [up(batch(seq, [1.0])) for seq in range(5)]
    comes([large, [up(batch(5, [1.0]))]], monkeypatch)
    made.service._once()
    made.service._once()
    each = ["1 applied"]
    assert steps == ["5 acknowledged", *each, "1 acknowledged", *5 * each]


def test_no_machine_is_silent_because_the_service_was_stopped(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.take(up(birth(), "birth"))
    for seq in range(120):
        made.take(up(batch(seq, [1.0]), at=made.clock.now + S))
    comes([], monkeypatch)
    made.service._once()
    made.save()
    made.clock.now += 3600 * S
    made.again()
    made.service._once()
    assert made.service.pipeline.fleet.current(DEVICE).state is State.LEARNING
    known = made.service.pipeline.fleet.snapshot()
    made.again()
    assert made.service.pipeline.fleet.snapshot()["lanes"].tobytes() == known["lanes"].tobytes()
    made.clock.now += 30 * S
    made.service._once()
    assert made.service.pipeline.fleet.current(DEVICE).state is State.LEARNING
    made.clock.now += 61 * S
    made.service._once()
    assert made.service.pipeline.fleet.current(DEVICE).state is State.SILENT


def test_a_snapshot_is_taken_however_much_comes(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.behind.PORTION_BYTES", 1)
    monkeypatch.setattr("cloud.service.FURTHER_S", 0.0)
    comes([[up(batch(10 * n + k, [1.0])) for k in range(10)] for n in range(9)], monkeypatch)
    made.service._once()
    assert made.service._behind
    made.clock.now += 61 * S
    made.service._filing.submit(int).result(120)
    made.service._once()
    busy = [made.service._keeper.busy]
    made.clock.now += 10 * S
    made.service._filing.submit(int).result(120)
    made.service._once()
    busy.append(made.service._keeper.busy)
    assert busy == [False, True], "what has come goes first, for a while"
    made.service._keeper.look(wait=True)
    assert snapshot.positions(made.folder / "snapshots") == [made.service.pipeline.position]


def test_a_start_deletes_what_a_kill_left_of_a_snapshot(made: Made) -> None:
    left = snapshot.write(made.folder / "snapshots", snapshot.Snapshot(7, {}, {}))
    made.again()
    assert not left.exists()


@pytest.mark.parametrize("restarted", [False, True])
def test_the_journal_keeps_what_waits_in_the_older_snapshot_too(
    made: Made, restarted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    dictionary = codec.dictionary_hash((Metric(name="temp", unit="Cel"),))
    made.take(up(batch(0, [1.0, 2.0, 3.0], dictionary=dictionary)))
    for n in range(3):
        made.take(up(batch(n, [4.0]), device="acme.pump2"))
    made.save()
    if restarted:
        made.again()
    made.take(up(birth(), "birth"))
    for n in range(3, 6):
        made.take(up(batch(n, [4.0], dictionary=dictionary)))
    made.save()
    state = {k: v.tobytes() for k, v in made.service.pipeline.fleet.state().items()}
    folder = made.folder / "snapshots"
    assert len(snapshot.positions(folder)) == 2
    max(folder.glob("*.npz")).write_bytes(b"damaged")
    made.again()
    assert {k: v.tobytes() for k, v in made.service.pipeline.fleet.state().items()} == state
    assert "no longer in the journal" not in caplog.text


def test_what_waited_and_is_gone_is_said(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    made.take(up(batch(0, [1.0], dictionary="0badcafe")))
    for n in range(2):
        made.take(up(batch(n, [4.0]), device="acme.pump2"))
    made.save()
    made.service.journal.forget(0)
    made.again()
    assert "1 batches that waited for a birth are no longer in the journal" in caplog.text


def test_machines_keep_their_type_and_clock_where_the_models_state_is_of_another_version(
    made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    pump = {"": MachineRef(profile="centrifugal-pump")}
    announced = up(birth(pump, time="data"), "birth")
    made.take(announced)
    made.take(up(batch(0, [1.0], dictionary="0badcafe"), device="acme.unannounced"))
    for seq in range(6):
        made.take(up(batch(seq, [4.0])))
        if seq % 3 == 2:
            made.save()
    before = made.service.pipeline.fleet
    lives = [(life.component, life.basis) for life in before.current(DEVICE).lives]
    paths = list((made.folder / "snapshots").glob("*.npz"))
    assert len(paths) == 2
    for path in paths:
        with np.load(path) as file:
            arrays = dict(file)
        arrays["fleet/version"] -= 1
        np.savez(path, allow_pickle=False, **arrays)
    made.again()
    fleet = made.service.pipeline.fleet
    assert fleet.machines() == [DEVICE]
    assert fleet.profile(DEVICE).name == "centrifugal-pump"
    assert fleet.state()["machines"]["data_clock"].tolist() == [1]
    assert lives
    made.take(up(batch(6, [4.0])))
    assert [(life.component, life.basis) for life in fleet.current(DEVICE).lives] == lives
    assert fleet.state()["machines"]["rows"].tolist() == [1]
    made.take(announced)
    assert fleet.profile(DEVICE).name == "centrifugal-pump"
    assert fleet.state()["machines"]["rows"].tolist() == [1]
    assert "what was learned of the machines begins anew" in caplog.text


def test_births_that_wait_are_not_asked_for_again(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = (Metric(name="temp", unit="Cel"),)
    book = codec.dictionary_hash(metrics)
    devices = [f"acme.d{k}" for k in range(3 * BIRTHS)]
    said: list[Receipt] = []
    monkeypatch.setattr("cloud.service.FURTHER_S", 0.0)
    monkeypatch.setattr(Link, "send", lambda _, some: said.extend(one for _, one in some))
    told = birth(metrics=metrics, dictionary=book)
    groups = [
        [up(told, "birth", device=one) for one in devices],
        [up(batch(0, [1.0], dictionary=book), device=one) for one in [*devices, "acme.other"]],
    ]
    comes(groups, monkeypatch)
    made.service._once()
    assert made.service._behind, "the others wait"
    made.service._once()
    assert [len(one.refused) for one in said] == [0] * len(devices) + [1]


def test_a_service_that_cannot_recover_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path)
    made.take(up(birth(), "birth"))
    begun = set(threading.enumerate())
    made.service._telemetry.close()
    made.service.shelf.close()
    made.service.journal.close()

    def broken(service: Service, start: int) -> int:
        service.pipeline.filings.begin(start)
        raise StoreCorrupt("damaged")

    with monkeypatch.context() as patch:
        patch.setattr(Service, "_replay", broken)
        with pytest.raises(StoreCorrupt):
            made._new()
    assert set(threading.enumerate()) <= begun
    made.service = made._new()  # nothing is locked
    made.service.stop()
    made.ledger.close()
