"""Kernels that turn a column into few small bytes and back, bit for bit.

Whole numbers: divided by their common step, then plain, delta or delta of delta (whichever is
smallest), zigzag, one plane a byte; a general compressor takes the rest. Floats become whole
numbers when that loses nothing: `k / 10^d` (a sensor's decimals) or `k * 10^-d` (a scaled
register), in double or single precision, with a bit map of -0.0 and a short list of exceptions.
Else their bit patterns are the whole numbers. NaN means missing: which cells are is kept beside.
"""

from typing import Any, Final

import numpy as np
from numba import njit

from models.life.compiled import kept

BITS, BITS_SINGLE, DIVIDE, MULTIPLY, DIVIDE_SINGLE, MULTIPLY_SINGLE = range(6)
HEAD_BYTES: Final = 64  #: more than any column's head
EXCEPTION_BYTES: Final = 12
_DECIMALS: Final = 16
_SINGLE_DECIMALS: Final = 7  #: beyond, single precision fits anything and says nothing
_EXACT: Final = 2.0**52
_WIDE: Final = 1 << 52
_HALF: Final = 1 << 62
_PROBES: Final = 24
_JUDGED: Final = 512  #: values that say which differences are smallest
_ONE_IN: Final = 16  #: at most n / 16 + 1 exceptions
_NEGATIVE_ZERO: Final = -(2**63)  #: its bit pattern
_UP: Final = np.array([float(f"1e{d}") for d in range(_DECIMALS)])
_DOWN: Final = np.array([float(f"1e-{d}") for d in range(_DECIMALS)])


def room(n: int) -> int:
    """Return the bytes that surely hold a packed column of n values."""
    return HEAD_BYTES + 8 * n + n // 8 + 1 + EXCEPTION_BYTES * (n // _ONE_IN + 1)


@njit(nogil=True)
def put(out: Any, at: int, value: Any, size: int) -> int:
    """Write a little-endian number; return the place behind it."""
    for k in range(size):
        out[at + k] = (value >> (8 * k)) & 0xFF
    return at + size


@njit(nogil=True)
def _get(buf: Any, at: int, size: int) -> Any:
    value = np.int64(0)
    for k in range(size):
        value |= np.int64(buf[at + k]) << (8 * k)
    return value


@njit(nogil=True, error_model="numpy")
def _step(x: Any) -> Any:
    """Return the greatest common divisor of the differences (1 when there is none)."""
    step = np.int64(0)
    for i in range(1, len(x)):
        d = x[i] - x[i - 1]
        if d == 0 or d == step:  # noqa: PLR1714 (compiled as written)
            continue
        d = abs(d)
        if d < 0:  # -2^63 has no positive twin
            return 1
        if step and d < _WIDE and np.int64(float(d) / float(step)) * step == d:
            continue
        while d:
            step, d = d, step % d
        if step == 1:
            return 1
    if step > 1 and not _near(x):
        return 1
    return max(step, 1)


@njit(nogil=True, error_model="numpy")
def _near(x: Any) -> bool:
    """Return whether no difference, nor one of two differences, can go beyond an int64.

    What goes round is no multiple of a step any more, but for 1.
    """
    return bool(0 <= x.max() - x.min() < _HALF)


@njit(nogil=True, error_model="numpy")
def _order(x: Any, step: Any) -> Any:
    """Return the order of differences (0, 1, 2) that costs least and where order 0 starts.

    Long columns are judged by some of their values, spread evenly.
    """
    n = len(x)
    stride = max(n // _JUDGED, 1)
    total = 0.0
    seen = 0
    for i in range(0, n, stride):
        total += float(x[i] - x[0])
        seen += 1
    mean = total / seen / step
    middle = x[0] + step * np.int64(np.rint(mean)) if abs(mean) < _EXACT else x[0]
    plain = first = second = 0.0
    for i in range(2, n, stride):
        d = float(x[i] - x[i - 1])
        plain += abs(float(x[i] - middle))
        first += abs(d)
        second += abs(d - float(x[i - 1] - x[i - 2]))
    if n > 2 and second < first and second < plain:
        return 2, middle
    return (1, middle) if first < plain else (0, middle)


@njit(nogil=True, error_model="numpy")
def _differences(x: Any, order: int, step: Any, base: Any) -> tuple[Any, Any]:
    """Return the zigzag of the differences in steps, and all their bits together."""
    n = len(x)
    d = np.zeros(n, np.int64)
    if order == 0:
        for i in range(n):
            d[i] = x[i] - base
    elif order == 1:
        for i in range(1, n):
            d[i] = x[i] - x[i - 1]
    else:
        for i in range(2, n):
            d[i] = (x[i] - x[i - 1]) - (x[i - 1] - x[i - 2])
    if step != 1:
        _divide(d, step)
    most = np.int64(0)
    for i in range(n):
        d[i] = (d[i] << 1) ^ (d[i] >> 63)
        most |= d[i]
    return d, most


@njit(nogil=True, error_model="numpy")
def _divide(d: Any, step: Any) -> None:
    """Divide multiples of `step` by it; doubles do so exactly and far quicker, up to 2^52."""
    bits = np.int64(0)
    for i in range(len(d)):
        bits |= d[i] ^ (d[i] >> 63)
    if bits < _WIDE:
        by = float(step)
        for i in range(len(d)):
            d[i] = np.int64(float(d[i]) / by)
    else:
        for i in range(len(d)):
            d[i] //= step


@kept
@njit(nogil=True, error_model="numpy")
def pack_ints(x: Any, out: Any, at: int) -> int:
    """Pack int64 `x` into bytes `out` from `at`; return the place behind it."""
    n = len(x)
    if n == 0:
        return at
    step = _step(x)
    order, middle = _order(x, step)
    base = middle if order == 0 else x[0]
    slope = (x[1] - x[0]) // step if order == 2 else np.int64(0)
    d, most = _differences(x, order, step, base)
    planes = 0
    while planes < 8 and np.uint64(most) >> np.uint64(8 * planes):
        planes += 1
    out[at] = order
    out[at + 1] = planes
    at = put(out, at + 2, step, 8)
    at = put(out, at, base, 8)
    at = put(out, at, slope, 8)
    for p in range(planes):
        plane = out[at : at + n]
        shift = 8 * p
        for i in range(n):
            plane[i] = np.uint8(d[i] >> shift)
        at += n
    return at


@kept
@njit(nogil=True)
def carry(x: Any, states: Any, unseen: int) -> None:
    """Fill the cells whose state has an `unseen` bit with a neighbour's value: they cost least."""
    known = np.int64(0)
    for i in range(len(x)):
        if not states[i] & unseen:
            known = x[i]
            break
    for i in range(len(x)):
        if states[i] & unseen:
            x[i] = known
        else:
            known = x[i]


@kept
@njit(nogil=True)
def unpack_ints(buf: Any, at: int, out: Any) -> int:
    """Fill int64 `out` from bytes; return the place behind what was read."""
    n = len(out)
    if n == 0:
        return at
    order, planes = buf[at], buf[at + 1]
    step, base, slope = _get(buf, at + 2, 8), _get(buf, at + 10, 8), _get(buf, at + 18, 8)
    at += 26
    for i in range(n):
        out[i] = 0
    for p in range(planes):
        shift = np.uint64(8 * p)
        for i in range(n):
            out[i] |= np.int64(np.uint64(buf[at + i]) << shift)
        at += n
    value = base
    for i in range(n):
        z = np.uint64(out[i])
        d = np.int64(z >> np.uint64(1)) ^ -np.int64(z & np.uint64(1))
        if order == 0:
            out[i] = base + d * step
            continue
        if order == 2:
            slope += d
            d = slope if i else np.int64(0)
        value += d * step
        out[i] = value
    return at


@njit(nogil=True)
def _whole(v: float, mode: int, up: float, down: float) -> Any:
    """Return the whole number that stands for `v`; `_real` says whether it really does."""
    k = v * up if mode in (DIVIDE, DIVIDE_SINGLE) else v / down
    if not abs(k) < _EXACT:
        return np.int64(0)
    return np.int64(np.rint(k))


@njit(nogil=True)
def _real(k: Any, mode: int, up: float, down: float) -> float:
    v = float(k) / up if mode in (DIVIDE, DIVIDE_SINGLE) else float(k) * down
    if mode >= DIVIDE_SINGLE:
        return float(np.float32(v))
    return v


@njit(nogil=True)
def _probe(x: Any, mode: int, decimals: int) -> bool:
    """Return whether a few values spread over `x` say that the scaling loses nothing."""
    n = len(x)
    up, down = _UP[decimals], _DOWN[decimals]
    seen = wrong = 0
    for i in range(0, n, max(n // _PROBES, 1)):
        if np.isnan(x[i]):
            continue
        seen += 1
        wrong += _real(_whole(x[i], mode, up, down), mode, up, down) != x[i]
        if wrong > 3:
            return False
    return wrong * 8 <= seen


@njit(nogil=True, error_model="numpy")
def _scale(x: Any, mode: int, decimals: int, whole: Any, odd: Any) -> int:
    """Fill `whole`; return how many values need an exception (-1: too many)."""
    up = _UP[decimals]
    wrong = 0
    if mode == DIVIDE:
        for i in range(len(x)):
            k = np.rint(x[i] * up)
            wrong |= (k / up != x[i]) | (not abs(k) < _EXACT)
            whole[i] = np.int64(k)
    if mode == DIVIDE and not wrong:
        return 0
    return _scale_some(x, mode, decimals, whole, odd)


@njit(nogil=True)
def _scale_some(x: Any, mode: int, decimals: int, whole: Any, odd: Any) -> int:
    """Fill `whole` where some values are missing or need an exception; see `_scale`."""
    up, down = _UP[decimals], _DOWN[decimals]
    before = np.int64(0)
    count = 0
    for i in range(len(x)):
        k = before
        if not np.isnan(x[i]):
            k = _whole(x[i], mode, up, down)
            if _real(k, mode, up, down) != x[i]:
                if count == len(odd):
                    return -1
                odd[count] = i
                count += 1
                k = before
        whole[i] = k
        before = k
    return count


@njit(nogil=True)
def _choose(x: Any, single: bool, whole: Any, odd: Any) -> tuple[int, int, int]:
    """Fill `whole` by the first scaling that loses nothing; return mode, decimals, exceptions."""
    for precision in range(2 if single else 1):
        for decimals in range(_SINGLE_DECIMALS if precision else _DECIMALS):
            for mode in range(DIVIDE + 2 * precision, DIVIDE + 2 * precision + 2):
                if _probe(x, mode, decimals):
                    count = _scale(x, mode, decimals, whole, odd)
                    if count >= 0:
                        return mode, decimals, count
    _patterns(x, single, whole)
    return (BITS_SINGLE if single else BITS), 0, 0


@njit(nogil=True)
def _is_single(x: Any) -> bool:
    wide = 0
    for i in range(len(x)):
        wide += not np.isnan(x[i]) and float(np.float32(x[i])) != x[i]
        if wide:
            break
    return wide == 0


@njit(nogil=True)
def _patterns(x: Any, single: bool, whole: Any) -> None:
    """Fill `whole` with bit patterns, ordered as the numbers are."""
    if single:
        narrow = x.astype(np.float32).view(np.int32)
        for i in range(len(x)):
            b = np.int64(narrow[i])
            whole[i] = b ^ ((b >> 63) & 0x7FFFFFFF)
        return
    wide = x.view(np.int64)
    for i in range(len(x)):
        b = wide[i]
        whole[i] = b ^ ((b >> 63) & 0x7FFFFFFFFFFFFFFF)


@kept
@njit(nogil=True)
def pack_floats(x: Any, out: Any, at: int) -> int:
    """Pack float64 `x` (single precision is found by itself) into `out` from `at`."""
    n = len(x)
    if n == 0:
        return at
    whole = np.empty(n, np.int64)
    odd = np.empty(n // _ONE_IN + 1, np.int64)
    single = _is_single(x)
    mode, places, count = _choose(x, single, whole, odd)
    bits = x.view(np.int64)
    negative = False
    if mode >= DIVIDE:
        for i in range(n):
            negative |= bits[i] == _NEGATIVE_ZERO
    out[at] = mode
    out[at + 1] = places
    out[at + 2] = negative
    at = put(out, at + 3, count, 4)
    for k in range(count):
        at = put(out, at, odd[k], 4)
        at = put(out, at, bits[odd[k]], 8)
    if negative:
        for i in range(0, n, 8):
            byte = 0
            for k in range(min(8, n - i)):
                byte |= (bits[i + k] == _NEGATIVE_ZERO) << k
            out[at] = byte
            at += 1
    return pack_ints(whole, out, at)


@kept
@njit(nogil=True)
def unpack_floats(buf: Any, at: int, out: Any) -> int:
    """Fill float64 `out` from bytes; return the place behind what was read."""
    n = len(out)
    if n == 0:
        return at
    mode, places, negative, count = buf[at], buf[at + 1], buf[at + 2], _get(buf, at + 3, 4)
    odd = at + 7
    zeros = odd + EXCEPTION_BYTES * count
    bits = out.view(np.int64)
    at = unpack_ints(buf, zeros + (n + 7) // 8 * negative, bits)
    if mode == BITS:
        for i in range(n):
            bits[i] ^= (bits[i] >> 63) & 0x7FFFFFFFFFFFFFFF
    elif mode == BITS_SINGLE:
        narrow = np.empty(n, np.int32)
        for i in range(n):
            narrow[i] = bits[i] ^ ((bits[i] >> 63) & 0x7FFFFFFF)
        single = narrow.view(np.float32)
        for i in range(n):
            out[i] = single[i]
    else:
        up, down = _UP[places], _DOWN[places]
        for i in range(n):
            out[i] = _real(bits[i], mode, up, down)
    if negative:
        for i in range(n):
            if buf[zeros + i // 8] >> (i % 8) & 1:
                bits[i] = _NEGATIVE_ZERO
    for k in range(count):
        bits[_get(buf, odd + EXCEPTION_BYTES * k, 4)] = _get(buf, odd + EXCEPTION_BYTES * k + 4, 8)
    return at
