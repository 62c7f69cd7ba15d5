"""Live = replay: the same journal gives the same assessments, however it is cut and restored."""

import random
import resource
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud import snapshot
from cloud.decode import Decoder, Item, Restart
from cloud.ingest import Ingest
from cloud.journal import Entry, Kind, Record, SegmentJournal
from cloud.pipeline import assess
from cloud.reader import Arrived
from cloud.sequence import Sequencer
from models.assessment import Assessment
from models.contract.messages import MachineRef
from models.fleet import Fleet
from models.profile import load_profiles
from tests.cloud.wires import T0, S, batch, birth, floats, up

PROFILES = load_profiles()
MINUTE = 60 * S


def story() -> list[Arrived | Entry]:
    """Some days of a pump, a host and a nameless device: a fault, silence, junk, a repair."""
    chance = np.random.default_rng(5)
    machines = {"a": MachineRef(profile="centrifugal-pump"), "b": MachineRef(profile="host")}
    out: list[Arrived | Entry] = [up(birth(machines, dictionary="0badcafe"), "birth", at=T0)]
    seq, rows = 0, 36
    for block in range(30):
        at = T0 + block * rows * 10 * MINUTE
        level = 1.5 + (5.0 if block > 20 else 0.0)
        columns = {
            "a/vibration_rms": floats(np.round(chance.normal(level, 0.2, rows), 2).tolist()),
            "b/cpu": floats(np.round(chance.normal(40, 5, rows), 1).tolist()),
        }
        payload = batch(
            seq,
            [0.0] * rows,
            u=seq,
            columns=columns,
            t0_ns=at,
            offsets_ns=10 * MINUTE,
            dictionary="0badcafe",
        )
        seq += rows
        end = at + rows * 10 * MINUTE
        out += [up(payload, at=end), Entry(Kind.TICK, end + S)]
        if block % 7 == 3:
            out += [up(b"{junk", at=end), up(b'{"d":{"t":1.5}}', device="acme.nameless", at=end)]
        if block == 12:
            out += [Entry(Kind.TICK, end + i * 60 * MINUTE) for i in range(1, 30)]
        if block == 25:
            action = b'{"machine":"acme.pump1:a","component":"bearing","at_ns":%d}' % end
            out.append(Entry(Kind.ACTION, end, "", action))
    return out


class Recorded(list[Record]):
    """The journal's records, in few words."""

    def __repr__(self) -> str:
        return f"<{len(self)} records>"


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """The journal that the service made of the story."""
    journal = SegmentJournal(tmp_path_factory.mktemp("journal"))
    ingest = Ingest(journal, Sequencer())
    for one in story():
        own = [one] if isinstance(one, Entry) else []
        group = [one] if isinstance(one, Arrived) else []
        ingest.handle(group, T0, own)
    found = Recorded(journal.since(-1))
    journal.close()
    return found


def said(fleet: Fleet, items: Sequence[Item]) -> list[Assessment]:
    return [one for one in assess(fleet, items) if isinstance(one, Assessment)]


def replay(groups: Sequence[Sequence[Record]]) -> tuple[list[Assessment], Fleet, Decoder]:
    fleet, decoder = Fleet(PROFILES), Decoder()
    told = [one for group in groups for one in said(fleet, decoder.decode(group))]
    return told, fleet, decoder


def bits(fleet: Fleet) -> dict[str, bytes]:
    """Return every bit of the state."""
    return {name: array.tobytes() for name, array in fleet.snapshot().items()}


def cut(records: Sequence[Record], places: Sequence[int]) -> list[Sequence[Record]]:
    at = [0, *sorted({p % len(records) for p in places}), len(records)]
    return [records[a:b] for a, b in pairwise(at)]


def test_the_story_says_something(records: Recorded) -> None:
    told, fleet, _ = replay([records])
    assert {a.machine for a in told} >= {"acme.pump1:a", "acme.pump1:b"}
    assert any(c.check == "limit-high" for a in told for c in a.conditions)
    assert any(r.entry.kind is Kind.ACTION for r in records)
    assert len(fleet.machines()) == 3
    items = Decoder().decode(records)
    assert [i.component for i in items if isinstance(i, Restart)] == ["bearing"]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(places=st.lists(st.integers(0, 10**6), max_size=12))
def test_any_cut_gives_the_same_assessments(records: Recorded, places: list[int]) -> None:
    whole, fleet, _ = replay([records])
    told, other, _ = replay(cut(records, places))
    assert told == whole
    assert bits(other) == bits(fleet)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(1, 10**6), seed=st.integers(0, 99))
def test_a_run_restored_from_a_snapshot_goes_on_with_the_same_bits(
    records: Recorded, tmp_path_factory: pytest.TempPathFactory, place: int, seed: int
) -> None:
    whole, fleet, _ = replay([records])
    middle = place % len(records)
    chance = random.Random(seed)
    places = [chance.randrange(len(records)) for _ in range(4)]
    before, half, decoder = replay(cut(records[:middle], places) if middle else [])
    folder = tmp_path_factory.mktemp("snapshots")
    values = {"decoder": decoder.dump()}
    snapshot.save(folder, snapshot.Snapshot(middle - 1, half.snapshot(), values))
    found = snapshot.load(folder, 10**9)
    assert found is not None
    again, waiting = Fleet.restore(PROFILES, dict(found.arrays)), Decoder()
    waiting.load(found.values["decoder"], {})
    after = said(again, waiting.decode(records[middle:]))
    assert before + after == whole
    assert bits(again) == bits(fleet)


def test_a_damaged_snapshot_gives_way_to_the_one_before(tmp_path: Path) -> None:
    for n in (3, 7, 9):
        snapshot.save(tmp_path, snapshot.Snapshot(n, {"a": np.arange(n)}, {"x": n}))
    assert snapshot.positions(tmp_path) == [7, 9]
    newest = max(tmp_path.glob("*.npz"))
    newest.write_bytes(newest.read_bytes()[:-40])
    found = snapshot.load(tmp_path, 100)
    assert found is not None
    assert (found.n, found.values["x"]) == (7, 7)
    assert snapshot.load(tmp_path, 6) is None


def test_a_snapshot_holds_what_was_written_and_counts_once_it_is_durable(tmp_path: Path) -> None:
    state = np.array([(1, 0.5)], [("n", "i8"), ("x", "f8")])
    part = snapshot.write(tmp_path, snapshot.Snapshot(4, {"a": state, "none": state[:0]}, {}))
    state["x"] = 7.0
    assert snapshot.positions(tmp_path) == []
    snapshot.keep(part)
    found = snapshot.load(tmp_path, 4)
    assert found is not None
    assert found.arrays["a"].tolist() == [(1, 0.5)]
    assert found.arrays["none"].dtype == state.dtype
    assert not part.exists()


def test_an_array_comes_back_the_way_round_it_was(tmp_path: Path) -> None:
    table = np.arange(6.0).reshape(2, 3)
    given = {"f": np.asfortranarray(table), "t": table.T, "s": table[:, ::2], "0": np.array(4)}
    snapshot.save(tmp_path, snapshot.Snapshot(1, given, {}))
    found = snapshot.load(tmp_path, 1)
    assert found is not None
    assert {k: v.tolist() for k, v in found.arrays.items()} == {
        k: v.tolist() for k, v in given.items()
    }


def test_snapshots_that_do_not_fit_leave_nothing(tmp_path: Path) -> None:
    snapshot.save(tmp_path, snapshot.Snapshot(1, {"a": np.zeros(9)}, {}))
    large = np.zeros(1 << 18)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        for n in (2, 3):
            with pytest.raises(OSError, match="too large"):
                snapshot.write(tmp_path, snapshot.Snapshot(n, {"a": large}, {}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
    (tmp_path / f"{5:020d}.npz").mkdir()
    with pytest.raises(OSError, match="directory"):
        snapshot.save(tmp_path, snapshot.Snapshot(4, {}, {}))
    assert list(tmp_path.glob("*.part")) == []


def test_what_a_kill_left_half_written_is_gone_with_the_next(tmp_path: Path) -> None:
    snapshot.write(tmp_path, snapshot.Snapshot(1, {}, {}))
    path = snapshot.save(tmp_path, snapshot.Snapshot(2, {}, {}))
    assert list(tmp_path.iterdir()) == [path]
