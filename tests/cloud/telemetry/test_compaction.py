"""When a machine's fresh readings are compacted."""

from bisect import bisect_left
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cloud.telemetry.compaction import DUE_BLOBS, DUE_ROWS, due


@given(st.integers(1, 2**20), st.sampled_from([1, 10, 100, 1_000]))
def test_machines_that_are_heard_alike_come_due_one_after_the_other(first: int, rows: int) -> None:
    machines, upto = range(first, first + 200), range(DUE_ROWS + 1)

    def step(machine: int) -> int:
        return bisect_left(upto, True, key=lambda n: due(machine, n * rows, n))

    steps = Counter(map(step, machines))
    apart = len(range(min(steps), max(steps) + 1))
    assert max(steps.values()) <= 2 * len(machines) / apart + 2


@given(st.integers(1, 2**40), st.integers(0, 2 * DUE_ROWS), st.integers(0, 2 * DUE_BLOBS))
def test_a_compaction_is_worth_its_while_and_not_put_off(
    machine: int, rows: int, blobs: int
) -> None:
    if due(machine, rows, blobs):
        assert rows >= DUE_ROWS / 2 or blobs >= DUE_BLOBS / 2
    else:
        assert rows < DUE_ROWS
        assert blobs < DUE_BLOBS
