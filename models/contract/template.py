"""A device's batches look like its last one: only numbers, times and values differ.

Reading a CBOR batch key by key costs more than all that is then done with it. A `Template` is made
from a batch that was read that way: its head, and a `Shape` that says where in it numbers differ
and which columns stand behind it. Who has many messages of one shape reads them together, every
other byte compared; what differs in one is read key by key as before, so that the outcome is the
same.
"""

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from models.contract import cbor_codec, codec
from models.contract.messages import MAX_NUMBER, Batch
from models.contract.sheet import BYTES, TAGS, Layout, head, layout
from models.contract.times import MAX_INSTANT
from models.contract.wire import KEYS, NAMES

OF_TEMPLATE: Final = 400  #: bytes of a template of no columns (measured), but what is its own
_MAP: Final = 5 << 5
_UNSIGNED: Final = {24: 1, 25: 2, 26: 4, 27: 8}  #: first byte of a number -> bytes behind it
_TINY: Final = 23  #: numbers up to here are their own first byte
_INT64S: Final = bytes((0xD8, TAGS["q"]))
_NOTHING: Final[Mapping[str, Any]] = {}
Key = tuple[int | str, int, int]  #: a key, and where its pair begins and ends in the message


class Place(NamedTuple):
    """Where something that differs stands in a message: in no byte of it where it does not."""

    first: int = 0
    size: int = 0
    most: int = 0  #: that a number may be


class Shape(NamedTuple):
    """What many devices' batches have in common: where numbers (big-endian) and columns stand."""

    layout: Layout
    columns: int  #: first byte of the columns, which end the message
    unreceipted: Place
    seq: Place
    t0_ns: Place
    mono_ns: Place
    offsets: Place  #: of the samples' offsets, each int64, little-endian
    step_ns: int | None  #: between samples at even distances

    @property
    def size(self) -> int:
        """Bytes of a message."""
        return self.columns + self.layout.size

    @property
    def numbers(self) -> tuple[Place, ...]:
        """The places of `unreceipted`, `seq`, `t0_ns` and `mono_ns`."""
        return self.unreceipted, self.seq, self.t0_ns, self.mono_ns

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """Return first byte and end of what stays, before, between and behind what differs."""
        places = sorted(place for place in (*self.numbers, self.offsets) if place.size)
        firsts = [0, *(place.first + place.size for place in places)]
        return list(zip(firsts, [*(place.first for place in places), self.columns], strict=True))


class Template:
    """What a batch has in common with the next ones of its device.

    `head`: the bytes before the columns. `batch`: what it says, without readings, and None for what
    stands in a place of the shape. `printed`: what `codec.printed` says of that.
    """

    __slots__ = ("batch", "head", "printed", "shape", "size")

    def __init__(
        self, payload: bytes, batch: Batch, of: Layout, columns: int, keys: Sequence[Key]
    ) -> None:
        """Take over a batch whose columns stand, as `of` says, from byte `columns` on.

        `keys`: all of the message.
        """
        found = dict(_varying(payload, batch, keys))
        u, seq, t0, mono, offsets = (found.get(n, Place()) for n in ("u", "s", "t0", "m0", "dn"))
        step = None if isinstance(batch.offsets_ns, array) else batch.offsets_ns
        self.shape = Shape(of, columns, u, seq, t0, mono, offsets, step)
        self.head = payload[:columns]
        self.batch = msgspec.structs.replace(
            batch,
            columns=_NOTHING,
            quality=_NOTHING,
            unreceipted=None if u.size else batch.unreceipted,
            seq=None if seq.size else batch.seq,
            t0_ns=None if t0.size else batch.t0_ns,
            mono_ns=None if mono.size else batch.mono_ns,
            offsets_ns=0 if offsets.size else batch.offsets_ns,
            dictionary=None if batch.dictionary is None else sys.intern(batch.dictionary),
        )
        self.printed = codec.printed(self.batch)
        own = (self.head, self.printed, batch.boot, self.batch.offsets_ns)
        self.size = OF_TEMPLATE + bytes_of(own)  #: bytes, without those of the shape


def bytes_of(parts: Iterable[object]) -> int:
    """Return how many bytes these take, with what an outer one holds."""
    return sum(map(sys.getsizeof, parts))


def _varying(payload: bytes, batch: Batch, keys: Sequence[Key]) -> Iterator[tuple[str, Place]]:
    """Yield what differs from batch to batch: key name, and where its number stands."""
    limits = {"u": MAX_NUMBER, "s": MAX_NUMBER - batch.count + 1, "t0": MAX_INSTANT}
    limits["m0"] = 2**63 - 1
    for key, start, end in keys:
        name = NAMES.get(key) if type(key) is int else None
        if name is None or payload[start] != key:
            continue
        first = payload[start + 1]
        if name == "dn" and isinstance(batch.offsets_ns, array):
            data = batch.offsets_ns.tobytes()
            if payload[start + 1 : end] == _INT64S + head(BYTES, len(data)) + data:
                yield name, Place(end - len(data), len(data))
        elif name in limits and first <= _TINY:
            yield name, Place(start + 1, 1, min(_TINY, limits[name]))
        elif name in limits and first in _UNSIGNED:
            yield name, Place(start + 2, _UNSIGNED[first], limits[name])


def template(payload: bytes, batch: Batch) -> Template | None:
    """Return the template of a batch that was read from these bytes.

    None where columns are not plain typed arrays at the end of the message.
    """
    columns = batch.columns
    plain = all(c.missing is None and c.type in TAGS for c in columns.values())
    if not plain or not columns or batch.broken or batch.quality:
        return None
    of = layout(tuple(columns), "".join(c.type for c in columns.values()), batch.count)
    body = of.join([column.data for column in columns.values()])
    start = len(payload) - len(body)
    whole = bytes((KEYS["d"],)) + head(_MAP, len(columns)) + body
    keys = [(key, begin, end) for key, _, begin, end in cbor_codec.pairs(payload)]
    key, begin, _ = keys[-1]
    if key != KEYS["d"] or payload[begin:] != whole:
        return None
    return Template(payload, batch, of, start, keys)
