import msgspec
import pytest

from models.assessment import Assessment, Check, Condition, Contribution, Life, State

FULL = Assessment(
    machine="acme.gw:pump",
    at_ns=1_790_000_000 * 10**9,
    n=7,
    state=State.ALERT,
    score=0.9,
    health=61.5,
    coverage=0.8,
    conditions=(
        Condition(
            signal="v",
            check=Check.SHIFT,
            active=True,
            since_ns=1,
            score=0.9,
            severity=2,
            onset=True,
            value=7.4,
            expected=None,
        ),
    ),
    contributions=(
        Contribution(signal="v", check=Check.SHIFT, value=7.4, expected=2.1, unit=None, weight=1.0),
    ),
    lives=(
        Life(
            component="c",
            mode="m",
            basis="trend",
            p10_s=None,
            p50_s=None,
            p90_s=None,
            fraction=None,
        ),
    ),
)


def test_an_assessment_survives_its_way_through_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(FULL), type=Assessment) == FULL


def test_assessments_are_frozen_values() -> None:
    with pytest.raises(AttributeError):
        FULL.health = 100.0  # type: ignore[misc]
    assert hash(FULL) == hash(msgspec.structs.replace(FULL))
