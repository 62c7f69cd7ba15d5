"""Numbers as text, in compiled code: what line protocol needs, written straight into a buffer.

Readings mostly have few decimals: they are found by scaling to an integer and checking that the
text reads back to the same bits; eight digits are then made and stored in one word (as in Daniel
Lemire, "Converting integers to fixed-digit representations quickly", 2021). The rest goes through
Schubfach (Raffaello Giulietti, "The Schubfach way to render doubles", 2020), which gives the
shortest text that reads back exactly.
"""

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloud.intrinsics import first_bit, get_word, put_byte, put_word

POINT, MINUS, ZERO, EXPONENT = 46, 45, 48, 101
MOST: Final = 26  #: bytes of the longest number
MOST_DECIMALS: Final = 6
SLACK: Final = 8  #: bytes behind a number that may be written, too
UNROUND: Final = -1  #: decimals of a column whose values have no short decimal form
_EXACT: Final = float(1 << 53)
_SCALES: Final = np.array([10.0**d for d in range(MOST_DECIMALS + 1)])
_WHOLE: Final = np.array([10**d for d in range(MOST_DECIMALS + 1)], np.int64)
_EIGHT: Final = 10**8
_SHORT: Final = float(_EIGHT - 1)  #: at most eight digits, however they are rounded
_ZEROS = np.uint64(0x3030303030303030)
_WORD: Final = 8  #: characters
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


@njit(nogil=True, inline="always")
def _high(a: Any, b: Any) -> Any:
    """Return the upper 64 bits of a 64 × 64 bit product."""
    a0, a1 = a & _LOW32, a >> _U32
    b0, b1 = b & _LOW32, b >> _U32
    low = a0 * b0
    mid = a1 * b0 + (low >> _U32)
    mid2 = a0 * b1 + (mid & _LOW32)
    return a1 * b1 + (mid >> _U32) + (mid2 >> _U32)


@njit(nogil=True)
def _round_to_odd(g1: Any, g0: Any, cp: Any) -> Any:
    x1 = _high(g0, cp)
    y0 = g1 * cp
    y1 = _high(g1, cp)
    z = (y0 >> _U1) + x1
    w = y1 + (z >> _U63)
    return np.int64(w | (((z & _MASK63) + _MASK63) >> _U63))


@njit(nogil=True)
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


@njit(nogil=True)
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


@njit(nogil=True, inline="always")
def _eight(value: Any) -> Any:
    """Return the eight digits of a whole number below 10^8, the first in the lowest byte."""
    whole = np.uint64(value)
    four = (whole * np.uint64(109_951_163)) >> np.uint64(40)  # by 10,000
    x = four | (whole - four * np.uint64(10_000)) << _U32
    hundreds = (x * np.uint64(10_486)) >> np.uint64(20) & np.uint64(0x0000007F0000007F)
    x = hundreds | (x - hundreds * np.uint64(100)) << np.uint64(16)
    tens = (x * np.uint64(103)) >> np.uint64(10) & np.uint64(0x000F000F000F000F)
    return tens | (x - tens * np.uint64(10)) << np.uint64(8)


@njit(nogil=True, inline="always")
def _put_short(at: int, value: int, least: int) -> Any:
    """Write a whole number below 10^8 with 1 to 8 digits at least; return the next place."""
    word = _eight(value)
    gone = first_bit(word | np.uint64(1) << np.uint64(64 - 8 * least)) >> 3
    put_word(at, (word | _ZEROS) >> np.uint64(8 * gone))
    return at + 8 - gone


@njit(nogil=True)
def put_digits(at: int, value: int, least: int) -> Any:
    """Write a whole number >= 0 with at least `least` (<= 8) digits; return the next place."""
    if value < _EIGHT:
        return _put_short(at, value, least)
    top = value // _EIGHT
    if top < _EIGHT:
        at = _put_short(at, top, 1)
    else:
        highest = top // _EIGHT
        at = _put_short(at, highest, 1)
        put_word(at, _eight(top - highest * _EIGHT) | _ZEROS)
        at += 8
    put_word(at, _eight(value - top * _EIGHT) | _ZEROS)
    return at + 8


@njit(nogil=True)
def put_int(at: int, value: int) -> Any:
    """Write any int64; return the next place."""
    if value >= 0:
        return put_digits(at, value, 1)
    put_byte(at, MINUS)
    low = -(value % -10)  # of -2^63 too, which has no positive twin
    rest = -((value + low) // 10)
    at += 1
    if rest:
        at = put_digits(at, rest, 1)
    put_byte(at, ZERO + low)
    return at + 1


@njit(nogil=True, inline="always")
def _put_eight(at: int, whole: int, decimals: int) -> Any:
    """Write a whole number below 10^8 with the point `decimals` digits before its end."""
    word = _eight(whole)
    gone = first_bit(word | np.uint64(1) << np.uint64(56 - 8 * decimals)) >> 3
    text = (word | _ZEROS) >> np.uint64(8 * gone)
    point = 8 - gone - decimals
    half = np.uint64(4 * point)  # a shift by 64 means nothing, two by 32 do
    put_word(at, text)
    put_byte(at + point, POINT)
    put_word(at + point + 1, (text >> half) >> half)
    return at + 8 - gone + (decimals > 0)


@njit(nogil=True)
def _put_scaled(at: int, scaled: float, decimals: int) -> Any:
    whole: Any = np.int64(scaled)
    if whole < _EIGHT:
        return _put_eight(at, whole, decimals)
    if decimals == 0:
        return put_digits(at, whole, 1)
    scale = _WHOLE[decimals]
    head = whole // scale
    at = put_digits(at, head, 1)
    put_byte(at, POINT)
    return put_digits(at + 1, whole - head * scale, decimals)


@njit(nogil=True)
def _fits(size: float, decimals: int, single: bool) -> float:
    """Return the scaled whole number if it reads back to the same bits, else -1."""
    scaled = np.rint(size * _SCALES[decimals])
    if scaled >= _EXACT:
        return -1.0
    back = scaled / _SCALES[decimals]
    if single:
        return scaled if np.float64(np.float32(back)) == size else -1.0
    return scaled if back == size else -1.0


@njit(nogil=True, inline="always")
def put_float(at: int, value: float, bits: int, decimals: int, single: bool) -> tuple[int, int]:
    """Write a finite double; return the next place and the decimals to try first next time.

    `single`: the text need only read back to the same float32. Up to `SLACK` bytes behind it may be
    written.
    """
    size = abs(value)
    if decimals >= 0 and not single:
        scaled = size * _SCALES[decimals]
        if scaled < _SHORT:
            whole: Any = np.int64(scaled + 0.5)
            if whole / _SCALES[decimals] == size:
                put_byte(at, MINUS)
                return _put_eight(at + (bits < 0), whole, decimals), decimals
    return _put_rest(at, value, bits, decimals, single)


@njit(nogil=True)
def _put_rest(at: int, value: float, bits: int, decimals: int, single: bool) -> tuple[int, int]:
    """Write a finite double that is not short with these decimals."""
    if bits < 0:
        put_byte(at, MINUS)
        at += 1
    size = abs(value)
    if decimals != UNROUND and size < _EXACT:
        scaled = _fits(size, decimals, single)
        if scaled >= 0:
            return _put_scaled(at, scaled, decimals), decimals
        # More decimals; fewer only where so many make it too long a whole number.
        fewest = decimals + 1 if size * _SCALES[decimals] < _EXACT else 0
        for other in range(fewest, MOST_DECIMALS + 1):
            scaled = _fits(size, other, single)
            if scaled >= 0:
                return _put_scaled(at, scaled, other), max(other, decimals)
    if size == 0:
        put_byte(at, ZERO)
        return at + 1, decimals
    s, k = _decompose(bits & ((1 << 63) - 1))
    at = put_digits(at, s, 1)
    if k:
        put_byte(at, EXPONENT)
        at = put_int(at + 1, k)
    return at, decimals if decimals > 0 else UNROUND  # after some that were round, others may be


@njit(nogil=True, error_model="numpy")
def short_texts(values: Any, bits: Any, decimals: int, texts: Any) -> None:
    """Make the texts of doubles that have so many decimals and no more than eight characters.

    All at once, in vector code. Shapes: `values` (n,) float64 and their `bits` int64; `texts` (n,)
    uint64, the first character in the lowest byte: 0 where there are more or they would read back
    otherwise.
    """
    scale = _SCALES[decimals]
    least = _U1 << np.uint64(56 - 8 * decimals)
    pointed = np.int64(decimals > 0)
    for i in range(len(values)):
        size = abs(values[i])
        scaled = size * scale
        whole = np.int32((scaled if scaled < _SHORT else 0.0) + 0.5)
        word = _eight(np.uint32(whole))
        gone = first_bit(word | least) & np.int64(-8)  # bits
        text = (word | _ZEROS) >> np.uint64(gone)
        before = np.uint64((64 - gone - 8 * decimals) & 63)  # bits in front of the point
        behind = ~np.uint64(0) << before
        split = (text & ~behind) | np.uint64(POINT) << before | (text & behind) << np.uint64(8)
        minus = np.int64(bits[i] < 0)
        text = split if pointed else text
        text = text << np.uint64(8) | np.uint64(MINUS) if minus else text
        long = _WORD - (gone >> 3) + pointed + minus
        texts[i] = text if whole / scale == size and long <= _WORD else np.uint64(0)


@njit(nogil=True, error_model="numpy")
def digit_words(values: Any, words: Any) -> None:
    """Make the digits of whole numbers >= 0, all at once in vector code, for `put_words`.

    Shapes: `values` (n,) int64; `words` (3, n) int64: what is left above 16 digits as a number, the
    eight digits below it and the last eight as texts.
    """
    for i in range(len(values)):
        upper, low = _parted(values[i])
        top, mid = _parted(upper)
        words[0, i] = top
        words[1, i] = np.int64(_eight(np.uint64(mid)) | _ZEROS)
        words[2, i] = np.int64(_eight(np.uint64(low)) | _ZEROS)


@njit(nogil=True, inline="always")
def _parted(value: Any) -> Any:
    """Return a whole number >= 0 without its last eight digits, and those; no 128-bit product."""
    upper = np.int64(np.float64(value) * 1e-8)  # one too much or too little at most
    low = value - upper * _EIGHT
    upper += np.int64(low >= _EIGHT) - np.int64(low < 0)
    return upper, value - upper * _EIGHT


@njit(nogil=True, inline="always")
def put_words(at: int, words: int, apart: int) -> Any:
    """Write a number of `digit_words`, its words `apart` bytes; return the next place."""
    top: Any = np.int64(get_word(words))
    mid = get_word(words + apart)
    low = get_word(words + 2 * apart)
    if top > 0:
        at = _put_short(at, top, 1)
        put_word(at, mid)
        at += 8
    elif mid != _ZEROS:
        gone = first_bit(mid ^ _ZEROS) >> 3
        put_word(at, mid >> np.uint64(8 * gone))
        at += 8 - gone
    else:
        gone = first_bit((low ^ _ZEROS) | _U1 << np.uint64(56)) >> 3
        put_word(at, low >> np.uint64(8 * gone))
        return at + 8 - gone
    put_word(at, low)
    return at + 8
