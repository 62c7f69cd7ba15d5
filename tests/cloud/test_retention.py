import pytest

from cloud.retention import APART, STEP, Look, after, believed
from cloud.times import DAY

NOW = 1_790_000_000_000_000_000
YEARS = 1000 * DAY
LAST = Look(NOW, NOW)


@pytest.mark.parametrize(
    ("now", "told", "until"),
    [
        (NOW, 0, None),
        (NOW, NOW, NOW),
        (NOW + DAY, NOW, NOW + DAY),
        (NOW + DAY + 1, NOW, NOW),
        (NOW, NOW + YEARS, NOW),
    ],
)
def test_the_clock_counts_where_a_device_bears_it_out(
    now: int, told: int, until: int | None
) -> None:
    assert believed(now, told) == until


def test_a_first_look_believes_what_is_believed() -> None:
    assert after(None, NOW + YEARS, NOW + YEARS) == NOW + YEARS


def test_days_go_by_as_they_do() -> None:
    assert after(LAST, NOW + DAY, NOW + DAY) == NOW + DAY


def test_a_jump_is_followed_in_steps_and_starts_in_between_do_not_count() -> None:
    last, at_ns = LAST, NOW + YEARS
    for n in range(1, 4):
        assert after(last, at_ns, at_ns) == NOW + n * STEP
        last = Look(NOW + n * STEP, at_ns)
        assert after(last, at_ns, at_ns + APART - 1) == NOW + n * STEP
        at_ns += APART


def test_a_clock_that_is_set_right_again_counts_at_once() -> None:
    assert after(Look(NOW + 3 * STEP, NOW + YEARS), NOW + DAY, NOW + DAY) == NOW + DAY


def test_after_a_long_rest_it_catches_up() -> None:
    last, at_ns = LAST, NOW + 365 * DAY
    for _ in range(365):
        last = Look(after(last, at_ns, at_ns), at_ns)
        at_ns += DAY
    assert last.until_ns == last.at_ns
