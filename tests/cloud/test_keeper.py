"""What the ingest thread does beside a copy of the state, and while disk or store are away."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud import snapshot
from cloud.errors import StoreBusy, StoreFull
from cloud.link import Link
from cloud.reader import Arrived
from tests.cloud.served import Held, Made, comes
from tests.cloud.wires import S, batch, birth, up


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    made = Made(tmp_path)
    yield made
    made.service.stop()
    made.ledger.close()


@pytest.mark.parametrize("short", ["disk", "journal"])
def test_what_is_durable_is_taken_further_and_a_snapshot_kept_without_room(
    made: Made, monkeypatch: pytest.MonkeyPatch, short: str
) -> None:
    def full(*_: Any) -> None:
        raise StoreFull("no space")

    monkeypatch.setattr("cloud.service.RETRY_S", 0)
    made.service.pipeline.filings.hold_s = 0.0
    groups = [[up(birth(), "birth")], *([up(batch(seq, [1.0]))] for seq in range(8))]
    comes(groups, monkeypatch)
    made.service._once()
    held, at = Held(made, monkeypatch), made.service.pipeline.position
    made.service._save()
    assert held.begun.wait(120)
    for _ in range(5):
        made.service._once()
    if short == "disk":
        made.service._room._share = 2.0
        made.clock.now += S
    else:
        monkeypatch.setattr(made.service.journal, "append", full)
    made.service._once()
    end = made.service.journal.end()
    assert end > made.service.pipeline.position == at
    held.go_on.set()
    made.service._keeper.copied()
    made.service._once()
    assert made.service.pipeline.position == made.service.journal.end() == end
    made.service._filing.submit(int).result(120)  # after what it is filing
    assert made.service.pipeline.filings.settled
    assert made.service._keeper._keeping is not None
    made.service._keeper._keeping.result(120)
    made.service._once()
    assert not made.service._keeper.busy
    assert snapshot.positions(made.folder / "snapshots") == [at]
    monkeypatch.undo()
    made.service._room._share = 0.0


def test_while_the_state_is_copied_a_group_gathers_and_the_end_of_the_copy_is_not_missed(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    group = Link.group

    def noted(link: Link, most_s: float, *, at_once: bool) -> list[Arrived]:
        asked.append(at_once)
        return group(link, most_s, at_once=at_once)

    monkeypatch.setattr(Link, "group", noted)
    monkeypatch.setattr("cloud.link.WAIT_S", 3600.0)
    held = Held(made, monkeypatch)
    made.service._save()
    assert held.begun.wait(120)
    made.service._link._queue.put([("d", up(batch(0, [1.0])), 10)], 1)
    made.service._once()
    assert made.service._behind
    waiting = threading.Thread(target=made.service._once, daemon=True)
    waiting.start()
    held.go_on.set()
    waiting.join(120)
    assert not waiting.is_alive()
    assert asked == [False, False]
    assert made.service.pipeline.position == made.service.journal.end()


def test_a_store_that_is_away_holds_back_what_waits_too(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise StoreBusy("away")

    monkeypatch.setattr("cloud.service.RETRY_S", 0)
    monkeypatch.setattr("cloud.behind.PORTION_BYTES", 1)
    monkeypatch.setattr("cloud.pipeline.PENDING_BYTES", 2_000)
    comes([[up(batch(seq, [1.0] * 10)) for seq in range(0, 200, 10)]], monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(made.service._telemetry, "write", away)
        for _ in range(3):
            made.service._once()
        assert 2_000 < made.service.pipeline._pending_bytes < 4_000
        assert made.service._behind
        made.service._save()
        assert not made.service._keeper.busy, "its numbers would be of later records"
    made.service._once()
    assert made.service.pipeline.position == made.service.journal.end()


@pytest.mark.parametrize("reached", [True, False])
def test_while_the_store_makes_readings_durable_the_state_goes_on(
    made: Made, monkeypatch: pytest.MonkeyPatch, reached: bool
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    at = made.service.pipeline.position

    def durable_position() -> int:
        begun.set()
        assert go_on.wait(120)
        return at if reached else at - 1

    monkeypatch.setattr(made.service._keeper, "_durable", durable_position)
    comes([[up(batch(seq, [1.0]))] for seq in range(3)], monkeypatch)
    made.service._save()
    made.service._keeper.copied()
    made.service._once()
    assert begun.wait(120)
    made.service._once()
    assert made.service.pipeline.position == made.service.journal.end() > at
    go_on.set()
    made.service._keeper.look(wait=True)
    assert snapshot.positions(made.folder / "snapshots") == ([at] if reached else [])
    assert not list((made.folder / "snapshots").glob("*.part"))
