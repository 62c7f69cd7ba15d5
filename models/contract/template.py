"""A device's batches look like its last one: only numbers, times and values differ.

Reading a CBOR batch key by key costs more than all that is then done with it. A `Template` is made
from a batch that was read that way: the bytes of its head that stay, where the others stand, and
the layout of the columns behind it. It reads the heads of the next ones, every fixed byte compared;
who has many of them takes their columns apart together, by the layout. What differs in any other
byte is read key by key as before, so that the outcome is the same.
"""

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, TypeVar

import msgspec

from models.contract import cbor_codec
from models.contract.messages import MAX_NUMBER, Batch
from models.contract.sheet import BYTES, TAGS, Layout, Sheet, head, layout
from models.contract.times import MAX_INSTANT, MAX_OFFSET
from models.contract.wire import KEYS, NAMES

OF_TEMPLATE: Final = 1_000  #: bytes of a template of no columns (measured), but what is its own
MAX_PIECE: Final = 64  #: bytes; and so with what stays between two numbers
_MAP: Final = 5 << 5
_UNSIGNED: Final = {24: "B", 25: "H", 26: "I", 27: "Q"}  #: first byte of a number -> `struct`
_VARYING: Final = ("u", "s", "t0", "m0", "dn")
_LIMITS: Final = {"u": MAX_NUMBER, "s": MAX_NUMBER, "t0": MAX_INSTANT, "m0": 2**63 - 1}
_TINY: Final = 23  #: numbers up to here are their own first byte
_TINY_CODE: Final = "1B"
_INT64S: Final = bytes((0xD8, TAGS["q"]))


T = TypeVar("T")
#: `u`, `seq`, `t0_ns`, `mono_ns` and `offsets_ns` of a batch
Head = tuple[int | None, int | None, int | None, int | None, "int | array[int]"]
_NOTHING: Final[Mapping[str, Any]] = {}
_struct = lru_cache(maxsize=4_096)(struct.Struct)  #: the same for most devices of a type


@lru_cache(maxsize=4_096)
def _same(one: T) -> T:
    """Return what equals this: parts of templates that most devices of a type share."""
    return one


@lru_cache(maxsize=4_096)
def _picker(places: tuple[str, ...]) -> "itemgetter[Any]":
    """Return what takes the varying fields out of what was unpacked and what is known."""
    found = {name: place for place, name in enumerate(places)}
    return itemgetter(*(found.get(name, len(places) + k) for k, name in enumerate(_VARYING)))


class Template:
    """What a batch has in common with the next ones of its device.

    Its columns stand at the end, from byte `columns` on, as `layout` says; the rest is its head.
    """

    __slots__ = (
        *("_batch", "_fixed", "_form", "_known", "_limits", "_pick"),
        *("columns", "layout", "size"),
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
        form += f"{columns - at}s"
        self._form = _struct(form)
        own = (batch.boot or "").encode()  # what holds it is no other device's
        pieces = (*fixed, payload[at:columns])
        alone = [len(one) > MAX_PIECE or (own and own in one) for one in pieces]
        shared = (one if mine else _same(one) for one, mine in zip(pieces, alone, strict=True))
        self._fixed = tuple(shared)
        self._known = _known(batch, places)
        self._pick = _picker(tuple(places))
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
        self.columns = columns
        self._limits = _same(tuple(limits.values()))
        mine = [one for one, is_mine in zip(pieces, alone, strict=True) if is_mine]
        parts = (*mine, batch.boot, self._known)
        self.size = OF_TEMPLATE + bytes_of(parts)  #: bytes, without those of the layout

    def head(self, payload: bytes) -> Head | None:
        """Return what the head says; None when the message has another shape, or is wrong."""
        if len(payload) != self.columns + self.layout.size:
            return None
        fields = self._form.unpack_from(payload)
        if fields[::2] != self._fixed:
            return None
        u, seq, t0_ns, mono_ns, offsets = self._pick(fields[1::2] + self._known)
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
        return u, seq, t0_ns, mono_ns, offsets

    def batch(self, head: Head, columns: Sheet) -> Batch:
        """Return the batch of a head and the columns behind it."""
        known = self._batch
        u, seq, t0_ns, mono_ns, offsets = head
        return Batch(
            columns=columns,
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


def bytes_of(parts: Iterable[Any]) -> int:
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
