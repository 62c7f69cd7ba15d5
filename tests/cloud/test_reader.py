"""What a template reads is what is read key by key, to the last bit and to the last error."""

import gc
import random
import tracemalloc
from array import array
from contextlib import closing
from pathlib import Path
from typing import Any

import cbor2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud import reader as readers
from cloud.decode import Decoder
from cloud.ingest import Ingest
from cloud.journal import SegmentJournal
from cloud.quota import Limits, Quota
from cloud.reader import MAX_MISSES, Arrived, Reader
from cloud.sequence import Sequencer
from models.contract import codec, topics
from models.contract.errors import ContractError
from models.contract.messages import ITEM_SIZE, Batch, Column
from models.contract.sheet import Sheet
from models.rows import Block
from tests.cloud import wires
from tests.models.contract.corpus import BATCH, BOOT, LIVE, T0
from tests.models.contract.fuzz import mutants
from tests.models.contract.test_codec import batches

TOPIC = topics.parse(LIVE)
BOOTS = [BOOT, BOOT[::-1]]


def native(seq: int = 300, rows: int = 3, **more: Any) -> Batch:
    """Return a batch as an agent sends it."""
    values = random.Random(seq)
    columns = {
        "temp": Column(type="d", data=values.randbytes(8 * rows)),
        "p1/flow": Column(type="f", data=values.randbytes(4 * rows)),
        "压力": Column(type="q", data=values.randbytes(8 * rows)),
    }
    fields: dict[str, Any] = {
        "boot": BOOT,
        "seq": seq,
        "unreceipted": seq - 40,
        "t0_ns": T0 + seq,
        "mono_ns": 10**9 * seq,
        "offsets_ns": array("q", [k * 10**9 + values.randrange(10**6) for k in range(rows)]),
        "count": rows,
        "columns": columns,
        "dictionary": "0badcafe",
    }
    return Batch(**(fields | more))


def read(reader: Reader, text: str, payload: bytes, kind: str | None = None) -> codec.Message:
    """Return what a reader says of one message; raises what it would."""
    (told,) = reader.read([Arrived(text, payload, 0, kind)])
    if isinstance(told, ContractError):
        raise told
    return told


def outcome(read: Any) -> Any:
    """Return a message, or the error, of `read()`."""
    try:
        return read()
    except ContractError as error:
        return type(error), error.reason, error.detail


def alike(reader: Reader, payload: bytes) -> None:
    """Check that the reader says what the codec says."""
    plain = outcome(lambda: codec.decode(TOPIC, payload))
    quick = outcome(lambda: read(reader, LIVE, payload))
    assert quick == plain
    if isinstance(plain, Batch):
        assert codec.fingerprint(quick) == codec.fingerprint(plain)
        assert codec.encode(quick) == codec.encode(plain)


def taught(batch: Batch) -> Reader:
    reader = Reader()
    read(reader, LIVE, codec.encode(batch))
    return reader


@pytest.mark.parametrize("offsets", [0, 10**9, 7, array("q", [0, -5, 10**9])])
def test_the_next_batch_of_a_device_is_read_by_its_template(offsets: Any) -> None:
    reader = taught(native(offsets_ns=offsets))
    payload = codec.encode(native(301, offsets_ns=offsets))
    batch = read(reader, LIVE, payload, "application/vnd.pm.v1+cbor")
    assert isinstance(batch, Batch)
    assert isinstance(batch.columns, Sheet)
    alike(reader, payload)


def test_numbers_grow_through_every_width() -> None:
    reader = taught(native(0, unreceipted=0, mono_ns=0))
    edges = [k for e in (24, 2**8, 2**16, 2**32) for k in range(e - 4, e + 4)]
    kinds = []
    for seq in [*range(20), *edges]:
        payload = codec.encode(native(seq, unreceipted=seq, mono_ns=seq))
        alike(reader, payload)
        batch = read(reader, LIVE, payload)
        assert isinstance(batch, Batch)
        kinds.append(isinstance(batch.columns, Sheet))
    assert all(kinds), "a wider number only costs a new template"


@settings(deadline=None)
@given(batches(), st.integers(0, 2**53 - 2**16), st.integers(0, 2**62))
def test_any_batch_and_its_likes(batch: Batch, seq: int, t0_ns: int) -> None:
    reader = taught(batch)
    alike(reader, codec.encode(batch))
    alike(reader, codec.encode(msgspec.structs.replace(batch, seq=seq, unreceipted=seq // 2)))
    alike(reader, codec.encode(msgspec.structs.replace(batch, t0_ns=t0_ns, mono_ns=t0_ns)))


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 20_000))
def test_a_group_says_what_each_of_its_messages_says(random: random.Random, together: int) -> None:
    """Several layouts, wrong ones among them, topics that learn meanwhile, portions of any size."""
    reader = Reader()
    for seq in range(6):
        group = []
        for _ in range(random.randrange(30)):
            rows = random.choice([1, 1, 3, 40])
            more = {"boot": random.choice(BOOTS)} | random.choice([{}, {"offsets_ns": -7}])
            batch = native(seq * random.choice([1, 50, 9_000]), rows, **more)
            if random.random() < 0.5:
                values = [random.choice([1.5, float("nan"), float("inf")]) for _ in range(rows)]
                column = Column(type="d", data=array("d", values).tobytes())
                batch = msgspec.structs.replace(batch, columns={"a": column, "b": column})
            payload = bytearray(codec.encode(batch, random.choice(["cbor", "cbor", "json"])))
            if random.random() < 0.2:
                payload[random.randrange(len(payload))] ^= 1 << random.randrange(8)
            topic = random.choice([LIVE, LIVE, LIVE.replace("live", "bulk"), "pm/1/other", "x"])
            group.append(Arrived(topic, bytes(payload), 0))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(readers, "TOGETHER", together)
            told = reader.read(group)
        for arrived, one in zip(group, told, strict=True):
            assert as_one(one) == as_one(outcome(lambda a=arrived: plainly(a)))


def plainly(arrived: Arrived) -> codec.Message:
    return codec.decode(topics.parse(arrived.topic), arrived.payload)


def as_one(told: Any) -> Any:
    """Return what a message or an error says, with every bit of its columns."""
    if isinstance(told, ContractError):
        return type(told), told.reason, told.detail
    if isinstance(told, Batch) and isinstance(told.columns, Sheet):
        sheet = told.columns
        assert codec.fingerprint(told) == codec.fingerprint(
            msgspec.structs.replace(told, columns=dict(sheet))
        )
        if sheet.table is not None:
            assert np.isfinite(sheet.table[~np.isnan(sheet.table)]).all()
            assert sheet.table.tobytes() == b"".join(c.data for c in sheet.values())
        if sheet.times_ns is not None:
            assert isinstance(told.offsets_ns, int)
            assert told.t0_ns is not None
            evenly = [told.t0_ns + k * told.offsets_ns for k in range(told.count)]
            assert sheet.times_ns.tolist() == evenly
        return msgspec.structs.replace(told, columns=dict(sheet))
    return told


def test_every_byte_changed_or_cut_off() -> None:
    some = native(), native(40, offsets_ns=1_000_000), native(70_000, unreceipted=None)
    for first in (*some, native(20, unreceipted=3, rows=1, mono_ns=7)):
        payload = codec.encode(first)
        reader = taught(first)
        for at in range(len(payload)):
            for value in {0, 0x18, 0x7F, 0xFF, payload[at] ^ 1, payload[at] ^ 0x20}:
                alike(reader, payload[:at] + bytes((value,)) + payload[at + 1 :])
            alike(taught(first), payload[:at])
            alike(taught(first), payload + payload[:at])


@pytest.mark.parametrize("form", ["json", "cbor"])
def test_mutants_of_every_message(form: codec.Format) -> None:
    several = [taught(native()), taught(native(rows=1)), taught(BATCH)]
    good = codec.encode(native(), form)
    for topic, payload in mutants(11, 4_000):
        if topic == LIVE:
            for reader in several:
                alike(reader, payload)
                alike(reader, good)


def test_numbers_and_times_beyond_their_limits_are_refused_as_ever() -> None:
    fields = cbor2.loads(codec.encode(native()))
    for key, value in ((4, 2**53), (2, 2**53 - 2), (5, 2**62), (6, 2**63)):
        reader = taught(native(seq=2**52, unreceipted=2**52, mono_ns=2**62))
        wrong = cbor2.dumps({**fields, 2: 2**52, 4: 2**52, 6: 2**62, key: value})
        assert isinstance(outcome(lambda r=reader, w=wrong: read(r, LIVE, w)), tuple)
        alike(reader, wrong)


def test_a_content_type_that_lies_is_refused_by_the_template_too() -> None:
    reader, payload = taught(native()), codec.encode(native(301))
    for said in ("application/json", "text/plain", "application/cbor;x=1", ""):
        plain = outcome(lambda t=said: codec.decode(TOPIC, payload, t))
        assert outcome(lambda t=said: read(reader, LIVE, payload, t)) == plain


@settings(max_examples=25, deadline=None)
@given(
    sent=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 40), st.booleans()), max_size=40),
    most=st.integers(0, 30_000),
)
def test_a_memory_of_any_size_says_the_same_and_keeps_to_it(
    sent: list[tuple[int, int, bool]], most: int
) -> None:
    reader = Reader()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(readers, "MAX_BYTES", most)
        for seq, (device, width, alike) in enumerate(sent, 300):
            names = [f"{'s' if alike else device}{k}" for k in range(width)]
            columns = {name: Column(type="d", data=bytes(8)) for name in names}
            payload = codec.encode(native(seq, rows=1, columns=columns))
            text = f"pm/1/acme.d{device}/up/t/live"
            told = read(reader, text, payload)
            assert told == codec.decode(topics.parse(text), payload)
            assert reader.size <= most or len(reader._kept) == 1
    kept = [one.template for one in reader._kept.values() if one.template is not None]
    shapes = {one.shape for one in kept}
    assert reader.size == sum(one.size for one in kept) + sum(
        readers._weight(one) for one in shapes
    )


def test_a_device_whose_batches_never_look_alike_gets_no_more_templates() -> None:
    reader = Reader()
    for rows in range(3, 3 + 2 * MAX_MISSES):
        alike(reader, codec.encode(native(rows=rows)))
    again = read(reader, LIVE, codec.encode(native(rows=2 + 2 * MAX_MISSES)))
    assert isinstance(again, Batch)
    assert not isinstance(again.columns, Sheet)


@settings(deadline=None)
@given(batches())
def test_a_fingerprint_is_of_the_content_not_of_its_form(batch: Batch) -> None:
    plain = codec.decode(TOPIC, codec.encode(batch))
    quick = read(taught(batch), LIVE, codec.encode(batch))
    assert isinstance(plain, Batch)
    assert isinstance(quick, Batch)
    assert codec.fingerprint(quick) == codec.fingerprint(plain)
    as_dict = msgspec.structs.replace(quick, columns=dict(quick.columns))
    assert codec.fingerprint(as_dict) == codec.fingerprint(plain)


def test_a_map_of_another_key_at_the_end_is_not_taken_for_the_columns() -> None:
    def message(x: float, other: float, seq: int) -> bytes:
        columns = [{"x": cbor2.CBORTag(86, array("d", [value]).tobytes())} for value in (x, other)]
        known = {1: BOOT, 2: seq, 4: seq, 5: T0 + seq, 9: columns[0]}
        return cbor2.dumps(known | {265: columns[1]})

    reader = Reader()
    alike(reader, message(1.0, 1.0, 30))
    alike(reader, message(1.0, 7.0, 31))


def test_what_is_a_devices_own_counts_whole() -> None:
    """Unknown keys and long names stay with a template: what it holds is what counts."""
    reader, topic = Reader(), "pm/1/acme.d/up/t/live"
    one = cbor2.CBORTag(86, array("d", [1.0]).tobytes())
    padded = {1: BOOT, 99: "x" * 200_000, 2: 1, 4: 1, 5: T0, 9: {"x": one}}
    read(reader, topic, cbor2.dumps(padded))
    assert 200_000 <= reader.size < 210_000
    wide = {
        1: BOOT,
        2: 1,
        4: 1,
        5: T0,
        9: {f"{n}".ljust(120, "\U0001f600"): one for n in range(400)},
    }
    reader = Reader()
    read(reader, topic, cbor2.dumps(wide))
    assert reader.size > 400 * 2 * 4 * 117  # as text and in UTF-8


@pytest.mark.parametrize(
    ("width", "rows", "devices"), [(1, 1, 400), (10, 60, 200), (100, 40, 40), (1_000, 3, 6)]
)
def test_what_the_memory_says_it_takes_is_what_it_takes(
    width: int, rows: int, devices: int
) -> None:
    def sent(device: int) -> Arrived:
        names = [f"d{device}s{k}" for k in range(width)]
        columns = {name: Column(type="d", data=bytes(8 * rows)) for name in names}
        payload = codec.encode(native(rows=rows, columns=columns, offsets_ns=0))
        return Arrived(f"pm/1/acme.d{device}/up/t/live", payload, 0)

    def took(number: int) -> tuple[int, int]:
        """Return what the memory says that new devices took, and what they took."""
        first, *group = [sent(number * 10_000 + device) for device in range(devices + 1)]
        reader = Reader()
        reader.read([first])
        before = reader.size
        gc.collect()
        tracemalloc.start()
        try:
            for arrived in group:
                reader.read([arrived])
            gc.collect()
            return reader.size - before, tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    tries = [took(number) for number in (1, 2)]  # Python's table of words may grow in one of them
    said, least = min(tries, key=lambda one: one[1] / one[0])
    assert 0.6 * said < least < 1.05 * said


def blocks_of(ingest: Ingest, decoder: Decoder, group: list[Arrived]) -> list[Block]:
    handled = ingest.handle(group, T0)
    found = decoder.decode(handled.records, handled.messages)
    return [one for one in found if isinstance(one, Block)]


def kept_by(blocks: list[Block]) -> int:
    """Return the bytes that are kept as long as these blocks are, for their values and times."""
    whole: dict[int, int] = {}
    for block in blocks:
        for held in (block.times_ns, *block.columns):
            while isinstance(held.base, np.ndarray):
                held = held.base  # noqa: PLW2901  up to what owns the memory
            whole[id(held)] = held.nbytes
    return sum(whole.values())


@pytest.mark.parametrize(
    ("kind", "more"), [("d", {}), ("f", {}), ("d", {"offsets_ns": 10**9}), ("f", {"offsets_ns": 1})]
)
def test_what_goes_on_keeps_nothing_of_the_repeats_that_it_was_read_with(
    tmp_path: Path, kind: str, more: dict[str, Any]
) -> None:
    plain: dict[str, Any] = {"dictionary": None, "unreceipted": 1_000, **more}

    def sent(device: int, seq: int) -> Arrived:
        column = Column(type=kind, data=random.Random(seq).randbytes(250 * ITEM_SIZE[kind]))
        payload = codec.encode(native(seq, 250, columns={"x" if device else "y": column}, **plain))
        return Arrived(f"pm/1/acme.d{device}/up/t/live", payload, T0)

    free = Limits(device_messages_per_s=0, device_values_per_s=0, tenant_values_per_s=0)
    with closing(SegmentJournal(tmp_path)) as journal:
        ingest, decoder = Ingest(journal, Sequencer(), Quota(free)), Decoder()
        blocks_of(ingest, decoder, [sent(device, 1_000) for device in range(101)])
        repeats = [sent(device, 1_000) for device in range(1, 100)] * 2
        fresh = [sent(100, 1_250), sent(100, 1_500)]
        others = [sent(0, 1_250 + 250 * k) for k in range(300)]
        partly = [sent(device, 1_249) for device in range(1, 41)]  # 249 of 250 rows are new
        few = [sent(device, 1_001) for device in range(41, 81)]  # one is
        blocks = blocks_of(ingest, decoder, [*repeats, *fresh, *partly, *few, *others])
        assert [len(block) for block in blocks] == [250] * 2 + [249] * 40 + [1] * 40 + [250] * 300
        rows = sum(len(block) for block in blocks)
        assert kept_by(blocks) == rows * (8 + ITEM_SIZE[kind])
        records = list(journal.since(100))
        messages = Ingest(journal, Sequencer()).restore(records)
        found = Decoder().decode(records, messages)
        assert kept_by([one for one in found if isinstance(one, Block)]) == kept_by(blocks)


def test_what_goes_on_keeps_nothing_of_what_fitted_no_template() -> None:
    def sent(seq: int, name: str) -> Arrived:
        return wires.up(wires.batch(seq, [1.0] * 10, name=name))

    reader = Reader()
    reader.read([sent(0, "aa")])
    group = [sent(i, "aa" if i == 1 else "bb") for i in range(1, 50)]
    first, *_ = reader.read(group)
    assert isinstance(first, Batch)
    assert type(first.columns) is Sheet
    assert first.columns.data.nbytes == first.columns.times_ns.nbytes == 80
    assert first.columns.data.base.nbytes == 160
