import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import signal, stats

from models import features as f
from models.channels import UNITS, Bearing, Channel

RATE = 20_000.0
#: Rexnord ZA-2115 of the IMS bearing tests; its frequencies at 2,000 /min are published with them
ZA_2115 = Bearing(rollers=16, roller_mm=8.4074, pitch_mm=71.501, contact_deg=15.17)
NOISE = np.random.default_rng(1).normal(0.0, 1.0, 20_000)


def steady(turn_hz: float, n: int = 20_000) -> NDArray[np.float64]:
    return np.asarray(np.arange(n) * turn_hz / RATE, np.float64)


def struck(turns: NDArray[np.float64], order: float, seed: int = 2) -> NDArray[np.float64]:
    """A defect: each impact rings at 4 kHz (McFadden & Smith 1984), with 1 % slip."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.0, 1.0, len(turns))
    steps = (1.0 + 0.01 * rng.standard_normal(int(turns[-1] * order))) / order
    ring = np.exp(-np.arange(200) / 40.0) * np.sin(2 * np.pi * 4_000.0 / RATE * np.arange(200))
    for at in np.searchsorted(turns, np.cumsum(steps)):
        tail = x[at : at + 200]
        tail += 4.0 * ring[: len(tail)]
    return x


def test_defect_frequencies_are_those_published_with_the_recordings() -> None:
    at = {name: order * 2_000.0 / 60.0 for name, order in f.defect_orders(ZA_2115).items()}
    assert at == pytest.approx({"bpfo": 236.4, "bpfi": 296.9, "bsf": 139.9, "ftf": 14.8}, abs=0.1)


@given(st.integers(3, 40), st.floats(1.0, 50.0), st.floats(1.05, 20.0), st.floats(0.0, 80.0))
def test_races_share_the_passes_of_all_rollers(n: int, d: float, ratio: float, deg: float) -> None:
    orders = f.defect_orders(Bearing(rollers=n, roller_mm=d, pitch_mm=d * ratio, contact_deg=deg))
    assert orders["bpfo"] + orders["bpfi"] == pytest.approx(n)
    assert orders["bpfo"] == pytest.approx(n * orders["ftf"])


def test_figures_of_time_are_those_of_scipy() -> None:
    x = NOISE + 5.0
    assert f.kurtosis(x) == pytest.approx(stats.kurtosis(x, fisher=False))
    assert f.rms(x) == pytest.approx(float(np.std(x)))
    sine = np.sin(2 * np.pi * 50.0 * np.arange(20_000) / RATE)
    assert f.crest(sine) == pytest.approx(math.sqrt(2), rel=1e-3)
    assert f.kurtosis(sine) == pytest.approx(1.5, rel=1e-3)


def test_a_signal_without_motion_has_figures() -> None:
    still = np.full(1024, 9.81)
    found = f.features(still, RATE, Channel(), bearing=ZA_2115, turns=steady(30.0, 1024))
    assert all(math.isfinite(value) for value in found.values())
    assert (found["crest"], found["kurtosis"], found["velocity_rms"]) == (0.0, 3.0, 0.0)


@pytest.mark.parametrize("n", [4_096, 4_097])
def test_the_spectrum_is_that_of_scipy(n: int) -> None:
    x = NOISE[:n]
    ours = f.spectrum(x, RATE)
    at, theirs = signal.periodogram(x, RATE, "hann", detrend="constant", scaling="density")
    np.testing.assert_allclose(ours.power, theirs * RATE / n, rtol=1e-9, atol=1e-15)
    assert ours.step == pytest.approx(at[1])


def test_the_envelope_is_that_of_scipy() -> None:
    x, band = NOISE[:4_096], (2_000.0, 8_000.0)
    lines = np.fft.rfft(x)
    at = np.fft.rfftfreq(len(x), 1 / RATE)
    lines[(at < band[0]) | (at > band[1])] = 0.0
    theirs = np.abs(signal.hilbert(np.fft.irfft(lines, len(x)))) ** 2
    np.testing.assert_allclose(f.squared_envelope(x, RATE, band), theirs, atol=1e-9)


@given(st.floats(10.5, 900.0), st.floats(0.01, 100.0))
def test_a_sine_has_the_velocity_of_its_integral(hz: float, amplitude: float) -> None:
    x = amplitude * np.sin(2 * np.pi * hz * np.arange(20_000) / RATE)
    found = f.band_rms(f.velocity(f.spectrum(x, RATE)), (2.0, 1_000.0))
    assert found == pytest.approx(1000 * amplitude / (2 * np.pi * hz) / math.sqrt(2), rel=0.05)


def test_g_are_turned_into_metres() -> None:
    metric = f.features(NOISE, RATE, Channel())
    in_g = f.features(NOISE / f.STANDARD_GRAVITY, RATE, Channel(unit="[g]"))
    assert in_g == pytest.approx(metric)


@pytest.mark.parametrize("kind", ["bpfo", "bpfi"])
def test_a_defect_stands_out_at_its_own_frequency_only(kind: str) -> None:
    turns = steady(33.3)
    order = f.defect_orders(ZA_2115)[kind]
    sound = f.features(NOISE, RATE, Channel(), bearing=ZA_2115, turns=turns)
    found = f.features(struck(turns, order), RATE, Channel(), bearing=ZA_2115, turns=turns)
    others = {"bpfo", "bpfi", "bsf"} - {kind}
    assert all(sound[name] < 3.0 for name in (kind, *others))
    assert found[kind] > 8.0
    assert all(found[name] < 4.0 for name in others)


def test_order_tracking_finds_a_defect_while_the_speed_rises() -> None:
    t = np.arange(20_000) / RATE
    turns = 20.0 * t + 15.0 * t**2  # 20 to 50 turns a second
    order = f.defect_orders(ZA_2115)["bpfo"]
    x = struck(turns, order)
    tracked = f.features(x, RATE, Channel(), bearing=ZA_2115, turns=turns)
    untracked = f.features(x, RATE, Channel(), bearing=ZA_2115, turns=t * turns[-1])
    assert tracked["bpfo"] > 8.0
    assert untracked["bpfo"] < 4.0


def test_running_speed_is_found_while_the_speed_rises() -> None:
    t = np.arange(20_000) / RATE
    turns = 20.0 * t + 5.0 * t**2
    x = 3.0 * np.sin(2 * np.pi * turns)
    found = f.features(x, RATE, Channel(), turns=turns)
    assert found["speed"] == pytest.approx(60 * 25.0, rel=1e-3)
    assert found["running_speed"] == pytest.approx(
        1000 * 3.0 / math.sqrt(2) / (2 * np.pi * 25.0), rel=0.02
    )


@given(st.floats(10.0, 60.0), st.floats(-5.0, 5.0), st.integers(1, 4))
def test_a_tacho_gives_the_angle(start: float, rise: float, per_turn: int) -> None:
    t = np.arange(20_000) / RATE
    turns = start * t + rise * t**2 / 2
    pulses = (np.mod(turns * per_turn, 1.0) < 0.2).astype(np.float64) * 5.0
    found = f.turns_of(pulses, per_turn)
    assert np.all(np.diff(found) > 0.0)
    inner = slice(2_000, -6_000)
    away = (found - turns)[inner]
    assert np.ptp(away) < 0.05  # turns; where the first pulse stands is not known


def test_constant_angle_gives_back_a_smooth_signal() -> None:
    t = np.arange(20_000) / RATE
    turns = 20.0 * t + 15.0 * t**2
    x = np.cos(2 * np.pi * 3.0 * turns)
    found = f.at_constant_angle(x, turns, 256)
    expected = np.cos(2 * np.pi * 3.0 * np.arange(len(found)) / 256)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_what_needs_the_speed_is_left_out_without_it() -> None:
    found = f.features(NOISE, RATE, Channel(), bearing=ZA_2115)
    assert not {"speed", "running_speed", "bpfo"} & set(found)
    assert set(found) <= set(UNITS)


def test_a_slow_channel_has_no_envelope() -> None:
    found = f.features(
        NOISE[:2_000], 2_000.0, Channel(), bearing=ZA_2115, turns=steady(300.0, 2_000)
    )
    assert "envelope_rms" not in found
    assert "bpfo" not in found


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (NOISE[:10], "10 samples are too few"),
        (np.full(100, np.nan), "no numbers"),
        (1e60 * NOISE, "absurd"),
    ],
)
def test_a_window_without_features_says_why(x: NDArray[np.float64], words: str) -> None:
    with pytest.raises(f.WindowError, match=words):
        f.features(x, RATE, Channel())


def test_a_tacho_that_stands_still_says_so() -> None:
    with pytest.raises(f.WindowError, match="fewer than three pulses"):
        f.turns_of(np.zeros(1_000))


def test_an_envelope_band_out_of_reach_says_so() -> None:
    with pytest.raises(f.WindowError, match="above half the rate"):
        f.squared_envelope(NOISE, 2_000.0, (2_000.0, 8_000.0))


@pytest.mark.parametrize("sample", list(f.SAMPLES))
def test_interleaved_samples_become_columns(sample: str) -> None:
    table = np.arange(12).reshape(4, 3).astype(f.SAMPLES[sample])
    found = f.columns(table.tobytes(), ("a", "", "tacho"), sample, 0.5)
    assert {name: column.tolist() for name, column in found.items()} == {
        "a": [0.0, 1.5, 3.0, 4.5],
        "tacho": [1.0, 2.5, 4.0, 5.5],
    }


def test_half_a_row_is_refused() -> None:
    with pytest.raises(f.WindowError, match="10 bytes are not rows of 2 samples"):
        f.columns(bytes(10), ("a", "b"), "f4", 1.0)


@pytest.mark.parametrize("per_turn", [1, 4])
def test_a_noisy_tacho_gives_the_same_speed(per_turn: int) -> None:
    turns = steady(25.0)
    clean = (np.mod(turns * per_turn, 1.0) < 0.3) * 5.0
    noisy = clean + np.random.default_rng(3).normal(0.0, 0.3, len(clean))
    found = f.turns_of(noisy, per_turn)
    assert found[-1] == pytest.approx(turns[-1], abs=0.05)


def test_a_slow_shaft_has_a_speed_and_no_orders() -> None:
    found = f.features(NOISE, RATE, Channel(), bearing=ZA_2115, turns=steady(4.0))
    assert found["speed"] == pytest.approx(240.0)
    assert not {"running_speed", "bpfo"} & set(found)


WINDOWS = st.integers(64, 700).flatmap(
    lambda n: arrays(
        np.float64,
        n,
        elements=st.one_of(
            st.floats(-1e50, 1e50, allow_subnormal=True), st.sampled_from([0.0, 1.0, -1.0])
        ),
    )
)


@given(WINDOWS, st.floats(0.0, 2_000.0), st.sampled_from([100.0, RATE]))
def test_any_window_has_finite_features(
    x: NDArray[np.float64], turn_hz: float, rate_hz: float
) -> None:
    turns = f.steady_turns(turn_hz, len(x), rate_hz)
    found = f.features(x, rate_hz, Channel(), bearing=ZA_2115, turns=turns)
    assert all(math.isfinite(value) and value >= 0.0 for value in found.values())
    assert set(found) <= set(UNITS)
