"""What holds for every plant: growing wear, a truth that fits the physics, independence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.profile import load_profiles
from simulators.plants import PLANTS, Array, Specimen, WearFault, true_life_s
from simulators.plants.battery import LIMIT_PERCENT, loss_percent
from simulators.plants.printer import LIMIT_DENSITY, density_od
from simulators.plants.pump import LIMIT_MM_S, spall_mm_s
from simulators.plants.purifier import LIMIT_PA, resistance_pa

DAY = 86_400.0
HOURS = np.arange(45 * 24, dtype=np.float64) * 3600.0
PART = {
    "air-purifier": "filter",
    "battery-pack": "cells",
    "centrifugal-pump": "bearing",
    "office-printer": "drum",
}
INDICATOR = {
    "air-purifier": "filter_resistance",
    "battery-pack": "state_of_health",
    "centrifugal-pump": "vibration_bearing",
    "office-printer": "print_density",
}
every_plant = pytest.mark.parametrize("profile", sorted(PLANTS))


def faulty(
    profile: str, key: str = "worn", onset_d: float = 20.0, life_d: float = 15.0
) -> Specimen:
    fault = WearFault(component=PART[profile], onset_s=onset_d * DAY, life_s=life_d * DAY)
    return Specimen(key=key, used={PART[profile]: 0.1}, faults=(fault,))


@every_plant
def test_wear_grows_and_reaches_one_at_the_failure(profile: str) -> None:
    plant = PLANTS[profile]([faulty(profile), Specimen(key="healthy")], 3)
    for component in plant.components:
        wear = plant.wear(component, HOURS)
        assert (np.diff(wear, axis=0) >= 0).all()
        at = plant.fails_at(component)
        reached = [plant.wear(component, np.array([t]))[0, i] for i, t in enumerate(at)]
        np.testing.assert_allclose(reached, 1.0, atol=1e-6)


@every_plant
def test_true_life_falls_second_by_second_and_ends_at_the_failure(profile: str) -> None:
    plant = PLANTS[profile]([faulty(profile)], 3)
    life = true_life_s(plant, PART[profile], HOURS)[:, 0]
    fails = plant.fails_at(PART[profile])[0]
    alive = fails > HOURS
    np.testing.assert_allclose(np.diff(life[alive]), -3600.0)
    assert (life[~alive] == 0).all()
    assert (~alive).any()


@every_plant
@settings(deadline=None, max_examples=10)
@given(life_d=st.floats(8, 40), onset_d=st.floats(1, 200), seed=st.integers(0, 1000))
def test_a_fault_leaves_about_the_life_that_was_asked_for(
    profile: str, life_d: float, onset_d: float, seed: int
) -> None:
    plant = PLANTS[profile]([faulty(profile, onset_d=onset_d, life_d=life_d)], seed)
    lasted = plant.fails_at(PART[profile])[0] / DAY - onset_d
    assert 0.4 * life_d - 2 < lasted < 2.5 * life_d + 4


@every_plant
def test_the_indicator_crosses_the_profile_s_limit_at_the_failure(profile: str) -> None:
    consumable = load_profiles()[profile].consumables[PART[profile]]
    assert consumable.indicator == INDICATOR[profile]
    plant = PLANTS[profile]([faulty(profile)], 5)
    fails = plant.fails_at(PART[profile])[0]
    readings = plant.sample(HOURS)[:, 0, plant.signals.index(INDICATOR[profile])]
    assert consumable.limit is not None
    worse = 1 if consumable.worse == "high" else -1
    early = readings[(fails - 4 * DAY > HOURS) & (fails - 6 * DAY < HOURS)]
    late = readings[(fails + 4 * DAY < HOURS) & (fails + 6 * DAY > HOURS)]
    assert (worse * early.mean()) < worse * consumable.limit < (worse * late.mean())


@every_plant
def test_a_replaced_part_is_new_and_lasts_as_long_again(profile: str) -> None:
    component, day = PART[profile], 40.0 * DAY
    worn = Specimen(key="w", used={component: 0.6}, replaced_s={component: (day, 3 * day)})
    plant = PLANTS[profile]([worn, Specimen(key="other")], 3)
    alone = PLANTS[profile]([Specimen(key="w", used={component: 0.6})], 3)
    before, after = np.array([day - 1.0]), np.array([day, day + 1.0])
    assert plant.wear(component, before)[0, 0] == alone.wear(component, before)[0, 0] > 0.6
    np.testing.assert_allclose(plant.wear(component, after)[:, 0], 0.0, atol=1e-3)
    assert plant.lasts_until(component, before)[0, 0] == alone.fails_at(component)[0]
    lasts = true_life_s(plant, component, np.array([0.0, day]))[:, 0]
    assert lasts[1] > 1.5 * lasts[0]
    readings = plant.sample(np.array([day - 3600.0, day + 3600.0]))[:, 0]
    for name in plant.counters - {"pages", "cycles"} if component == "drum" else ():
        fell = readings[1, plant.signals.index(name)] < 0.1 * readings[0, plant.signals.index(name)]
        assert fell == (name == "drum_pages")


@every_plant
def test_a_fault_belongs_to_the_part_in_its_place(profile: str) -> None:
    component = PART[profile]
    fault = WearFault(component=component, onset_s=20 * DAY, life_s=12 * DAY)
    saved = Specimen(key="w", faults=(fault,), replaced_s={component: (21 * DAY,)})
    struck = Specimen(key="w", faults=(fault,), replaced_s={component: (10 * DAY,)})
    first, second = (PLANTS[profile]([one], 3).fails_at(component)[0] for one in (saved, struck))
    assert second < 60 * DAY < first


def test_the_laws_meet_their_limits_at_wear_one() -> None:
    one = np.array([1.0])
    worn = np.sqrt(LIMIT_MM_S**2 - 1.35**2)
    assert np.hypot(spall_mm_s(one, np.array([0.4]), worn), 1.35) == pytest.approx(LIMIT_MM_S)
    assert resistance_pa(one, np.array([92.0])) == pytest.approx(LIMIT_PA)
    assert density_od(one, np.array([1.46])) == pytest.approx(LIMIT_DENSITY)
    assert 100 - loss_percent(one) == pytest.approx(LIMIT_PERCENT)


@pytest.mark.parametrize("times", [(0.0,), (-1.0,), (5.0, 5.0), (5.0, 4.0)])
def test_replacements_come_one_after_the_other(times: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"replaced_s\.filter"):
        Specimen(key="w", replaced_s={"filter": times})


@every_plant
def test_the_same_seed_gives_the_same_and_another_seed_another(profile: str) -> None:
    def series(seed: int) -> Array:
        return PLANTS[profile]([faulty(profile)], seed).sample(HOURS[:200])

    np.testing.assert_array_equal(series(1), series(1))
    assert (series(1) != series(2)).mean() > 0.3


@every_plant
def test_other_machines_change_nothing(profile: str) -> None:
    alone = PLANTS[profile]([faulty(profile)], 9)
    among = PLANTS[profile]([Specimen(key="a"), faulty(profile), Specimen(key="z")], 9)
    np.testing.assert_array_equal(alone.sample(HOURS)[:, 0], among.sample(HOURS)[:, 1])
    assert alone.fails_at(PART[profile])[0] == among.fails_at(PART[profile])[1]


@every_plant
@settings(deadline=None, max_examples=15)
@given(cuts=st.sets(st.integers(1, 99), max_size=5))
def test_any_cut_gives_the_same_readings(profile: str, cuts: set[int]) -> None:
    specimens = [faulty(profile), Specimen(key="b")]
    whole = PLANTS[profile](specimens, 4).sample(HOURS[:100])
    plant = PLANTS[profile](specimens, 4)
    pieces = [plant.sample(piece) for piece in np.split(HOURS[:100], sorted(cuts))]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@every_plant
def test_counters_are_whole_numbers_that_only_grow(profile: str) -> None:
    plant = PLANTS[profile]([faulty(profile)], 4)
    values = plant.sample(HOURS)
    for signal in plant.counters:
        column = values[:, 0, plant.signals.index(signal)]
        assert (column == np.floor(column)).all()
        assert (np.diff(column) >= 0).all()
        assert column[-1] > column[0]


@every_plant
def test_signals_are_those_of_the_profile(profile: str) -> None:
    assert set(PLANTS[profile]([faulty(profile)], 0).signals) == set(
        load_profiles()[profile].signals
    )


@every_plant
def test_sensors_have_noise_of_at_least_three_steps(profile: str) -> None:
    plant = PLANTS[profile]([Specimen(key="still")], 6)
    column = plant.sample(HOURS[:240])[:, 0, plant.signals.index(INDICATOR[profile])]
    step = np.diff(np.unique(column)).min()
    assert column.std() >= 2.5 * step


def test_printers_rest_at_the_weekend() -> None:
    plant = PLANTS["office-printer"]([Specimen(key="p")], 2)
    pages = plant.sample(np.arange(8, dtype=np.float64) * DAY)[:, 0, plant.signals.index("pages")]
    made = np.diff(pages)
    assert (made[:5] > 0).all()
    assert (made[5:] == 0).all()


def test_a_specimen_cannot_begin_as_a_wreck() -> None:
    with pytest.raises(ValueError, match=r"used\.bearing"):
        Specimen(key="x", used={"bearing": 1.0})
    with pytest.raises(ValueError, match="life_s"):
        WearFault(component="bearing", onset_s=0, life_s=0)
