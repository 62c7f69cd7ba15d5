"""A part that is renewed in mid-run: found, never elsewhere, and known only from when it shows."""

import numpy as np
import pytest

from models.life.learned import conditions, fitting, renewal, windows
from models.life.learned.health import Health
from models.life.learned.prognosis import Prognosis
from models.life.learned.runs import Floats, Runs
from tests.models.life.fleet import chained, fleet


def _learned(runs: Runs) -> tuple[Floats, Health]:
    z = conditions.find(runs).standardised(runs.values)
    return z, windows.learned(runs, z, 80.0, 100.0, 0.25)


def test_wear_and_noise_alone_renew_nothing() -> None:
    for seed in range(10):
        runs = fleet(seed, switching=True)
        assert len(renewal.found(runs, *_learned(runs)).begins) == 0


def test_a_new_part_is_found_at_its_first_row_and_told_by_its_fifth() -> None:
    runs = fleet(1, units=12)
    joined = chained(runs, 3, 7)
    found = renewal.found(joined, *_learned(joined))
    begins = joined.starts[3] + runs.counts[3]
    assert found.begins.tolist() == [begins]
    assert found.told.tolist() == [begins + renewal.STAYS - 1]
    assert found.named(joined) == [renewal.Renewal(unit="u3", time=runs.ends[3] + 1.0)]


def test_a_renewal_in_two_steps_is_one() -> None:
    runs = chained(fleet(1, units=12), 3, 7)
    z, health = _learned(runs)
    begins = int(renewal.found(runs, z, health).begins[0])
    index = np.linspace(-3.0, 3.0, 7)
    line = Health(
        slopes=[1.0],
        offset=0.0,
        reaching=[1],
        edges=[0.0],
        levels=[-1.0],
        near=[0.1],
        renewal=2.0,
    )
    steps = np.where(np.arange(len(z)) < begins, index[0], index[-1])
    steps[begins] = 0.0
    steps[begins + 20 :] = index[0]
    steps[begins + 30 : runs.starts[4]] = index[-1]
    found = renewal.found(runs, steps[:, None], line)
    assert found.begins.tolist() == [begins, begins + 30]


def test_rows_that_miss_a_signal_prove_nothing() -> None:
    runs = chained(fleet(1, units=12), 3, 7)
    z, health = _learned(runs)
    z[:, 1] = np.nan
    assert len(renewal.found(runs, z, health).begins) == 0


def test_lives_are_units_of_their_own() -> None:
    runs = fleet(1, units=12)
    joined = chained(runs, 3, 7)
    found = renewal.found(joined, *_learned(joined))
    lives = renewal.divided(joined, found, known=True).runs
    assert lives.units[3:5] == ("u3", "u3#2")
    assert lives.failed[3:5].tolist() == [False, True]
    np.testing.assert_array_equal(
        lives.time[lives.starts[4] : lives.starts[5]],
        runs.time[runs.starts[7] : runs.starts[8]],
    )
    seen = renewal.divided(joined, found, known=False)
    np.testing.assert_array_equal(seen.rows[seen.place], np.arange(len(joined.time)))
    np.testing.assert_array_equal(seen.runs.values, joined.values[seen.rows])
    told = int(found.told[0])
    assert seen.runs.time[seen.place[told]] == renewal.STAYS
    assert seen.runs.time[seen.place[told - 1]] == joined.time[told - 1]


def test_without_renewals_all_stays_as_it_is() -> None:
    runs = fleet(2, units=4)
    nothing = np.zeros(0, np.intp)
    lives = renewal.divided(runs, renewal.Renewals(begins=nothing, told=nothing), known=False)
    assert lives.runs.units == runs.units
    np.testing.assert_array_equal(lives.place, np.arange(len(runs.time)))
    np.testing.assert_array_equal(lives.runs.time, runs.time)


@pytest.fixture(scope="module")
def prognosis() -> Prognosis:
    runs = chained(fleet(1, units=10), 3, 7)
    return Prognosis(fitting.fit(runs, cap=None, seed=3, data_sha256="0" * 64)[0])


def test_a_model_names_what_was_renewed(prognosis: Prognosis) -> None:
    card = prognosis.card
    assert [one.unit for one in card.renewed] == ["u3"]
    assert (card.units, card.failures) == (9, 9)
    assert {past.unit: past.failed for past in card.past}["u3"] is False


def test_the_forecast_begins_anew_and_knows_nothing_later(prognosis: Prognosis) -> None:
    apart = fleet(2, units=3)
    joined = chained(apart, 0, 2)
    said = prognosis.forecast(joined)
    first = int(apart.counts[0])
    assert [one.time for one in said.renewed] == [apart.ends[0] + 1.0]
    alone = prognosis.forecast(apart)
    own = slice(apart.starts[2] + renewal.STAYS - 1, apart.starts[3])
    again = slice(first + renewal.STAYS - 1, joined.starts[1])
    np.testing.assert_array_equal(said.p50[again], alone.p50[own])
    np.testing.assert_array_equal(said.p50[:first], alone.p50[:first])
    cut = first + 2
    short = Runs(
        units=("u0",),
        starts=np.array([0, cut]),
        time=joined.time[:cut],
        values=joined.values[:cut],
        signals=joined.signals,
        failed=np.array([False]),
    )
    np.testing.assert_array_equal(prognosis.forecast(short).p95, said.p95[:cut])
