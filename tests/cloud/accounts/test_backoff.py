from hypothesis import given
from hypothesis import strategies as st

from cloud.accounts.backoff import ADDRESS, FADE_NS, KEPT, NAME, SECOND, BackOff

T0 = 1_700_000_000 * SECOND


def test_the_first_failures_cost_nothing_and_then_it_doubles() -> None:
    back_off = BackOff()
    waits = []
    for i in range(14):
        back_off.failed("chen", f"10.0.0.{i}", T0)
        waits.append(back_off.wait_ns("CHEN", "elsewhere", T0) // SECOND)
    assert waits == [0] * 4 + [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_an_address_that_tries_many_names_waits_too() -> None:
    back_off = BackOff()
    for i in range(ADDRESS.free + 12):
        back_off.failed(f"name-{i}", "10.0.0.1", T0)
    assert back_off.wait_ns("another", "10.0.0.1", T0) == ADDRESS.longest_s * SECOND
    assert back_off.wait_ns("another", "10.0.0.2", T0) == 0


def test_success_forgives_the_name_and_not_the_address() -> None:
    back_off = BackOff()
    for _ in range(ADDRESS.free):
        back_off.failed("chen", "10.0.0.1", T0)
    back_off.succeeded("chen")
    assert back_off.wait_ns("chen", "10.0.0.2", T0) == 0
    assert back_off.wait_ns("chen", "10.0.0.1", T0) == SECOND


def test_failures_fade_after_an_hour_of_peace() -> None:
    back_off = BackOff()
    for _ in range(10):
        back_off.failed("chen", "a", T0)
    later = T0 + FADE_NS + 1
    back_off.failed("chen", "a", later)
    assert back_off.wait_ns("chen", "a", later) == 0


def test_what_is_remembered_is_bounded() -> None:
    back_off = BackOff()
    for i in range(3 * KEPT):
        back_off.failed(f"n{i}", f"a{i}", T0)
    assert all(len(kept._seen) == KEPT for kept in (back_off._names, back_off._addresses))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 10**12)), max_size=60))
def test_nobody_waits_longer_than_the_rule_says(steps: list[tuple[str, int]]) -> None:
    back_off, now = BackOff(), T0
    for name, pause in steps:
        now += pause
        back_off.failed(name, "x", now)
        assert 0 <= back_off.wait_ns(name, "y", now) <= NAME.longest_s * SECOND
