"""A group's messages are read together: batches mostly look like the last ones of their topics.

A `Template` tells a batch's head; then all columns of one layout are taken apart by compiled code,
every byte between the readings compared. What differs in any other byte is read key by key, so that
the outcome is the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from cloud.crc import crc32s
from cloud.intrinsics import copy
from models.contract import codec, topics
from models.contract.errors import ContractError
from models.contract.messages import Batch
from models.contract.sheet import Layout, Sheet
from models.contract.template import Head, Template, bytes_of, template
from models.life.compiled import entry

MAX_TOPICS: Final = 65_536
MAX_BYTES: Final = 1 << 27  #: that templates take, by `Template.size` and their layouts
OF_LAYOUT: Final = 500  #: bytes of a layout of no columns (measured)
MAX_MISSES: Final = 8  #: batches in a row that fitted no template: then a topic gets none any more
TOGETHER: Final = 256 << 10  #: bytes of columns at once: a cache has them still at the next look
_MAP: Final = 5  #: major type of CBOR
_CBOR: Final = frozenset(
    {None, "", *(kind for kind, form in codec.CONTENT_TYPES.items() if form == "cbor")}
)

Read = codec.Message | ContractError


class Arrived(msgspec.Struct, frozen=True, gc=False):
    """A message as the broker delivered it. `token` lets the link acknowledge it."""

    topic: str
    payload: bytes
    received_ns: int
    content_type: str | None = None
    token: object = None


def _weight(shape: Layout) -> int:
    """Return the bytes of a layout; templates that are alike share it."""
    tables = (shape.names, shape.heads, shape.sizes, shape.ends)
    arrays = sum(map(len, shape.heads)) + 16 * len(shape.heads)  # as `_Columns` has heads and sizes
    whole = bytes_of((*tables, shape.places, shape.types)) + sum(map(bytes_of, tables))
    return OF_LAYOUT + whole + arrays


def apart(messages: Mapping[int, object]) -> dict[int, Batch]:
    """Return those of the messages that go on which must not keep what was read with them.

    The values of messages that look alike are one array. Where not all of it goes on, as among
    repeats, the values that do are copied: what is kept for later is no more than it says.
    """
    found = [
        (n, one, one.columns)
        for n, one in messages.items()
        if type(one) is Batch
        and type(one.columns) is Sheet
        and isinstance(one.columns.data, np.ndarray)
    ]
    left = {id(sheet.data.base): sheet.data.base.nbytes for *_, sheet in found}
    for *_, sheet in found:
        left[id(sheet.data.base)] -= sheet.data.nbytes
    return {
        n: msgspec.structs.replace(one, columns=_own(sheet))
        for n, one, sheet in found
        if left[id(sheet.data.base)]
    }


def _own(sheet: Sheet) -> Sheet:
    """Return the same with its values in memory of its own."""
    data = sheet.data.copy()
    table = None if sheet.table is None else data.view("<f8").reshape(sheet.table.shape)
    return Sheet(sheet.layout, data, sheet.check, table)


@entry
def _taken_apart(bodies: Any, shape: Any, values: Any, cells: Any, found: Any) -> None:
    """Copy the columns' values (messages, bytes); `found` (messages, 2), of each: fits, finite.

    `shape`: the bytes of all heads, and how many each has and the values behind it, (columns, 2).
    Fits: all stands where the heads say. Finite: none of `cells` (messages, numbers) is infinite.
    """
    heads, sizes = shape
    for i in range(len(bodies)):
        at = head = to = 0
        same = True
        for column in range(len(sizes)):
            for _ in range(sizes[column, 0]):
                same &= bodies[i, at] == heads[head]
                at += 1
                head += 1
            size = sizes[column, 1]
            copy(values[i].ctypes.data + to, bodies[i].ctypes.data + at, size)
            at += size
            to += size
        infinite = False
        for k in range(cells.shape[1]):
            infinite |= abs(cells[i, k]) == np.inf
        found[i, 0], found[i, 1] = same, not infinite


class _Columns:
    """Takes columns of one layout out of messages; `templates` have it."""

    __slots__ = ("_layout", "_shape", "templates")

    def __init__(self, layout: Layout) -> None:
        self.templates = 0
        self._layout = layout
        heads = np.frombuffer(b"".join(layout.heads), np.uint8)
        self._shape = heads, np.array([*zip(map(len, layout.heads), layout.sizes, strict=True)])

    def sheets(self, bodies: Sequence[memoryview]) -> list[Sheet | None]:
        """Return the columns that begin in each of these; None where it is of another layout."""
        layout, count = self._layout, len(bodies)
        joined = np.frombuffer(b"".join(bodies), np.uint8)
        values, found = np.empty((count, layout.ends[-1]), np.uint8), np.empty((count, 2), np.bool_)
        cells = values.view("<f8") if layout.doubles else np.empty((count, 0))
        _taken_apart(joined.reshape(count, layout.size), self._shape, values, cells, found)
        firsts = np.arange(0, len(joined), layout.size)
        checks = crc32s(joined, firsts, firsts + layout.size).tolist()
        fits = found[:, 0]
        if not fits.all():  # what goes on keeps nothing of what does not
            values = values[fits]
            cells = values.view("<f8") if layout.doubles else cells[fits]
        tables = _tables(cells, len(layout.names)) if layout.doubles else cells
        taken = zip(values, tables, strict=True)
        out: list[Sheet | None] = []
        for (fit, finite), check in zip(found.tolist(), checks, strict=True):
            if not fit:
                out.append(None)
                continue
            data, table = next(taken)
            out.append(Sheet(layout, data, check, table if layout.doubles and finite else None))
        return out


def _tables(cells: Any, columns: int) -> Any:
    return cells.reshape(len(cells), columns, cells.shape[1] // columns)


class _Kept(msgspec.Struct):
    """A topic's template, and how many batches in a row fitted none."""

    template: Template | None = None
    misses: int = 0


class Reader:
    """`codec.decode` with a memory of how each topic's batches look; what it says is the same.

    The memory has `MAX_TOPICS` topics and `MAX_BYTES` at most; what was made first goes first.
    `size`: bytes of it.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._columns: dict[Layout, _Columns] = {}
        self.size = 0

    def read(self, group: Sequence[Arrived]) -> list[Read]:
        """Read messages in order; an error stands for each that is none."""
        out: list[Read | None] = [None] * len(group)
        self._abreast(group, range(len(group)), out)
        fresh: set[str] = set()  #: topics that have learned since
        for place, arrived in enumerate(group):
            if out[place] is None and arrived.topic in fresh:
                self._abreast(group, [place], out)
            if out[place] is None:
                out[place] = self._by_key(arrived)
                fresh.add(arrived.topic)
        return out  # type: ignore[return-value]  # none is left

    def _abreast(
        self, group: Sequence[Arrived], places: Iterable[int], out: list[Read | None]
    ) -> None:
        """Read those that look like the last ones of their topics."""
        alike: dict[Layout, list[tuple[int, _Kept, Head, memoryview]]] = {}
        for place in places:
            arrived = group[place]
            kept = self._kept.get(arrived.topic)
            if kept is None or kept.template is None or arrived.content_type not in _CBOR:
                continue
            head = kept.template.head(arrived.payload)
            if head is not None:
                body = memoryview(arrived.payload)[kept.template.columns :]
                alike.setdefault(kept.template.layout, []).append((place, kept, head, body))
        for layout, found in alike.items():
            step = max(1, TOGETHER // layout.size)
            for first in range(0, len(found), step):
                part = found[first : first + step]
                sheets = self._columns[layout].sheets([body for *_, body in part])
                for (place, kept, head, _), sheet in zip(part, sheets, strict=True):
                    if sheet is not None and kept.template is not None:
                        out[place] = kept.template.batch(head, sheet)
                        kept.misses = 0

    def _by_key(self, arrived: Arrived) -> Read:
        payload = arrived.payload
        try:
            topic = topics.parse(arrived.topic)
            message = codec.decode(topic, payload, arrived.content_type)
        except ContractError as error:
            return error
        if isinstance(message, Batch) and payload[0] >> 5 == _MAP:
            self._learn(arrived.topic, payload, message)
        return message

    def _learn(self, text: str, payload: bytes, batch: Batch) -> None:
        kept = self._kept.get(text)
        if kept is None:
            kept = self._kept[text] = _Kept()
        if kept.misses < MAX_MISSES:
            kept.misses += 1
            fresh = template(payload, batch)
            if fresh is not None:
                self._count(kept.template, -1)
                self._count(fresh, 1)
                kept.template = fresh
        while len(self._kept) > 1 and (len(self._kept) > MAX_TOPICS or self.size > MAX_BYTES):
            oldest = next(iter(self._kept))
            if oldest == text:  # the newest one goes last
                self._kept[oldest] = self._kept.pop(oldest)
                continue
            self._count(self._kept.pop(oldest).template, -1)

    def _count(self, one: Template | None, more: int) -> None:
        """Count a template in (1) or out (-1)."""
        if one is None:
            return
        columns = self._columns.get(one.layout)
        if columns is None:
            columns = self._columns[one.layout] = _Columns(one.layout)
            self.size += _weight(one.layout)
        self.size += more * one.size
        columns.templates += more
        if not columns.templates:
            del self._columns[one.layout]
            self.size -= _weight(one.layout)
