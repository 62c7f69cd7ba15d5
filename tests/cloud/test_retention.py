"""What is past its retention, by clocks that are right, behind, ahead; the look's file with it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.decode import BUILT_NS
from cloud.ledger import Ledger, open_ledger
from cloud.retention import APART, FILE, STEP, Look, Retention, after, believed
from cloud.telemetry.sqlite import SqliteTelemetry
from cloud.times import DAY, SECOND

NOW = 1_790_000_000_000_000_000
YEARS = 1000 * DAY
MINUTE = 60 * SECOND
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


class Site:
    """The looks of a service at the times of its clock and of its devices, over its own folder."""

    def __init__(self, folder: Path, ledger: Ledger, telemetry: SqliteTelemetry) -> None:
        self.folder = folder
        self.clock_ns = self.told_ns = NOW
        self._looks = Retention(
            ledger, telemetry, folder, lambda: self.clock_ns, lambda: self.told_ns
        )

    def look(self, clock_ns: int, told_ns: int | None = None) -> int | None:
        """Look once; `told_ns` is the clock's time where it is not given."""
        self.clock_ns = clock_ns
        self.told_ns = clock_ns if told_ns is None else told_ns
        return self._looks.readings()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with (
        contextlib.closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db", lambda: NOW)) as ledger,
        contextlib.closing(SqliteTelemetry(tmp_path / "telemetry.db")) as telemetry,
    ):
        yield Site(tmp_path, ledger, telemetry)


def test_a_look_while_the_clock_is_behind_holds_nothing_up(site: Site) -> None:
    site.look(NOW)
    assert site.look(BUILT_NS - YEARS, told_ns=NOW) == BUILT_NS - YEARS
    assert site.look(NOW + DAY) == NOW + DAY


@pytest.mark.parametrize(
    ("clock_ns", "told_ns"), [(BUILT_NS - YEARS, NOW), (NOW, BUILT_NS), (BUILT_NS - YEARS, 1)]
)
def test_a_first_look_while_a_clock_is_behind_is_none_to_go_on_from(
    site: Site, clock_ns: int, told_ns: int
) -> None:
    assert site.look(clock_ns, told_ns) == min(clock_ns, told_ns)
    assert site.look(NOW + DAY) == NOW + DAY
    assert site.look(NOW + YEARS) == NOW + DAY + STEP


def test_a_clock_that_goes_back_and_forth_moves_on_as_one_that_stays_ahead(site: Site) -> None:
    site.look(NOW)
    for n in range(10):  # a start each minute
        assert site.look(NOW + YEARS + n * MINUTE) == NOW + STEP
        assert site.look(NOW + n * MINUTE) == NOW + n * MINUTE
    assert site.look(NOW + YEARS + APART) == NOW + 2 * STEP


def test_starts_in_a_row_move_on_with_the_days_and_say_nothing(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    for at_ns in range(NOW, NOW + 2 * DAY, 20 * MINUTE):
        counts = site.look(at_ns)
        assert counts is not None
        assert at_ns - APART < counts <= at_ns
    assert caplog.messages == []


def test_a_first_look_after_years_believes_the_clocks(site: Site) -> None:
    assert site.look(NOW + YEARS) == NOW + YEARS
    assert site.look(NOW + 2 * YEARS) == NOW + YEARS + STEP


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"until_ns": "x", "at_ns": 1}'])
def test_a_damaged_file_starts_anew_and_is_told(
    site: Site, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (site.folder / FILE).write_bytes(content)
    assert site.look(NOW + YEARS) == NOW + YEARS
    assert "taken for a first look" in caplog.text
    caplog.clear()
    assert site.look(NOW + YEARS + DAY) == NOW + YEARS + DAY
    assert caplog.messages == []


def test_a_rest_keeps_readings_for_half_of_it_longer_at_most() -> None:
    """What the price in the decision says: 90 days' retention, a year's rest."""
    last, at_ns, most = LAST, NOW + 365 * DAY, 0
    for day in range(1, 400):
        last = Look(after(last, at_ns, at_ns), at_ns)
        most = max(most, min(day * DAY, at_ns - (last.until_ns - 90 * DAY)))
        at_ns += DAY
    assert 220 * DAY < most <= (365 + 90) * DAY // 2 + DAY
