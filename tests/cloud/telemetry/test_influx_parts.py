"""The parts of the InfluxDB store that need no server, against plain Python."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.telemetry import rollup
from cloud.telemetry.checks import T0
from cloud.telemetry.influx import lines, names, shipper
from cloud.telemetry.influx.digits import MOST, UNROUND, put_float, put_int, short_texts
from cloud.telemetry.influx.filling import HOURS, MINUTES
from cloud.telemetry.influx.lines import (
    BIG,
    BLOCK,
    KEPT,
    NONE,
    TILE,
    Fields,
    Room,
    Rows,
    Texts,
    pieces,
    write,
)
from cloud.telemetry.influx.placing import NEVER, place
from cloud.telemetry.influx.rolls import OpenBuckets, Passing
from cloud.telemetry.rollup import HOUR_NS, MINUTE_NS, START

untimed = settings(deadline=None)  # the first call compiles
digits = st.integers(0, 8)

OUT = np.zeros(64, np.uint8)
AT = OUT.ctypes.data
HARD = [
    *(0.0, 5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1.7976931348623157e308),
    *(1e22, 1e23, 9007199254740993.0, 9007199254740991.5, 0.1 + 0.2, 1e-7, 0.3, 2.5, 100.0),
    *(99999998.5, 99999999.0, 1e8, 99999999.99999999, 9999999.95, 0.000001, 4.35, 123456.789),
]


def bits_of(value: float) -> int:
    return int.from_bytes(struct.pack("<d", value), "little", signed=True)


def as_text(value: float, decimals: int = 0, *, single: bool = False) -> str:
    end, _ = put_float(AT, value, bits_of(value), decimals, single)
    return OUT[: end - AT].tobytes().decode()


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(UNROUND, 6))
@settings(untimed, max_examples=2000)
def test_a_double_reads_back_to_the_same_bits(value: float, decimals: int) -> None:
    text = as_text(value, decimals)
    assert len(text) <= MOST
    assert bits_of(float(text)) == bits_of(value)


doubles = st.one_of(
    st.sampled_from([sign * value for value in HARD for sign in (1, -1)]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53), 2**53).map(float),
    st.builds(lambda whole, decimals: whole / 10**decimals, st.integers(-(10**9), 10**9), digits),
)

wholes = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.builds(
        lambda eights, many, more: eights * many * 10**8 + more,
        st.sampled_from([1, 10**8]),
        st.integers(0, 900),
        st.integers(-1, 1),
    ),
)


@untimed
@given(st.lists(doubles, min_size=1, max_size=100), st.integers(0, 6))
def test_short_texts_made_abreast_are_those_made_one_by_one(
    values: list[float], decimals: int
) -> None:
    array = np.array([*values, np.nan, np.inf])
    texts = np.zeros(len(array), np.uint64)
    short_texts(array, array.view(np.int64), decimals, texts)
    assert texts[-2:].tolist() == [0, 0]
    for value, word in zip(values, texts.tolist(), strict=False):
        text = as_text(value, decimals).encode()
        with_so_many = text == f"{value:.{decimals}f}".encode()
        short = with_so_many and len(text) <= 8 and text != b"99999999"
        assert word.to_bytes(8, "little").rstrip(b"\0") == (text if short else b"")


@untimed
@given(
    st.lists(
        st.tuples(doubles, doubles, st.floats(width=32), wholes, wholes), min_size=1, max_size=30
    )
)
def test_lines_bring_every_number_back_whatever_came_before_it(
    rows: list[tuple[float, float, float, int, int]],
) -> None:
    *values, times, ids = zip(*rows, strict=True)
    cells = np.zeros((3, len(rows)), np.int64)
    cells.view(np.float64)[:] = np.array(values)
    fields = Fields.of("abc", ["", "", ""], "ddf", "row", "at")
    heads = Texts.of([b"m,t=1 "])
    count = len(rows)
    nothing = np.zeros((0, 0), np.uint8)
    body = write(
        Rows(
            heads=heads,
            head=np.zeros(count, np.int32),
            times=np.array(times),
            own=np.zeros(0, np.int64),
            ids=np.array(ids),
            cells=cells,
            states=nothing,
        ),
        fields,
        Room(),
    )
    for row, line in zip(rows, bytes(body).decode().splitlines(), strict=True):
        head, texts, at = line.split(" ")
        found = dict(text.split("=") for text in texts.split(","))
        assert (head, at, found.pop("row")) == ("m,t=1", str(row[3]), f"{row[4]}i")
        assert bits_of(float(found.pop("a"))) == bits_of(row[0])
        assert bits_of(float(found.pop("b"))) == bits_of(row[1])
        if np.isfinite(row[2]):
            assert np.float32(float(found.pop("c"))) == np.float32(row[2])
        assert not found


def test_a_column_of_round_numbers_stays_so_after_one_that_is_not() -> None:
    end, decimals = put_float(AT, 45.614999999999995, bits_of(45.614999999999995), 3, False)
    assert (OUT[: end - AT].tobytes(), decimals) == (b"45614999999999995e-15", 3)
    assert put_float(AT, 0.1 + 0.2, bits_of(0.1 + 0.2), 0, False)[1] == UNROUND


def test_a_room_keeps_what_it_made_until_it_is_cleared_and_lets_much_go() -> None:
    room = Room()
    room.free(4)[:4] = (1, 2, 3, 4)
    first = room.use(4)
    assert len(room.free(KEPT // 2 + 1)) <= KEPT, "not twice as much as that"
    room.free(KEPT + 1)[:1] = 9
    assert (bytes(first), bytes(room.use(1))) == (b"\1\2\3\4", b"\t")
    room.clear()
    assert len(room.free(1)) > KEPT, "little of it was used, so it is no burden"
    room.use(KEPT + 1)
    room.clear()
    assert len(room.free(1)) < KEPT


def test_little_takes_little_room_and_much_begins_where_a_block_may() -> None:
    room = Room()
    room.free(BIG)
    made = []
    for size in (10, 10, BLOCK, 7):
        room.free(size)
        made.append(room.use(size))
    places = [np.frombuffer(one, np.uint8).ctypes.data for one in made]
    assert np.diff(places).tolist() == [10, 10, BLOCK]
    for _ in range(2):
        room.free(BIG)
        assert np.frombuffer(room.use(BIG - 1), np.uint8).ctypes.data % BLOCK == 0


def test_a_column_is_brought_back_however_long_its_values_become() -> None:
    count = 40 * TILE
    rng = np.random.default_rng(0)
    values = np.round(rng.uniform(0, 9, (4, count)), 2)
    values[1] += 100_000  # nine characters
    values[2, : 5 * TILE + 3] += 100_000
    values[3, 9 * TILE : 30 * TILE] = rng.normal(size=21 * TILE)
    fields = Fields.of("abcd", ["s.a", "s.b", "s.c", "s.d"], "dddd", "", "")
    for states in (np.zeros((0, 0), np.uint8), np.zeros((4, count), np.uint8)):
        cells = values.view(np.int64)
        rows = Rows(
            heads=Texts.of([b"m,t=1 "]),
            head=np.zeros(count, np.int32),
            times=np.arange(count),
            own=NONE,
            ids=NONE,
            cells=cells,
            states=states,
        )
        lines_of = bytes(write(rows, fields, Room())).decode().splitlines()
        for row, line in zip(values.T, lines_of, strict=True):
            texts = line.split(" ")[1].split(",")
            assert [float(text.partition("=")[2]) for text in texts] == row.tolist()


@pytest.mark.parametrize("slice_bytes", [1, 1_000, 3_000])
def test_lines_of_a_large_group_are_made_in_pieces(
    monkeypatch: pytest.MonkeyPatch, slice_bytes: int
) -> None:
    count = 50
    rows = Rows(
        heads=Texts.of([b"m,t=1 ", b"m,t=22 "]),
        head=np.arange(count, dtype=np.int32) % 2,
        times=np.arange(count),
        own=np.arange(count) % 3 + np.arange(count),
        ids=np.arange(count) + 7,
        cells=np.arange(2 * count).reshape(2, count),
        states=(np.arange(2 * count) % 3).astype(np.uint8).reshape(2, count),
    )
    fields = Fields.of(["a", "b"], ["s.a", "s.b"], "qq", "row", "at")
    whole = bytes(write(rows, fields, Room()))
    monkeypatch.setattr(lines, "SLICE", slice_bytes)
    monkeypatch.setattr(lines, "KEPT", 4_000)
    room = Room()
    parts = list(pieces(rows, fields, room))
    assert b"".join(parts) == whole
    assert len(parts) > 2
    assert len(room.free(1)) <= 4_000


def test_what_is_sent_is_cut_where_lines_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipper, "BODY_BYTES", 8)
    assert list(shipper._cut(b"a 1\nb 2\nc 3\n")) == [b"a 1\nb 2\n", b"c 3\n"]
    assert list(shipper._cut(b"one long line\n")) == [b"one long line\n"]


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(untimed, max_examples=2000)
def test_no_shorter_text_would_do(value: float) -> None:
    ours = as_text(value, UNROUND).lstrip("-").partition("e")[0].strip("0")
    shortest = repr(value).lstrip("-").partition("e")[0].replace(".", "").strip("0")
    assert len(ours) <= max(len(shortest), 2)  # of two, the nearer: 4.9e-324


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@settings(untimed, max_examples=1000)
def test_a_single_reads_back_to_the_same_single(value: float) -> None:
    assert np.float32(float(as_text(value, single=True))) == np.float32(value)


@given(st.integers(-(2**63), 2**63 - 1))
@settings(untimed, max_examples=1000)
def test_a_whole_number_is_written_as_python_does(value: int) -> None:
    assert OUT[: put_int(AT, value) - AT].tobytes().decode() == str(value)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), -10, -19, 0])
def test_the_ends_of_whole_numbers(value: int) -> None:
    assert OUT[: put_int(AT, value) - AT].tobytes().decode() == str(value)


@untimed
@given(st.text(max_size=40))
def test_names_come_back_and_need_no_escaping(name: str) -> None:
    safe = names.safe(name)
    assert names.plain(safe) == name
    assert not set(safe) & set(" ,=\"'\\\n\r\t")
    assert safe


def test_a_line_has_only_what_is_there() -> None:
    cells = np.zeros((4, 3), np.int64)
    doubles = cells.view(np.float64)
    doubles[0] = [41.9, np.nan, -0.0]
    doubles[1] = [float(np.float32(0.1)), np.inf, 1e300]
    cells[2] = [7, -1, 0]
    cells[3] = [1, 0, 1]
    states = np.zeros((4, 3), np.uint8)
    states[2, 2] = 64
    states[0, 2] = 1
    labels = ("a", "b", "c", "d")
    fields = Fields.of(labels, [f"s.{name}" for name in labels], "dfq?", "row", "at")
    rows = Rows(
        heads=Texts.of([b"x,m=1 ", b"x,m=2 "]),
        head=np.array([0, 1, 0], np.int32),
        times=np.array([5, 6, 8]),
        own=np.array([5, 6, 7]),
        ids=np.array([10, 11, 12]),
        cells=cells,
        states=states,
    )
    assert bytes(write(rows, fields, Room())).decode().splitlines() == [
        "x,m=1 a=41.9,b=0.1,c=7i,d=t,row=10i 5",
        "x,m=2 s.a=64i,s.b=66i,c=-1i,d=f,row=11i 6",
        "x,m=1 a=-0.0,s.a=1i,b=1" + "0" * 16 + "e284,s.c=64i,d=t,row=12i,at=7i 8",
    ]


@untimed
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.integers(0, 6), min_size=1, max_size=8)),
        max_size=6,
    )
)
def test_each_sample_has_a_time_of_its_own_and_keeps_it(
    writes: list[tuple[int, list[int]]],
) -> None:
    """In any order of times every sample gets a free place; written again it stays there."""
    newest = np.full(3, NEVER, np.int64)
    stored: dict[int, dict[int, int]] = {0: {}, 1: {}, 2: {}}

    def lookup(series: int, spans: list[tuple[int, int]]) -> dict[int, int]:
        inside = stored[series].items()
        return {at: row for at, row in inside if any(a <= at <= b for a, b in spans)}

    row = 0
    for series, times in writes:
        ids = np.arange(row, row + len(times))
        row += len(times)
        of = np.full(len(times), series)
        placed = place(np.array(times), of, ids, newest, lookup).times.tolist()
        assert not set(placed) & set(stored[series])
        assert len(set(placed)) == len(placed)
        for own, at, mine in zip(times, placed, ids.tolist(), strict=True):
            earlier = [a for a in range(own, at) if a not in stored[series]]
            assert not earlier, "a free place nearer to its own time"
            stored[series][at] = mine
        assert place(np.array(times), of, ids, newest, lookup).times.tolist() == placed
        assert newest[series] == max(stored[series])


@untimed
@given(
    st.lists(
        st.tuples(st.integers(0, 3 * 3600), st.one_of(st.none(), st.integers(-9, 9))),
        min_size=1,
        max_size=60,
    ),
    st.integers(1, 60),
)
def test_open_buckets_end_as_the_shared_kernel_reduces(
    samples: list[tuple[int, int | None]], cut: int
) -> None:
    """Closed, late and standing buckets joined are what one reduction of all samples gives."""
    buckets = OpenBuckets()
    machine = buckets.add_machine()
    slot = buckets.add_slot(machine)
    times = T0 + 10**9 * np.array([second for second, _ in samples])
    values = np.array([np.nan if value is None else float(value) for _, value in samples])
    found: dict[int, list[rollup.Partials]] = {MINUTES: [], HOURS: []}
    for at in range(0, len(times), cut):
        mine = slice(at, at + cut)
        count = len(times[mine])
        closed, late = buckets.advance(
            Passing(
                times=times[mine],
                series=np.zeros(1, np.int64),
                machines=np.array([machine], np.int32),
                whose=np.zeros(count, np.int32),
                columns=np.array([[slot]], np.int32),
                kinds=np.zeros(1, np.uint8),
                cells=values[mine].view(np.int64).reshape(1, -1),
                states=np.zeros((0, 0), np.uint8),
            )
        )
        for ended in closed:
            for level in found:
                keep = ended.levels == level
                found[level].append(rollup.Partials(ended.ints[:, keep], ended.floats[:, keep]))
        behind = np.flatnonzero(late)
        order = behind[np.argsort(times[mine][behind], kind="stable")]
        states = np.zeros(len(order), np.uint8)
        for level, width in ((MINUTES, MINUTE_NS), (HOURS, HOUR_NS)):
            part = rollup.reduce(times[mine][order], values[mine][order], states, width)
            found[level].append(part)
    standing = buckets.standing()
    order = np.argsort(times, kind="stable")
    for level, width in ((MINUTES, MINUTE_NS), (HOURS, HOUR_NS)):
        keep = standing.levels == level
        found[level].append(rollup.Partials(standing.ints[:, keep], standing.floats[:, keep]))
        got = rollup.to_buckets(rollup.join(found[level], width), width)
        states = np.zeros(len(times), np.uint8)
        whole = rollup.reduce(times[order], values[order], states, width)
        want = rollup.to_buckets(whole, width)
        for name in ("start_ns", "min", "max", "sum", "count", "min_ns", "max_ns", "first_ns"):
            assert getattr(got, name).tolist() == getattr(want, name).tolist(), name
        assert (whole.ints[START] % width == 0).all()
