"""Columns without gaps as they stand one after the other in a CBOR batch.

A batch of ten signals is mostly ten runs of little-endian numbers. A `Sheet` keeps these runs and
makes a `Column` of one only when asked for it; what it says is the same.
"""

from abc import ABCMeta
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, chain
from threading import Lock
from typing import Any, Final
from weakref import WeakValueDictionary
from zlib import crc32

import msgspec

from models.contract.messages import ITEM_SIZE, Column

#: RFC 8746: column type -> tag of the little-endian typed array
TAGS: Final[Mapping[str, int]] = {"d": 86, "f": 85, "q": 79}
COLUMNS: Final = 1 << 14  #: of layouts that nobody uses, some 300 bytes each
_SHORT: Final = 24  #: counts below this stand in the first byte
BYTES: Final = 2 << 5
_TEXT: Final = 3 << 5


def head(major: int, count: int) -> bytes:
    """Return the shortest CBOR head of a type (`major` in its place) with a count below 2^32."""
    if count < _SHORT:
        return bytes((major | count,))
    for more, width in ((24, 1), (25, 2), (26, 4)):
        if count < 1 << 8 * width:
            return bytes((major | more,)) + count.to_bytes(width, "big")
    raise OverflowError(count)


def column_head(name: str, kind: str, count: int) -> bytes:
    """Return what stands before a column's values: its name, the array's tag and its size."""
    text = name.encode()
    tag = bytes((0xD8, TAGS[kind])) if kind in TAGS else b""
    return head(_TEXT, len(text)) + text + tag + head(BYTES, count * ITEM_SIZE[kind])


class Layout:
    """Names, types and length of a sheet's columns."""

    __slots__ = (
        "__weakref__", "count", "doubles", "ends", "heads", "names", "places", "size", "sizes",
        "types",
    )  # fmt: skip

    def __init__(self, names: tuple[str, ...], types: str, count: int) -> None:
        self.names = names
        self.types = types
        self.count = count
        self.doubles = set(types) == {"d"}  #: all columns are float64
        kinds = list(zip(names, types, strict=True))
        self.heads = tuple(column_head(name, kind, count) for name, kind in kinds)
        self.sizes = tuple(count * ITEM_SIZE[kind] for kind in types)
        self.ends = tuple(accumulate(self.sizes))  #: of columns that stand without their heads
        self.size = sum(map(len, self.heads)) + sum(self.sizes)  #: bytes of `join`
        self.places = {name: at for at, name in enumerate(names)}

    def join(self, cells: Sequence[bytes]) -> bytes:
        """Return the columns as they stand in a CBOR batch."""
        return b"".join(chain.from_iterable(zip(self.heads, cells, strict=True)))


_Key = tuple[tuple[str, ...], str, int]


class _Layouts:
    """The layouts that somebody uses, and of all those asked for last `COLUMNS` columns.

    Who keeps one for long, as `cloud.reader` does, counts its bytes.
    """

    def __init__(self) -> None:
        self.columns = 0
        self.known: dict[_Key, Layout] = {}
        self._used: WeakValueDictionary[_Key, Layout] = WeakValueDictionary()
        self._lock = Lock()

    def get(self, names: tuple[str, ...], types: str, count: int) -> Layout:
        key = names, types, count
        found = self.known.get(key)
        return self._add(key) if found is None else found

    def _add(self, key: _Key) -> Layout:
        with self._lock:
            found = self._used.get(key)
            if found is None:
                found = self._used[key] = Layout(*key)
            if key not in self.known:
                self.known[key] = found
                self.columns += len(key[0])
            while self.columns > COLUMNS and len(self.known) > 1:
                oldest = next(iter(self.known))
                del self.known[oldest]
                self.columns -= len(oldest[0])
        return found


_layouts = _Layouts()


def layout(names: tuple[str, ...], types: str, count: int) -> Layout:
    """Return the layout; equal ones are one object."""
    return _layouts.get(names, types, count)


class _Meta(msgspec.StructMeta, ABCMeta):
    """Of a struct that is a mapping."""


class Sheet(Mapping[str, Column], msgspec.Struct, metaclass=_Meta, frozen=True, gc=False, eq=False):
    """Columns of one layout, their values one behind the other in `data`: bytes, or an array.

    `check`: the checksum of `Layout.join`. Where a reader has made them: `table`, the values as an
    array (columns, count), then none is infinite; `times_ns` (count,), the samples' times; `whole`,
    the checksum of the message; and `print`, what `codec.fingerprint` says of it.
    """

    layout: Layout
    data: Any
    check: int
    whole: int | None = None
    table: Any = None
    times_ns: Any = None
    print: int | None = None

    def __getitem__(self, name: str) -> Column:
        at = self.layout.places[name]
        end = self.layout.ends[at]
        cells = memoryview(self.data).cast("B")[end - self.layout.sizes[at] : end]
        return Column(type=self.layout.types[at], data=bytes(cells))

    def __iter__(self) -> Iterator[str]:
        return iter(self.layout.names)

    def __len__(self) -> int:
        return len(self.layout.names)

    def __repr__(self) -> str:
        return repr(dict(self))


def check_of(columns: Mapping[str, Column]) -> int:
    """Return the checksum of any columns; gaps count after the values of their column."""
    if type(columns) is Sheet:
        return columns.check
    check = 0
    for name, column in columns.items():
        check = crc32(column_head(name, column.type, len(column)), check)
        check = crc32(column.data, check)
        if column.missing is not None:
            check = crc32(column.missing, check)
    return check
