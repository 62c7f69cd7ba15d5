"""What is remembered of a stream's newest batches, beside a plain list of them."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.marks import REMEMBERED, Marks

#: a batch: how far behind (ahead of) the end of the one before it begins, samples, fingerprint
BATCHES = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 0, 7, -12, 1 << 40]),
        st.sampled_from([1, 10, 65_536]),
        st.integers(0, 1 << 63),
        st.booleans(),
    ),
    max_size=3 * REMEMBERED,
)
PRINT = (1 << 48) - 1


def content(marks: Marks) -> list[tuple[int, int, int]]:
    return list(marks._batches())


@given(batches=BATCHES)
@settings(deadline=None)
def test_the_newest_batches_are_remembered_and_forgotten_again(
    batches: list[tuple[int, int, int, bool]],
) -> None:
    marks, plain = Marks(), list[tuple[int, int, int]]()
    at = 5_000
    for off, count, fingerprint, stays in batches:
        seq = max(at + off, 0)
        before = content(marks)
        undo = marks.remember(seq, seq + count, fingerprint)
        if not stays:
            marks.forget(undo)
            assert content(marks) == before
            continue
        plain.append((seq, seq + count, fingerprint & PRINT))
        at = seq + count
        assert content(marks) == plain[: -REMEMBERED - 1 : -1]
        assert marks.newest_is(seq, seq + count, fingerprint)
        assert not marks.newest_is(seq, seq + count, fingerprint ^ 1)
    other = Marks()
    other.load(*msgspec.json.decode(msgspec.json.encode(marks.dump())))
    assert content(other) == content(marks)
    for seq, end, fingerprint in plain[: -REMEMBERED - 1 : -1]:
        kept = {p for first, last, p in plain[-REMEMBERED:] if first < end and last > seq}
        assert marks.differs(seq, end, fingerprint ^ 1) == (fingerprint ^ 1 not in kept)
        assert not marks.differs(seq, end, fingerprint)


def test_a_stream_in_order_takes_eight_bytes_a_batch() -> None:
    marks = Marks()
    for seq in range(0, 10 * 1_000, 10):
        marks.remember(seq, seq + 10, seq)
    assert marks.marks.buffer_info()[1] * marks.marks.itemsize == 8 * REMEMBERED
    assert not marks.breaks
