"""The CRC-32 of zlib for large bodies, several times as fast where the processor multiplies bits.

V. Gopal et al., "Fast CRC computation for generic polynomials using PCLMULQDQ instruction" (Intel,
2009): 64 bytes at a time, or 256 where registers have 512 bits, are folded onto the next ones, four
registers side by side. What is left, 16 bytes and an end, has the same CRC and goes through tables,
as all does on other processors: eight bytes at a time, one table for each (M. Kounavis, F. Berry,
"Novel table lookup-based algorithms for high-performance CRC generation", 2008).

That of two parts, one behind the other, follows from theirs: a CRC is a polynomial, and each byte
behind it multiplies it by x^8, modulo the polynomial of the CRC (M. Adler, zlib, `crc32_combine`).
"""

from typing import Any, Final
from zlib import crc32 as of_zlib

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.cgutils import alloca_once, for_range, get_or_insert_function
from numba.core.registry import cpu_target

from cloud.intrinsics import compiled, get_byte, get_word
from models.life.compiled import entry, lean

LEAST: Final = 16_384  #: bytes for which a call of compiled code pays
_ALL: Final = 0xFFFFFFFF
_POLYNOMIAL: Final = np.uint32(0xEDB88320)  #: reflected, as all of them: bit 31 - k stands for x^k
_X_0, _X_8 = np.uint32(1 << 31), np.uint32(1 << 23)
_BYTE, _WORD = ir.IntType(8), ir.IntType(64)

#: reflected, (8, 256): what the register becomes by a byte with so many zeros behind it
_TABLES: Final = np.array(
    [
        [of_zlib(bytes((n, *bytes(k)))) ^ of_zlib(bytes(k + 1)) for n in range(256)]
        for k in range(8)
    ],
    np.uint32,
)


def _power(n: int) -> int:
    """Return x^n modulo the polynomial."""
    out = int(_X_0)
    for _ in range(n):
        out = out >> 1 ^ (int(_POLYNOMIAL) if out & 1 else 0)
    return out


class _Registers:
    """Registers of so many 128 bits, and how code for them is made."""

    def __init__(self, parts: int) -> None:
        self.kind = ir.VectorType(_WORD, 2 * parts)
        self.parts = parts
        self.name = {1: "llvm.x86.pclmulqdq", 4: "llvm.x86.pclmulqdq.512"}[parts]

    def read(self, builder: Any, at: Any, offset: int) -> Any:
        place = builder.inttoptr(builder.add(at, _WORD(offset)), self.kind.as_pointer())
        return builder.load(place, align=1)

    def folded(self, builder: Any, those: Any, size: int, onto: Any) -> Any:
        """Return bits moved on by `size` bytes, and added to those that are there."""
        by = ir.Constant(
            self.kind, [_power(8 * size + 32) << 1, _power(8 * size - 32) << 1] * self.parts
        )
        kind = ir.FunctionType(self.kind, [self.kind, self.kind, _BYTE])
        multiply = get_or_insert_function(builder.module, kind, self.name)
        low = builder.call(multiply, [those, by, _BYTE(0x00)])
        high = builder.call(multiply, [those, by, _BYTE(0x11)])
        return builder.xor(builder.xor(low, high), onto)

    def halves(self, builder: Any, whole: Any) -> list[Any]:
        """Return each 128 bits by themselves."""
        spans = [
            ir.Constant(ir.VectorType(ir.IntType(32), 2), [k, k + 1])
            for k in range(0, 2 * self.parts, 2)
        ]
        return [builder.shuffle_vector(whole, whole, span) for span in spans]


_PAIR: Final = _Registers(1)


def _fold(registers: _Registers) -> Any:
    """Return what folds bytes onto the next ones, four registers side by side."""
    width = 16 * registers.parts

    def build(_typing: Any, _at: Any, _steps: Any, _before: Any) -> Any:
        """Return 16 bytes (two uint64) with the CRC of so many steps behind CRC `before`."""

        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            at, steps, before = values
            zero = ir.Constant(registers.kind, [0] * (2 * registers.parts))
            begin = builder.insert_element(zero, before, ir.IntType(32)(0))
            rooms = [alloca_once(builder, registers.kind) for _ in range(4)]
            for i, room in enumerate(rooms):
                first = registers.read(builder, at, width * i)
                builder.store(builder.xor(first, begin) if i == 0 else first, room)
            with for_range(builder, builder.sub(steps, _WORD(1))) as loop:
                step = builder.mul(builder.add(loop.index, _WORD(1)), _WORD(4 * width))
                here = builder.add(at, step)
                for i, room in enumerate(rooms):
                    onto = registers.read(builder, here, width * i)
                    those = builder.load(room)
                    builder.store(registers.folded(builder, those, 4 * width, onto), room)
            left = builder.load(rooms[0])
            for room in rooms[1:]:
                left = registers.folded(builder, left, width, builder.load(room))
            first, *others = registers.halves(builder, left)
            for other in others:
                first = _PAIR.folded(builder, first, 16, other)
            words = [builder.extract_element(first, ir.IntType(32)(i)) for i in range(2)]
            return context.make_tuple(builder, signature.return_type, words)

        pair: Any = types.UniTuple(types.uint64, 2)
        return pair(types.int64, types.int64, types.uint64), code

    return compiled(build)


def _features() -> list[str]:
    """Return what compiled code may use: numba can be told of a lesser processor."""
    _triple, _processor, features = cpu_target.target_context.codegen().magic_tuple()
    return str(features).split(",")


_WIDE: Final = 4 if {"+vpclmulqdq", "+avx512f"} <= {*_features()} else 1
_WIDE_STEP, _STEP = 64 * _WIDE, 64
_fold_widely, _fold_rest = _fold(_Registers(_WIDE)), _fold(_PAIR)


@lean
def _by_word(word: Any) -> Any:
    """Return what the register holds after eight bytes, the first one lowest, from 0 on."""
    check = np.uint32(0)
    for k in range(8):
        check ^= _TABLES[7 - k, word >> np.uint64(8 * k) & np.uint64(0xFF)]
    return check


@lean
def _by_tables(at: Any, end: Any, check: Any) -> Any:
    """Return what the register holds after the bytes at these addresses."""
    while end - at >= 8:
        check = _by_word(get_word(at) ^ np.uint64(check))
        at += 8
    while at < end:
        check = _TABLES[
            0, (np.uint64(check) ^ get_byte(at)) & np.uint64(0xFF)
        ] ^ check >> np.uint32(8)
        at += 1
    return check


@lean
def _by_folding(at: Any, end: Any, check: Any) -> Any:
    """Do the same with an instruction that multiplies bits."""
    steps = (end - at) // _WIDE_STEP
    if steps > 0:
        first, last = _fold_widely(at, steps, np.uint64(check))
        check = _by_word(np.uint64(_by_word(first)) ^ last)
        at += steps * _WIDE_STEP
    steps = (end - at) // _STEP
    if steps > 0:
        first, last = _fold_rest(at, steps, np.uint64(check))
        check = _by_word(np.uint64(_by_word(first)) ^ last)
        at += steps * _STEP
    return _by_tables(at, end, check)


_onwards: Final = _by_folding if "+pclmul" in _features() else _by_tables


@lean
def crc32_at(at: Any, end: Any, before: Any) -> Any:
    """Return the CRC-32 (uint32) of the bytes at addresses behind those that have `before`."""
    return _onwards(at, end, before ^ np.uint32(_ALL)) ^ np.uint32(_ALL)


@entry
def _of_whole(at: Any, end: Any, before: Any) -> Any:
    return crc32_at(at, end, before)


@lean
def product(one: Any, other: Any) -> Any:
    """Return the product of two polynomials, modulo that of the CRC.

    The CRC-32 of two parts is `product(moved_by(size of the other), that of one) ^ that of other`.
    """
    out = np.uint32(0)
    for k in range(32):
        if one >> np.uint32(31 - k) & np.uint32(1):
            out ^= other
        lost = other & np.uint32(1)
        other >>= np.uint32(1)
        if lost:
            other ^= _POLYNOMIAL
    return out


@lean
def moved_by(size: Any) -> Any:
    """Return x^(8 size)."""
    out, square = _X_0, _X_8
    while size:
        if size & 1:
            out = product(out, square)
        square = product(square, square)
        size >>= 1
    return out


def crc32(data: bytes | bytearray | memoryview, before: int = 0) -> int:
    """Return what `zlib.crc32` does; of `before`, too, the low 32 bits count."""
    before &= _ALL
    if len(data) < LEAST:
        return of_zlib(data, before)
    whole = np.frombuffer(data, np.uint8)
    begin = whole.ctypes.data
    return int(_of_whole(begin, begin + len(whole), np.uint32(before)))
