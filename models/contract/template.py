"""A device's batches look like its last one: only numbers, times and values differ.

Reading a CBOR batch key by key costs more than all that is then done with it. A `Template` is made
from a batch that was read that way: the bytes that stay, and where the others stand. A batch of the
same shape is then taken apart by one call, every fixed byte compared. What differs in any other
byte is read key by key as before, so that the outcome is the same.
"""

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, TypeVar
from zlib import crc32

import msgspec

from models.contract import cbor_codec, codec
from models.contract.messages import MAX_NUMBER, Batch
from models.contract.sheet import BYTES, TAGS, Layout, Sheet, head, layout
from models.contract.times import MAX_INSTANT, MAX_OFFSET
from models.contract.topics import Topic
from models.contract.wire import KEYS, NAMES

MAX_TOPICS: Final = 65_536
MAX_BYTES: Final = 1 << 27  #: that templates take, by `Template.size` and their layouts
OF_TEMPLATE: Final = 1_000  #: bytes of a template of no columns (measured), but what is its own
OF_FIELD: Final = 80  #: of a column in a form that is no other device's
OF_COLUMN: Final = 50  #: bytes of a column of a layout (measured), but its name and head
MAX_MISSES: Final = 8  #: batches in a row that fitted no template: then a topic gets none any more
MAX_FORM: Final = 4_096  #: longer forms are no other device's, and each topic keeps its own
MAX_PIECE: Final = 64  #: bytes; and so with what stays between two numbers
_MAP: Final = 5 << 5
_UNSIGNED: Final = {24: "B", 25: "H", 26: "I", 27: "Q"}  #: first byte of a number -> `struct`
_VARYING: Final = ("u", "s", "t0", "m0", "dn")
_LIMITS: Final = {"u": MAX_NUMBER, "s": MAX_NUMBER, "t0": MAX_INSTANT, "m0": 2**63 - 1}
_TINY: Final = 23  #: numbers up to here are their own first byte
_TINY_CODE: Final = "1B"
_INT64S: Final = bytes((0xD8, TAGS["q"]))
_CBOR: Final = frozenset(
    {None, "", *(kind for kind, form in codec.CONTENT_TYPES.items() if form == "cbor")}
)


T = TypeVar("T")
_NOTHING: Final[Mapping[str, Any]] = {}
_struct = lru_cache(maxsize=4_096)(struct.Struct)  #: the same for most devices of a type


@lru_cache(maxsize=4_096)
def _same(one: T) -> T:
    """Return what equals this: parts of templates that most devices of a type share."""
    return one


@lru_cache(maxsize=4_096)
def _picker(places: tuple[str, ...], columns: int) -> "itemgetter[Any]":
    """Return what takes the varying fields and the columns out of what was unpacked."""
    behind = len(places) + columns
    found = {name: place for place, name in enumerate(places)}
    return itemgetter(
        *(found.get(name, behind + k) for k, name in enumerate(_VARYING)),
        slice(len(places), behind),
    )


class Template:
    """What a batch has in common with the next ones of its device."""

    __slots__ = (
        *("_batch", "_columns", "_fixed", "_form", "_known", "_limits", "_pick"),
        *("layout", "size"),
    )

    def __init__(self, payload: bytes, batch: Batch, shape: Layout, columns: int) -> None:
        """Take over a batch whose columns stand, as `shape` says, from byte `columns` on."""
        form, fixed, at = ">", [], 0
        places: dict[str, int] = {}
        limits = {**_LIMITS, "s": MAX_NUMBER - batch.count + 1}
        for name, start, end, code in _varying(payload, batch):
            if code == _TINY_CODE:
                limits[name] = _TINY
            places[name] = len(places)
            form += f"{start - at}s{code}"
            fixed.append(payload[at:start])
            at = end
        first, *others = shape.heads
        sizes = map("{}s{}s".format, map(len, others), shape.sizes[1:])
        form += f"{columns + len(first) - at}s{shape.sizes[0]}s{''.join(sizes)}"
        self._form = _struct(form) if len(form) <= MAX_FORM else struct.Struct(form)
        own = (batch.boot or "").encode()  # what holds it is no other device's
        pieces = (*fixed, payload[at:columns] + first)
        alone = [len(one) > MAX_PIECE or (own and own in one) for one in pieces]
        shared = (one if mine else _same(one) for one, mine in zip(pieces, alone, strict=True))
        self._fixed = (*shared, *others)
        self._known = _known(batch, places)
        self._pick = _picker(tuple(places), len(shape.names))
        self._batch = msgspec.structs.replace(  # not its readings
            batch,
            columns=_NOTHING,
            quality=_NOTHING,
            seq=None,
            unreceipted=None,
            t0_ns=None,
            mono_ns=None,
            offsets_ns=0,
            dictionary=None if batch.dictionary is None else sys.intern(batch.dictionary),
        )
        self.layout = shape
        self._columns = columns
        self._limits = _same(tuple(limits.values()))
        alike = len(form) <= MAX_FORM
        mine = [one for one, is_mine in zip(pieces, alone, strict=True) if is_mine]
        parts = (*mine, batch.boot, self._known)
        #: bytes, without those of the layout
        self.size = OF_TEMPLATE + (12 if alike else OF_FIELD) * len(shape.names) + _bytes(parts)

    def read(self, payload: bytes) -> Batch | None:
        """Return what the payload says; None when it has another shape, or is wrong."""
        if len(payload) != self._form.size:
            return None
        fields = self._form.unpack(payload)
        if fields[::2] != self._fixed:
            return None
        u, seq, t0_ns, mono_ns, offsets, cells = self._pick(fields[1::2] + self._known)
        most_u, most_seq, most_t0, most_mono = self._limits
        if (
            (u is not None and u > most_u)
            or (seq is not None and seq > most_seq)
            or (t0_ns is not None and t0_ns > most_t0)
            or (mono_ns is not None and mono_ns > most_mono)
        ):
            return None
        if type(offsets) is bytes:
            offsets = array("q", offsets)
            if max(offsets) > MAX_OFFSET or min(offsets) < -MAX_OFFSET:
                return None
        known, end = self._batch, memoryview(payload)[self._columns :]
        return Batch(
            columns=Sheet(self.layout, cells, crc32(end)),
            count=known.count,
            boot=known.boot,
            seq=seq,
            unreceipted=u,
            t0_ns=t0_ns,
            mono_ns=mono_ns,
            clock=known.clock,
            offsets_ns=offsets,
            historical=known.historical,
            dictionary=known.dictionary,
        )


def _bytes(parts: Iterable[Any]) -> int:
    """Return how many bytes these take, with what an outer one holds."""
    return sum(map(sys.getsizeof, parts))


def _known(batch: Batch, places: Mapping[str, int]) -> tuple[Any, ...]:
    """Return what of `_VARYING` stands in no other place of a message, as the batch has it."""
    said = (batch.unreceipted, batch.seq, batch.t0_ns, batch.mono_ns, batch.offsets_ns)
    known = tuple(None if name in places else one for name, one in zip(_VARYING, said, strict=True))
    return known if isinstance(known[-1], array) else _same(known)


def _varying(payload: bytes, batch: Batch) -> Iterator[tuple[str, int, int, str]]:
    """Yield what differs from batch to batch: key name, first byte, end, code of `struct`."""
    for key, _, start, end in cbor_codec.pairs(payload):
        name = NAMES.get(key) if type(key) is int else None
        if name not in _VARYING or payload[start] != key:
            continue
        first = payload[start + 1]
        if name == "dn" and isinstance(batch.offsets_ns, array):
            data = batch.offsets_ns.tobytes()
            if payload[start + 1 : end] == _INT64S + head(BYTES, len(data)) + data:
                yield name, end - len(data), end, f"{len(data)}s"
        elif name != "dn" and first <= _TINY:
            yield name, start + 1, end, _TINY_CODE
        elif name != "dn" and first in _UNSIGNED:
            yield name, start + 2, end, _UNSIGNED[first]


def template(payload: bytes, batch: Batch) -> Template | None:
    """Return the template of a batch that was read from these bytes.

    None where columns are not plain typed arrays at the end of the message.
    """
    columns = batch.columns
    plain = all(c.missing is None and c.type in TAGS for c in columns.values())
    if not plain or not columns or batch.broken or batch.quality:
        return None
    shape = layout(tuple(columns), "".join(c.type for c in columns.values()), batch.count)
    body = shape.join([column.data for column in columns.values()])
    start = len(payload) - len(body)
    whole = bytes((KEYS["d"],)) + head(_MAP, len(columns)) + body
    *_, (key, _, begin, _) = cbor_codec.pairs(payload)
    if key != KEYS["d"] or payload[begin:] != whole:
        return None
    return Template(payload, batch, shape, start)


def _weight(shape: Layout) -> int:
    """Return the bytes of a layout; templates that are alike share it."""
    return OF_COLUMN * len(shape.names) + _bytes(shape.names) + _bytes(shape.heads)


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
        self._shared: dict[Layout, int] = {}  #: how many templates have it
        self.size = 0

    def read(
        self, text: str, topic: Topic, payload: bytes, content_type: str | None = None
    ) -> codec.Message:
        """Read a message as `codec.decode` does; `text` is the topic as MQTT carries it."""
        kept = self._kept.get(text)
        if kept is not None and kept.template is not None and content_type in _CBOR:
            batch = kept.template.read(payload)
            if batch is not None:
                kept.misses = 0
                return batch
        message = codec.decode(topic, payload, content_type)
        if isinstance(message, Batch) and payload[0] >> 5 == _MAP >> 5:
            self._learn(text, payload, message)
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
        users = self._shared.pop(one.layout, 0)
        if users + more:
            self._shared[one.layout] = users + more
        self.size += more * one.size
        if not users or not users + more:
            self.size += more * _weight(one.layout)
