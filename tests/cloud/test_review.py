"""Late readings get a second look: evidence and advisories, never a second ticket or alert."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from cloud import review
from cloud.decode import Decoder
from cloud.errors import StoreBusy
from cloud.filings import Filings
from cloud.journal import Entry, Kind
from cloud.pipeline import Pipeline
from cloud.review import LOOK_TICKS, MAX_SETS, QUIET_NS, Span
from models.assessment import Check
from models.contract.messages import Column, MachineRef, Metric
from models.fleet import Fleet
from models.rows import Tick
from tests.cloud.test_pipeline import PROFILES, BehindBroker
from tests.cloud.wires import DEVICE, T0, S, batch, birth, floats, up

HEALTHY, HIGH = 1.0, 9.0  #: mm/s of vibration; the pump's alarm limit is 7.1
SIGNAL = "vibration_rms"
HOUR = 3_600


def born(made: BehindBroker) -> BehindBroker:
    """Return it with a pump that has said what it is."""
    made.take(
        up(
            birth(
                {"": MachineRef(profile="centrifugal-pump")},
                metrics=(Metric(name=SIGNAL),),
                dictionary="0badcafe",
            ),
            "birth",
        )
    )
    return made


@pytest.fixture
def path(tmp_path: Path) -> Iterator[BehindBroker]:
    made = BehindBroker(tmp_path)
    yield born(made)
    made.close()


def rows(
    path: BehindBroker, seq: int, value: float, at_s: int, count: int = 60, waited_s: int = 0
) -> None:
    """Send rows of one second each: healthy ones live, others from a buffer; they arrive now."""
    columns: dict[str, Column] = {SIGNAL: floats([value + i % 3 / 100 for i in range(count)])}
    stream = "live" if value == HEALTHY else "backfill"
    path.take(
        up(
            batch(seq, [0.0] * count, columns=columns, t0_ns=T0 + at_s * S, count=count),
            "t",
            stream,
            at=max(path.pipeline.reviews.tick_ns, T0 + 2 * HOUR * S) - waited_s * S,
        )
    )


def ticks(path: BehindBroker, first_s: int, count: int = 3 + LOOK_TICKS) -> None:
    for second in range(first_s, first_s + count):
        entry = Entry(Kind.TICK, T0 + 2 * HOUR * S + second * S)
        path.pipeline.apply(path.journal.append([entry]), {})


def backlog(path: BehindBroker, first_s: int, count: int) -> None:
    """Take a healthy row before each tick, ten seconds apart, that waited long for ingest."""
    for second in range(first_s, first_s + 10 * count, 10):
        rows(path, 40 + second, HEALTHY, HOUR + second, count=10, waited_s=10)
        ticks(path, second, count=1)


def seen(path: BehindBroker) -> list[tuple[int, int]]:
    """Return revision and time of what the ledger has of the machine."""
    found, _ = path.ledger.assessments(DEVICE, limit=1000)
    return [(one.assessment.revision, one.assessment.at_ns) for one in found]


def test_an_outage_that_hid_a_fault_is_looked_at_again(path: BehindBroker) -> None:
    rows(path, 0, HEALTHY, 0)
    rows(path, 60, HEALTHY, HOUR)
    ticks(path, 0)
    rows(path, 0, HIGH, HOUR // 2)
    ticks(path, 8)
    assert not any(revision for revision, _ in seen(path)), "it waits until the span is quiet"
    ticks(path, 10 + QUIET_NS // S)
    second = [at for revision, at in seen(path) if revision == 1]
    assert second
    assert all(T0 + HOUR // 2 * S <= at < T0 + HOUR * S for at in second)
    opened, _ = path.ledger.advisories(limit=10)
    assert max(one.severity for one in opened) == 3
    assert path.ledger.tickets(limit=10)[0] == []
    assert path.ledger.alerts(limit=10)[0] == []
    live = path.pipeline.fleet.current(DEVICE)
    assert live.revision == 0
    assert {one.check for one in live.conditions} <= {Check.DROPOUT}, "it has not seen them"
    ticks(path, 100 + QUIET_NS // S)
    assert max(revision for revision, _ in seen(path)) == 1, "one look a span"


def test_more_late_readings_have_a_higher_revision(path: BehindBroker) -> None:
    rows(path, 0, HEALTHY, 0)
    rows(path, 60, HEALTHY, HOUR)
    for look in (1, 2):
        rows(path, 60 * (look - 1), HIGH, HOUR // 2 + look * 300)
        ticks(path, 1_000 * look + QUIET_NS // S)
        assert max(revision for revision, _ in seen(path)) == look
        modes = [one.mode for one in path.ledger.advisories(limit=10)[0]]
        assert len(modes) == len(set(modes)), "the second look annotates"


@pytest.mark.parametrize("behind_s", [30, 31 * 24 * HOUR])
def test_what_is_hardly_late_or_too_late_is_stored_only(path: BehindBroker, behind_s: int) -> None:
    rows(path, 0, HEALTHY, HOUR)
    rows(path, 0, HIGH, HOUR + 59 - behind_s, count=10)
    ticks(path, QUIET_NS // S)
    assert not any(revision for revision, _ in seen(path))


def test_a_replay_says_the_same(path: BehindBroker, tmp_path: Path) -> None:
    rows(path, 0, HEALTHY, 0)
    rows(path, 60, HEALTHY, HOUR)
    ticks(path, 0)
    rows(path, 0, HIGH, HOUR // 2)
    ticks(path, 10 + QUIET_NS // S)
    (tmp_path / "again").mkdir()
    again = BehindBroker(tmp_path / "again")
    for record in path.journal.since(-1):
        again.pipeline.apply([record], {})
    before, _ = path.ledger.assessments(DEVICE, limit=1000)
    after, _ = again.ledger.assessments(DEVICE, limit=1000)
    again.close()
    assert [msgspec.json.encode(one) for one in before] == [
        msgspec.json.encode(one) for one in after
    ]


@pytest.mark.parametrize("begun", [0, 1, LOOK_TICKS])
def test_what_waits_survives_a_restart(path: BehindBroker, begun: int) -> None:
    rows(path, 0, HEALTHY, 0)
    rows(path, 60, HEALTHY, HOUR)
    ticks(path, 0)
    rows(path, 0, HIGH, HOUR // 2)
    ticks(path, 10 + QUIET_NS // S, count=begun)
    kept = path.pipeline.reviews
    values = msgspec.json.decode(msgspec.json.encode([kept.dump(), kept.tick_ns]))
    snapshot = path.pipeline.fleet.snapshot()
    path.pipeline.fleet = Fleet.restore(PROFILES, snapshot)
    path.pipeline.reviews = type(kept)(path.pipeline.fleet.profile, path.telemetry)
    path.pipeline.reviews.load(*values)
    kept.close()
    ticks(path, 10 + QUIET_NS // S + begun, count=LOOK_TICKS - begun)
    assert not any(revision for revision, _ in seen(path))
    ticks(path, 10 + QUIET_NS // S + LOOK_TICKS, count=1)
    assert max(revision for revision, _ in seen(path)) == 1, "no sooner and no later than without"


def test_a_long_span_is_looked_at_in_pieces(
    path: BehindBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.review.MAX_ROWS", 50)
    rows(path, 0, HEALTHY, HOUR)
    rows(path, 0, HIGH, HOUR // 2, count=120)
    ticks(path, QUIET_NS // S, count=10 * LOOK_TICKS)
    assert max(revision for revision, _ in seen(path)) > 1
    newest = max(at for revision, at in seen(path) if revision)
    assert newest > T0 + (HOUR // 2 + 60) * S


def test_a_device_that_sends_what_changed_takes_no_more_memory_for_ever(
    path: BehindBroker,
) -> None:
    names = [f"s{number}" for number in range(40)]
    for seq in range(2_000):
        some = {name: floats([1.0]) for k, name in enumerate(names) if (seq * 7 + k * k) % 5 == 0}
        some |= {names[seq % 40]: floats([1.0]), names[seq // 40 % 40]: floats([1.0])}
        path.take(
            up(batch(seq, [0.0], columns=some, t0_ns=T0 + seq * S), "t", "live", at=T0 + seq * S)
        )
    ((_, sets, *_),) = [row for row in path.pipeline.reviews.dump() if row[0] == DEVICE]
    assert len(sets) <= MAX_SETS


def test_a_span_waits_for_readings_that_the_store_has_not_taken(path: BehindBroker) -> None:
    rows(path, 0, HEALTHY, 0)
    rows(path, 60, HEALTHY, HOUR)
    ticks(path, 0)
    rows(path, 0, HIGH, HOUR // 2)
    reviews = path.pipeline.reviews
    late = T0 + 2 * HOUR * S + 2 * QUIET_NS
    assert reviews.due(Tick(n=900, at_ns=late), waiting=True) == []
    told = [reviews.due(Tick(n=901 + i, at_ns=late + i * S)) for i in range(LOOK_TICKS + 1)]
    assert [bool(one) for one in told] == [False] * LOOK_TICKS + [True]
    assert {one.n for one in told[-1]} == {901 + LOOK_TICKS}, "filed where it was handed over"


def looked_at_once(path: BehindBroker) -> None:
    """Have a look begin and end, and more late readings of a fault wait for the next one."""
    rows(path, 0, HEALTHY, 0)
    rows(path, 60, HEALTHY, HOUR)
    rows(path, 0, HIGH, HOUR // 2)
    ticks(path, QUIET_NS // S)
    rows(path, 60, HIGH, HOUR // 2 + 300)
    assert {revision for revision, _ in seen(path)} == {0, 1}


def test_an_ingest_that_is_behind_looks_at_the_same_once_it_keeps_up(
    path: BehindBroker, tmp_path: Path
) -> None:
    (tmp_path / "calm").mkdir()
    calm = born(BehindBroker(tmp_path / "calm"))
    for made in (path, calm):
        looked_at_once(made)
    backlog(path, 80, 20)
    ticks(calm, 150)
    found = [one for one in seen(calm) if one[0]]
    assert {revision for revision, _ in found} == {1, 2}
    assert {revision for revision, _ in seen(path)} == {0, 1}, "no time for a look"
    ticks(path, 280 + review.CALM_NS // S)
    assert [one for one in seen(path) if one[0]] == found
    calm.close()


def test_an_ingest_that_stays_behind_looks_again_after_a_while(
    path: BehindBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "PATIENCE_NS", 150 * S)
    looked_at_once(path)
    backlog(path, 80, 12)
    kept = path.pipeline.reviews
    values = msgspec.json.decode(msgspec.json.encode([kept.dump(), kept.tick_ns, kept.pace]))
    path.pipeline.reviews = type(kept)(path.pipeline.fleet.profile, path.telemetry)
    path.pipeline.reviews.load(*values)
    kept.close()
    backlog(path, 200, LOOK_TICKS + 1)
    assert {revision for revision, _ in seen(path)} == {0, 1}
    backlog(path, 200 + 10 * (LOOK_TICKS + 1), 1)
    assert {revision for revision, _ in seen(path)} == {0, 1, 2}


@pytest.mark.parametrize("busy", [False, True])
def test_rows_that_come_during_a_look_are_in_the_next_one(path: BehindBroker, busy: bool) -> None:
    rows(path, 0, HEALTHY, 0)
    rows(path, 60, HEALTHY, HOUR)
    ticks(path, 0)
    rows(path, 0, HEALTHY + 1, HOUR // 2, count=10)
    rows(path, 10, HEALTHY + 1, HOUR // 2 + 100, count=10)
    reviews = path.pipeline.reviews
    free = threading.Event()
    if busy:
        reviews._eyes.submit(free.wait)
    begins = 10 + QUIET_NS // S
    ticks(path, begins, count=1)
    if not busy:
        reviews._begun[0].found.result()
    rows(path, 20, HIGH, HOUR // 2 + 20, count=10)
    free.set()
    ticks(path, begins + 1, count=LOOK_TICKS)
    assert not any(revision for revision, _ in seen(path)), "whether they were seen was chance"
    ticks(path, begins + 1 + LOOK_TICKS + QUIET_NS // S)
    assert any(T0 + (HOUR // 2 + 20) * S <= at < T0 + (HOUR // 2 + 30) * S for _, at in seen(path))
    assert max(revision for revision, _ in seen(path)) == 1


def test_a_look_ends_at_its_tick_however_records_are_grouped(
    path: BehindBroker, tmp_path: Path
) -> None:
    rows(path, 0, HEALTHY, 0)
    rows(path, 60, HEALTHY, HOUR)
    ticks(path, 0)
    rows(path, 0, HEALTHY + 1, HOUR // 2, count=10)
    rows(path, 10, HEALTHY + 1, HOUR // 2 + 100, count=10)
    ticks(path, 10 + QUIET_NS // S)
    rows(path, 20, HIGH, HOUR // 2 + 20, count=10)
    ticks(path, 30 + 2 * QUIET_NS // S)
    (tmp_path / "again").mkdir()
    again = BehindBroker(tmp_path / "again")
    again.pipeline.apply(list(path.journal.since(-1)), {})
    before, _ = path.ledger.assessments(DEVICE, limit=1000)
    after, _ = again.ledger.assessments(DEVICE, limit=1000)
    again.close()
    assert {one.assessment.revision for one in before} == {0, 1, 2}
    looks = [
        [one.assessment for one in found if one.assessment.revision] for found in (before, after)
    ]
    assert looks[0] == looks[1]


def test_a_look_that_waited_for_the_store_outlives_a_kill(
    path: BehindBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_machine: str) -> list[str]:
        raise StoreBusy("away")

    rows(path, 0, HEALTHY, 0)
    rows(path, 60, HEALTHY, HOUR)
    ticks(path, 0)
    rows(path, 0, HIGH, HOUR // 2)
    with monkeypatch.context() as patched:
        patched.setattr(path.telemetry, "signals", away)
        ticks(path, 10 + QUIET_NS // S)
    rows(path, 120, HEALTHY, HOUR + 60)
    path.pipeline.fleet.restart(DEVICE, None, T0 + 2 * HOUR * S, 0)
    filed = path.pipeline.fleet.current(DEVICE)
    path.ledger.file(path.journal.end(), [msgspec.structs.replace(filed, n=path.journal.end())])
    assert path.ledger.position() == path.journal.end()
    for _ in range(2):  # what is filed is not filed again
        path.pipeline.reviews.close()
        path.pipeline = Pipeline(Decoder(), Fleet(PROFILES), path.telemetry, Filings(path.ledger))
        for record in path.journal.since(-1):
            path.pipeline.apply([record], {})
        second = [at for revision, at in seen(path) if revision == 1]
        assert second
        assert len(second) == len(set(second))


def test_a_look_that_fails_does_not_end_ingest(
    path: BehindBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_machine: str) -> list[str]:
        raise ZeroDivisionError

    monkeypatch.setattr(path.telemetry, "signals", broken)
    rows(path, 0, HEALTHY, HOUR)
    rows(path, 0, HIGH, HOUR // 2)
    ticks(path, QUIET_NS // S)
    rows(path, 60, HEALTHY, HOUR + 60)
    assert path.pipeline.position == path.journal.end()
    assert not any(revision for revision, _ in seen(path))


def test_a_look_that_takes_too_long_holds_up_ingest_no_longer_and_is_tried_again(
    path: BehindBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(review, "LOOK_S", 0.05)
    free = threading.Event()
    late = threading.Timer(120, free.set)  # else a service without the limit would hang here
    late.daemon = True
    late.start()
    rows(path, 0, HEALTHY, 0)
    rows(path, 60, HEALTHY, HOUR)
    ticks(path, 0)
    rows(path, 0, HIGH, HOUR // 2)
    path.pipeline.reviews._eyes.submit(free.wait)  # as a store that does not answer
    ticks(path, 10 + QUIET_NS // S, count=1 + LOOK_TICKS)
    assert not free.is_set()
    assert "did not answer" in caplog.text
    assert not any(revision for revision, _ in seen(path))
    late.cancel()
    free.set()
    monkeypatch.undo()
    ticks(path, 100 + QUIET_NS // S)
    assert any(revision == 1 for revision, _ in seen(path))


@pytest.mark.parametrize("cells", [6, 100])
def test_a_look_sees_every_reading_of_one_time(
    path: BehindBroker, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    for at, values in ((T0, "23"), (T0 + S, "4567")):
        for value in values:
            path.take(up(b'{"d":{"%s":%s}}' % (SIGNAL.encode(), value.encode()), at=at))
        path.take(up(b'{"d":{"temp":40}}', at=at))
    monkeypatch.setattr("cloud.review.MAX_CELLS", cells)
    reviews = path.pipeline.reviews
    block, whole = reviews._block(DEVICE, Span(T0, T0 + S, 0))
    temp, vibration = dict(zip(block.signals, block.columns, strict=True)).values()
    if cells == 6:  # three rows: a time whose rows do not all fit is the next piece's
        assert block.times_ns.tolist() == [T0, T0]
        assert not whole
        block, whole = reviews._block(DEVICE, Span(T0 + S, T0 + S, 0))
        assert block.times_ns.tolist() == [T0 + S] * 3, "as many as there may be"
    else:
        assert block.times_ns.tolist() == [T0, T0, *[T0 + S] * 4]
        assert vibration.tolist() == [2, 3, 4, 5, 6, 7]
        assert np.nan_to_num(temp).tolist() == [40, 0, 40, 0, 0, 0]
    assert whole
    assert reviews._look(DEVICE, Span(T0, T0 + S, 0), PROFILES["centrifugal-pump"]).told
