"""How columns are read: types from content, and one wrong column never costs the others."""

import itertools
import struct
from typing import Any

import cbor2
import msgspec
import pytest

from models.contract import cbor_codec, codec, topics
from models.contract.errors import BadPayload, Reason
from models.contract.messages import MAX_DEPTH, Batch, BrokenColumn, Column

LIVE = topics.parse("pm/1/acme.gw1/up/t/live")
NAN = float("nan")


def read(payload: bytes) -> Batch:
    batch = codec.decode(LIVE, payload)
    assert isinstance(batch, Batch)
    return batch


def refused(payload: bytes) -> Reason:
    with pytest.raises(BadPayload) as caught:
        codec.decode(LIVE, payload)
    return caught.value.reason


def column(kind: str, *values: Any, missing: bytes | None = None) -> Column:
    return Column(type=kind, data=struct.pack(f"<{len(values)}{kind}", *values), missing=missing)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("41.9", column("d", 41.9)),
        ("7", column("q", 7)),
        ("true", column("?", True)),
        ("null", column("d", NAN)),
        ("[1,2]", column("q", 1, 2)),
        ("[ 1 , -2 ]", column("q", 1, -2)),
        ("[1,2.0]", column("d", 1.0, 2.0)),
        ("[1,2e0]", column("d", 1.0, 2.0)),
        ("[1E2,2]", column("d", 100.0, 2.0)),
        ("[null,2.5]", column("d", NAN, 2.5)),
        ("[null,null]", column("d", NAN, NAN)),
        ("[null,3]", column("q", 0, 3, missing=b"\1\0")),
        ("[true,null]", column("?", True, False, missing=b"\0\1")),
        ("[false,true]", column("?", False, True)),
        ("[-9223372036854775808,9223372036854775807]", column("q", -(2**63), 2**63 - 1)),
        ("[9223372036854775808,0.5]", column("d", 2.0**63, 0.5)),
        ("[5e-324,1e-999]", column("d", 5e-324, 0.0)),
    ],
)
def test_the_text_of_a_column_gives_its_type(text: str, expected: Column) -> None:
    batch = read(b'{"d":{"x":%s}}' % text.encode())
    assert batch.columns == {"x": expected}
    assert batch.count == len(expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(('"text"', Reason.WRONG_TYPE), ("{}", Reason.WRONG_TYPE), ("[[1],2]", Reason.WRONG_TYPE)),
        *(("[true,1]", Reason.WRONG_TYPE), ("[true,0.5]", Reason.WRONG_TYPE)),
        *(('["null",1]', Reason.WRONG_TYPE), ("[1e999,1]", Reason.WRONG_TYPE)),
        *(("[9223372036854775808,1]", Reason.WRONG_TYPE), (f"[{'9' * 999},1]", Reason.WRONG_TYPE)),
        *(
            ("[1,2,3]", Reason.WRONG_LENGTH),
            ("[]", Reason.WRONG_LENGTH),
            ("1", Reason.WRONG_LENGTH),
        ),
    ],
)
def test_one_wrong_column_leaves_the_others(text: str, reason: Reason) -> None:
    batch = read(b'{"n":2,"d":{"good":[1,2],"bad":%s,"fine":[0.5,1]}}' % text.encode())
    assert list(batch.columns) == ["good", "fine"]
    (broken,) = batch.broken
    assert (broken.name, broken.reason, broken.raw) == ("bad", reason, text.encode())
    assert broken.detail


@pytest.mark.parametrize(
    "body",
    [
        *('{"a":[0.5,1],"b":[2,3.5e-3]}', '{"a":0.5,"b":[1.5]}', '{"a": [1E2 , 2] ,"b":[-0.0,1]}'),
        *('{"a":[0.5],"b":[1.5,2.5]}', '{"a":[0.5],"b":[1]}', '{"a":[0.5,null],"b":[1.5,2.5]}'),
        *('{"a":[],"b":[]}', '{"a":[[0.5]],"b":[0.5]}', '{"a":[0.5],"b":["x"]}'),
        *('{"a":[1e999],"b":[0.5]}', '{"a":[0.5],"b\\n":[1.5]}', '{"a":[0.5],"b":[1e-999]}'),
    ],
)
@pytest.mark.parametrize("more", ["", '"n":1,', '"n":2,', '"dt":[],', '"x:y":1,', '"h":false,'])
def test_columns_read_together_are_those_read_one_by_one(body: str, more: str) -> None:
    # A quality, here of a column that is not there, makes the reader take the columns one by one.
    together, apart = (outcome(f'{{{more}{q}"d":{body}}}') for q in ("", '"q":{"zz":0},'))
    assert together == apart


def outcome(text: str) -> object:
    try:
        found = read(text.encode())
    except BadPayload as error:
        return error.reason, error.detail
    return found, codec.fingerprint(found)


@pytest.mark.parametrize("name", ["", "tab\\t", "x" * 121, "\\u202eturned", "line\\n"])
def test_a_column_with_a_wrong_name_is_set_aside(name: str) -> None:
    batch = read(b'{"d":{"%s":[1],"good":[1]}}' % name.encode())
    assert list(batch.columns) == ["good"]
    assert batch.broken[0].reason is Reason.UNREADABLE
    assert len(batch.broken[0].name) <= 120


@pytest.mark.parametrize(
    "quality", ["[0]", "[0,4]", "[0,-1]", "[0,true]", '"0"', "9", "[]", "null"]
)
def test_a_column_whose_quality_is_wrong_is_set_aside(quality: str) -> None:
    batch = read(b'{"d":{"a":[1,2],"b":[3,4]},"q":{"a":%s,"unknown":[7]}}' % quality.encode())
    assert list(batch.columns) == ["b"]
    assert batch.broken[0].detail.startswith("quality")
    assert batch.quality == {}


def test_one_quality_may_hold_for_all_samples() -> None:
    assert read(b'{"d":{"a":[1,2]},"q":{"a":3}}').quality == {"a": b"\3\3"}
    assert read(cbor2.dumps({9: {"a": [1, 2]}, 10: {"a": 3}})).quality == {"a": b"\3\3"}


def test_without_n_the_offsets_or_the_first_readable_column_give_the_count() -> None:
    assert read(b'{"d":{"a":["x"],"b":[1,2],"c":[1]}}').count == 2
    batch = read(b'{"dt":[0,5,9],"d":{"a":[1,2]}}')
    assert (batch.count, [part.reason for part in batch.broken]) == (3, [Reason.WRONG_LENGTH])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(
            (b"{}", Reason.WRONG_TYPE),
            (b'{"d":{}}', Reason.WRONG_TYPE),
            (b'{"d":[]}', Reason.WRONG_TYPE),
        ),
        *((b'{"d":{"a":"x"}}', Reason.WRONG_TYPE), (b'{"d":{"a":[]}}', Reason.WRONG_LENGTH)),
        (b'{"n":2,"dt":[0,1,2],"d":{"a":[1,2]}}', Reason.WRONG_LENGTH),
        *(
            (b'{"n":0,"d":{"a":1}}', Reason.WRONG_TYPE),
            (b'{"n":65537,"d":{"a":1}}', Reason.WRONG_TYPE),
        ),
        (b'{"dt":1,"dn":1,"d":{"a":1}}', Reason.WRONG_TYPE),
        *((b'{"d":{"a":NaN}}', Reason.UNREADABLE), (b'{"d":{"a":[-Infinity]}}', Reason.UNREADABLE)),
        *((b'{"d":{"a":1}}x', Reason.UNREADABLE), (b'{"d":{"a":1}', Reason.UNREADABLE)),
        (b'{"d":{"a":1},"later":"\\ud800"}', Reason.UNREADABLE),
        (b'{"d":{"a":1},"later":"\xff"}', Reason.UNREADABLE),
        (b'{"d":{"a":1},"d":{"a":2}}', Reason.UNREADABLE),
        (b'{"d":{"a":1,"\\u0061":2}}', Reason.UNREADABLE),
        (b'{"d":{"a":1},"later":{"k":1,"k":2}}', Reason.UNREADABLE),
        (b'{"d":{"a":1},"t0":1.79e18}', Reason.WRONG_TYPE),
        (b'{"d":{"a":1},"dh":"0BADCAFE"}', Reason.WRONG_TYPE),
        *((b"", Reason.UNREADABLE), (b"null", Reason.UNREADABLE), (b"[]", Reason.UNREADABLE)),
    ],
)
def test_an_unreadable_envelope(text: bytes, reason: Reason) -> None:
    assert refused(text) is reason


def test_depth_is_counted_outside_texts_only() -> None:
    inner = MAX_DEPTH - 1
    deep = b'{"later":%s1%s,"d":{"a":1}}'
    assert read(deep % (b"[" * inner, b"]" * inner)).count == 1
    assert refused(deep % (b"[" * MAX_DEPTH, b"]" * MAX_DEPTH)) is Reason.TOO_DEEP
    assert refused(b'{"later":' + b"[" * 200_000) is Reason.TOO_DEEP
    assert read(b'{"later":"\\\\\\"%s","d":{"a":1}}' % (b"[" * 99)).count == 1


def test_depth_in_cbor() -> None:
    def deep(n: int) -> bytes:
        return b"\xa2\x61x" + b"\x81" * n + b"\x00\x09\xa1\x61a\x01"

    assert read(deep(MAX_DEPTH - 1)).count == 1
    assert refused(deep(MAX_DEPTH)) is Reason.TOO_DEEP
    assert refused(deep(200_000)) is Reason.TOO_DEEP
    assert refused(b"\xa1\x61x" + b"\xc6" * 200_000) is Reason.TOO_DEEP


ITEMS = {
    **{64: ("<B", "q"), 68: ("<B", "q"), 72: ("<b", "q"), 65: (">H", "q"), 66: (">I", "q")},
    **{67: (">Q", "q"), 69: ("<H", "q"), 70: ("<I", "q"), 71: ("<Q", "q"), 73: (">h", "q")},
    **{74: (">i", "q"), 75: (">q", "q"), 77: ("<h", "q"), 78: ("<i", "q"), 79: ("<q", "q")},
    **{80: (">e", "f"), 81: (">f", "f"), 82: (">d", "d"), 84: ("<e", "f"), 85: ("<f", "f")},
    86: ("<d", "d"),
}


@pytest.mark.parametrize("tag", ITEMS)
def test_every_typed_array(tag: int) -> None:
    item, kind = ITEMS[tag]
    values = [1, 100, 0] if kind == "q" else [1.0, -0.5, float("inf")]
    data = struct.pack(f"{item[0]}3{item[1]}", *values)
    batch = read(cbor2.dumps({9: {"x": cbor2.CBORTag(tag, data)}}))
    assert batch.columns == {"x": column(kind, *values)}
    if len(data) > 3:
        broken = read(cbor2.dumps({9: {"x": cbor2.CBORTag(tag, data[:-1]), "y": 1}})).broken
        assert broken[0].reason is Reason.WRONG_LENGTH


def test_typed_arrays_of_our_own_widths_are_taken_as_they_are() -> None:
    data = struct.pack("<2Q", 0x7FF8_0000_0000_0123, 0xFFF0_0000_0000_0000)  # a NaN's bits, -Inf
    assert read(cbor2.dumps({9: {"x": cbor2.CBORTag(86, data)}})).columns["x"].data == data


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (b"\0\1\2", column("?", False, True, False, missing=b"\0\0\1")),
        (b"\0\1", column("?", False, True)),
        ([1, None], column("q", 1, 0, missing=b"\0\1")),
        ([1, 0.5, None], column("d", 1.0, 0.5, NAN)),
        ([True, None], column("?", True, False, missing=b"\0\1")),
        ([None], column("d", NAN)),
        (5, column("q", 5)),
        ([cbor2.CBORTag(77, b"\1\0\2\0"), b"\1\0"], column("q", 1, 2, missing=b"\1\0")),
        ([cbor2.CBORTag(77, b"\1\0"), b"\0"], column("q", 1)),
    ],
)
def test_plain_and_compact_columns(part: object, expected: Column) -> None:
    assert read(cbor2.dumps({"d": {"x": part}})).columns == {"x": expected}


@pytest.mark.parametrize(
    "part",
    [
        *(b"\3", b"", "text", {}, [], [[1]], [True, 1], [2**63], [-(2**63) - 1], ["x"]),
        *(cbor2.undefined, cbor2.CBORSimpleValue(99), [cbor2.undefined], 2**64 - 1),
        *(cbor2.CBORTag(86, b""), cbor2.CBORTag(86, [1]), cbor2.CBORTag(83, bytes(16))),
        *(cbor2.CBORTag(76, b"\0"), cbor2.CBORTag(71, b"\xff" * 8), cbor2.CBORTag(64, "x")),
        *([cbor2.CBORTag(86, bytes(8)), b"\0"], [cbor2.CBORTag(79, bytes(8)), b"\2"]),
        *([cbor2.CBORTag(79, bytes(8)), b""], [cbor2.CBORTag(79, bytes(8))]),
    ],
)
def test_a_wrong_cbor_column_is_set_aside_with_its_bytes(part: object) -> None:
    batch = read(cbor2.dumps({"d": {"good": 1, "bad": part}}))
    assert list(batch.columns) == ["good"]
    assert [(b.name, b.raw) for b in batch.broken] == [("bad", cbor2.dumps(part))]


@pytest.mark.parametrize("tag", cbor_codec.INTERPRETED)
def test_no_tag_is_interpreted(tag: int) -> None:
    for part in (b"\1", "a", 1, [1, 2], [], {"a": 1}):
        batch = read(cbor2.dumps({9: {"good": 1, "bad": cbor2.CBORTag(tag, part)}}))
        assert isinstance(batch.broken[0], BrokenColumn)


def test_the_list_of_tags_that_cbor2_would_interpret_is_complete() -> None:
    bodies = [b"\x41\x01", b"\x61a", b"\x01", b"\x80", b"\x82\x01\x02"]
    found = []
    for tag in range(65_536):
        head = cbor2.dumps(cbor2.CBORTag(tag, 0))[:-1]
        for body in bodies:
            try:
                opaque = isinstance(cbor2.loads(head + body), cbor2.CBORTag)
            except cbor2.CBORError:
                opaque = False
            if not opaque:
                found.append(tag)
                break
    assert tuple(found) == cbor_codec.INTERPRETED


@pytest.mark.parametrize(
    "payload",
    [
        *(
            "a1",
            "bf",
            "a109",
            "a109a1",
            "a109a16161",
            "b9",
            "b90001",
            "bc",
            "a0ff",
            "a1ff00",
            "bfff00",
        ),
        *(
            "a109a1616101 00",
            "a209a16161010 9a1616101",
            "a209a1616101 6164a1616101",
            "a109a1 01 01",
        ),
        *("a109a1616101a0", "a2f5f509a1616101", "a2800009a1616101", "a109a2616101616102"),
        *(
            "bb7fffffffffffffff",
            "a1099b7fffffffffffffff",
            "a1095b7fffffffffffffff",
            "a109a163eda08001",
        ),
        *("a10961", "d9d9f7", "d9d9f780", "80", "00", "f6", "ff", "d9d9f6a109a1616101"),
    ],
)
def test_an_unreadable_cbor_envelope(payload: str) -> None:
    assert refused(bytes.fromhex(payload.replace(" ", ""))) in {
        Reason.UNREADABLE,
        Reason.WRONG_TYPE,
    }


def test_a_flood_of_keys_is_refused() -> None:
    assert refused(cbor2.dumps(dict(enumerate(range(100, 400))) | {"d": {"a": 1}})) is not None
    many = {str(i): 1 for i in range(4097)}
    assert refused(msgspec.json.encode({"d": many})) is Reason.WRONG_TYPE
    assert refused(cbor2.dumps({"d": many})) is Reason.WRONG_TYPE


def test_unknown_keys_are_ignored() -> None:
    plain = {"d": {"a": [1, 2]}}
    for form in (msgspec.json.encode, cbor2.dumps):
        assert read(form(plain | {"later": {"x": [1]}})) == read(form(plain))
    assert read(cbor2.dumps({99: 1, -1: 2, 9: {"a": 1}})).count == 1


def test_text_and_integer_keys_may_be_mixed() -> None:
    assert read(cbor2.dumps({"s": 4, 9: {"a": 1}, "n": 1})).seq == 4


@pytest.mark.parametrize(
    "offsets", [[0, 1000], [0, 1000.0], cbor2.CBORTag(86, struct.pack("<2d", 0, 1000))]
)
def test_offsets_in_cbor(offsets: object) -> None:
    batch = read(cbor2.dumps({9: {"a": [1, 2]}, 8: offsets}))
    assert list(batch.offsets_ns) == [0, 10**9]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "offsets",
    [*itertools.chain([True, "1", b"\0\1", [0, None], [0, True], {}, [], [0, float("nan")]])],
)
def test_wrong_offsets_in_cbor(offsets: object) -> None:
    assert refused(cbor2.dumps({9: {"a": [1, 2]}, 8: offsets})) in {
        Reason.WRONG_TYPE,
        Reason.WRONG_LENGTH,
    }
