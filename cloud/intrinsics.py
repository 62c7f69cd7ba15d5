"""Bytes and words at an address in compiled code, for a kernel that writes text.

numpy's indexing would do a word byte by byte, and count the references of an array at every call.
Little-endian, at any address. Nobody checks it: the caller keeps the array, and room behind.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.cgutils import raw_memcpy
from numba.extending import intrinsic
from numpy.typing import NDArray

_HEAD: Final = sys.getsizeof(b"") - 1  #: of an object of bytes, which CPython has at its `id`
_BYTE, _WORD = ir.IntType(8), ir.IntType(64)


def compiled(build: Callable[..., Any]) -> Any:
    """Return what compiled code calls: `build` says its types and makes its instructions."""
    return intrinsic(build)


def addresses(parts: Sequence[bytes]) -> NDArray[np.int64]:
    """Return where the bytes of each part are, (parts,): as long as the caller keeps these."""
    if not set(map(type, parts)) <= {bytes}:
        raise TypeError("bytes are expected, nothing else stands there")
    return np.fromiter(map(id, parts), np.int64, len(parts)) + _HEAD


def _store(size: Any) -> Any:
    def code(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        place = builder.inttoptr(values[0], ir.PointerType(size))
        builder.store(values[1], place, align=1)
        return context.get_dummy_value()

    return code


@compiled
def put_word(_typing: Any, _at: Any, _word: Any) -> Any:
    """Store a uint64 in the eight bytes at an address."""
    return types.void(types.int64, types.uint64), _store(_WORD)


@compiled
def put_byte(_typing: Any, _at: Any, _byte: Any) -> Any:
    """Store a uint8 at an address."""
    return types.void(types.int64, types.uint8), _store(_BYTE)


@compiled
def get_byte(_typing: Any, _at: Any) -> Any:
    """Return the byte at an address as a uint64."""

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        byte = builder.load(builder.inttoptr(values[0], ir.PointerType(_BYTE)))
        return builder.zext(byte, _WORD)

    return types.uint64(types.int64), code


@compiled
def get_word(_typing: Any, _at: Any) -> Any:
    """Return the eight bytes at an address as a uint64."""

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.load(builder.inttoptr(values[0], ir.PointerType(_WORD)), align=1)

    return types.uint64(types.int64), code


@compiled
def first_bit(_typing: Any, _word: Any) -> Any:
    """Return the place of the lowest bit that is set in a uint64 other than 0, as an int64."""

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), code


@compiled
def last_bit(_typing: Any, _word: Any) -> Any:
    """Return the place of the highest bit that is set in a uint64 other than 0, as an int64."""

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.sub(_WORD(63), builder.ctlz(values[0], ir.Constant(ir.IntType(1), 1)))

    return types.int64(types.uint64), code


@compiled
def copy(_typing: Any, _to: Any, _at: Any, _size: Any) -> Any:
    """Copy so many bytes from one address to another."""

    def code(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        to, at = [builder.inttoptr(value, ir.PointerType(_BYTE)) for value in values[:2]]
        raw_memcpy(builder, to, at, values[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), code
