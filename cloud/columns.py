"""Batches' columns as arrays: views where possible, split by machine."""

import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.contract.messages import ITEM_SIZE, Batch, Column, MachineRef
from models.contract.sheet import Sheet

DTYPES: Final[Mapping[str, str]] = {"d": "<f8", "f": "<f4", "q": "<i8", "?": "?"}
BAD: Final = 2
MAX_REMEMBERED: Final = 256  #: names whose split is; more would fill the memory
T = TypeVar("T", bound=np.generic)


class Part(msgspec.Struct, gc=False):
    """The columns of one machine: `rows` samples each, names without the machine's prefix."""

    rows: int
    names: tuple[str, ...]
    arrays: tuple[NDArray[np.generic], ...] | NDArray[np.float64]
    quality: dict[str, NDArray[np.uint8]] = msgspec.field(default_factory=dict)
    missing: dict[str, NDArray[np.bool_]] = msgspec.field(default_factory=dict)

    def mark(self, quality: int) -> None:
        """Raise every sample's quality code to at least this."""
        for name in self.names:
            worse = self.quality.get(name, np.zeros(self.rows, np.uint8))
            self.quality[name] = np.maximum(worse, np.uint8(quality))


def take(batch: Batch, skip: int, count: int) -> Part:
    """Return samples `skip` to `skip + count` (or the end) of all columns, ±Inf made missing.

    Those of a part are copied, so that they do not keep the rest.
    """
    end, columns = min(batch.count, skip + count), batch.columns
    part = None if end - skip == batch.count else slice(skip, end)
    if type(columns) is Sheet and (table := _finite_table(columns)) is not None:
        return Part(end - skip, columns.layout.names, table if part is None else _cut(table, part))
    names = tuple(columns)
    found = tuple(columns.values())
    quality = {n: _cut(np.frombuffer(q, np.uint8), part) for n, q in batch.quality.items()}
    missing = {
        name: _cut(np.frombuffer(column.missing, np.bool_), part)
        for name, column in columns.items()
        if column.missing is not None
    }
    if all(column.type == "d" for column in found):
        table = _cut(_table(found, batch.count), part)
        arrays: tuple[NDArray[np.generic], ...] = tuple(table)
        suspicious = not np.isfinite(table).all()
    else:
        arrays = tuple(_cut(np.frombuffer(c.data, DTYPES[c.type]), part) for c in found)
        suspicious = True
    if suspicious:
        arrays = tuple(
            _finite(array, name, quality) if array.dtype.kind == "f" else array
            for name, array in zip(names, arrays, strict=True)
        )
    return Part(end - skip, names, arrays, quality, missing)


def _cut(array: NDArray[T], part: slice | None) -> NDArray[T]:
    """Return a copy of a part along the last axis, or the whole array as it is."""
    return array if part is None else array[..., part].copy()


def _finite_table(sheet: Sheet) -> NDArray[np.float64] | None:
    """Return the columns (k, n) where all are float64 and no value is infinite."""
    if sheet.table is not None or not sheet.layout.doubles:
        table: NDArray[np.float64] | None = sheet.table
        return table
    made = np.frombuffer(sheet.data, "<f8").reshape(len(sheet), sheet.layout.count)
    return None if np.isinf(made).any() else made


def _table(columns: tuple[Column, ...], count: int) -> NDArray[np.float64]:
    """Return float64 columns as the rows of one array, shape (columns, count)."""
    joined = b"".join([column.data for column in columns])
    assert len(joined) == len(columns) * count * ITEM_SIZE["d"]
    return np.frombuffer(joined, dtype="<f8").reshape(len(columns), count)


def _finite(
    values: NDArray[np.generic], name: str, quality: dict[str, NDArray[np.uint8]]
) -> NDArray[np.generic]:
    """Store ±Inf as missing with quality bad."""
    infinite = np.isinf(values)
    if not infinite.any():
        return values
    marked = quality.get(name, np.zeros(len(values), np.uint8)).copy()
    marked[infinite] = BAD
    quality[name] = marked
    return np.where(infinite, np.nan, values).astype(values.dtype)


@lru_cache(maxsize=4096)
def _split(
    names: tuple[str, ...], keys: frozenset[str]
) -> dict[str, tuple[tuple[int, ...], tuple[str, ...]]]:
    """Return which columns belong to which machine and what they are called there.

    The key "" takes what names none.
    """
    found: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        key, slash, _ = name.partition("/")
        found.setdefault(key if slash and key in keys else "", []).append(index)
    out = {}
    for key, indices in found.items():
        cut = len(key) + 1 if key else 0
        out[key] = tuple(indices), tuple(sys.intern(names[i][cut:]) for i in indices)
    return out


def by_machine(part: Part, machines: Mapping[str, MachineRef]) -> dict[str, Part]:
    """Split the columns `[key/]signal` by the machines that the birth lists."""
    if len(machines) == 1 and "" in machines:
        return {"": part}
    few = len(part.names) <= MAX_REMEMBERED
    split = (_split if few else _split.__wrapped__)(part.names, frozenset(machines))
    if split.keys() == {""}:
        return {"": part}
    out = {}
    for key, (indices, names) in split.items():
        out[key] = Part(
            part.rows,
            names,
            _rows(part.arrays, indices),
            _renamed(part.quality, part.names, indices, names),
            _renamed(part.missing, part.names, indices, names),
        )
    return out


def _renamed(
    of: dict[str, NDArray[T]],
    before: tuple[str, ...],
    indices: tuple[int, ...],
    names: tuple[str, ...],
) -> dict[str, NDArray[T]]:
    if not of:
        return {}
    pairs = zip(names, indices, strict=True)
    return {name: of[before[i]] for name, i in pairs if before[i] in of}


def _rows(
    arrays: tuple[NDArray[np.generic], ...] | NDArray[np.float64], indices: tuple[int, ...]
) -> tuple[NDArray[np.generic], ...] | NDArray[np.float64]:
    """Return some columns; of a table as one table, a view of it where they are neighbours."""
    if isinstance(arrays, tuple):
        return tuple(arrays[i] for i in indices)
    first, last = indices[0], indices[-1]
    neighbours = last - first + 1 == len(indices)
    return arrays[first : last + 1] if neighbours else arrays[list(indices)]
