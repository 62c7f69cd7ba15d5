import pytest

from models.figures import COUNTED, quantity, span
from models.profile import load_profiles
from tests.models.fleet.machines import DAY


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (90 * 60, "90 minutes", "90分钟"),
        (60, "1 minute", "1分钟"),
        (5 * 3600, "5 hours", "5小时"),
        (3 * DAY, "3 days", "3天"),
        (3 * 365.25 * DAY, "3.0 years", "3.0年"),
    ],
)
def test_spans(seconds: float, en: str, zh: str) -> None:
    assert (span(seconds, "en"), span(seconds, "zh")) == (en, zh)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (7.404, "mm/s", "7.4 mm/s"),
        (1480.2, "/min", "1480 1/min"),
        (41.93, "Cel", "41.9 °C"),
        (80.0, "%", "80%"),
        (1.18, "1", "1.18"),
        (12.0, "{page}", "12 pages"),
        (1.0, "{cycle}", "1 cycle"),
        (12.0, "{crate}", "12 crate"),
        (None, "bar", "–"),
        (41.6e6, "By/s", "41.6 MB/s"),
        (999_999.0, "By", "1 MB"),
        (512.0, "By", "512 B"),
        (0.0, "By/s", "0 B/s"),
        (-2500.0, "By/s", "-2.5 kB/s"),
        (157.0, "bar", "157 bar"),
        (0.00012, "bar", "0.00012 bar"),
        (1e-300, "bar", "1e-300 bar"),
        (-1.234e300, "bar", "-1.23e300 bar"),
    ],
)
def test_quantities(value: float | None, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_what_the_profiles_count_is_a_word_of_each_language() -> None:
    units = {s.unit for profile in load_profiles().values() for s in profile.signals.values()}
    counted = sorted(unit for unit in units if unit and unit.startswith("{"))
    assert counted == sorted(COUNTED)
    assert quantity(12.0, "{page}", "zh") == "12页"
    assert quantity(1.5, "{cycle}", "zh") == "1.5次"
