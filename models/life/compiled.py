"""One way to compile a kernel: machine code in a cache, strict IEEE arithmetic, no global lock."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and numbers at its first call.

    No `fastmath`, no `parallel`: the same rows give the same bits however they are grouped. The
    cache is renewed when the file of the function changes, not when another file does that it calls
    into, so kernels that call each other share a file.
    """
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
