"""What goes to the ledger beside the thread that brings it: order, failures, and who waits."""

import math
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloud import snapshot
from cloud.decode import Aside
from cloud.errors import StoreBusy
from cloud.filings import Filings
from cloud.ledger import Ledger, Registration, open_ledger
from models.assessment import Assessment, State
from models.contract.errors import Reason
from models.profile import load_profiles
from tests.cloud.served import Made, comes
from tests.cloud.wires import T0, batch, birth, up

PATIENCE_S = 120


def said(n: int) -> Assessment:
    return Assessment(
        machine="acme.pump1",
        n=n,
        at_ns=T0 + n,
        state=State.NORMAL,
        score=0.0,
        health=100.0,
        coverage=1.0,
    )


class Beside:
    """Filings with a thread whose first filing waits, and is refused if `busy`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, busy: bool) -> None:
        self.begun, self.go_on, self.told = (threading.Event() for _ in range(3))
        self.ledger = open_ledger(f"sqlite:///{folder}/ledger.db", lambda: T0, load_profiles())
        self.thread = ThreadPoolExecutor(1)
        self.filings = Filings(self.ledger, 0.0, self.thread, self.told.set)
        file, first = type(self.ledger).file, [True]

        def held(ledger: Ledger, n: int, some: Sequence[Assessment]) -> object:
            if not first:
                return file(ledger, n, some)
            first.clear()
            self.begun.set()
            assert self.go_on.wait(PATIENCE_S)
            if busy:
                raise StoreBusy("locked")
            return file(ledger, n, some)

        monkeypatch.setattr(type(self.ledger), "file", held)

    def close(self) -> None:
        self.go_on.set()
        self.thread.shutdown()
        self.ledger.close()

    def filed(self) -> list[int]:
        newest_first, _ = self.ledger.assessments("acme.pump1", limit=100)
        return [one.assessment.n for one in reversed(newest_first)]


@pytest.fixture(params=[False, True], ids=["taken", "busy"])
def beside(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Beside]:
    made = Beside(tmp_path, monkeypatch, busy=request.param)
    yield made
    made.close()


def test_who_brings_more_never_waits_and_the_order_stays(beside: Beside) -> None:
    filings = beside.filings
    filings.add([said(1)])
    filings.file_if_due(1)
    assert beside.begun.wait(PATIENCE_S)
    filings.add([said(2), said(3)])
    filings.file_if_due(3)
    assert (filings.busy, filings.settled, filings.until_due_s) == (True, False, math.inf)
    assert beside.ledger.position() == -1
    beside.go_on.set()
    assert beside.told.wait(PATIENCE_S)
    filings.file_if_due(3)
    filings.file(3)
    assert filings.settled
    assert beside.filed() == [1, 2, 3]
    assert beside.ledger.position() == 3


def test_what_is_with_the_thread_counts_as_waiting(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.filings.PENDING_FILINGS", 2)
    beside.filings.add([said(n) for n in range(3)])
    beside.filings.file_if_due(2)
    assert beside.begun.wait(PATIENCE_S)
    full = [beside.filings.full]
    beside.filings.add(
        aside=[Aside(n=3, at_ns=T0, topic="t", reason=Reason.UNREADABLE, detail="", payload=b"")]
    )
    beside.go_on.set()
    beside.filings.file(3)
    full.append(beside.filings.full)
    assert full == [True, False]
    assert len(beside.ledger.quarantine(limit=10)[0]) == 1


def test_receipts_and_the_state_go_on_while_the_ledger_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    made = Made(tmp_path)
    register = type(made.ledger).register

    def slow(ledger: Ledger, some: Sequence[Registration]) -> object:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        return register(ledger, some)

    monkeypatch.setattr(type(made.ledger), "register", slow)
    try:
        comes([[up(birth(), "birth")], *([up(batch(seq, [1.0]))] for seq in range(3))], monkeypatch)
        made.service._once()
        assert begun.wait(PATIENCE_S)
        made.service._last_snapshot = 0  # one is due
        for _ in range(3):
            made.service._once()
        assert made.service.ingest.counters.samples == 3
        assert made.service.pipeline.position == made.service.journal.end()
        assert not made.service._keeper.busy, "the ledger has not everything"
        go_on.set()
        made.service._filing.submit(int).result(PATIENCE_S)
        made.service._once()  # however much was said meanwhile
        made.service._keeper.look(wait=True)
        assert snapshot.positions(tmp_path / "snapshots") == [made.service.pipeline.position]
        assert [one.id for one in made.ledger.machines()[0]] == ["acme.pump1"]
    finally:
        go_on.set()
        made.service.stop()
        made.ledger.close()


@pytest.mark.parametrize("busy_before", [False, True], ids=["now", "before"])
def test_a_snapshot_of_which_the_ledger_has_not_everything_is_not_kept_and_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, busy_before: bool
) -> None:
    made = Made(tmp_path)
    busy, go_on, others = threading.Event(), threading.Event(), set[str]()
    file = type(made.ledger).file

    def slow(ledger: Ledger, n: int, some: Sequence[Assessment]) -> object:
        others.add(threading.current_thread().name)
        if busy.is_set():
            assert go_on.wait(PATIENCE_S)
            raise StoreBusy("locked")
        return file(ledger, n, some)

    def turn(seq: int) -> None:
        comes([[up(batch(seq, [1.0]))]], monkeypatch)
        made.service._once()
        made.service.pipeline.filings.add([said(made.service.pipeline.position)])

    monkeypatch.setattr(type(made.ledger), "file", slow)
    made.service.pipeline.filings.hold_s = 0.0
    begin, copies = made.service._keeper.begin, list[int]()

    def counted(*given: Any) -> None:
        copies.append(1)
        begin(*given)

    monkeypatch.setattr(made.service._keeper, "begin", counted)
    try:
        turn(0)
        made.service._filing.submit(int).result(PATIENCE_S)
        busy.set()
        if busy_before:
            made.service._once()  # begins to file
        made.service._last_snapshot = 0
        for seq in range(1, 4):
            turn(seq)
        go_on.set()
        made.service._filing.submit(int).result(PATIENCE_S)
        turn(4)
        made.service._keeper.look(wait=True)
        assert len(copies) == (0 if busy_before else 1), "given up till the next is due"
        assert made.service._last_snapshot == made.clock.now
        assert not snapshot.positions(tmp_path / "snapshots")
        busy.clear()
        made.service._last_snapshot = 0
        made.service._filing.submit(int).result(PATIENCE_S)
        made.service._once()
        made.service._filing.submit(int).result(PATIENCE_S)
        made.service._last_snapshot = 0
        made.service._once()
        made.service._keeper.look(wait=True)
        assert snapshot.positions(tmp_path / "snapshots") == [made.service.pipeline.position]
        assert others == {"filing_0"}
    finally:
        go_on.set()
        made.service.stop()
        made.ledger.close()
