"""How far the tiers of a machine's readings reach, and what that means for a span."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cloud.telemetry.query import Span
from cloud.telemetry.reduction import RAW, Part
from cloud.telemetry.rollup import HOUR_NS, MINUTE_NS


@dataclass(frozen=True, slots=True)
class Edges:
    """Up to where each tier is complete, and from where the finer tiers are kept (None: all)."""

    minute_ns: int | None
    raw_from_ns: int | None
    minute_from_ns: int | None

    @classmethod
    def of(cls, minute_ns: int, raw_from_ns: int | None, minute_from_ns: int | None) -> "Edges":
        """Return the edges of a machine whose minutes are complete up to `minute_ns`.

        With nothing since raw samples were let go, all has been rolled up.
        """
        all_rolled = raw_from_ns is not None and minute_ns < raw_from_ns
        return cls(None if all_rolled else minute_ns, raw_from_ns, minute_from_ns)

    def cover(self, part: Part) -> Iterator[Part]:
        """Cut a part where its tier is not complete yet; the rest comes from the finer one."""
        level, span = part
        if level == RAW or self.minute_ns is None:
            yield part
            return
        edge = self.minute_ns // level * level
        if span.start_ns < edge:
            yield level, Span(span.start_ns, min(span.end_ns, edge))
        if span.end_ns > edge:
            finer = MINUTE_NS if level == HOUR_NS else RAW
            yield from self.cover((finer, Span(max(span.start_ns, edge), span.end_ns)))


class Kept:
    """From when on raw samples and minutes of machines are kept, as far as that was asked.

    Any thread may ask: what was asked before a cut and is noted after it does not count.
    """

    def __init__(self) -> None:
        self.cuts = 0  #: how often something was cut off or erased
        self._known: dict[str, tuple[int, int | None, int | None]] = {}

    def get(self, machine: str) -> tuple[int | None, int | None] | None:
        """Return the first instant of raw samples and of minutes (None: no limit), if known."""
        found = self._known.get(machine)
        return found[1:] if found is not None and found[0] == self.cuts else None

    def note(self, machine: str, cuts: int, raw: int | None, minute: int | None) -> None:
        """Note what the server said when asked after so many cuts."""
        self._known[machine] = cuts, raw, minute

    def cut(self, kept: Mapping[str, tuple[int, int]]) -> None:
        """Forget all but what is kept from now on."""
        cuts = self.cuts + 1
        self._known = {machine: (cuts, *since) for machine, since in kept.items()}
        self.cuts = cuts
