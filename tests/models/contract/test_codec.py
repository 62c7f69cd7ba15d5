import struct
from array import array
from dataclasses import dataclass
from typing import Any

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.contract import codec, topics
from models.contract.errors import BadPayload, BadTopic, ContractError, Reason
from models.contract.messages import (
    MAX_PAYLOAD,
    Batch,
    Birth,
    Clock,
    Column,
    Event,
    Gap,
    Metric,
    Receipt,
    Refusal,
)
from models.contract.times import MAX_INSTANT
from tests.models.contract.corpus import BATCH, BIRTH, BOOT, MESSAGES, STEADY

LIVE = topics.parse("pm/1/acme.gw1/up/t/live")
names = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cf"]), min_size=1, max_size=20
)
numbers = st.integers(0, 2**53 - 2**16)


@dataclass
class Drawer:
    """Draws columns of one length."""

    draw: Any
    count: int

    def column(self) -> Column:
        kind = self.draw(st.sampled_from("dfq?"))
        cells = {
            "d": st.floats(allow_nan=False),
            "f": st.floats(width=32, allow_nan=False),
            "q": st.integers(-(2**63), 2**63 - 1),
            "?": st.booleans(),
        }[kind]
        values = self.draw(st.lists(cells, min_size=self.count, max_size=self.count))
        gaps = self.draw(st.lists(st.booleans(), min_size=self.count, max_size=self.count))
        missing = None
        if kind in "df":
            values = [float("nan") if gap else v for v, gap in zip(values, gaps, strict=True)]
        elif any(gaps):
            values = [0 if gap else v for v, gap in zip(values, gaps, strict=True)]
            missing = bytes(gaps)
        data = struct.pack(f"<{self.count}{kind}", *values)
        return Column(type=kind, data=data, missing=missing)


@st.composite
def batches(draw: Any) -> Batch:
    count = draw(st.integers(1, 12))
    columns = {
        name: Drawer(draw, count).column() for name in draw(st.sets(names, min_size=1, max_size=5))
    }
    marks = st.lists(st.integers(0, 3), min_size=count, max_size=count).map(bytes)
    steps = st.integers(-(2**50), 2**50)
    lists = st.lists(steps, min_size=count, max_size=count).map(lambda v: array("q", v))
    return Batch(
        columns=columns,
        count=count,
        boot=draw(st.none() | st.from_regex(r"[0-9a-z-]{8,36}", fullmatch=True)),
        seq=draw(st.none() | numbers),
        unreceipted=draw(st.none() | numbers),
        t0_ns=draw(st.none() | st.integers(0, MAX_INSTANT)),
        mono_ns=draw(st.none() | numbers),
        clock=draw(
            st.none()
            | st.builds(Clock, src=st.sampled_from(["none", "ntp"]), err_ns=st.none() | numbers)
        ),
        offsets_ns=draw(steps | lists),
        quality={name: draw(marks) for name in columns if draw(st.booleans())},
        historical=draw(st.booleans()),
        dictionary=draw(st.none() | st.from_regex(r"[0-9a-f]{8}", fullmatch=True)),
    )


@given(batches())
def test_cbor_gives_back_every_bit(batch: Batch) -> None:
    payload = codec.encode(batch)
    assert codec.decode(LIVE, payload) == batch
    assert codec.encode(codec.decode(LIVE, payload)) == payload


@given(batches())
def test_json_gives_back_the_same_numbers(batch: Batch) -> None:
    read = codec.decode(LIVE, codec.encode(batch, "json"))
    assert isinstance(read, Batch)
    assert read.broken == ()
    assert read.columns.keys() == batch.columns.keys()
    for name, column in batch.columns.items():
        assert shown(read.columns[name]) == shown(column)
    assert msgspec.structs.replace(read, columns={}) == msgspec.structs.replace(batch, columns={})


def shown(column: Column) -> list[Any]:
    """Return a column as JSON can say it: NaN and ±Inf are missing."""
    values = struct.unpack(f"<{len(column)}{column.type}", column.data)
    gone = column.missing or bytes(len(column))
    return [None if hole or v - v != 0 else v for v, hole in zip(values, gone, strict=True)]


@pytest.mark.parametrize("form", ["json", "cbor"])
@pytest.mark.parametrize("name", [name for name in MESSAGES if name != "batch"])
def test_messages_round_trip(name: str, form: codec.Format) -> None:
    topic, message = MESSAGES[name]
    assert codec.decode(topics.parse(topic), codec.encode(message, form)) == message


@given(batches(), numbers)
def test_renewing_u_changes_nothing_else(batch: Batch, u: int) -> None:
    for form in ("json", "cbor"):
        payload = codec.encode(batch, form)
        renewed = codec.with_unreceipted(payload, u)
        read = codec.decode(LIVE, renewed)
        plain = codec.decode(LIVE, payload)
        assert isinstance(read, Batch)
        assert isinstance(plain, Batch)
        assert read == msgspec.structs.replace(plain, unreceipted=u)
        assert codec.fingerprint(read) == codec.fingerprint(plain)
        assert codec.with_unreceipted(renewed, u) == renewed


def test_renewing_u_in_foreign_spellings() -> None:
    for payload in (
        b' { "d": {"a": [1]}, "u" : 3, "new":[1]}',
        cbor2.dumps({"d": {"a": [1]}, "u": 3, "new": [1]}),
        b"\xd9\xd9\xf7\xbf\x61d\xa1\x61a\x01\x04\x03\xff",
    ):
        read = codec.decode(LIVE, codec.with_unreceipted(payload, 2**40))
        assert isinstance(read, Batch)
        assert (read.unreceipted, list(read.columns)) == (2**40, ["a"])


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"u":', b"{", b"\xa1", b"\xbf", b"\xb9\x00"])
def test_renewing_u_of_garbage(payload: bytes) -> None:
    with pytest.raises(BadPayload):
        codec.with_unreceipted(payload, 1)


def test_the_fingerprint_sees_every_change_of_content() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"t0_ns": 1},
        {"offsets_ns": array("q", [0, 1, 2])},
        {"offsets_ns": 5},
        {"historical": False},
        {"quality": {}},
        {"columns": {**BATCH.columns, "temp": Column(type="d", data=bytes(24))}},
        {"columns": {**BATCH.columns, "more": Column(type="d", data=bytes(24))}},
        {"columns": {**BATCH.columns, "count": Column(type="d", data=BATCH.columns["count"].data)}},
    ]
    prints = {codec.fingerprint(msgspec.structs.replace(BATCH, **change)) for change in changes}
    assert len(prints) == len(changes)
    resent = msgspec.structs.replace(BATCH, unreceipted=18_231)
    assert codec.fingerprint(resent) == codec.fingerprint(BATCH)


def test_too_large_is_refused_before_it_is_parsed() -> None:
    payload = b'{"d":{"a":[' + b" " * MAX_PAYLOAD + b"1]}}"
    assert reason(payload) is Reason.TOO_LARGE


def test_encode_refuses_what_decode_would() -> None:
    column = Column(type="d", data=bytes(8 * 40_000))
    with pytest.raises(BadPayload, match="split it"):
        codec.encode(Batch(columns={"a": column}, count=40_000))


def reason(payload: bytes, topic: str = LIVE.text, content_type: str | None = None) -> Reason:
    with pytest.raises(ContractError) as caught:
        codec.decode(topics.parse(topic), payload, content_type)
    return caught.value.reason


@pytest.mark.parametrize("version", [0, 2, 99])
@pytest.mark.parametrize("body", [{"d": {"a": 1}}, {"d": "another shape"}, {}])
def test_a_later_major_version_is_named_whatever_its_shape(
    version: int, body: dict[str, Any]
) -> None:
    message = {"v": version, **body}
    assert reason(msgspec.json.encode(message)) is Reason.VERSION
    assert reason(cbor2.dumps(message)) is Reason.VERSION
    assert reason(msgspec.json.encode(message), "pm/1/a.b/up/birth") is Reason.VERSION


@pytest.mark.parametrize(
    ("content_type", "fits"),
    [
        *((None, True), ("application/json; charset=utf-8", True), ("Application/JSON", True)),
        *(("text/plain", True), ("", True), ("application/cbor", False)),
        ("application/vnd.pm.v1+cbor", False),
    ],
)
def test_a_content_type_may_not_say_otherwise_than_the_bytes(
    content_type: str | None, fits: bool
) -> None:
    payload = b'{"d":{"a":1}}'
    if fits:
        assert codec.decode(LIVE, payload, content_type) == codec.decode(LIVE, payload)
    else:
        assert reason(payload, content_type=content_type) is Reason.UNREADABLE


@pytest.mark.parametrize(
    "channel", ["t/other", "t", "t/live/x", "e", "e/a/b", "cmd/a", "cfg", "ack", "nothing"]
)
def test_channels_without_a_message(channel: str) -> None:
    with pytest.raises(BadTopic):
        codec.decode(topics.parse(f"pm/1/a.b/up/{channel}"), b"{}")


@pytest.mark.parametrize("boot", ["short", "x" * 37, "UPPERCASE", "aaaaaaaa\n", "aaaa_aaa", ""])
def test_a_boot_is_8_to_36_plain_characters(boot: str) -> None:
    for form in (msgspec.json.encode, cbor2.dumps):
        assert reason(form({"b": boot, "d": {"a": 1}})) is Reason.WRONG_TYPE
        assert (
            reason(form({"boot": boot, "online": True}), "pm/1/a.b/up/state") is Reason.WRONG_TYPE
        )


def test_numbers_stay_exact_in_every_json_reader() -> None:
    last = {"s": 2**53 - 2, "d": {"a": [1, 2]}}
    beyond = {"s": 2**53 - 1, "d": {"a": [1, 2]}}
    for form in (msgspec.json.encode, cbor2.dumps):
        assert codec.decode(LIVE, form(last)).seq == 2**53 - 2  # type: ignore[union-attr]
        assert reason(form(beyond)) is Reason.WRONG_TYPE


def test_the_dictionary_hash_is_of_the_content_not_the_order() -> None:
    first = codec.dictionary_hash(BIRTH.metrics)
    assert len(first) == 8
    assert codec.dictionary_hash(BIRTH.metrics[::-1]) == first
    changed = msgspec.structs.replace(BIRTH.metrics[0], unit="K")
    assert codec.dictionary_hash((changed, *BIRTH.metrics[1:])) != first


def test_a_birth_without_a_hash_or_machines_gets_them() -> None:
    birth = codec.decode(
        topics.parse("pm/1/a.b/up/birth"),
        msgspec.json.encode({"boot": BOOT, "metrics": [{"name": "t", "kind": "later"}]}),
    )
    assert isinstance(birth, Birth)
    assert birth.metrics == (Metric(name="t"),)
    assert birth.dictionary == codec.dictionary_hash(birth.metrics)
    assert list(birth.machines) == [""]


@pytest.mark.parametrize(
    "wrong",
    [
        {"metrics": [{"name": "a"}, {"name": "a"}]},
        {"metrics": [{"name": ""}]},
        {"metrics": [{"name": "tab\t"}]},
        {"metrics": [{"name": "turned \u202e"}]},
        {"metrics": [{"name": "x" * 121}]},
        {"metrics": [{"name": "a", "unit": "m\ts"}]},
        {"metrics": [{"name": "a", "type": "text"}]},
        {"machines": {"UP": {}}},
        {"machines": {"a/b": {}}},
        {"machines": {"a\n": {}}},
        {"machines": {"a": {"profile": "../etc"}}},
        {"time": "later"},
        {"metrics": {}},
    ],
)
def test_a_wrong_birth(wrong: dict[str, Any]) -> None:
    body = {"boot": BOOT, "metrics": [], **wrong}
    for form in (msgspec.json.encode, cbor2.dumps):
        assert reason(form(body), "pm/1/a.b/up/birth") is Reason.WRONG_TYPE


def test_a_unit_of_two_words_sets_no_birth_aside() -> None:
    body = {"boot": BOOT, "metrics": [{"name": "a", "unit": "deg C"}, {"name": "b", "unit": " "}]}
    for form in (msgspec.json.encode, cbor2.dumps):
        birth = codec.decode(topics.parse("pm/1/acme.m1/up/birth"), form(body))
        assert isinstance(birth, Birth)
        assert [one.unit for one in birth.metrics] == ["deg C", " "]


def test_a_cbor_birth_has_finite_limits() -> None:
    body = {"boot": BOOT, "metrics": [{"name": "a", "low": float("-inf")}]}
    assert reason(cbor2.dumps(body), "pm/1/a.b/up/birth") is Reason.WRONG_TYPE


def test_a_receipt_of_a_later_version_is_still_understood() -> None:
    body = {"boot": BOOT, "stream": "live", "hwm": 5, "refused": [[6, 7, "later"]], "new": 1}
    receipt = codec.decode(topics.parse("pm/1/a.b/down/ack"), msgspec.json.encode(body))
    assert isinstance(receipt, Receipt)
    assert receipt.refused == (Refusal(first=6, last=7, code=Reason.UNREADABLE),)


def test_ranges_do_not_end_before_they_begin() -> None:
    body = {"boot": BOOT, "stream": "live", "ranges": [[9, 5]], "reason": "x"}
    assert reason(msgspec.json.encode(body), "pm/1/a.b/up/e/gap") is Reason.WRONG_TYPE


def test_a_receipt_with_very_many_holes_names_the_first() -> None:
    holes = tuple((2 * i, 2 * i) for i in range(20_000))
    receipt = Receipt(boot=BOOT, stream="live", hwm=-1, missing=holes)
    read = codec.decode(topics.parse("pm/1/a.b/down/ack"), codec.encode(receipt))
    assert isinstance(read, Receipt)
    assert read.missing == holes[:10_000]


@pytest.mark.parametrize(
    "value",
    [b"bytes", cbor2.CBORTag(1, 5), 2**63, float("inf"), {1: 2}, {b"k": 1}, cbor2.undefined],
)
def test_an_event_holds_only_what_json_can_say(value: object) -> None:
    payload = cbor2.dumps({"fields": {"x": [value]}})
    assert reason(payload, "pm/1/a.b/up/e/fault") in {Reason.WRONG_TYPE, Reason.UNREADABLE}


def test_an_event_takes_its_type_from_the_topic() -> None:
    event = codec.decode(topics.parse("pm/1/a.b/up/e/door-open"), b"{}")
    assert event == Event(type="door-open")


def test_gap_is_not_an_event() -> None:
    topic, message = MESSAGES["gap"]
    assert isinstance(codec.decode(topics.parse(topic), codec.encode(message)), Gap)


def test_equal_messages_give_equal_bytes() -> None:
    for _, message in MESSAGES.values():
        assert codec.encode(message) == codec.encode(message)
    assert codec.encode(STEADY, "json").startswith(b'{"u":0,"v":1,')
