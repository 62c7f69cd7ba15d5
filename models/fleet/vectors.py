"""Vectors of four float64 in compiled code: a lane a signal, the same bits on every machine.

A type of its own instead of loops that the compiler may or may not turn into vector code: the state
of four signals stays in registers from row to row. Only element-wise IEEE operations, each rounded
for itself; `smaller` and `larger` choose as Python's `min` and `max` do.
"""

import operator
from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba.core import types
from numba.core.cgutils import get_or_insert_function
from numba.core.datamodel.models import PrimitiveModel
from numba.core.datamodel.registry import register_default
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import lower_builtin
from numba.np.arrayobj import make_array

LANES: Final = 4
_VECTOR: Final = ir.VectorType(ir.DoubleType(), LANES)
_MASK: Final = ir.VectorType(ir.IntType(1), LANES)


class Doubles(types.Type):
    """Four float64."""


class Mask(types.Type):
    """What a comparison of four float64 says."""


DOUBLES: Final = Doubles("doubles")
MASK: Final = Mask("mask")
FLOAT: Final = types.float64
FOUR: Final = types.UniTuple(DOUBLES, 4)
TABLE: Final = types.Array(FLOAT, 1, "C")


@register_default(Doubles)
class _DoublesModel(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


@register_default(Mask)
class _MaskModel(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _MASK)


def _spread(builder: Any, number: Any) -> Any:
    """Return a number in all lanes."""
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, ir.IntType(32)(0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, one, lanes)


def _operation(
    key: Any, result: Any, kinds: list[tuple[Any, ...]], emit: Callable[..., Any]
) -> None:
    """Define `key` in compiled code. `emit(context, builder, kinds, values)` gives its code."""

    class Template(ConcreteTemplate):
        cases = [signature(result, *kind) for kind in kinds]  # noqa: RUF012  numba's form

    infer_global(key)(Template)
    for kind in kinds:

        def code(context: Any, builder: Any, typed: Any, values: Any) -> Any:
            return emit(context, builder, typed.args, values)

        lower_builtin(key, *kind)(code)


def _numbers(key: Any, result: Any, emit: Callable[..., Any]) -> None:
    """Define an operation of two vectors, or of a vector and a number."""

    def spread(_context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        both = [
            value if kind is DOUBLES else _spread(builder, value)
            for kind, value in zip(kinds, values, strict=True)
        ]
        return emit(builder, *both)

    _operation(key, result, [(DOUBLES, DOUBLES), (DOUBLES, FLOAT), (FLOAT, DOUBLES)], spread)


def _compared(sign: str) -> Callable[..., Any]:
    return lambda builder, a, b: builder.fcmp_ordered(sign, a, b)


def smaller(a: Any, b: Any) -> Any:
    """Return `min(a, b)` of each lane."""
    raise NotImplementedError


def larger(a: Any, b: Any) -> Any:
    """Return `max(a, b)` of each lane."""
    raise NotImplementedError


def choose(mask: Any, a: Any, b: Any) -> Any:
    """Return `a` in the lanes of the mask, else `b`."""
    raise NotImplementedError


def load(table: Any, at: int) -> Any:
    """Return four numbers of a table from a place on, which must be there."""
    raise NotImplementedError


def store(table: Any, at: int, lanes: Any) -> None:
    """Put four numbers into a table from a place on, which must be there."""
    raise NotImplementedError


def some(mask: Any) -> bool:
    """Return whether the mask holds in any lane."""
    raise NotImplementedError


def total(lanes: Any) -> float:
    """Return (first + second) + (third + fourth)."""
    raise NotImplementedError


def every(number: float) -> Any:
    """Return a number in every lane."""
    raise NotImplementedError


def turned(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Return the four vectors of the first lanes, of the second, the third and the fourth."""
    raise NotImplementedError


def upwards(lanes: Any) -> Any:
    """Return the least whole number that is not below each."""
    raise NotImplementedError


def single(lanes: Any) -> Any:
    """Return the nearest number of single precision to each."""
    raise NotImplementedError


def _choose(_context: Any, builder: Any, _kinds: Any, values: Any) -> Any:
    return builder.select(*values)


def _single(_context: Any, builder: Any, _kinds: Any, values: Any) -> Any:
    halves = ir.VectorType(ir.FloatType(), LANES)
    return builder.fpext(builder.fptrunc(values[0], halves), _VECTOR)


def _place(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
    data = make_array(kinds[0])(context, builder, values[0]).data
    return builder.bitcast(builder.gep(data, [values[1]]), _VECTOR.as_pointer())


def _load(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
    return builder.load(_place(context, builder, kinds, values), align=8)


def _store(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
    builder.store(values[2], _place(context, builder, kinds, values), align=8)
    return context.get_dummy_value()


def _some(_context: Any, builder: Any, _kinds: Any, values: Any) -> Any:
    bits = builder.bitcast(values[0], ir.IntType(LANES))
    return builder.icmp_unsigned("!=", bits, ir.IntType(LANES)(0))


def _total(_context: Any, builder: Any, _kinds: Any, values: Any) -> Any:
    a, b, c, d = (builder.extract_element(values[0], ir.IntType(32)(i)) for i in range(LANES))
    return builder.fadd(builder.fadd(a, b), builder.fadd(c, d))


def _every(_context: Any, builder: Any, _kinds: Any, values: Any) -> Any:
    return _spread(builder, values[0])


def _turned(context: Any, builder: Any, _kinds: Any, values: Any) -> Any:
    def mixed(a: Any, b: Any, lanes: list[int]) -> Any:
        kind = ir.VectorType(ir.IntType(32), LANES)
        return builder.shuffle_vector(a, b, ir.Constant(kind, lanes))

    a, b, c, d = values
    pairs = [mixed(a, b, [0, 4, 2, 6]), mixed(a, b, [1, 5, 3, 7])]
    pairs += [mixed(c, d, [0, 4, 2, 6]), mixed(c, d, [1, 5, 3, 7])]
    rows = [mixed(pairs[i], pairs[i + 2], [0, 1, 4, 5]) for i in range(2)]
    rows += [mixed(pairs[i], pairs[i + 2], [2, 3, 6, 7]) for i in range(2)]
    return context.make_tuple(builder, FOUR, rows)


def _by(name: str) -> Callable[..., Any]:
    """Return an operation of the compiler's own on one vector."""

    def emit(_context: Any, builder: Any, _kinds: Any, values: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        function = get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f64")
        return builder.call(function, values)

    return emit


for _key, _emit in (
    (operator.add, lambda builder, a, b: builder.fadd(a, b)),
    (operator.iadd, lambda builder, a, b: builder.fadd(a, b)),
    (operator.sub, lambda builder, a, b: builder.fsub(a, b)),
    (operator.mul, lambda builder, a, b: builder.fmul(a, b)),
    (operator.truediv, lambda builder, a, b: builder.fdiv(a, b)),
    (smaller, lambda builder, a, b: builder.select(builder.fcmp_ordered("<", b, a), b, a)),
    (larger, lambda builder, a, b: builder.select(builder.fcmp_ordered(">", b, a), b, a)),
):
    _numbers(_key, DOUBLES, _emit)
for _key, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
):
    _numbers(_key, MASK, _compared(_sign))
_operation(operator.or_, MASK, [(MASK, MASK)], lambda _c, builder, _k, v: builder.or_(*v))
_operation(operator.and_, MASK, [(MASK, MASK)], lambda _c, builder, _k, v: builder.and_(*v))
_operation(operator.invert, MASK, [(MASK,)], lambda _c, builder, _k, v: builder.not_(*v))
_operation(abs, DOUBLES, [(DOUBLES,)], _by("fabs"))
_operation(upwards, DOUBLES, [(DOUBLES,)], _by("ceil"))
_operation(single, DOUBLES, [(DOUBLES,)], _single)
_operation(choose, DOUBLES, [(MASK, DOUBLES, DOUBLES)], _choose)
_operation(load, DOUBLES, [(TABLE, types.int64)], _load)
_operation(store, types.none, [(TABLE, types.int64, DOUBLES)], _store)
_operation(some, types.boolean, [(MASK,)], _some)
_operation(total, FLOAT, [(DOUBLES,)], _total)
_operation(every, DOUBLES, [(FLOAT,)], _every)
_operation(turned, FOUR, [(DOUBLES,) * 4], _turned)
