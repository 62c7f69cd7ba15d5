"""One way to compile a kernel: strict IEEE arithmetic, no global lock, a cache that is never stale.

No `fastmath`, no `parallel`: the same rows give the same bits however they are grouped.
"""

import inspect
import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

P = ParamSpec("P")
R = TypeVar("R")
K = TypeVar("K")
_PLAIN = (int, float, complex, str, bytes, np.generic, np.dtype)


def _compiled(function: Callable[P, R], arrays: bool, **options: bool) -> Callable[P, R]:
    """Compile a function; `arrays`: it makes some, so it counts who holds those it knows.

    Said of each: numba would take what is not said from the first one that calls it.
    """
    njit: Any = numba.njit  # its stubs do not know `_nrt`
    made = njit(nogil=True, error_model="numpy", _nrt=arrays, **options)(function)
    return cast("Callable[P, R]", made)


def part(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that only compiled functions call; it is cached with its callers."""
    return _compiled(function, arrays=True)


def lean(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a `part` that makes no array: to count holders takes time in small ones."""
    return _compiled(function, arrays=False)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function into each place that calls it: for values that live in registers."""
    return _compiled(function, arrays=False, forceinline=True)


def entry(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that Python calls; machine code is kept on disk beside the source."""
    return kept(part(function))


def kept(kernel: K) -> K:
    """Keep on disk what a compiled function is compiled to, until anything it is made of changes.

    numba's own `cache=True` looks at the function's file alone, not at those that it calls into.
    """
    made: Any = kernel
    made._cache = Cache(made.py_func)
    return kernel


class Cache(FunctionCache):
    """Machine code by all that it was compiled from."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), self._build)

    @cached_property
    def _build(self) -> int:
        """Of the first call: only then is all that the function names there."""
        return build_of(self._py_func)


def build_of(function: Any) -> int:
    """Return a checksum of all that a function is compiled from.

    That is its code and that of the compiled functions it reaches, in whatever files; the numbers,
    texts and arrays they name; and the files of what tells the compiler what to do (intrinsics).
    """
    found = 0
    reached = [function]
    for one in reached:  # grows meanwhile
        for code in _codes(one.__code__):
            plain = [const for const in code.co_consts if not isinstance(const, CodeType)]
            found = zlib.crc32(repr((code.co_code, code.co_names, plain)).encode(), found)
        for value in _named(one):
            found = zlib.crc32(_text(value), found)
            if isinstance(value, Dispatcher) and value.py_func not in reached:
                reached.append(value.py_func)
    return found


def _text(value: Any) -> bytes:
    """Return what the compiler makes of a value that a function names, without its own names."""
    if isinstance(value, Dispatcher):
        return repr(sorted(value.targetoptions.items())).encode()
    if isinstance(value, np.ndarray):
        return repr((value.dtype, value.shape)).encode() + value.tobytes()
    if isinstance(value, tuple):
        return b"".join([repr(len(value)).encode(), *map(_text, value)])
    if isinstance(value, _PLAIN):
        return repr(value).encode()
    code = getattr(inspect.unwrap(value), "__code__", None) if callable(value) else None
    file = Path(code.co_filename) if code else None
    return file.read_bytes() if file and file.is_file() else b""


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a function's code and that of the functions inside it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)


def _named(function: Any) -> list[Any]:
    """Return the values that a function's names stand for, those in modules too."""
    names = dict.fromkeys(name for code in _codes(function.__code__) for name in code.co_names)
    values = [cell.cell_contents for cell in function.__closure__ or ()]
    values += [function.__globals__[name] for name in names if name in function.__globals__]
    modules = [value for value in values if isinstance(value, ModuleType)]
    for module in modules:
        inside = [vars(module)[name] for name in names if name in vars(module)]
        values += inside
        modules += [one for one in inside if isinstance(one, ModuleType) and one not in modules]
    return values
