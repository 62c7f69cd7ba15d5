"""The whole way: fit on some units, forecast others."""

import hashlib
import io
import zipfile

import msgspec
import numpy as np
import pytest

from models.life.learned import card as cards
from models.life.learned import explain, fitting
from models.life.learned import prognosis as prognoses
from models.life.learned.prognosis import Prognosis
from models.life.learned.runs import Runs
from models.life.learned.survival import survival
from tests.models.life.fleet import fleet


def _fit(runs: Runs, cap: float | None = None) -> bytes:
    return fitting.fit(runs, cap=cap, seed=3, data_sha256="0" * 64)[0]


@pytest.fixture(scope="module")
def artefact() -> bytes:
    return _fit(fleet(1, units=8, switching=True))


@pytest.fixture(scope="module")
def others() -> Runs:
    return fleet(2, units=8, switching=True)


def test_forecasts_of_new_units_beat_the_mean_life(artefact: bytes, others: Runs) -> None:
    said = Prognosis(artefact).forecast(others)
    error = np.abs(said.p50 - others.left).mean()
    by_age = np.maximum(others.ends.mean() - others.time, 0.0)
    assert error < 0.8 * np.abs(by_age - others.left).mean()
    inside = (others.left >= said.p05) & (others.left <= said.p95)
    assert inside.mean() > 0.75


@pytest.mark.parametrize("cells", [1, 300, 700])
def test_units_that_are_taken_some_at_a_time_get_the_same_forecast(
    artefact: bytes, others: Runs, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Prognosis(artefact).forecast(others)
    monkeypatch.setattr(prognoses, "CELLS", cells)
    assert len(list(prognoses._some(others.counts))) > 1
    parts = Prognosis(artefact).forecast(others)
    for name in ("p05", "p50", "p95", "age"):
        assert getattr(whole, name).tobytes() == getattr(parts, name).tobytes()
    assert whole.renewed == parts.renewed


def test_bands_are_finite_and_ordered(artefact: bytes, others: Runs) -> None:
    values = others.values * 1e6
    values[:, 1] = np.nan
    odd = others.arranged(others.signals)
    odd.values[:] = values
    said = Prognosis(artefact).forecast(odd)
    assert np.isfinite(said.p95).all()
    assert (said.p05 >= 0.0).all()
    assert (said.p05 <= said.p50).all()
    assert (said.p50 <= said.p95).all()


def test_absent_signals_widen_the_band(artefact: bytes, others: Runs) -> None:
    prognosis = Prognosis(artefact)
    whole = prognosis.forecast(others)
    some = prognosis.forecast(others.arranged(("a", "c", "load")))
    none = prognosis.forecast(others.arranged(()))
    late = others.left < 20.0
    widths = [(f.p95 - f.p05)[late].mean() for f in (whole, some, none)]
    assert widths[0] < min(widths[1:])
    np.testing.assert_allclose(none.p95, prognosis.card.survival.remaining(others.time, 0.95))


def test_the_first_row_gets_the_prior_band(artefact: bytes, others: Runs) -> None:
    prognosis = Prognosis(artefact)
    first = others.starts[:-1]
    said = prognosis.forecast(others)
    expected = prognosis.card.survival.remaining(others.time[first], 0.5)
    np.testing.assert_allclose(said.p50[first], expected)
    one = Runs(
        units=("x",),
        starts=np.array([0, 1]),
        time=np.array([40.0]),
        values=np.full((1, 1), 5.0),
        signals=("a",),
        failed=np.array([False]),
    )
    alone = prognosis.forecast(one)
    assert 0.0 < alone.p05[0] < alone.p50[0] < alone.p95[0]


def test_other_units_of_measure_change_nothing(artefact: bytes, others: Runs) -> None:
    train = fleet(1, units=8, switching=True)
    factor, offset = np.array([-2.0, 1e3, 0.1, 5.0, 1.0]), np.array([7.0, 0.0, -1e3, 1.0, 0.0])
    turned = []
    for runs in (train, others):
        order = (4, 2, 0, 3, 1)
        names = tuple(f"x{k}" for k in range(5))
        turned.append(
            Runs(
                units=runs.units,
                starts=runs.starts,
                time=runs.time,
                values=(runs.values * factor + offset)[:, order],
                signals=names,
                failed=runs.failed,
            )
        )
    plain = Prognosis(artefact).forecast(others).p50
    again = Prognosis(_fit(turned[0])).forecast(turned[1]).p50
    rmse = [float(np.sqrt(np.mean((p - others.left) ** 2))) for p in (plain, again)]
    assert rmse[1] == pytest.approx(rmse[0], rel=0.003)


def test_censored_units_are_used() -> None:
    runs = fleet(4, units=18, censored=0.7)
    failed = runs.pick(np.flatnonzero(runs.failed))
    prognosis = Prognosis(_fit(runs))
    card = prognosis.card
    assert (card.units, card.failures) == (18, len(failed.units))
    age = np.zeros(1)
    naive = survival(failed.ends, failed.failed)
    assert card.survival.remaining(age, 0.5) > naive.remaining(age, 0.5)
    said = prognosis.forecast(fleet(5, units=6))
    assert np.isfinite(said.p95).all()


def test_one_failed_unit_is_enough_for_a_wide_band() -> None:
    runs = fleet(6, units=1)
    said = Prognosis(_fit(runs)).forecast(runs)
    assert np.isfinite(said.p95).all()
    middle = slice(20, 40)
    np.testing.assert_allclose(said.p05[middle], 0.5 * said.p50[middle])
    np.testing.assert_allclose(said.p95[middle], 2.0 * said.p50[middle])


def test_without_a_failure_nothing_is_learned() -> None:
    with pytest.raises(fitting.NothingFailed, match="no unit failed"):
        _fit(fleet(1, units=3, censored=1.0))


def test_the_cap_bounds_what_is_learned(others: Runs) -> None:
    said = Prognosis(_fit(fleet(1, units=5, switching=True), cap=30.0)).forecast(others)
    assert said.p95.max() <= 30.0
    early = others.left > 60.0
    assert said.p50[early].mean() > 25.0


@pytest.mark.parametrize("at", [0, 40, 2_000, -70, -1])
def test_a_changed_file_is_refused(artefact: bytes, at: int) -> None:
    content = bytearray(artefact)
    content[at] ^= 1
    with pytest.raises(cards.BadArtefact):
        cards.unpacked(bytes(content))


def test_a_file_of_another_format_is_refused(artefact: bytes) -> None:
    card, model = cards.unpacked(artefact)
    newer = msgspec.structs.replace(card, format=99)
    with pytest.raises(cards.BadArtefact, match="fit again"):
        cards.unpacked(cards.packed(newer, model))


def _sealed(card: cards.Card, model: bytes) -> bytes:
    """Return a file whose digest is right, whatever it holds."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as box:
        box.writestr(cards.CARD, msgspec.json.encode(card))
        box.writestr(cards.MODEL, model)
        box.comment = b"0" * cards.DIGEST
    body = whole.getvalue()[: -cards.DIGEST]
    return body + hashlib.sha256(body).hexdigest().encode()


def test_a_card_that_is_not_finite_is_never_written(artefact: bytes) -> None:
    card, model = cards.unpacked(artefact)
    for bad in (float("inf"), float("nan")):
        with pytest.raises(cards.BadArtefact, match="top"):
            cards.packed(msgspec.structs.replace(card, top=bad), model)


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("typical", 0.0),
        ("weights", [1.0]),
        ("signals", []),
        ("bands.low", [[0.0]]),
        ("bands.ages", [0.0]),
        ("health.reaching", [99]),
        ("conditions.means", [[0.0]]),
        ("survival.times", []),
    ],
)
def test_a_sealed_card_of_no_model_is_refused(artefact: bytes, part: str, changed: object) -> None:
    card, model = cards.unpacked(artefact)
    outer, _, inner = part.partition(".")
    if inner:
        changed = msgspec.structs.replace(getattr(card, outer), **{inner: changed})
    sealed = _sealed(msgspec.structs.replace(card, **{outer: changed}), model)
    with pytest.raises(cards.BadArtefact, match="cannot be those of a model"):
        Prognosis(sealed)


def test_a_graph_of_another_model_is_refused(artefact: bytes) -> None:
    card, _ = cards.unpacked(artefact)
    with pytest.raises(cards.BadArtefact, match="graph cannot be run"):
        Prognosis(cards.packed(card, b"junk"))
    _, other = cards.unpacked(_fit(fleet(1, units=4)))
    with pytest.raises(cards.BadArtefact, match="graph cannot be run"):
        Prognosis(cards.packed(card, other))
    renamed = msgspec.structs.replace(card, features=card.features[:-1])
    with pytest.raises(cards.BadArtefact, match="features"):
        Prognosis(cards.packed(renamed, other))


def test_the_wear_signals_drive_and_the_noise_does_not(artefact: bytes, others: Runs) -> None:
    prognosis = Prognosis(artefact)
    rows = others.starts[1:] - 1
    effect = explain.drivers(prognosis, others, rows)
    by_name = dict(zip(prognosis.card.signals, effect.mean(axis=0), strict=True))
    assert by_name["a"] + by_name["b"] < 4.0 * -abs(by_name["c"])


def test_similar_units_stood_alike(artefact: bytes) -> None:
    card = Prognosis(artefact).card
    found = explain.similar(card, 60.0, 20.0)
    assert 1 <= len(found) <= 5
    for one in found:
        assert abs(one.forecast - 20.0) <= 0.1 * card.top
        assert one.left >= 0.0
