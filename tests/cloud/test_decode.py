from array import array
from typing import Any

import msgspec
import numpy as np
import pytest

from cloud.decode import BUILT_NS, UNNUMBERED, Aside, Decoder, aside_payload
from cloud.diagnostics.values import Answered
from cloud.journal import Entry, Kind, Record
from cloud.ledger import Registration
from cloud.parking import MAX_RECORDS, WAIT_NS
from cloud.reader import Arrived, Reader
from cloud.units import MOST
from models.contract import codec
from models.contract.errors import ContractError, Reason
from models.contract.messages import Answer, MachineRef, Metric
from models.rows import Block, Tick
from tests.cloud.wires import BOOT, DEVICE, T0, S, batch, birth, floats, up


def record(n: int, payload: bytes, *channel: str, at: int = T0, **entry: int) -> Record:
    arrived = up(payload, *channel, at=at)
    return Record(n, Entry(Kind.MESSAGE, at, arrived.topic, payload, **entry))


def blocks(decoder: Decoder, *records: Record) -> list[Block]:
    return [item for item in decoder.decode(records) if isinstance(item, Block)]


def stored(decoder: Decoder) -> Any:
    """Return the decoder's memory as a snapshot gives it back."""
    return msgspec.json.decode(msgspec.json.encode(decoder.dump()))


def test_a_batch_becomes_one_block_with_times_and_numbers() -> None:
    (block,) = blocks(Decoder(), record(3, batch(10, [1.0, 2.0, 3.0]), at=T0 + 20 * S))
    assert (block.n, block.machine, block.seq, block.signals) == (3, DEVICE, 10, ("temp",))
    assert block.times_ns.tolist() == [T0 + 10 * S, T0 + 11 * S, T0 + 12 * S]
    assert block.columns[0].tolist() == [1.0, 2.0, 3.0]


def test_only_the_new_part_of_an_overlapping_batch_counts() -> None:
    (block,) = blocks(Decoder(), record(0, batch(0, [1.0, 2.0, 3.0, 4.0]), skip=1, take=2))
    assert (block.seq, block.columns[0].tolist()) == (1, [2.0, 3.0])
    assert block.times_ns.tolist() == [T0 + S, T0 + 2 * S]


def test_what_ingest_has_read_already_becomes_the_same_blocks() -> None:
    nan, inf = float("nan"), float("inf")
    machines = {"": MachineRef(), "p2": MachineRef()}
    rows = [[1.0, nan, 3.0], [-0.0, inf, 5.0], [1e300, -1e-300, 2.0], [nan, nan, nan]]
    told = birth(dictionary="00000001")
    records = [record(0, birth(machines, dictionary="00000002"), "birth"), record(1, told, "birth")]
    for dictionary in ("00000001", "00000002"):
        for values in rows:
            pair = {"a": floats(values), "p2/b": floats(values[::-1])}
            body = batch(0, values, columns=pair, dictionary=dictionary)
            records += [record(len(records), body)]
            records += [record(len(records), body, skip=1, take=1)]
    records.append(record(len(records), b'{"d":{"a":[1.5,2.5],"b":[1,2]}}'))
    reader, plain, quick = Reader(), Decoder(), Decoder()
    arrived = [Arrived(r.entry.topic, r.entry.payload, r.entry.at_ns) for r in records]
    read = zip(records, reader.read(arrived), strict=True)
    messages = {r.n: told for r, told in read if not isinstance(told, ContractError)}
    pairs = list(zip(plain.decode(records), quick.decode(records, messages), strict=True))
    for one, other in pairs:
        if not isinstance(one, Block):
            assert one == other
            continue
        assert isinstance(other, Block)
        assert shown(other) == shown(one)
    tables = [
        one for _, one in pairs if isinstance(one, Block) and not isinstance(one.columns, tuple)
    ]
    assert len(tables) == 5 + 2 * 5, "the first and what has an infinite value go one by one"


def shown(block: Block) -> dict[str, Any]:
    """Return every bit of a block."""
    fields = msgspec.structs.asdict(block)
    fields["times_ns"] = block.times_ns.tolist()
    fields["columns"] = [(c.dtype.str, c.tobytes()) for c in block.columns]
    for name in ("quality", "missing"):
        fields[name] = {k: v.tolist() for k, v in fields[name].items()}
    return fields


def test_a_gateways_columns_go_to_its_machines() -> None:
    machines = {"p1": MachineRef(profile="centrifugal-pump"), "p2": MachineRef()}
    columns = {"p1/temp": floats([1.0]), "p2/temp": floats([2.0]), "other/x": floats([3.0])}
    decoder = Decoder()
    items = decoder.decode(
        [record(0, birth(machines), "birth"), record(1, batch(0, [0.0], columns=columns))]
    )
    assert [i.machine for i in items if isinstance(i, Registration)] == [
        f"{DEVICE}:p1",
        f"{DEVICE}:p2",
    ]
    found = {
        i.machine: dict(zip(i.signals, i.columns, strict=True))
        for i in items
        if isinstance(i, Block)
    }
    assert found[f"{DEVICE}:p1"]["temp"].tolist() == [1.0]
    assert found[DEVICE]["other/x"].tolist() == [3.0]


def test_each_machine_has_the_units_of_its_own_names_and_of_the_bare_ones() -> None:
    told = {"temp": "degC", "p1/temp": "[degF]", "p1/flow": "m³/h", "x/y": "V", "mode": None}
    metrics = tuple(Metric(name=name, unit=unit) for name, unit in told.items())
    machines = {"p1": MachineRef(), "p2": MachineRef()}
    sent = birth(machines, metrics=metrics, dictionary="0badcafe")
    items = Decoder().decode([record(0, sent, "birth")])
    assert {i.machine: dict(i.units) for i in items if isinstance(i, Registration)} == {
        f"{DEVICE}:p1": {"temp": "[degF]", "flow": "m3/h", "x/y": "V"},
        f"{DEVICE}:p2": {"temp": "Cel", "x/y": "V"},
    }


def test_a_gateways_bare_names_do_not_fill_the_memory() -> None:
    metrics = tuple(Metric(name=f"s{i}", unit="V") for i in range(4_096))
    machines = {f"m{i}": MachineRef() for i in range(1_024)}
    sent = birth(machines, metrics=metrics, dictionary="0badcafe")
    items = Decoder().decode([record(0, sent, "birth")])
    units = [item.units for item in items if isinstance(item, Registration)]
    assert len(units) == 1_024
    assert sum(map(len, units)) == MOST
    assert units[0][0] == ("s0", "V")


def test_a_batch_of_an_unknown_dictionary_waits_for_its_birth() -> None:
    decoder = Decoder()
    early = record(0, batch(0, [1.0], dictionary="00000000"))
    assert decoder.decode([early]) == []
    assert decoder.parking.oldest() == 0
    later = Decoder()
    later.load(stored(decoder), {0: early})
    for waiting in (decoder, later):
        found = blocks(waiting, record(1, birth(dictionary="00000000"), "birth"))
        assert [b.n for b in found] == [1], "it counts from where it became readable"
        assert waiting.parking.oldest() is None


def test_a_batch_whose_birth_never_comes_is_set_aside_after_an_hour_of_ticks() -> None:
    decoder = Decoder()
    early = record(0, batch(0, [1.0], dictionary="00000000"))
    newer = record(1, batch(1, [1.0], dictionary="00000000"), at=T0 + 60 * S)
    decoder.decode([early, newer])
    assert decoder.decode([Record(2, Entry(Kind.TICK, T0 + WAIT_NS - 1))])[1:] == []
    ((aside),) = decoder.decode([Record(3, Entry(Kind.TICK, T0 + WAIT_NS))])[1:]
    assert isinstance(aside, Aside)
    assert (aside.n, aside.reason) == (0, Reason.UNKNOWN_DICTIONARY)
    assert aside.payload == early.entry.payload
    found = blocks(decoder, record(4, birth(dictionary="00000000"), "birth"))
    assert [block.seq for block in found] == [1], "the one that still waits is not lost"


def test_only_so_many_wait_and_the_next_is_set_aside_not_misread() -> None:
    decoder = Decoder()
    for n in range(MAX_RECORDS):
        assert decoder.decode([record(n, batch(n, [1.0], dictionary="00000000"))]) == []
    (aside,) = decoder.decode([record(MAX_RECORDS, batch(MAX_RECORDS, [1.0], dictionary="0" * 8))])
    assert isinstance(aside, Aside)
    assert len(decoder.parking) == MAX_RECORDS


def test_an_older_boots_backlog_goes_to_the_machines_of_its_own_birth() -> None:
    decoder = Decoder()
    old = {"p1": MachineRef(), "p9": MachineRef()}
    decoder.decode([record(0, birth(old, dictionary="00000001"), "birth")])
    decoder.decode([record(1, birth(dictionary="00000002"), "birth")])
    again = Decoder()
    again.load(stored(decoder), {})
    late = batch(0, [0.0], dictionary="00000001", columns={"p9/temp": floats([1.0])})
    for known in (decoder, again):
        (block,) = blocks(known, record(2, late))
        assert (block.machine, block.signals) == (f"{DEVICE}:p9", ("temp",))


def test_a_reading_without_numbers_gets_the_time_of_its_arrival_and_numbers_of_its_own() -> None:
    decoder = Decoder()
    (first,) = blocks(decoder, record(5, b'{"d":{"temp":41.9}}', at=T0))
    (second,) = blocks(decoder, record(6, b'{"d":{"temp":41.9}}', at=T0))
    assert first.times_ns.tolist() == [T0]
    assert first.boot == UNNUMBERED
    assert second.seq > first.seq


@pytest.mark.parametrize("t0", [0, T0 + 400 * 24 * 3600 * S])
def test_a_plainly_wrong_clock_is_put_right_and_marked(t0: int) -> None:
    payload = batch(0, [1.0, 2.0], t0_ns=t0)
    (block,) = blocks(Decoder(), record(0, payload, at=T0))
    assert block.times_ns.tolist() == [T0 - S, T0]
    assert block.quality["temp"].tolist() == [1, 1]


def test_where_the_services_clock_is_plainly_wrong_the_devices_holds() -> None:
    (block,) = blocks(Decoder(), record(0, batch(0, [1.0, 2.0]), at=5 * S))
    assert block.times_ns.tolist() == [T0, T0 + S]
    assert not block.quality


def test_a_device_far_ahead_of_a_clock_that_is_not_set_makes_no_later_reading_late() -> None:
    decoder = Decoder()
    in_2036 = 2_090_000_000 * S
    (block,) = blocks(decoder, record(0, batch(0, [1.0, 2.0], t0_ns=in_2036), at=5 * S))
    assert block.times_ns.tolist() == [4 * S, 5 * S]
    assert block.quality["temp"].tolist() == [1, 1]
    assert decoder.told_ns == 0


def test_only_a_devices_own_clock_tells_the_time() -> None:
    decoder = Decoder()
    ahead = T0 + 400 * 24 * 3600 * S
    for n, t0_ns in enumerate((None, 5 * S, ahead + 400 * S)):  # the service stamps these
        blocks(decoder, record(n, batch(n, [1.0], t0_ns=t0_ns), at=ahead))
    assert decoder.told_ns == 0
    blocks(decoder, record(5, batch(5, [1.0, 2.0], t0_ns=T0), at=ahead))
    assert decoder.told_ns == T0 + S
    replay = Decoder()
    replay.decode([record(0, birth(time="data"), "birth")])
    blocks(replay, record(1, batch(1, [1.0]), at=ahead))
    assert replay.told_ns == 0


def test_a_backlog_with_a_wrong_clock_keeps_its_spacing_once_a_fresh_batch_has_come() -> None:
    decoder = Decoder()
    booted = T0 - 100 * S
    fresh = batch(50, [1.0], t0_ns=0, mono_ns=50 * S)
    late = batch(10, [1.0, 2.0], t0_ns=0, mono_ns=10 * S)
    (first,) = blocks(decoder, record(0, fresh, at=booted + 50 * S))
    again = Decoder()
    again.load(stored(decoder), {})
    for known in (decoder, again):
        (block,) = blocks(known, record(1, late, at=booted + 90 * S))
        assert first.times_ns.tolist() == [booted + 50 * S]
        assert block.times_ns.tolist() == [booted + 10 * S, booted + 11 * S]


@pytest.mark.parametrize("stored_so", [False, True])
def test_when_a_boot_began_is_not_taken_from_a_service_whose_clock_was_not_set(
    stored_so: bool,
) -> None:
    decoder, unset = Decoder(), BUILT_NS - 86_400 * S
    (first,) = blocks(decoder, record(0, batch(0, [1.0], t0_ns=0, mono_ns=60 * S), at=unset))
    if stored_so:  # as it once was
        rows = stored(decoder)
        rows[0][-1] = [BOOT, unset - 60 * S]
        decoder = Decoder()
        decoder.load(rows, {})
    (then,) = blocks(decoder, record(1, batch(1, [1.0], t0_ns=0, mono_ns=70 * S), at=T0))
    (late,) = blocks(decoder, record(2, batch(2, [1.0], t0_ns=0, mono_ns=75 * S), at=T0 + 90 * S))
    (again,) = blocks(decoder, record(3, batch(3, [1.0], t0_ns=0, mono_ns=80 * S), at=unset))
    times = [int(block.times_ns[0]) for block in (first, then, late, again)]
    assert times == [unset, T0, T0 + 5 * S, T0 + 10 * S]


@pytest.mark.parametrize("wild", [2 * 10**18, -(2 * 10**18)])
def test_one_wild_offset_in_the_middle_is_not_taken_at_its_word(wild: int) -> None:
    payload = batch(0, [1.0, 2.0, 3.0], t0_ns=T0, offsets_ns=array("q", [0, wild, 2 * S]))
    (block,) = blocks(Decoder(), record(0, payload, at=T0 + 2 * S))
    assert block.times_ns.max() <= T0 + 2 * S
    assert block.quality["temp"].tolist() == [1, 1, 1]


def test_texts_that_a_database_cannot_hold_are_put_right() -> None:
    answer = Answer(
        id="0190aaaa-0000-7000-8000-0000000000c1", state="done", status=200, at_ns=T0, text="a\0b"
    )
    payload = codec.encode(answer, "json")
    (item,) = Decoder().decode([record(0, payload, "cmd", "log", answer.id)])
    assert isinstance(item, Answered)
    assert item.text == "a\ufffdb"
    (aside, _) = Decoder().decode([record(0, b'{"d":{"a\\u0000b":[1],"c":[2]}}')])[1:]
    assert isinstance(aside, Aside)
    assert "\0" not in aside.detail


def test_one_device_cannot_fill_the_parking_of_the_others() -> None:
    decoder = Decoder()
    large = batch(0, [0.0] * 30_000, dictionary="00000000")
    taken = [decoder.decode([record(n, large)]) == [] for n in range(40)]
    assert 0 < sum(taken) < 40
    topic = up(b"", device="acme.other").topic
    other = Record(99, Entry(Kind.MESSAGE, T0, topic, batch(0, [1.0], dictionary="00000001")))
    assert decoder.decode([other]) == []


def test_a_birth_brings_back_only_what_it_explains() -> None:
    decoder = Decoder()
    decoder.decode([record(0, batch(0, [1.0], dictionary="00000001"))])
    decoder.decode([record(1, batch(1, [2.0], dictionary="00000002"))])
    found = blocks(decoder, record(2, birth(dictionary="00000002"), "birth"))
    assert [block.seq for block in found] == [1]
    assert len(decoder.parking) == 1


def test_a_device_on_data_time_is_taken_at_its_word() -> None:
    decoder = Decoder()
    decoder.decode([record(0, birth(time="data"), "birth")])
    (block,) = blocks(decoder, record(1, batch(0, [1.0], t0_ns=5)))
    assert block.times_ns.tolist() == [5]
    assert block.quality == {}


def test_infinities_become_missing_with_quality_bad() -> None:
    (block,) = blocks(Decoder(), record(0, batch(0, [1.0, float("inf"), float("-inf")])))
    assert np.isnan(block.columns[0]).tolist() == [False, True, True]
    assert block.quality["temp"].tolist() == [0, 2, 2]


def test_broken_columns_are_set_aside_and_the_others_kept() -> None:
    items = Decoder().decode([record(0, b'{"d":{"good":[1,2],"bad":["x",2]}}')])
    (aside,) = [i for i in items if isinstance(i, Aside)]
    (block,) = [i for i in items if isinstance(i, Block)]
    assert aside.reason is Reason.WRONG_TYPE
    assert "bad" in aside.detail
    assert block.signals == ("good",)


def test_ticks_and_set_aside_messages_come_in_order() -> None:
    payload = aside_payload(Reason.UNREADABLE, "line\nbreak", b"raw\nbytes")
    items = Decoder().decode(
        [
            Record(0, Entry(Kind.TICK, T0)),
            Record(1, Entry(Kind.ASIDE, T0, "pm/1/x", payload)),
        ]
    )
    assert items == [
        Tick(n=0, at_ns=T0),
        Aside(1, T0, "pm/1/x", Reason.UNREADABLE, "line break", b"raw\nbytes"),
    ]


def test_an_absurd_monotonic_time_spoils_neither_its_batch_nor_the_next() -> None:
    decoder = Decoder()
    absurd = batch(0, [1.0], t0_ns=0, mono_ns=2**63 - 1, offsets_ns=0)
    (first,) = blocks(decoder, record(0, absurd, at=T0))
    (second,) = blocks(decoder, record(1, batch(1, [2.0], t0_ns=0, mono_ns=0), at=T0 + S))
    assert first.times_ns.tolist() == [T0]
    assert second.times_ns.tolist() == [T0 + S]


def test_a_birth_after_a_snapshot_still_says_whose_time_it_is() -> None:
    decoder = Decoder()
    decoder.decode([record(0, batch(0, [1.0], dictionary="0badcafe", t0_ns=5))])
    again = Decoder()
    again.load(stored(decoder), {0: record(0, batch(0, [1.0], dictionary="0badcafe", t0_ns=5))})
    (block,) = blocks(again, record(1, birth(time="data", dictionary="0badcafe"), "birth"))
    assert block.times_ns.tolist() == [5]
