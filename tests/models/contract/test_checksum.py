"""Joined checksums are those of the whole."""

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from models.contract.checksum import Shift
from models.contract.messages import Column
from models.contract.sheet import LEAST_TAIL, Sheet, layout


@given(st.binary(max_size=300), st.binary(max_size=3_000))
def test_two_parts_make_the_checksum_of_both(before: bytes, behind: bytes) -> None:
    joined = Shift(len(behind)).join(crc32(before), crc32(behind))
    assert joined == crc32(before + behind)


def test_only_the_end_of_a_long_message_seen_often_is_joined() -> None:
    rows = LEAST_TAIL // 8
    shape = layout(("checksum-test",), "d", rows)
    cells = (bytes(8 * rows),)
    check = crc32(shape.join(cells))
    tails = [Sheet(shape, cells, check, last=True).tail() for _ in range(100)]
    assert tails[0] is None
    assert tails[-1] is not None
    assert (tails[-1].size, tails[-1].check) == (len(shape.join(cells)), check)
    assert Sheet(shape, cells, check).tail() is None  # of a JSON text, say
    short = layout(("checksum-test",), "d", 1)
    sheet = Sheet(short, (bytes(8),), 0, last=True)
    assert all(sheet.tail() is None for _ in range(100))
    assert sheet["checksum-test"] == Column(type="d", data=bytes(8))
