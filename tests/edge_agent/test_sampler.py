from array import array
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers import Reading
from edge_agent.sampler import GROUP_BYTES, Sampler, column, offsets
from models.contract import codec
from models.contract.messages import Batch, Column
from tests.edge_agent.made import T0_NS

SECOND = 1_000_000_000


def reading(i: int, **values: float | int | bool | None) -> Reading:
    return Reading(values=values, wall_ns=T0_NS + i, mono_ns=i)


def test_a_group_is_one_second() -> None:
    sampler = Sampler()
    assert (sampler.add(reading(0, temp=1.0), 0), sampler.due_ns) == (None, SECOND)
    assert sampler.add(reading(SECOND // 2, temp=2.0), SECOND // 2) is None
    batch = sampler.add(reading(SECOND, temp=3.0), SECOND)
    assert batch is not None
    assert (batch.count, batch.t0_ns, batch.mono_ns) == (3, T0_NS, 0)
    assert batch.offsets_ns == SECOND // 2
    assert batch.columns["temp"] == Column(type="d", data=array("d", [1.0, 2.0, 3.0]).tobytes())
    assert (batch.boot, batch.seq) == (None, None)
    assert sampler.due_ns is None
    assert sampler.flush() is None


def test_a_group_is_100_readings() -> None:
    sampler = Sampler()
    batches = [sampler.add(reading(i, temp=1.0), i) for i in range(250)]
    assert [i for i, batch in enumerate(batches) if batch] == [99, 199]
    rest = sampler.flush()
    assert rest is not None
    assert rest.count == 50


def test_a_wide_group_stays_below_the_size_of_a_message() -> None:
    sampler = Sampler(prefix="machine-1/")
    batches = []
    for i in range(200):
        values = {f"a-signal-with-a-long-name-{n:04}": float(i) for n in range(1500)}
        if batch := sampler.add(Reading(values=values, wall_ns=T0_NS + i), i):
            batches.append(batch)
    assert len(batches) > 10
    assert all(len(codec.encode(batch)) < 256 * 1024 for batch in batches)
    assert GROUP_BYTES < 256 * 1024


def test_what_was_not_read_is_missing() -> None:
    sampler = Sampler(prefix="pump3/", historical=True)
    sampler.dictionary = "0badcafe"
    sampler.add(reading(0, temp=1.5, on=True, count=7), 0)
    sampler.add(reading(5, temp=None, rpm=3), 5)
    sampler.add(reading(7, empty=None), 7)  # no value at all: not a sample
    batch = sampler.flush()
    assert batch is not None
    assert (batch.count, batch.historical, batch.dictionary) == (2, True, "0badcafe")
    assert batch.offsets_ns == 5
    assert set(batch.columns) == {"pump3/temp", "pump3/on", "pump3/count", "pump3/rpm"}
    temp = memoryview(batch.columns["pump3/temp"].data).cast("d").tolist()
    assert temp[0] == 1.5
    assert temp[1] != temp[1]
    assert batch.columns["pump3/count"].missing == b"\0\1"
    assert batch.columns["pump3/rpm"].missing == b"\1\0"
    assert batch.columns["pump3/on"] == Column(type="?", data=b"\1\0", missing=b"\0\1")


def test_quality_goes_with_the_samples() -> None:
    sampler = Sampler()
    sampler.add(Reading(values={"temp": 1.0}, wall_ns=T0_NS, quality={"temp": 2}), 0)
    sampler.add(reading(1, temp=2.0), 1)
    batch = sampler.flush()
    assert batch is not None
    assert batch.quality == {"temp": b"\2\0"}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False], "?"),
        ([1, 2], "q"),
        ([1, 2.5], "d"),
        ([True, 2], "q"),
        ([2**63, 1], "d"),
        ([10**400, 1], "d"),
    ],
)
def test_a_column_has_the_narrowest_type(values: list[float | int | bool], kind: str) -> None:
    made = column(values)
    assert made is not None
    assert made.type == kind
    assert len(made) == len(values)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20))
def test_offsets_give_the_times_back(steps: list[int]) -> None:
    at = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * SECOND
    times = [at]
    for step in steps:
        times.append(times[-1] + step)
    found = offsets(times)
    listed = [found * i for i in range(len(times))] if isinstance(found, int) else list(found)
    assert [times[0] + offset for offset in listed] == times


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False)
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), max_size=30))
def test_whatever_is_read_can_be_written(rows: list[dict[str, float | int | bool | None]]) -> None:
    sampler = Sampler()
    for i, values in enumerate(rows):
        sampler.add(Reading(values=values, wall_ns=T0_NS + i), 0)
    batch = sampler.flush()
    kept = [values for values in rows if any(v is not None for v in values.values())]
    if not kept:
        assert batch is None
        return
    assert isinstance(batch, Batch)
    assert batch.count == len(kept)
    for made in batch.columns.values():
        assert len(made) == len(kept)
    codec.encode(batch)
