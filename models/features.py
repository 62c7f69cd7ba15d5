"""Features of a window of a high-rate channel: what an accelerometer tells in a second.

Sources: Randall & Antoni, Rolling element bearing diagnostics: a tutorial, Mechanical Systems and
Signal Processing 25 (2011) 485-520 (defect frequencies, squared envelope); ISO 13373-2:2016 (time
and frequency features of machine vibration); ISO 20816-1:2016 (overall velocity, 10-1000 Hz); Fyfe
& Munck, Analysis of computed order tracking, MSSP 11 (1997) 187-205 (constant angle).

Everything is a function of its arguments; arrays are float64 of shape (n,). Only numpy is used:
`scipy.signal` takes 80 MB more in the device's memory (the tests compare with it).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.channels import Band, Bearing, Channel
from models.counts import counted

Array = NDArray[np.float64]

STANDARD_GRAVITY: Final = 9.80665  #: m/s2
MM: Final = 1000.0  #: mm in a metre
SHORTEST: Final = 64  #: samples; fewer say nothing about a spectrum
HARMONICS: Final = 3  #: of a defect frequency that are added up
SLIP: Final = 0.02  #: rolling elements slip: a defect is 1-2 % off its computed frequency
FLOOR_SPAN: Final = 0.25  #: the floor is the median over this share to both sides
LARGEST: Final = 1e50  #: of a sample; the fourth power of its spectrum is still a number
LEAST_TURNS: Final = 5.0  #: of a shaft; fewer are no spectrum over orders


class WindowError(ValueError):
    """A window gives no features; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """Squared amplitudes at equal steps of frequency (Hz) or order (1), beginning at 0."""

    step: float
    power: Array  #: mean square in each line, in the square of the signal's unit

    def between(self, low: float, high: float) -> Array:
        """Return the lines from `low` to `high`, both included as far as they exist."""
        first = math.ceil(low / self.step - 1e-9)
        return self.power[max(first, 0) : math.floor(high / self.step + 1e-9) + 1]


#: how samples are written -> numpy's word for it; all little-endian
SAMPLES: Final = {"f4": "<f4", "f8": "<f8", "i2": "<i2", "i4": "<i4"}


def columns(raw: bytes, layout: Sequence[str], sample: str, scale: float) -> dict[str, Array]:
    """Return each named column (n,) of interleaved samples times `scale`; "" names none.

    `WindowError` when the bytes are not a whole number of rows.
    """
    kind = np.dtype(SAMPLES[sample])
    if len(raw) % (kind.itemsize * len(layout)):
        raise WindowError(f"{len(raw)} bytes are not rows of {len(layout)} samples ({sample})")
    table = np.frombuffer(raw, kind).reshape(-1, len(layout)).astype(np.float64)
    return {name: table[:, i] * scale for i, name in enumerate(layout) if name}


def rms(x: Array) -> float:
    """Return the root mean square about the mean, in the signal's unit (ISO 13373-2)."""
    return float(np.std(x))


def peak(x: Array) -> float:
    """Return the largest distance from the mean, in the signal's unit."""
    return float(np.max(np.abs(x - np.mean(x))))


def crest(x: Array) -> float:
    """Return peak / RMS: 1.4 for a sine, 3-5 for noise, more with impacts; 0 without motion."""
    spread = rms(x)
    return peak(x) / spread if spread > 0.0 else 0.0


def kurtosis(x: Array) -> float:
    """Return the fourth standardised moment: 3 for normal noise, 1.5 for a sine, more with impacts.

    3 for a signal without motion, as it tells of no impact.
    """
    away = x - np.mean(x)
    largest = np.max(np.abs(away))
    if largest <= 0.0:
        return 3.0
    away = away / largest  # no power of a tiny number becomes 0
    return float(np.mean(away**4) / np.mean(away**2) ** 2)


def spectrum(x: Array, rate_hz: float) -> Spectrum:
    """Return the one-sided Hann-windowed spectrum; its lines add up to the mean square of `x`."""
    n = len(x)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / n)
    lines = np.abs(np.fft.rfft((x - np.mean(x)) * window)) ** 2
    power = 2.0 * lines / (n * np.sum(window**2))
    power[0] *= 0.5
    if n % 2 == 0:
        power[-1] *= 0.5
    return Spectrum(step=rate_hz / n, power=power)


def band_rms(of: Spectrum, band: Band) -> float:
    """Return the RMS within a band (Hz), in the signal's unit."""
    return float(np.sqrt(np.sum(of.between(*band))))


def velocity(of: Spectrum) -> Spectrum:
    """Return the velocity spectrum (mm/s squared) of one of acceleration (m/s2 squared)."""
    omega = 2.0 * np.pi * of.step * np.arange(len(of.power))
    omega[0] = np.inf
    return Spectrum(step=of.step, power=of.power * (MM / omega) ** 2)


def squared_envelope(x: Array, rate_hz: float, band: Band) -> Array:
    """Return the squared envelope of `x` within a band, at `rate_hz`, in the unit's square.

    The analytic signal comes from the band's one-sided Fourier lines (Randall & Antoni 2011,
    section 3.3). A band without a line is a `WindowError`.
    """
    n = len(x)
    first, last = math.ceil(band[0] * n / rate_hz), math.floor(band[1] * n / rate_hz)
    last = min(last, (n - 1) // 2)
    if last <= first:
        raise WindowError(
            f"the envelope band {band[0]:g}-{band[1]:g} Hz is above half the rate "
            f"of {rate_hz:g} Hz, or narrower than a line"
        )
    lines = np.fft.fft(x - np.mean(x))
    kept = np.zeros(n, np.complex128)
    kept[first : last + 1] = 2.0 * lines[first : last + 1]
    return np.asarray(np.abs(np.fft.ifft(kept)) ** 2, np.float64)


def defect_orders(bearing: Bearing) -> dict[str, float]:
    """Return the defect frequencies in turns of the shaft (Randall & Antoni 2011, table 1).

    `bpfo` and `bpfi`: a fault of the outer and inner race; `bsf`: of a rolling element, once for
    each turn of its own; `ftf`: the cage.
    """
    share = bearing.roller_mm / bearing.pitch_mm * math.cos(math.radians(bearing.contact_deg))
    return {
        "bpfo": bearing.rollers / 2.0 * (1.0 - share),
        "bpfi": bearing.rollers / 2.0 * (1.0 + share),
        "bsf": bearing.pitch_mm / (2.0 * bearing.roller_mm) * (1.0 - share**2),
        "ftf": 0.5 * (1.0 - share),
    }


def prominence(of: Spectrum, at: float) -> float:
    """Return how far a frequency and its harmonics stand out of the floor, as a ratio.

    Of each harmonic the highest line within the slip counts, against the median around it; the
    ratio is the root of their mean, so one of amplitudes. About 1 to 3 is noise. 0 when the
    spectrum is too short or too coarse to tell.
    """
    top = of.step * (len(of.power) - 1)
    ratios = []
    for k in range(1, HARMONICS + 1):
        centre = k * at
        lines = of.between(centre * (1.0 - SLIP) - of.step, centre * (1.0 + SLIP) + of.step)
        around = of.between(centre * (1.0 - FLOOR_SPAN), centre * (1.0 + FLOOR_SPAN))
        if centre * (1.0 + SLIP) > top or not len(lines) or len(around) < 3:
            break
        floor = float(np.median(around))
        ratios.append(float(np.max(lines)) / floor if floor > 0.0 else 0.0)
    return math.sqrt(sum(ratios) / len(ratios)) if ratios else 0.0


def _thirds(x: Array) -> tuple[float, float]:
    low, high = float(np.min(x)), float(np.max(x))
    return low + (high - low) / 3.0, high - (high - low) / 3.0


def turns_of(pulses: Array, per_turn: int = 1) -> Array:
    """Return the shaft's angle (turns) at each sample from the samples of a tacho.

    A pulse begins where the signal reaches the upper third of its range after it was in the lower
    one, so noise between them is no pulse. Between pulses the angle is linear, outside them it goes
    on at the nearest speed. Fewer than three pulses are a `WindowError`.
    """
    low, high = _thirds(pulses)
    side = np.where(pulses >= high, 1, np.where(pulses <= low, -1, 0))
    held = np.maximum.accumulate(np.where(side != 0, np.arange(len(side)), 0))
    side = side[held]
    after = np.flatnonzero((side[:-1] < 0) & (side[1:] > 0)) + 1
    if high <= low or len(after) < 3:
        raise WindowError("the tacho has fewer than three pulses in the window")
    before = after - 1
    moments = before + (high - pulses[before]) / (pulses[after] - pulses[before])
    turns = np.arange(len(moments)) / per_turn
    samples = np.arange(len(pulses), dtype=np.float64)
    angle = np.interp(samples, moments, turns)
    first = (turns[1] - turns[0]) / (moments[1] - moments[0])
    last = (turns[-1] - turns[-2]) / (moments[-1] - moments[-2])
    early, late = samples < moments[0], samples > moments[-1]
    angle[early] = (samples[early] - moments[0]) * first
    angle[late] = turns[-1] + (samples[late] - moments[-1]) * last
    return np.asarray(angle - angle[0], np.float64)


def steady_turns(turn_hz: float, n: int, rate_hz: float) -> Array:
    """Return the angle (turns) at each of n samples of a shaft of constant speed."""
    return np.asarray(np.arange(n) * (turn_hz / rate_hz), np.float64)


def at_constant_angle(x: Array, turns: Array, per_turn: int) -> Array:
    """Return `x` at `per_turn` equal steps of angle (computed order tracking, Fyfe & Munck 1997).

    `turns` (n,) is the shaft's angle at each sample, rising. Cubic through the four nearest
    samples.
    """
    count = int((turns[-1] - turns[0]) * per_turn)
    wanted = turns[0] + np.arange(count) / per_turn
    place = np.interp(wanted, turns, np.arange(len(x), dtype=np.float64))
    i = np.clip(place.astype(np.int64), 1, len(x) - 3)
    t = place - i
    a, b, c, d = x[i - 1], x[i], x[i + 1], x[i + 2]
    return np.asarray(
        -a * t * (t - 1) * (t - 2) / 6
        + b * (t + 1) * (t - 1) * (t - 2) / 2
        - c * (t + 1) * t * (t - 2) / 2
        + d * (t + 1) * t * (t - 1) / 6,
        np.float64,
    )


def order_spectrum(x: Array, turns: Array) -> Spectrum:
    """Return the spectrum of `x` over orders: lines of speed stay sharp while the speed changes.

    The steps of angle are no longer than a sample at half of the mean speed, so nothing folds.
    """
    mean = (turns[-1] - turns[0]) / (len(turns) - 1)
    slowest = max(float(np.min(np.diff(turns))), mean / 2.0)
    per_turn = 2 ** math.ceil(math.log2(1.0 / slowest))
    return spectrum(at_constant_angle(x, turns, per_turn), float(per_turn))


def features(
    x: Array,
    rate_hz: float,
    channel: Channel,
    *,
    bearing: Bearing | None = None,
    turns: Array | None = None,
) -> dict[str, float]:
    """Return the features of one window of acceleration, by the names of `channels.UNITS`.

    `x` (n,) in the channel's unit at `rate_hz`; `turns` (n,) the angle of the channel's shaft, or
    None when its speed is not known: then those that need the speed are left out, as they are when
    the shaft makes fewer than five turns. A window that is too short or holds a value that no
    sensor gives is a `WindowError`.
    """
    if len(x) < SHORTEST:
        raise WindowError(
            f"{counted(len(x), 'sample is', 'samples are')} too few: at least {SHORTEST}"
        )
    if not np.max(np.abs(x)) <= LARGEST:
        raise WindowError("the window holds values that are no numbers, or absurd ones")
    scaled = x * STANDARD_GRAVITY if channel.unit == "[g]" else x
    speed = velocity(spectrum(scaled, rate_hz))
    found = {
        "acceleration_rms": rms(scaled),
        "peak": peak(scaled),
        "crest": crest(scaled),
        "kurtosis": kurtosis(scaled),
        "velocity_rms": band_rms(speed, channel.velocity_hz),
        "bearing_band": band_rms(speed, channel.bearing_hz),
    }
    envelope = None
    if channel.envelope_hz[0] < rate_hz / 2:
        envelope = squared_envelope(scaled, rate_hz, channel.envelope_hz)
        found["envelope_rms"] = float(np.sqrt(np.mean(envelope) / 2.0))
    if turns is not None and turns[-1] > turns[0]:
        found |= _of_speed(scaled, rate_hz, turns, envelope, bearing)
    return found


def _of_speed(
    x: Array, rate_hz: float, turns: Array, envelope: Array | None, bearing: Bearing | None
) -> dict[str, float]:
    span_s = (len(x) - 1) / rate_hz
    turn_hz = float(turns[-1] - turns[0]) / span_s
    found = {"speed": 60.0 * turn_hz}
    if turns[-1] - turns[0] < LEAST_TURNS:
        return found
    orders = order_spectrum(x, turns)
    width = max(0.1, 1.5 * orders.step)  # of a line with its window
    running = orders.between(1.0 - width, 1.0 + width)
    found["running_speed"] = float(np.sqrt(np.sum(running))) * MM / (2.0 * np.pi * turn_hz)
    if bearing is not None and envelope is not None:
        ordered = order_spectrum(envelope, turns)
        seen = {name: prominence(ordered, at) for name, at in defect_orders(bearing).items()}
        found |= {name: value for name, value in seen.items() if value > 0.0}
    return found
