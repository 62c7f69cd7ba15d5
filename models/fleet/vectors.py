"""Vectors of four and of eight float64 in compiled code: a lane a signal, the same bits everywhere.

Types of their own instead of loops that the compiler may or may not turn into vector code: the
state of the signals stays in registers from row to row. Only element-wise IEEE operations, each
rounded for itself; `smaller` and `larger` choose as Python's `min` and `max` do. Where a processor
has no registers of eight, the compiler takes two of four, or four of two.
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
WIDE: Final = 8  #: lanes of the wide ones


class Doubles(types.Type):
    """So many float64."""

    def __init__(self, lanes: int) -> None:
        super().__init__(f"doubles{lanes}")
        self.lanes = lanes
        self.form = ir.VectorType(ir.DoubleType(), lanes)


class Mask(types.Type):
    """What a comparison of so many float64 says."""

    def __init__(self, lanes: int) -> None:
        super().__init__(f"mask{lanes}")
        self.lanes = lanes
        self.form = ir.VectorType(ir.IntType(1), lanes)


@register_default(Doubles)
@register_default(Mask)
class _Model(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, kind.form)


DOUBLES: Final = {lanes: Doubles(lanes) for lanes in (LANES, WIDE)}
MASKS: Final = {lanes: Mask(lanes) for lanes in (LANES, WIDE)}
FLOAT: Final = types.float64
TABLE: Final = types.Array(FLOAT, 1, "C")
Case = tuple[Any, tuple[Any, ...]]  #: the type of a result, and those of what it is made of


def _numbered(lanes: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)


def _spread(builder: Any, number: Any, kind: Any) -> Any:
    """Return a number in all lanes."""
    nothing = ir.Constant(kind.form, ir.Undefined)
    one = builder.insert_element(nothing, number, ir.IntType(32)(0))
    return builder.shuffle_vector(one, one, _numbered([0] * kind.lanes))


def _operation(key: Any, known: list[Case], emit: Callable[..., Any]) -> None:
    """Define `key` in compiled code. `emit(context, builder, signature, values)` gives its code."""

    class Template(ConcreteTemplate):
        cases = [signature(result, *kinds) for result, kinds in known]  # noqa: RUF012  its form

    infer_global(key)(Template)
    for _result, kinds in known:
        lower_builtin(key, *kinds)(emit)


def _numbers(key: Any, results: dict[int, Any], emit: Callable[..., Any]) -> None:
    """Define an operation of two vectors, or of a vector and a number."""

    def spread(_context: Any, builder: Any, typed: Any, values: Any) -> Any:
        vector = next(kind for kind in typed.args if kind is not FLOAT)
        both = [
            _spread(builder, value, vector) if kind is FLOAT else value
            for kind, value in zip(typed.args, values, strict=True)
        ]
        return emit(builder, *both)

    cases: list[Case] = []
    for lanes, one in DOUBLES.items():
        cases += [(results[lanes], pair) for pair in ((one, one), (one, FLOAT), (FLOAT, one))]
    _operation(key, cases, spread)


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


def load_wide(table: Any, at: int) -> Any:
    """Return eight numbers of a table from a place on, which must be there."""
    raise NotImplementedError


def store(table: Any, at: int, lanes: Any) -> None:
    """Put the numbers of a vector into a table from a place on, which must be there."""
    raise NotImplementedError


def some(mask: Any) -> bool:
    """Return whether the mask holds in any lane."""
    raise NotImplementedError


def total(lanes: Any) -> float:
    """Return (first + second) + (third + fourth), of four."""
    raise NotImplementedError


def low(lanes: Any) -> Any:
    """Return the first four of eight."""
    raise NotImplementedError


def high(lanes: Any) -> Any:
    """Return the last four of eight."""
    raise NotImplementedError


def every(number: float) -> Any:
    """Return a number in four lanes."""
    raise NotImplementedError


def every_wide(number: float) -> Any:
    """Return a number in eight lanes."""
    raise NotImplementedError


def turned(*vectors: Any) -> Any:
    """Return as many vectors as lanes: that of all first lanes, of all second, and so on."""
    raise NotImplementedError


def signed(lanes: Any, like: Any) -> Any:
    """Return the size of each with the sign of another."""
    raise NotImplementedError


def upwards(lanes: Any) -> Any:
    """Return the least whole number that is not below each."""
    raise NotImplementedError


def single(lanes: Any) -> Any:
    """Return the nearest number of single precision to each."""
    raise NotImplementedError


def _choose(_context: Any, builder: Any, _typed: Any, values: Any) -> Any:
    return builder.select(*values)


def _single(_context: Any, builder: Any, typed: Any, values: Any) -> Any:
    halves = ir.VectorType(ir.FloatType(), typed.return_type.lanes)
    return builder.fpext(builder.fptrunc(values[0], halves), typed.return_type.form)


def _place(context: Any, builder: Any, table: Any, values: Any, kind: Any) -> Any:
    data = make_array(table)(context, builder, values[0]).data
    return builder.bitcast(builder.gep(data, [values[1]]), kind.form.as_pointer())


def _load(context: Any, builder: Any, typed: Any, values: Any) -> Any:
    place = _place(context, builder, typed.args[0], values, typed.return_type)
    return builder.load(place, align=8)


def _store(context: Any, builder: Any, typed: Any, values: Any) -> Any:
    place = _place(context, builder, typed.args[0], values, typed.args[2])
    builder.store(values[2], place, align=8)
    return context.get_dummy_value()


def _some(_context: Any, builder: Any, typed: Any, values: Any) -> Any:
    word = ir.IntType(typed.args[0].lanes)
    return builder.icmp_unsigned("!=", builder.bitcast(values[0], word), word(0))


def _total(_context: Any, builder: Any, _typed: Any, values: Any) -> Any:
    a, b, c, d = (builder.extract_element(values[0], ir.IntType(32)(i)) for i in range(LANES))
    return builder.fadd(builder.fadd(a, b), builder.fadd(c, d))


def _half(first: int) -> Callable[..., Any]:
    def emit(_context: Any, builder: Any, _typed: Any, values: Any) -> Any:
        lanes = _numbered(list(range(first, first + LANES)))
        return builder.shuffle_vector(values[0], values[0], lanes)

    return emit


def _every(_context: Any, builder: Any, typed: Any, values: Any) -> Any:
    return _spread(builder, values[0], typed.return_type)


def _turned(context: Any, builder: Any, typed: Any, values: Any) -> Any:
    """Swap halves, then halves of halves: the off-diagonal parts of a square change places."""
    rows, count = list(values), len(values)
    step = count // 2
    while step:
        for i in range(count):
            if i & step == 0:
                a, b = rows[i], rows[i + step]
                lower = [k if k & step == 0 else count + k - step for k in range(count)]
                upper = [k + step if k & step == 0 else count + k for k in range(count)]
                rows[i] = builder.shuffle_vector(a, b, _numbered(lower))
                rows[i + step] = builder.shuffle_vector(a, b, _numbered(upper))
        step //= 2
    return context.make_tuple(builder, typed.return_type, rows)


def _by(name: str) -> Callable[..., Any]:
    """Return an operation of the compiler's own on vectors."""

    def emit(_context: Any, builder: Any, typed: Any, values: Any) -> Any:
        form = typed.return_type.form
        kind = ir.FunctionType(form, [form] * len(values))
        name_of = f"llvm.{name}.v{typed.return_type.lanes}f64"
        return builder.call(get_or_insert_function(builder.module, kind, name_of), values)

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
    _numbers(_key, MASKS, _compared(_sign))
_BOTH = [(DOUBLES[lanes], MASKS[lanes]) for lanes in (LANES, WIDE)]
_TWO: list[Case] = [(mask, (mask, mask)) for _one, mask in _BOTH]
_ONE: list[Case] = [(one, (one,)) for one, _mask in _BOTH]
_operation(operator.or_, _TWO, lambda _c, builder, _t, v: builder.or_(*v))
_operation(operator.and_, _TWO, lambda _c, builder, _t, v: builder.and_(*v))
_operation(
    operator.invert, [(mask, (mask,)) for _one, mask in _BOTH],
    lambda _c, builder, _t, v: builder.not_(*v),
)  # fmt: skip
_operation(abs, _ONE, _by("fabs"))
_operation(upwards, _ONE, _by("ceil"))
_operation(signed, [(one, (one, one)) for one, _mask in _BOTH], _by("copysign"))
_operation(single, _ONE, _single)
_operation(choose, [(one, (mask, one, one)) for one, mask in _BOTH], _choose)
_operation(store, [(types.none, (TABLE, types.int64, one)) for one, _mask in _BOTH], _store)
_operation(some, [(types.boolean, (mask,)) for _one, mask in _BOTH], _some)
_operation(
    turned, [(types.UniTuple(one, one.lanes), (one,) * one.lanes) for one, _mask in _BOTH], _turned
)
for _lanes, _loads, _spreads in ((LANES, load, every), (WIDE, load_wide, every_wide)):
    _operation(_loads, [(DOUBLES[_lanes], (TABLE, types.int64))], _load)
    _operation(_spreads, [(DOUBLES[_lanes], (FLOAT,))], _every)
_operation(total, [(FLOAT, (DOUBLES[LANES],))], _total)
_operation(low, [(DOUBLES[LANES], (DOUBLES[WIDE],))], _half(0))
_operation(high, [(DOUBLES[LANES], (DOUBLES[WIDE],))], _half(LANES))
