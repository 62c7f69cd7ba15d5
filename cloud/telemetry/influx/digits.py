"""Numbers as text, in compiled code: what line protocol needs, written straight into a buffer.

Readings mostly have few decimals: they are found by scaling to an integer and checking that the
text reads back to the same bits. The rest goes through Schubfach (Raffaello Giulietti, "The
Schubfach way to render doubles", 2020), which gives the shortest text that reads back exactly.
"""

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

POINT, MINUS, ZERO, EXPONENT = 46, 45, 48, 101
MOST: Final = 26  #: bytes of the longest number
MOST_DECIMALS: Final = 6
UNROUND: Final = -1  #: decimals of a column whose values have no short decimal form
_EXACT: Final = float(1 << 53)
_SCALES: Final = np.array([10.0**d for d in range(MOST_DECIMALS + 1)])
_WHOLE: Final = np.array([10**d for d in range(MOST_DECIMALS + 1)], np.int64)
_K_MIN: Final = -324
_K_MAX: Final = 292


def _power(k: int) -> tuple[int, int]:
    """Return g = floor(beta) + 1 with 10^-k = beta 2^r, 2^125 <= beta < 2^126, in two halves."""
    top, bottom = (1, 10**k) if k >= 0 else (10**-k, 1)
    shift = 126 - (top.bit_length() - bottom.bit_length())
    beta = (top << shift) // bottom if shift >= 0 else top // (bottom << -shift)
    while beta.bit_length() > 126:
        shift -= 1
        beta = (top << shift) // bottom if shift >= 0 else top // (bottom << -shift)
    while beta.bit_length() < 126:
        shift += 1
        beta = (top << shift) // bottom if shift >= 0 else top // (bottom << -shift)
    g = beta + 1
    return g >> 63, g & ((1 << 63) - 1)


_POWERS: Final[NDArray[np.uint64]] = np.array(
    [_power(k) for k in range(_K_MIN, _K_MAX + 1)], np.uint64
)
_LOW32 = np.uint64(0xFFFFFFFF)
_U1 = np.uint64(1)
_U32 = np.uint64(32)
_U63 = np.uint64(63)
_MASK63 = np.uint64((1 << 63) - 1)


@njit(cache=True, nogil=True, inline="always")
def _high(a: Any, b: Any) -> Any:
    """Return the upper 64 bits of a 64 × 64 bit product."""
    a0, a1 = a & _LOW32, a >> _U32
    b0, b1 = b & _LOW32, b >> _U32
    low = a0 * b0
    mid = a1 * b0 + (low >> _U32)
    mid2 = a0 * b1 + (mid & _LOW32)
    return a1 * b1 + (mid >> _U32) + (mid2 >> _U32)


@njit(cache=True, nogil=True)
def _round_to_odd(g1: Any, g0: Any, cp: Any) -> Any:
    x1 = _high(g0, cp)
    y0 = g1 * cp
    y1 = _high(g1, cp)
    z = (y0 >> _U1) + x1
    w = y1 + (z >> _U63)
    return np.int64(w | (((z & _MASK63) + _MASK63) >> _U63))


@njit(cache=True, nogil=True)
def _shortest(q: int, c: int, tiny: bool) -> tuple[int, int]:
    """Return (s, k) with s 10^k the shortest decimal that rounds to c 2^q."""
    out = c & 1
    cb = c << 2
    if c != (1 << 52) or q == -1074 or tiny:
        cbl = cb - 2
        k = (q * 661971961083) >> 41
    else:
        cbl = cb - 1
        k = (q * 661971961083 - 274743187321) >> 41
    h = np.uint64(q + ((-k * 913124641741) >> 38) + 2)
    g1, g0 = _POWERS[k - _K_MIN, 0], _POWERS[k - _K_MIN, 1]
    vb = _round_to_odd(g1, g0, np.uint64(cb) << h)
    vbl = _round_to_odd(g1, g0, np.uint64(cbl) << h)
    vbr = _round_to_odd(g1, g0, np.uint64(cb + 2) << h)
    s = vb >> 2
    if s >= 100:
        s10 = s // 10 * 10
        t10 = s10 + 10
        lower = vbl + out <= s10 << 2
        upper = (t10 << 2) + out <= vbr
        if lower != upper:
            return (s10 if lower else t10), k
    t = s + 1
    lower = vbl + out <= s << 2
    upper = (t << 2) + out <= vbr
    if lower != upper:
        return (s if lower else t), k
    off = vb - ((s + t) << 1)
    return (s if off < 0 or (off == 0 and s & 1 == 0) else t), k


@njit(cache=True, nogil=True)
def _decompose(bits: int) -> tuple[int, int]:
    """Return (s, k) of a positive finite double given by its bits."""
    fraction = bits & ((1 << 52) - 1)
    exponent = (bits >> 52) & 0x7FF
    if exponent:
        return _shortest(exponent - 1075, fraction | (1 << 52), False)
    if fraction < 3:
        s, k = _shortest(-1074, fraction * 10, True)
        return s, k - 1
    return _shortest(-1074, fraction, True)


@njit(cache=True, nogil=True)
def put_digits(out: Any, at: int, value: int, least: int) -> int:
    """Write a whole number >= 0 with at least `least` digits; return the next place."""
    count = 1
    rest = value
    while rest >= 10:
        rest //= 10
        count += 1
    count = max(count, least)
    place = at + count - 1
    while place >= at:
        out[place] = ZERO + value % 10
        value //= 10
        place -= 1
    return at + count


@njit(cache=True, nogil=True)
def put_int(out: Any, at: int, value: int) -> int:
    """Write any int64; return the next place."""
    if value >= 0:
        return put_digits(out, at, value, 1)
    out[at] = MINUS
    low = -(value % -10)  # of -2^63 too, which has no positive twin
    rest = -((value + low) // 10)
    at += 1
    if rest:
        at = put_digits(out, at, rest, 1)
    out[at] = ZERO + low
    return at + 1


@njit(cache=True, nogil=True)
def _put_scaled(out: Any, at: int, scaled: float, decimals: int) -> int:
    whole: Any = np.int64(scaled)
    if decimals == 0:
        return put_digits(out, at, whole, 1)
    scale = _WHOLE[decimals]
    head = whole // scale
    at = put_digits(out, at, head, 1)
    out[at] = POINT
    return put_digits(out, at + 1, whole - head * scale, decimals)


@njit(cache=True, nogil=True)
def _fits(size: float, decimals: int, single: bool) -> float:
    """Return the scaled whole number if it reads back to the same bits, else -1."""
    scaled = np.rint(size * _SCALES[decimals])
    if scaled >= _EXACT:
        return -1.0
    back = scaled / _SCALES[decimals]
    if single:
        return scaled if np.float64(np.float32(back)) == size else -1.0
    return scaled if back == size else -1.0


@njit(cache=True, nogil=True)
def put_float(  # noqa: PLR0917 (a kernel)
    out: Any, at: int, value: float, bits: int, decimals: int, single: bool
) -> tuple[int, int]:
    """Write a finite double; return the next place and the decimals to try first next time.

    `single`: the text need only read back to the same float32.
    """
    if bits < 0:
        out[at] = MINUS
        at += 1
    size = abs(value)
    if decimals != UNROUND and size < _EXACT:
        scaled = _fits(size, decimals, single)
        if scaled >= 0:
            return _put_scaled(out, at, scaled, decimals), decimals
        for other in range(MOST_DECIMALS + 1):
            scaled = _fits(size, other, single)
            if scaled >= 0:
                return _put_scaled(out, at, scaled, other), max(other, decimals)
    if size == 0:
        out[at] = ZERO
        return at + 1, decimals
    s, k = _decompose(bits & ((1 << 63) - 1))
    at = put_digits(out, at, s, 1)
    if k:
        out[at] = EXPONENT
        at = put_int(out, at + 1, k)
    return at, UNROUND
