"""A device whose signal names never end is held to a number of signals; the rest is set aside."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud import signals
from cloud.quota import Throttled
from models.contract.errors import Reason
from models.contract.messages import Column
from models.fleet import Fleet
from tests.cloud.test_pipeline import PROFILES, BehindBroker
from tests.cloud.wires import DEVICE, T0, S, batch, floats, up


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BehindBroker]:
    monkeypatch.setattr(signals, "OF_MACHINE", 5)
    made = BehindBroker(tmp_path)
    yield made
    made.close()


def send(path: BehindBroker, seq: int, *names: str) -> None:
    columns: dict[str, Column] = {name: floats([seq + 0.5]) for name in names}
    path.take(up(batch(seq, [0.0], columns=columns, t0_ns=T0 + seq * S), at=T0 + seq * S))


def test_names_beyond_the_limit_are_set_aside_and_the_others_taken(path: BehindBroker) -> None:
    send(path, 0, "a", "b", "c")
    send(path, 1, "a", "d", "e", "f", "g")
    send(path, 2, "h")
    send(path, 3, "e", "b")
    assert path.telemetry.signals(DEVICE) == ["a", "b", "c", "d", "e"]
    assert len(path.pipeline.fleet.signals(DEVICE)) == 5
    assert path.telemetry.series(DEVICE, "e", 0, T0 + 9 * S, 9).values.tolist() == [1.5, 3.5]
    aside, _ = path.ledger.quarantine(limit=10)
    assert [row.reason for row in aside] == [Reason.QUOTA, Reason.QUOTA]
    assert all("5 of a machine" in row.detail for row in aside)
    assert path.pipeline.signals.refusals == {
        DEVICE: Throttled("signals_of_machine", 2, T0 + 2 * S)
    }


def test_all_machines_of_a_device_count(
    path: BehindBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "OF_DEVICE", 3)
    send(path, 0, "a", "b", "c", "d")
    assert len(path.pipeline.fleet.signals(DEVICE)) == 3
    monkeypatch.setattr(signals, "OF_DEVICE", 4)
    path.pipeline.fleet = Fleet.restore(PROFILES, path.pipeline.fleet.snapshot())
    send(path, 1, "x", "y")
    assert path.telemetry.signals(DEVICE) == ["a", "b", "c", "x"], "as a restart counts"
    assert path.pipeline.signals.refusals[DEVICE].limit == "signals_of_device"


def test_a_replay_leaves_out_the_same_in_one_group(path: BehindBroker, tmp_path: Path) -> None:
    send(path, 0, "a", "b", "c")
    send(path, 1, "d", "e", "f")
    send(path, 2, "g", "a")
    (tmp_path / "again").mkdir()
    again = BehindBroker(tmp_path / "again")
    again.pipeline.apply(list(path.journal.since(-1)), {})
    found = again.telemetry.signals(DEVICE)
    again.close()
    assert found == path.telemetry.signals(DEVICE) == ["a", "b", "c", "d", "e"]
