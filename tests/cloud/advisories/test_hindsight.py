"""What became of earlier forecasts, in numbers and in words."""

import msgspec
import pytest

from cloud.advisories.hindsight import own, sentences
from cloud.ledger.records import Ended, Verdict
from models.assessment import Assessment, Life
from tests.cloud.ledger.made import DAY, T0, assess, band


def seen(day: int, left_d: float, fraction: float = 0.2) -> Assessment:
    life = msgspec.structs.replace(band(0.8 * left_d, left_d, 1.3 * left_d), fraction=fraction)
    return assess(day, lives=(life,), at_ns=T0 + day * DAY)


def newest_first(*found: Assessment) -> list[Assessment]:
    return sorted(found, key=lambda one: -one.at_ns)


def test_a_forecast_is_held_when_its_band_has_the_present_end() -> None:
    good = [seen(day, 30 - day) for day in range(10)]
    found = own("bearing", newest_first(*good))
    assert found is not None
    assert (found.count, found.held) == (9, 9)
    assert found.ago_s == 9 * 86_400
    assert found.first.p50_s == 30 * 86_400
    wrong = [seen(day, 60) for day in range(5)] + [seen(5, 10)]
    found = own("bearing", newest_first(*wrong))
    assert found is not None
    assert (found.count, found.held) == (5, 0)


def test_when_the_limit_is_reached_that_was_the_end() -> None:
    found = own("bearing", newest_first(seen(0, 4), seen(2, 2), seen(4, 0), seen(6, 0), seen(9, 0)))
    assert found is not None
    assert (found.count, found.held) == (2, 2)


def test_forecasts_of_the_old_part_are_not_those_of_the_new_one() -> None:
    old = [seen(day, 10 - day, 0.1) for day in range(5)]
    assert own("bearing", newest_first(*old, seen(6, 100, 0.99))) is None
    found = own("bearing", newest_first(*old, seen(6, 100, 0.99), seen(7, 99, 0.98)))
    assert found is not None
    assert found.count == 1


def test_many_forecasts_are_thinned_evenly() -> None:
    found = own("bearing", newest_first(*(seen(day, 300 - day) for day in range(200))))
    assert found is not None
    assert 15 <= found.count <= 21


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["3 of 4 earlier forecasts", "such parts replaced before: 2, found worn: 1"]),
        ("zh", ["4次预测", "更换过2个同类部件，其中1个"]),
    ],
)
def test_in_words(language: str, words: list[str]) -> None:
    life: Life = band(5, 9, 14)
    ended = [
        Ended(
            machine="m",
            opened_ns=T0,
            resolved_ns=T0 + days * DAY,
            verdict=verdict,
            forecast_ns=T0,
            life=life,
        )
        for days, verdict in ((3, Verdict.CONFIRMED), (6, Verdict.NO_FAULT_FOUND))
    ]
    found = own(
        "bearing", newest_first(*(seen(d, left) for d, left in enumerate((40, 9, 8, 7, 6))))
    )
    said = sentences(found, ended, language)
    assert len(said) == 2
    for sentence, word in zip(said, words, strict=True):
        assert word in sentence
    assert len(sentences(None, [], language)) == 2
