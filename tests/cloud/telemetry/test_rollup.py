"""Reducing at once and joining parts of any cut give the same buckets."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.telemetry import chunk, rollup
from cloud.telemetry.fresh import MISSING
from cloud.telemetry.query import Span
from cloud.telemetry.reduction import RAW, plan
from cloud.telemetry.rollup import HOUR_NS, MINUTE_NS, SUM

untimed = settings(deadline=None)  # the first call compiles
SAMPLE = st.tuples(
    st.integers(-400, 400),
    st.floats(-1e6, 1e6) | st.just(float("nan")),
    st.sampled_from([0, 1, 2, 3, MISSING, MISSING | 2]),
)


def reduce(samples: list[tuple[int, float, int]], width: int) -> rollup.Partials:
    ordered = sorted(samples, key=lambda sample: sample[0])
    times = np.array([sample[0] for sample in ordered], np.int64)
    values = np.array([sample[1] for sample in ordered], np.float64)
    states = np.array([sample[2] for sample in ordered], np.uint8)
    return rollup.reduce(times, values, states, width)


def same(one: rollup.Partials, other: rollup.Partials) -> None:
    assert one.ints.tolist() == other.ints.tolist()
    assert one.floats[:SUM].tolist() == other.floats[:SUM].tolist()
    np.testing.assert_allclose(one.floats[SUM], other.floats[SUM], rtol=1e-12, atol=1e-6)


@untimed
@given(st.lists(SAMPLE, max_size=60), st.integers(0, 60), st.sampled_from([1, 7, 60, 100]))
def test_any_cut_joins_to_the_whole(
    samples: list[tuple[int, float, int]], cut: int, width: int
) -> None:
    parts = [reduce(samples[:cut], width), reduce(samples[cut:], width)]
    same(rollup.join(parts, width), reduce(samples, width))


@untimed
@given(st.lists(SAMPLE, max_size=60))
def test_wider_buckets_come_from_narrower_ones(samples: list[tuple[int, float, int]]) -> None:
    same(rollup.join([reduce(samples, 10)], 60), reduce(samples, 60))


@untimed
@given(st.lists(SAMPLE, max_size=60))
def test_a_page_comes_back(samples: list[tuple[int, float, int]]) -> None:
    parts = reduce(samples, 7)
    back = chunk.unpack_page(chunk.pack_page(parts, 7), 7, "here")
    assert back.ints.tolist() == parts.ints.tolist()
    assert back.floats.tolist() == parts.floats.tolist()


@untimed
@given(
    st.integers(0, 10**5),
    st.integers(1, 10**5),
    st.sampled_from([1, 60, 90, 3600, 7200]),
    st.none() | st.integers(0, 40),
    st.none() | st.integers(0, 40),
)
def test_a_plan_covers_the_span_once(
    start: int, length: int, width: int, raw_from: int | None, minute_from: int | None
) -> None:
    second = 10**9
    span = Span(start * second, (start + length) * second)
    parts = plan(
        span,
        width * second,
        None if raw_from is None else raw_from * HOUR_NS,
        None if minute_from is None else minute_from * HOUR_NS,
    )
    assert parts[0][1].start_ns <= span.start_ns
    assert parts[-1][1].end_ns >= span.end_ns
    for (_, one), (_, following) in pairwise(parts):
        assert one.end_ns == following.start_ns
    for level, part in parts:
        if level == RAW:
            assert raw_from is None or part.start_ns >= raw_from * HOUR_NS
        else:
            assert part.start_ns % level == 0
            assert part.end_ns % level == 0
    if raw_from is None and minute_from is None:
        assert all(level == RAW or width * second % level == 0 for level, _ in parts)
        assert (parts[0][1].start_ns, parts[-1][1].end_ns) == (span.start_ns, span.end_ns)


def test_an_hour_is_read_from_hours_and_its_edges_from_minutes_and_samples() -> None:
    span = Span(MINUTE_NS // 2, 3 * HOUR_NS)
    assert plan(span, HOUR_NS, None, None) == [
        (RAW, Span(MINUTE_NS // 2, MINUTE_NS)),
        (MINUTE_NS, Span(MINUTE_NS, HOUR_NS)),
        (HOUR_NS, Span(HOUR_NS, 3 * HOUR_NS)),
    ]
