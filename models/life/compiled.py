"""One way to compile a kernel: strict IEEE arithmetic, no global lock, a cache that is never stale.

No `fastmath`, no `parallel`: the same rows give the same bits however they are grouped.
"""

import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def part(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that only compiled functions call; it is cached with its callers."""
    return cast("Callable[P, R]", numba.njit(nogil=True, error_model="numpy")(function))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function into each place that calls it: for values that live in registers."""
    made = numba.njit(nogil=True, error_model="numpy", forceinline=True)(function)
    return cast("Callable[P, R]", made)


def entry(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that Python calls; machine code is kept on disk beside the source.

    Numba renews that cache when the function's own file or a free variable of it changes, not when
    another file does that it calls into: make `build_of` those files a free variable.
    """
    jit = numba.njit(nogil=True, error_model="numpy", cache=True)
    return cast("Callable[P, R]", jit(function))


def build_of(*modules: ModuleType) -> int:
    """Return a checksum of all compiled functions in some modules and of the numbers they name.

    Of a module without any (it tells the compiler what to do) it is that of the file.
    """
    found = 0
    for module in modules:
        sources = [getattr(function, "py_func", None) for function in vars(module).values()]
        compiled: list[Any] = [source for source in sources if source is not None]
        if not compiled and module.__file__:
            found = zlib.crc32(Path(module.__file__).read_bytes(), found)
        for source in compiled:
            code = source.__code__
            numbers = [source.__globals__.get(name) for name in code.co_names]
            plain = [n for n in numbers if isinstance(n, int | float | tuple)]
            found = zlib.crc32(code.co_code + repr((code.co_consts, plain)).encode(), found)
    return found
