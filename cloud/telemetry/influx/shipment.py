"""From blocks to the requests of one shipment: placed, rolled up, and formatted.

Roll-ups come before the raw samples, so that a reader who finds a sample of a later minute also
finds the minutes before it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.telemetry import fresh, rollup
from cloud.telemetry.fresh import Layout
from cloud.telemetry.influx import names
from cloud.telemetry.influx.cells import filled, stated
from cloud.telemetry.influx.filling import HOURS, MINUTES
from cloud.telemetry.influx.lines import BAD, KINDS, NONE, Fields, Room, Rows, Texts, pieces
from cloud.telemetry.influx.machines import Machines
from cloud.telemetry.influx.placing import Placed, place
from cloud.telemetry.influx.rolls import Closed, Passing
from cloud.telemetry.influx.setup import Buckets, Retention
from cloud.telemetry.influx.tables import COUNTS, FLOATS, OFFSETS
from cloud.telemetry.rollup import COUNT, HOUR_NS, MINUTE_NS, START, SUM, Partials
from models.rows import Block

DAY_NS: Final = 86_400 * 10**9
JOINED: Final = 4 << 20  #: bytes of bodies that become one
KEPT: Final = 1 << 20  #: values of a group whose room is kept: fresh pages cost as much
LATE_ROOM: Final = MINUTE_NS - 1
_NO_STATES: Final = np.zeros((0, 0), np.uint8)
_MEASUREMENTS: Final = {MINUTES: names.MINUTE, HOURS: names.HOUR}
_ROLLED: Final = [*FLOATS, *OFFSETS, *COUNTS]
_ROLLED_FIELDS: Final = Fields.of(
    _ROLLED, [""] * len(_ROLLED), ["d" if name in FLOATS else "q" for name in _ROLLED], "", ""
)


@dataclass(slots=True)
class Shipment:
    """What one position's blocks become: bodies with the bucket each goes to, in order.

    They are there until it was sent or the next one is built.
    """

    position: int
    bodies: Sequence[tuple[str, bytes | memoryview]]


@dataclass(slots=True)
class _Group:
    """Blocks of one layout: neighbours of each machine, so that their order is kept."""

    layout: Layout
    historical: bool
    blocks: list[int] = field(default_factory=list)
    stated: bool = False


@dataclass(slots=True, kw_only=True)
class _Taken:
    """Blocks of one shipment, b of them with n rows together.

    Shapes: (b,) `counts` of rows, `firsts` rows, `series` they go to; `times`, `ids` (n,) int64.
    """

    blocks: Sequence[Block]
    counts: NDArray[np.int64]
    firsts: NDArray[np.int64]
    series: NDArray[np.int64]
    times: NDArray[np.int64]
    ids: NDArray[np.int64]


Late = dict[int, list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.uint8]]]]


class Builder:
    """Makes shipments. One thread uses it."""

    def __init__(
        self,
        machines: Machines,
        buckets: Buckets,
        retention: Retention,
        now: Callable[[], int],
    ) -> None:
        self._machines = machines
        self._buckets = buckets
        self._retention = retention
        self._now = now
        self._room = Room()
        self._cells = NONE  #: of the last group, written over by the next

    def build(self, blocks: Sequence[Block], position: int) -> Shipment:
        """Turn blocks into requests. `StoreBusy` when the server must be asked and is away."""
        self._room.clear()
        blocks = [block for block in blocks if len(block.times_ns)]
        bodies: list[tuple[str, bytes | memoryview]] = []
        raw: list[tuple[str, bytes | memoryview]] = []
        closed: list[Closed] = []
        late: Late = {}
        if blocks:
            taken = self._taken(blocks)
            series, newest = np.repeat(taken.series, taken.counts), self._machines.newest
            placed = place(taken.times, series, taken.ids, newest, self._machines.taken)
            for group in _groups(blocks):
                rows = _rows_of(group, taken)
                part = self._passing(group, rows, taken)
                found, behind = self._machines.open.advance(part)
                closed += found
                if behind.any():
                    self._keep_late(part, behind, late)
                raw += self._raw(group, rows, part, placed, taken)
            closed += self._partials(late, position)
        bodies += self._rolled(closed, self._room)
        if self._machines.lines:
            bodies.append((self._buckets.ever, b"\n".join(self._machines.lines) + b"\n"))
            self._machines.lines = []
        return Shipment(position, _joined([*bodies, *raw]))

    def sent(self) -> None:
        """Let the last shipment's lines be written over."""
        self._room.clear()

    def open_minute(self, machine: str) -> int | None:
        """Return the start of a machine's open minute, None where it has none here."""
        return self._machines.open_minute(machine)

    def standing(self, position: int) -> Shipment:
        """Return a shipment of all open buckets as they are now; they stay open."""
        buckets = [self._machines.open.standing()]
        return Shipment(position, _joined(self._rolled(buckets, Room())))

    def _taken(self, blocks: Sequence[Block]) -> _Taken:
        origins = [self._machines.origin(block) for block in blocks]
        ids = [one.source + block.seq for one, block in zip(origins, blocks, strict=True)]
        times = [block.times_ns for block in blocks]
        counts = np.array([*map(len, times)])
        firsts = np.cumsum(counts) - counts
        return _Taken(
            blocks=blocks,
            counts=counts,
            firsts=firsts,
            series=np.array([one.series for one in origins]),
            times=np.concatenate(times),
            ids=np.repeat(np.array(ids) - firsts, counts) + np.arange(counts.sum()),
        )

    def _passing(self, group: _Group, rows: NDArray[np.int64] | slice, taken: _Taken) -> Passing:
        mine = [taken.blocks[b] for b in group.blocks]
        lengths = taken.counts[group.blocks]
        series, whose = np.unique(taken.series[group.blocks], return_inverse=True)
        machines = [self._machines.owner(one) for one in series.tolist()]
        for machine in machines:
            self._machines.tell(
                machine, group.layout, historical=group.historical, stated=group.stated
            )
        return Passing(
            times=taken.times[rows],
            series=series,
            machines=np.array([machine.number for machine in machines], np.int32),
            whose=np.repeat(whose.astype(np.int32), lengths),
            columns=np.stack([self._machines.columns(m, group.layout) for m in machines]),
            kinds=_fields(group.layout, group.historical).kinds,
            cells=filled(self._table(len(group.layout), int(lengths.sum())), mine, group.layout),
            states=stated(mine, group.layout, lengths) if group.stated else _NO_STATES,
        )

    def _table(self, columns: int, rows: int) -> NDArray[np.int64]:
        """Return room for values (columns, rows), with anything in it."""
        size = columns * rows
        if size > KEPT:
            return np.empty((columns, rows), np.int64)
        if size > len(self._cells):
            self._cells = np.empty(min(2 * size, KEPT), np.int64)
        return self._cells[:size].reshape(columns, rows)

    def _raw(
        self,
        group: _Group,
        rows: NDArray[np.int64] | slice,
        part: Passing,
        placed: Placed,
        taken: _Taken,
    ) -> Iterator[tuple[str, memoryview]]:
        lines = Rows(
            heads=Texts.of([self._machines.series_heads[s] for s in part.series.tolist()]),
            head=part.whose,
            times=placed.times[rows],
            own=placed.own[rows] if len(placed.own) else NONE,
            ids=taken.ids[rows],
            cells=part.cells,
            states=part.states,
        )
        fields = _fields(group.layout, group.historical)
        edge = self._edge(self._retention.raw_days)
        buckets = (self._buckets.raw, self._buckets.ever)
        yield from _split(lines, fields, edge, buckets, self._room)

    def _edge(self, days: int) -> int:
        """Return the time before which a bucket with this retention takes nothing."""
        return self._now() - days * DAY_NS if days else names.EDGE_NS * -1

    @staticmethod
    def _keep_late(part: Passing, behind: NDArray[np.bool_], late: Late) -> None:
        at = np.flatnonzero(behind)
        doubles = part.cells.view(np.float64)
        for owner in np.unique(part.whose[at]).tolist():
            mine = at[part.whose[at] == owner]
            for j, slot in enumerate(part.columns[owner].tolist()):
                whole = part.kinds[j] > KINDS["f"]
                values = part.cells[j, mine].astype(np.float64) if whole else doubles[j, mine]
                states = part.states[j, mine] if len(part.states) else np.zeros(len(mine), np.uint8)
                endless = np.isinf(values)
                if endless.any():
                    states = np.where(endless, np.maximum(states, BAD), states)
                    values = np.where(endless, np.nan, values)
                late.setdefault(slot, []).append((part.times[mine], values, states))

    @staticmethod
    def _partials(late: Late, position: int) -> Iterator[Closed]:
        """Yield late samples as partial buckets, each at a place of its own in its bucket."""
        offset = 1 + position % LATE_ROOM
        for slot, parts in late.items():
            times, values, states = (np.concatenate(column) for column in zip(*parts, strict=True))
            order = np.argsort(times, kind="stable")
            for level, width in ((MINUTES, MINUTE_NS), (HOURS, HOUR_NS)):
                found = rollup.reduce(times[order], values[order], states[order], width)
                ints = found.ints.copy()
                ints[START] += offset
                count = len(found)
                yield Closed(np.full(count, slot), np.full(count, level), ints, found.floats)

    def _rolled(self, closed: Sequence[Closed], room: Room) -> list[tuple[str, bytes | memoryview]]:
        out: list[tuple[str, bytes | memoryview]] = []
        if not closed:
            return out
        one = Closed.of(closed)
        slots, levels, whole = one.slots, one.levels, Partials(one.ints, one.floats)
        for level, width in ((MINUTES, MINUTE_NS), (HOURS, HOUR_NS)):
            mine = levels == level
            if not mine.any():
                continue
            every = bool(mine.all())  # mostly so, and then nothing need be copied
            part = whole if every else Partials(whole.ints[:, mine], whole.floats[:, mine])
            lines = Rows(
                heads=self._machines.heads(_MEASUREMENTS[level]),
                head=slots[mine].astype(np.int32),
                times=np.ascontiguousarray(part.ints[START]),
                own=NONE,
                ids=NONE,
                cells=_rolled_cells(part, width),
                states=_NO_STATES,
            )
            if level == HOURS:
                ever = self._buckets.ever
                out += [(ever, part) for part in pieces(lines, _ROLLED_FIELDS, room)]
            else:
                edge = self._edge(self._retention.minute_days)
                buckets = (self._buckets.minute, self._buckets.ever)
                out += _split(lines, _ROLLED_FIELDS, edge, buckets, room)
        return out


def _rolled_cells(part: Partials, width_ns: int) -> NDArray[np.int64]:
    count = len(part)
    cells = np.empty((len(_ROLLED), count), np.int64)
    doubles = cells.view(np.float64)
    empty = np.flatnonzero(part.ints[COUNT] == 0)
    start = part.ints[START] // width_ns * width_ns
    for j, name in enumerate(_ROLLED):
        if name in FLOATS:
            doubles[j] = part.floats[FLOATS[name]]
            doubles[j, empty] = np.nan
        elif name in OFFSETS:
            np.subtract(part.ints[OFFSETS[name]], start, out=cells[j])
            cells[j, empty] = 0
        else:
            cells[j] = part.ints[COUNTS[name]]
    total = doubles[_ROLLED.index("sum")]
    total[~np.isfinite(part.floats[SUM])] = np.nan
    return cells


def _split(
    rows: Rows, fields: Fields, edge_ns: int, buckets: tuple[str, str], room: Room
) -> Iterator[tuple[str, memoryview]]:
    """Yield the lines of each bucket: rows before `edge_ns` go where they are kept."""
    young, old = buckets
    before = rows.times < edge_ns
    parts = [(young, rows)]
    if before.any():
        parts = [
            (young, rows.only(np.flatnonzero(~before))),
            (old, rows.only(np.flatnonzero(before))),
        ]
    for bucket, mine in parts:
        for lines in pieces(mine, fields, room):
            yield bucket, lines


def _joined(
    bodies: Sequence[tuple[str, bytes | memoryview]],
) -> list[tuple[str, bytes | memoryview]]:
    """Join neighbouring bodies of one bucket that are small together."""
    out: list[tuple[str, list[bytes | memoryview]]] = []
    size = 0
    for bucket, body in bodies:
        if not len(body):
            continue
        size += len(body)
        if out and out[-1][0] == bucket and size <= JOINED:
            out[-1][1].append(body)
        else:
            out.append((bucket, [body]))
            size = len(body)
    return [(bucket, parts[0] if len(parts) == 1 else b"".join(parts)) for bucket, parts in out]


def _groups(blocks: Sequence[Block]) -> list[_Group]:
    """Group blocks by layout; where a machine changes its layout, later groups follow."""
    first, past = fresh.layout_of(blocks[0]), blocks[0].historical
    signals = blocks[0].signals if isinstance(blocks[0].columns, np.ndarray) else None
    layouts = [
        first  # mostly so, and then it need not be looked up
        if block.signals is signals and isinstance(block.columns, np.ndarray)
        else fresh.layout_of(block)
        for block in blocks
    ]
    if all(
        [  # noqa: C419 (a list takes half the time)
            layout is first and block.historical is past
            for block, layout in zip(blocks, layouts, strict=True)
        ]
    ):
        stated = any([block.quality or block.missing for block in blocks])  # noqa: C419
        return [_Group(first, past, list(range(len(blocks))), stated)]
    out: dict[Any, _Group] = {}
    turns: dict[str, Any] = {}
    key: Any = None
    group: Any = None
    for number, (block, layout) in enumerate(zip(blocks, layouts, strict=True)):
        turn, last, historical = turns.get(block.machine, (0, layout, block.historical))
        if (last is not layout and last != layout) or historical != block.historical:
            turn += 1
        mine = turns[block.machine] = (turn, layout, block.historical)
        if mine != key:  # mostly the same, and then its long tuple need not be hashed
            key = mine
            group = out.get(key)
            if group is None:
                group = out[key] = _Group(layout, block.historical)
        group.blocks.append(number)
        group.stated |= bool(block.quality or block.missing)
    return [out[key] for key in sorted(out, key=lambda key: key[0])]


def _rows_of(group: _Group, taken: _Taken) -> NDArray[np.int64] | slice:
    """Return which rows a group has of all blocks'."""
    if len(group.blocks) == len(taken.counts):
        return slice(None)
    mine = taken.counts[group.blocks]
    return np.repeat(taken.firsts[group.blocks] - (np.cumsum(mine) - mine), mine) + np.arange(
        mine.sum()
    )


@lru_cache(maxsize=4_096)
def _fields(layout: Layout, historical: bool) -> Fields:
    values = [names.field(code, name, historical=historical) for name, code in layout]
    states = [names.state_field(name, historical=historical) for name, _ in layout]
    row = names.OLD_ROW if historical else names.ROW
    return Fields.of(values, states, [code for _, code in layout], row, names.OWN)
