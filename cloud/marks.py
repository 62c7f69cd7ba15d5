"""The content of a stream's newest batches, in eight bytes each. Pure.

A batch nearly always begins where the one before it ended, so only counts are kept beside the
prints; where one does not, the end of the one before it is kept as well.
"""

from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

REMEMBERED: Final = 64  #: batches of a stream whose content is remembered, to see conflicts

#: Of a mark: 48 bits of a batch's fingerprint, behind them 16 of its count less one (to 65,536).
_COUNT, _PRINT = (1 << 16) - 1, (1 << 48) - 1
_NONE: Final[Mapping[int, int]] = {}  #: breaks of a stream without any, as nearly all are


class Undo(msgspec.Struct, frozen=True, gc=False):
    """What `Marks.forget` needs to undo a `remember`. `mark`, `ended`: what had to go for it."""

    end: int
    mark: int | None
    ended: int | None


@dataclass(slots=True)
class Marks:
    """Remembers the last `REMEMBERED` batches of a stream."""

    marks: "array[int]" = field(default_factory=lambda: array("Q"))  #: a ring
    cursor: int = 0  #: where the oldest one is, once it is full
    end: int = 0  #: number behind the newest one
    #: place of a mark -> where the one before it ended
    breaks: Mapping[int, int] = field(default_factory=lambda: _NONE)

    def remember(self, seq: int, end: int, fingerprint: int) -> Undo:
        """Note a batch's content; return what `forget` needs."""
        marks, place, ended, breaks = self.marks, self.cursor, self.end, self.breaks
        mark = (fingerprint & _PRINT) << 16 | (end - seq - 1)
        if len(marks) < REMEMBERED:
            undo, place = Undo(ended, None, None), len(marks)
            marks.append(mark)
            if place == REMEMBERED - 1:
                self.marks = array("Q", marks)  # no room for more
        else:
            undo = Undo(ended, marks[place], breaks.get(place))
            marks[place] = mark
            self.cursor = (place + 1) % REMEMBERED
        if breaks or seq != ended:
            self._break(place, None if seq == ended or len(marks) == 1 else ended)
        self.end = end
        return undo

    def forget(self, undo: Undo) -> None:
        """Undo the newest `remember`, which returned `undo`."""
        self.end = undo.end
        if undo.mark is None:
            self.marks.pop()
            self._break(len(self.marks), None)
            return
        self.cursor = place = (self.cursor - 1) % REMEMBERED
        self.marks[place] = undo.mark
        self._break(place, undo.ended)

    def _break(self, place: int, ended: int | None) -> None:
        """Note where the batch before that of a place ended, None where it began there."""
        if ended is None and place not in self.breaks:
            return
        left = {at: end for at, end in self.breaks.items() if at != place}
        self.breaks = (left if ended is None else left | {place: ended}) or _NONE

    def _batches(self) -> Iterator[tuple[int, int, int]]:
        """Yield first number, the one behind the last, and print of each, the newest first."""
        end, count = self.end, len(self.marks)
        for k in range(count):
            place = (self.cursor - 1 - k) % count
            mark = self.marks[place]
            seq = end - (mark & _COUNT) - 1
            yield seq, end, mark >> 16
            end = self.breaks.get(place, seq)

    def newest_is(self, seq: int, end: int, fingerprint: int) -> bool:
        """Whether this batch was remembered last: the journal may have it in several parts."""
        return next(self._batches(), None) == (seq, end, fingerprint & _PRINT)

    def differs(self, seq: int, end: int, fingerprint: int, waiting: Iterable[int] = ()) -> bool:
        """Whether the remembered batches with any of these numbers had other content.

        `waiting`: fingerprints of others with some of them. A device sends a batch again as it was,
        so that one cut anew counts as other content.
        """
        known = [kept for first, last, kept in self._batches() if first < end and last > seq]
        known += [other & _PRINT for other in waiting]
        return bool(known) and fingerprint & _PRINT not in known

    def dump(self) -> list[Any]:
        """Return all. Marks are one text: as numbers they would take eight times the memory."""
        text = b64encode(self.marks).decode()
        return [text, self.cursor, self.end, list(self.breaks.items())]

    def load(self, text: str, cursor: int, end: int, breaks: list[tuple[int, int]]) -> None:
        """Take what `dump` returned."""
        self.marks, self.cursor = array("Q", b64decode(text)), cursor
        self.end, self.breaks = end, dict(breaks) or _NONE
