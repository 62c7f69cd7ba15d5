"""The conformance suite of telemetry stores: what every implementation must do.

Each check takes a way to open the store kept at a path, and an empty folder; it fails by
`AssertionError`. `process_checks` has those that start other processes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.telemetry import Buckets, Series, TelemetryStore
from cloud.telemetry.reference import Bucket, Reference, Sample
from models.rows import Block

Open = Callable[[Path], TelemetryStore]
EVER: Final = (-(2**62), 2**62)
SECOND_NS: Final = 10**9
T0: Final = 1_790_000_000 * SECOND_NS
MANY: Final = 2**31
PATIENCE: Final = 60


def block(
    times_ns: Sequence[int] | NDArray[np.int64],
    columns: dict[str, NDArray[np.generic]],
    **more: Any,
) -> Block:
    """Return a block of machine `acme.pump1`; `more` changes any field."""
    known: dict[str, Any] = {
        "n": 0,
        "machine": "acme.pump1",
        "device": "acme.pump1",
        "boot": "b1",
        "stream": "live",
        "seq": 0,
        "times_ns": np.asarray(times_ns, np.int64),
        "received_ns": 0,
        "signals": tuple(columns),
        "columns": tuple(columns.values()),
    }
    return Block(**(known | more))


def agree(series: Series, expected: list[Sample]) -> None:
    """Compare a store's series with the reference's, bit for bit."""
    assert series.times_ns.tolist() == [s.at_ns for s in expected]
    assert series.quality.tolist() == [s.quality for s in expected]
    assert series.missing.tolist() == [s.value is None for s in expected]
    for got, sample in zip(series.values.tolist(), expected, strict=True):
        if sample.value is not None:
            assert _bits(got) == _bits(sample.value), f"{got!r} for {sample.value!r}"


def _bits(value: float) -> tuple[float, float]:
    return value, math.copysign(1, value)


def agree_buckets(buckets: Buckets, expected: list[Bucket]) -> None:
    """Compare a store's buckets with the reference's; sums to the last bits."""
    assert len(buckets.start_ns) == len(expected)
    for field in fields(Bucket):
        got = getattr(buckets, field.name).tolist()
        want = [getattr(bucket, field.name) for bucket in expected]
        if field.name != "sum":
            assert got == want, f"{field.name}: {got} instead of {want}"
            continue
        for bucket, value in zip(expected, got, strict=True):
            room = 1e-12 * bucket.count * max(abs(bucket.min), abs(bucket.max))
            assert value == bucket.sum or abs(value - bucket.sum) <= room


def settled(store: TelemetryStore, position: int) -> None:
    """Let a store that ships in the background come to a position; each call waits a little."""
    for _ in range(PATIENCE):
        if store.durable_position() >= position:
            break
    assert store.durable_position() == position


def an_empty_store_answers_nothing(open_store: Open, folder: Path) -> None:
    """No position, no series, no signals."""
    store = open_store(folder / "store")
    assert store.position() == -1
    assert store.signals("acme.pump1") == []
    assert store.latest("acme.pump1") == []
    assert len(store.series("acme.pump1", "temp", *EVER, MANY).times_ns) == 0
    assert len(store.buckets("acme.pump1", "temp", 0, 2**60, SECOND_NS).start_ns) == 0
    assert store.erase("acme.pump1") == 0
    store.close()


def a_position_reached_is_ignored(open_store: Open, folder: Path) -> None:
    """What comes again after a crash changes nothing, also after opening again."""
    store = open_store(folder / "store")
    store.write([block([T0], {"temp": np.array([1.0])})], 5)
    store.write([block([T0], {"temp": np.array([1.0])})], 5)
    store.write([block([T0], {"temp": np.array([2.0])})], 3)
    store.write([], 6)
    assert store.position() == 6
    settled(store, 6)
    store.close()
    again = open_store(folder / "store")
    assert again.position() == 6
    again.write([block([T0], {"temp": np.array([1.0])})], 6)
    assert again.series("acme.pump1", "temp", *EVER, MANY).values.tolist() == [1.0]
    again.close()


def one_nanosecond_holds_many_samples(open_store: Open, folder: Path) -> None:
    """Samples of the same time are all kept, in order of arrival, whatever their columns."""
    store = open_store(folder / "store")
    for n in range(12):
        columns: dict[str, NDArray[np.generic]] = {"temp": np.array([float(n), n + 0.5])}
        if n % 3 == 0:
            columns["flow"] = np.array([0.0, 0.0])
        store.write([block([T0, T0], columns, n=n, seq=2 * n)], n)
    got = store.series("acme.pump1", "temp", *EVER, MANY).values.tolist()
    assert got == [n / 2 for n in range(24)]
    store.close()


def values_come_back_bit_for_bit(open_store: Open, folder: Path) -> None:
    """Special floats, single precision, whole numbers, truth values, missing cells, qualities."""
    floats = np.array([0.0, -0.0, 5e-324, -2.2e-308, 1.7e308, 0.1, np.nan, 41.9, -273.15, 1 / 3])
    n = len(floats)
    whole = np.array([0, -1, 2**63 - 1, -(2**63), 7, 8, 9, 10, 11, 12], np.int64)
    truth = np.arange(n) % 3 == 0
    columns: dict[str, NDArray[np.generic]] = {
        "double": floats,
        "single": np.where(np.abs(floats) > 1e38, 3.4e38, floats).astype(np.float32),
        "whole": whole,
        "truth": truth,
    }
    times = T0 + SECOND_NS * np.arange(n)
    quality = {"double": np.array([0, 1, 2, 3, 0, 0, 2, 0, 0, 1], np.uint8)}
    missing = {"whole": np.arange(n) == 4, "truth": np.arange(n) == 3}
    given = block(times, columns, quality=quality, missing=missing)
    reference = Reference()
    reference.write([given], 0)
    store = open_store(folder / "store")
    store.write([given], 0)
    for name in columns:
        series = store.series("acme.pump1", name, *EVER, MANY)
        agree(series, reference.series("acme.pump1", name, *EVER, MANY))
        kind = {"whole": "i", "truth": "b"}.get(name, "f")
        assert series.values.dtype.kind == kind
    assert store.latest("acme.pump1") == reference.latest("acme.pump1")
    store.close()


def late_samples_take_their_place(open_store: Open, folder: Path) -> None:
    """Late samples lie where their time says and leave the newest value alone."""
    store = open_store(folder / "store")
    store.write([block([T0, T0 + 9], {"temp": np.array([1.0, 9.0])})], 0)
    store.write([block([T0 + 5], {"temp": np.array([5.0])}, seq=2)], 1)
    store.write([block([T0 - 86_400_000 * SECOND_NS], {"temp": np.array([0.5])}, seq=3)], 2)
    assert store.series("acme.pump1", "temp", *EVER, MANY).values.tolist() == [0.5, 1.0, 5.0, 9.0]
    assert store.series("acme.pump1", "temp", *EVER, 2).values.tolist() == [0.5, 1.0]
    assert store.series("acme.pump1", "temp", T0, T0 + 9, MANY).values.tolist() == [1.0, 5.0]
    assert [(item.at_ns, item.value) for item in store.latest("acme.pump1")] == [(T0 + 9, 9.0)]
    store.close()


def history_never_moves_the_newest(open_store: Open, folder: Path) -> None:
    """A historical batch is stored and never is the latest value, however new its times are."""
    store = open_store(folder / "store")
    store.write([block([T0 + 50], {"temp": np.array([3.0])}, historical=True)], 0)
    assert store.latest("acme.pump1") == []
    store.write([block([T0], {"temp": np.array([1.0])}, seq=1)], 1)
    store.write([block([T0 + 99], {"temp": np.array([2.0])}, seq=2, historical=True)], 2)
    assert [item.value for item in store.latest("acme.pump1")] == [1.0]
    assert len(store.series("acme.pump1", "temp", *EVER, MANY).times_ns) == 3
    store.close()


def a_spike_is_never_hidden(open_store: Open, folder: Path) -> None:
    """One sample among thousands shows in the buckets of any width."""
    n = 20_000
    values = np.full(n, 21.5)
    values[12_345] = 99.0
    store = open_store(folder / "store")
    for first in range(0, n, 1000):
        times = T0 + SECOND_NS * np.arange(first, first + 1000)
        part = {"temp": values[first : first + 1000]}
        store.write([block(times, part, n=first, seq=first)], first)
    for width in (7, 60, 90, 600, 3_600, 86_400, 1_000_000):
        end = T0 + n * SECOND_NS
        buckets = store.buckets("acme.pump1", "temp", T0, end, width * SECOND_NS)
        assert buckets.max.max() == 99.0
        assert int(buckets.max_ns[buckets.max.argmax()]) == T0 + 12_345 * SECOND_NS
        assert int(buckets.count.sum()) == n
    store.close()


def erasing_leaves_the_others(open_store: Open, folder: Path) -> None:
    """One machine goes, with its signals; it may come back with new data."""
    store = open_store(folder / "store")
    both = [
        block([T0, T0 + 1], {"temp": np.array([1.0, 2.0])}, machine=name)
        for name in ("acme.pump1", "acme.pump2")
    ]
    store.write(both, 0)
    assert store.erase("acme.pump1") == 2
    assert store.signals("acme.pump1") == []
    assert len(store.series("acme.pump1", "temp", *EVER, MANY).times_ns) == 0
    assert store.series("acme.pump2", "temp", *EVER, MANY).values.tolist() == [1.0, 2.0]
    store.write([block([T0 + 2], {"temp": np.array([3.0])}, seq=2)], 1)
    assert store.series("acme.pump1", "temp", *EVER, MANY).values.tolist() == [3.0]
    store.close()


def any_session_agrees_with_the_reference(open_store: Open, folder: Path) -> None:
    """Twenty sessions of random writes, late and repeated, against the plain model."""
    for seed in range(20):
        session(open_store, folder / f"store{seed}", np.random.default_rng(seed))


def session(open_store: Open, path: Path, rng: np.random.Generator) -> None:
    """Write random blocks, open again now and then, and compare every answer."""
    store, reference = open_store(path), Reference()
    seqs = {"acme.pump1": 0, "acme.gw1:p2": 0}
    for position in range(int(rng.integers(2, 12))):
        blocks = [_random_block(rng, position, seqs) for _ in range(int(rng.integers(0, 5)))]
        store.write(blocks, position)
        reference.write(blocks, position)
        if rng.random() < 0.2:
            store.close()
            store = open_store(path)
    for machine in seqs:
        compare(store, reference, machine, rng)
    store.close()


def compare(
    store: TelemetryStore, reference: Reference, machine: str, rng: np.random.Generator
) -> None:
    """Ask both the same questions."""
    assert store.signals(machine) == reference.signals(machine)
    assert store.latest(machine) == reference.latest(machine)
    for name in reference.signals(machine):
        spans = [EVER, *(tuple(sorted(_moments(rng, 2))) for _ in range(4))]
        for start, end in spans:
            limit = int(rng.choice([1, 3, MANY]))
            expected = reference.series(machine, name, start, end, limit)
            agree(store.series(machine, name, start, end, limit), expected)
        for start, end in spans[1:]:
            width = int(rng.choice([1, 13, 60, 120, 3_600, 7_200])) * SECOND_NS
            got = store.buckets(machine, name, start, end, width)
            agree_buckets(got, reference.buckets(machine, name, start, end, width))


def _moments(rng: np.random.Generator, count: int) -> list[int]:
    """Return times on few different moments, so that ties and gaps happen."""
    days = rng.choice([0, 0, 0, 1, 40], count)
    seconds = rng.integers(0, 20_000, count) if rng.random() < 0.8 else rng.integers(0, 5, count)
    return [
        T0 + (int(day) * 86_400 + int(second)) * SECOND_NS
        for day, second in zip(days, seconds, strict=True)
    ]


def _random_block(rng: np.random.Generator, n: int, seqs: dict[str, int]) -> Block:
    machine = str(rng.choice(list(seqs)))
    count = int(rng.integers(1, 30))
    times = _moments(rng, count)
    if rng.random() < 0.7:
        times.sort()
    columns: dict[str, NDArray[np.generic]] = {}
    for name in rng.choice(["temp", "flow", "mode", "on", "odd"], 3, replace=False).tolist():
        columns[name] = _random_column(rng, name, count)
    quality = {
        name: rng.integers(0, 4, count).astype(np.uint8) for name in columns if rng.random() < 0.3
    }
    missing = {name: rng.random(count) < 0.2 for name in columns if name in {"mode", "on"}}
    seqs[machine] += count
    return block(
        times,
        columns,
        n=n,
        machine=machine,
        device=machine.partition(":")[0],
        seq=seqs[machine] - count,
        quality=quality,
        missing=missing,
        historical=bool(rng.random() < 0.2),
    )


def _random_column(rng: np.random.Generator, name: str, count: int) -> NDArray[np.generic]:
    if name == "mode":
        return rng.integers(-(2**40), 2**40, count)
    if name == "on":
        return rng.random(count) < 0.5
    if name == "flow":
        return np.round(rng.normal(0, 0.05, count), 2).astype(np.float32)
    values = np.round(rng.normal(20, 5, count), 2)
    if name == "odd":
        values = rng.choice([-0.0, 0.0, 1e300, 1e-300, np.pi, 12.5], count)
    return np.where(rng.random(count) < 0.1, np.nan, values)


CHECKS: Final[tuple[Callable[[Open, Path], None], ...]] = (
    an_empty_store_answers_nothing,
    a_position_reached_is_ignored,
    one_nanosecond_holds_many_samples,
    values_come_back_bit_for_bit,
    late_samples_take_their_place,
    history_never_moves_the_newest,
    a_spike_is_never_hidden,
    erasing_leaves_the_others,
    any_session_agrees_with_the_reference,
)
