"""Which numbers were given, which have their receipt, and which are lost: what memory knows."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from edge_agent import sums
from edge_agent.lost_file import Lost
from edge_agent.outbox_file import RANK, Dropped, joined

Key = tuple[int, int]  #: a boot's number and a stream's rank


@dataclass(slots=True)
class Numbering:
    """The numbers of an outbox's boots, and of their streams: the next one, the last receipted.

    `unwritten` are gaps that the file does not have yet.
    """

    boots: dict[str, int] = field(default_factory=dict)
    following: dict[Key, int] = field(default_factory=dict)
    received: dict[Key, int] = field(default_factory=dict)
    unwritten: list[Dropped] = field(default_factory=list)

    def boot(self, boot: str) -> int:
        """Return the number of a boot; a new one gets the next."""
        return self.boots.setdefault(boot, max(self.boots.values(), default=0) + 1)

    def load(self, db: sqlite3.Connection, page: Iterable[Lost]) -> None:
        """Read what the file and the page beside it say.

        `sqlite3.DatabaseError`: a number is none.
        """
        self.boots |= {boot: n for n, boot in db.execute("SELECT n, boot FROM boots")}
        names = {n: boot for boot, n in self.boots.items()}
        for boot, rank, following, received, said in db.execute("SELECT * FROM counters"):
            if not (isinstance(following, int) and isinstance(received, int)):
                raise sqlite3.DatabaseError("a counter is no number")
            right = sums.of_counter(names.get(boot, ""), boot, rank, following, received)
            if not sums.fits(said, right):
                raise sqlite3.DatabaseError("a counter contradicts its checksum")
            self.following[boot, rank] = following
            self.received[boot, rank] = received
        self.miss_all(page)

    def miss_all(self, page: Iterable[Lost]) -> None:
        """Take what the page beside the file says: those are lost, too, and their numbers given."""
        for lost in page:
            place = (self.boot(lost.boot), RANK[lost.stream])
            if lost.first >= self.following.get(place, 0):  # else the gap was noted after all
                self.following[place] = lost.last + 1
                self.unwritten.append(Dropped(*place, lost.first, lost.last, lost.reason))

    def drop_nameless(self) -> set[int]:
        """Forget boots whose name is not known: their numbers are the next start's. Return them."""
        nameless = {n for n, _ in (*self.following, *self.received)} - set(self.boots.values())
        for numbers in (self.following, self.received):
            for place in [place for place in numbers if place[0] in nameless]:
                del numbers[place]
        return nameless

    def counter(self, place: Key) -> tuple[int, int, int, int, int]:
        """Return a stream's counters as a row of the file."""
        row = (*place, self.following[place], self.received.get(place, -1))
        name = next(boot for boot, n in self.boots.items() if n == place[0])
        return (*row, sums.of_counter(name, *row))

    def take(self, boot: int, rank: int, samples: int) -> int:
        """Give numbers to samples; return the first."""
        seq = self.following.get((boot, rank), 0)
        self.following[boot, rank] = seq + samples
        return seq

    def miss(self, drop: Dropped) -> None:
        """These samples are lost, and the file does not say so yet."""
        self.unwritten = joined([*self.unwritten, drop])

    def copy(self) -> "Numbering":
        """Return the same, to go back to after a write that failed."""
        return Numbering(
            dict(self.boots), dict(self.following), dict(self.received), list(self.unwritten)
        )
