"""A group's messages are read together: batches mostly look like the last ones of their topics.

Messages whose templates are of one shape are taken apart by compiled code, every byte compared that
is neither a reading nor a number that differs from batch to batch. What differs in any other byte
is read key by key, so that the outcome is the same.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, Final

import msgspec
import numpy as np

from cloud.crc import crc32_at, moved_by, product
from cloud.intrinsics import addresses, copy, get_byte, put_word
from models.contract import codec, topics
from models.contract.errors import ContractError
from models.contract.messages import Batch
from models.contract.sheet import Sheet
from models.contract.template import Shape, Template, bytes_of, template
from models.contract.times import MAX_OFFSET
from models.life.compiled import entry, lean

MAX_TOPICS: Final = 65_536
MAX_BYTES: Final = 1 << 27  #: that templates take, by `Template.size` and their shapes
OF_SHAPE: Final = 1_950  #: bytes of a shape of no columns (measured)
MAX_MISSES: Final = 8  #: batches in a row that fitted no template: then a topic gets none any more
TOGETHER: Final = 256 << 10  #: bytes of messages at once: a cache has them still at the next look
NUMBERS: Final = ("unreceipted", "seq", "t0_ns", "mono_ns")  #: as `Shape.numbers` has them
_MAP: Final = 5  #: major type of CBOR
_MAGNITUDE: Final = 2**63 - 1  #: the bits of a double without its sign
_INFINITE: Final = 0x7FF << 52  #: these of an infinite one
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


def _weight(shape: Shape) -> int:
    """Return the bytes of a shape; templates that are alike share it."""
    of = shape.layout
    tables = (of.names, of.heads, of.sizes, of.ends)
    arrays = sum(map(len, of.heads)) + 16 * len(of.heads)  # as `_Alike` has heads and sizes
    whole = bytes_of((*tables, of.places, of.types)) + sum(map(bytes_of, tables))
    return OF_SHAPE + whole + arrays


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
        left[id(sheet.data.base)] -= 0 if sheet.times_ns is None else sheet.times_ns.nbytes
    return {
        n: msgspec.structs.replace(one, columns=_own(sheet))
        for n, one, sheet in found
        if left[id(sheet.data.base)]
    }


def _own(sheet: Sheet) -> Sheet:
    """Return the same with its values in memory of its own."""
    data = sheet.data.copy()
    times_ns = None if sheet.times_ns is None else sheet.times_ns.copy()
    table = None if sheet.table is None else data
    return msgspec.structs.replace(sheet, data=data, table=table, times_ns=times_ns)


@lean
def _same(one: Any, other: Any, pieces: Any) -> Any:
    """Whether bytes at two addresses are the same in all pieces (pieces, 2)."""
    differ = np.uint64(0)
    for piece in range(len(pieces)):
        for k in range(pieces[piece, 0], pieces[piece, 1]):
            differ |= get_byte(one + k) ^ get_byte(other + k)
    return differ == 0


@lean
def _copied(to: Any, at: Any, titles: Any, sizes: Any) -> Any:
    """Copy the values of columns; return whether each stands behind its head."""
    same, title = True, 0
    for column in range(len(sizes)):
        for _ in range(sizes[column, 0]):
            same &= get_byte(at) == np.uint64(titles[title])
            at += 1
            title += 1
        copy(to, at, sizes[column, 1])
        at += sizes[column, 1]
        to += sizes[column, 1]
    return same


@entry
def _taken_apart(parts: Any, shape: Any, values: Any, told: Any) -> None:
    """Take messages apart into `values` and what is `told` of each.

    That are `numbers` (messages, 4), those of `Shape`; `found` (messages, 2), whether all stands
    where it should and no number is too large, and whether values are doubles of which none is
    infinite; and `sums` (messages, 3), the checksums of the columns, of the message and of its
    content (`codec.fingerprint`).
    `parts` (3, messages): where each message is, its template's head and what that prints.
    `shape`: the bytes of a message, of its head and of what is printed, and the offsets' place;
    the pieces of the head that stay, and places of numbers; then of the columns the bytes of all
    heads, how many each has and the values behind it, (columns, 2); then how many numbers they have
    together if they are doubles, and the step of times.
    `values`: room (messages, bytes), and if they are doubles the same as int64: what they leave
    of it gets the times; and room for what is printed, (messages, bytes).
    """
    (size, head, width, first, more), pieces, places, titles, sizes, doubles, step_ns = shape
    room, words, printed = values
    numbers, found, sums = told
    moved = moved_by(size - head)
    for i in range(len(found)):
        at, to = parts[0, i], printed[i].ctypes.data
        same = _same(at, parts[1, i], pieces)
        copy(to, parts[2, i], width)
        for k in range(len(places)):
            number = np.uint64(0)
            for place in range(places[k, 0], places[k, 0] + places[k, 1]):
                number = number << np.uint64(8) | get_byte(at + place)
            same &= number <= np.uint64(places[k, 2])
            numbers[i, k] = np.int64(number)
            if places[k, 1] and places[k, 3] >= 0:
                put_word(to + places[k, 3], number)
        check = crc32_at(at + head, at + size, np.uint32(0))
        sums[i, 0] = check
        sums[i, 1] = product(moved, crc32_at(at, at + head, np.uint32(0))) ^ check
        check = crc32_at(to, to + width, check)
        sums[i, 2] = crc32_at(at + first, at + first + more, check)
        same &= _copied(room[i].ctypes.data, at + head, titles, sizes)
        infinite = doubles == 0
        for k in range(doubles):
            infinite |= words[i, k] & _MAGNITUDE == _INFINITE
        for k in range(doubles, words.shape[1]):
            words[i, k] = numbers[i, 2] + (k - doubles) * step_ns
        found[i, 0], found[i, 1] = same, not infinite


class _Alike:
    """Reads messages of one shape; `templates` have it."""

    __slots__ = ("_compiled", "_timed", "shape", "size", "templates")

    def __init__(self, shape: Shape, printed: int) -> None:
        """`printed`: bytes that templates of the shape print."""
        self.templates = 0
        self.shape = shape
        self.size = shape.size
        of, offsets = shape.layout, shape.offsets
        #: whether times go with the columns: they stand in a place, and at even distances
        self._timed = of.doubles and shape.t0_ns.size > 0 and shape.step_ns is not None
        whole = self.size, shape.columns, printed, offsets.first, offsets.size
        where = -1, -1, codec.PRINTED_T0, codec.PRINTED_MONO
        self._compiled = (
            np.array(whole, np.int64),
            np.array(shape.pieces, np.int64),
            np.array([(*of, at) for of, at in zip(shape.numbers, where, strict=True)], np.int64),
            np.frombuffer(b"".join(of.heads), np.uint8),
            np.array([*zip(map(len, of.heads), of.sizes, strict=True)]),
            len(of.names) * of.count if of.doubles else 0,
            shape.step_ns or 0,
        )

    def read(self, payloads: Sequence[bytes], templates: Sequence[Template]) -> list[Batch | None]:
        """Return the batches of payloads of this `size`; None for one that is of another shape."""
        layout, count = self.shape.layout, len(payloads)
        numbers, found = np.empty((count, 4), np.int64), np.empty((count, 2), np.bool_)
        sums = np.empty((count, 3), np.uint32)
        rows = self._take_apart(payloads, templates, (numbers, found, sums))
        said = [self._said(k, numbers, templates) for k in range(4)]
        offsets = self._offsets(payloads, templates)
        out: list[Batch | None] = []
        for one, offsets_ns, (fits, finite), check, whole, mark, u, seq, t0_ns, mono_ns in zip(
            templates, offsets, found.tolist(), *sums.T.tolist(), *said, strict=True
        ):
            if not fits:
                out.append(None)
                continue
            data, times_ns = next(rows)
            if offsets_ns is None:
                out.append(None)
                continue
            known = one.batch
            batch = Batch(
                columns=Sheet(layout, data, check, whole, data if finite else None, times_ns, mark),
                count=known.count,
                boot=known.boot,
                seq=seq,
                unreceipted=u,
                t0_ns=t0_ns,
                mono_ns=mono_ns,
                clock=known.clock,
                offsets_ns=offsets_ns,
                historical=known.historical,
                dictionary=known.dictionary,
            )
            out.append(batch)
        return out

    def _take_apart(
        self, payloads: Sequence[bytes], templates: Sequence[Template], told: Any
    ) -> Iterator[tuple[Any, Any]]:
        """Return the values, and times or None, of each that fits. `told`: as there."""
        layout, count = self.shape.layout, len(payloads)
        parts = payloads, [one.head for one in templates], [one.printed for one in templates]
        width = layout.ends[-1] + (8 * layout.count if self._timed else 0)
        room = np.empty((count, width), np.uint8)
        words = room.view(np.int64) if layout.doubles else np.empty((count, 0), np.int64)
        values = room, words, np.empty((count, len(templates[0].printed)), np.uint8)
        places = np.stack([addresses(part) for part in parts])
        _taken_apart(places, self._compiled, values, told)
        fits = told[1][:, 0]
        if not fits.all():  # what goes on keeps nothing of what does not
            room = room[fits]
        return self._rows(room)

    def _rows(self, room: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the values of each message that `room` has, and its times or None."""
        layout = self.shape.layout
        if not layout.doubles:
            return zip(room, repeat(None), strict=False)  # the latter has no end
        cells, values = room.view("<f8"), len(layout.names) * layout.count
        data = cells[:, :values].reshape(len(cells), len(layout.names), layout.count)
        if not self._timed:
            return zip(data, repeat(None), strict=False)
        return zip(data, room.view("<i8")[:, values:], strict=True)

    def _said(self, k: int, numbers: Any, templates: Sequence[Template]) -> list[int | None]:
        """Return what messages say of `NUMBERS[k]`: where it stands in no place, as ever."""
        if self.shape.numbers[k].size:
            said: list[int | None] = numbers[:, k].tolist()
            return said
        return [getattr(one.batch, NUMBERS[k]) for one in templates]

    def _offsets(
        self, payloads: Sequence[bytes], templates: Sequence[Template]
    ) -> Iterator["int | array[int] | None"]:
        """Yield the samples' offsets of each message, None where one is too large."""
        first, size, _ = self.shape.offsets
        if not size:
            yield from [one.batch.offsets_ns for one in templates]
            return
        for payload in payloads:
            own = array("q", payload[first : first + size])
            yield own if max(own) <= MAX_OFFSET and min(own) >= -MAX_OFFSET else None


class _Kept(msgspec.Struct):
    """A topic's template, who reads such messages, and how many batches in a row fitted none."""

    template: Template | None = None
    alike: _Alike | None = None
    misses: int = 0


class Reader:
    """`codec.decode` with a memory of how each topic's batches look; what it says is the same.

    The memory has `MAX_TOPICS` topics and `MAX_BYTES` at most; what was made first goes first.
    `size`: bytes of it.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._shapes: dict[Shape, _Alike] = {}
        self.size = 0

    def read(self, group: Sequence[Arrived]) -> list[Read]:
        """Read messages in order; an error stands for each that is none."""
        out: list[Read | None] = [None] * len(group)
        left: Sequence[int] = range(len(group))
        while left:
            self._abreast(group, left, out)
            learned: set[str] = set()  #: topics whose others may be read together now
            for place in left:
                topic = group[place].topic
                if out[place] is None and topic not in learned:
                    out[place], fresh = self._by_key(group[place])
                    if fresh:
                        learned.add(topic)
            left = [place for place in left if out[place] is None]
        return out  # type: ignore[return-value]  # none is left

    def _abreast(
        self, group: Sequence[Arrived], places: Iterable[int], out: list[Read | None]
    ) -> None:
        """Read those that look like the last ones of their topics."""
        found: dict[_Alike, list[tuple[int, _Kept]]] = {}
        for place in places:
            arrived = group[place]
            kept = self._kept.get(arrived.topic)
            if kept is None or kept.alike is None or arrived.content_type not in _CBOR:
                continue
            alike = kept.alike
            if len(arrived.payload) == alike.size:
                those = found.get(alike)
                if those is None:
                    those = found[alike] = []
                those.append((place, kept))
        for alike, those in found.items():
            step = max(1, TOGETHER // alike.size)
            for first in range(0, len(those), step):
                part = those[first : first + step]
                templates: Any = [kept.template for _, kept in part]
                read = alike.read([group[place].payload for place, _ in part], templates)
                for (place, kept), batch in zip(part, read, strict=True):
                    out[place] = batch
                    if batch is not None:
                        kept.misses = 0

    def _by_key(self, arrived: Arrived) -> tuple[Read, bool]:
        """Read a message; return too whether its topic has a new template from it."""
        payload = arrived.payload
        try:
            topic = topics.parse(arrived.topic)
            message = codec.decode(topic, payload, arrived.content_type)
        except ContractError as error:
            return error, False
        if isinstance(message, Batch) and payload[0] >> 5 == _MAP:
            return message, self._learn(arrived.topic, payload, message)
        return message, False

    def _learn(self, text: str, payload: bytes, batch: Batch) -> bool:
        """Make a template of a topic's batch that fitted none; return whether there is one."""
        kept = self._kept.get(text)
        if kept is None:
            kept = self._kept[text] = _Kept()
        fresh = None
        if kept.misses < MAX_MISSES:
            kept.misses += 1
            fresh = template(payload, batch)
            if fresh is not None:
                self._forget(kept)
                self._keep(kept, fresh)
        while len(self._kept) > 1 and (len(self._kept) > MAX_TOPICS or self.size > MAX_BYTES):
            oldest = next(iter(self._kept))
            if oldest == text:  # the newest one goes last
                self._kept[oldest] = self._kept.pop(oldest)
                continue
            self._forget(self._kept.pop(oldest))
        return fresh is not None

    def _keep(self, kept: _Kept, fresh: Template) -> None:
        alike = self._shapes.get(fresh.shape)
        if alike is None:
            alike = self._shapes[fresh.shape] = _Alike(fresh.shape, len(fresh.printed))
            self.size += _weight(fresh.shape)
        fresh.shape = alike.shape
        alike.templates += 1
        kept.template, kept.alike = fresh, alike
        self.size += fresh.size

    def _forget(self, kept: _Kept) -> None:
        template, alike = kept.template, kept.alike
        if template is None or alike is None:
            return
        kept.template = kept.alike = None
        self.size -= template.size
        alike.templates -= 1
        if not alike.templates:
            del self._shapes[alike.shape]
            self.size -= _weight(alike.shape)
