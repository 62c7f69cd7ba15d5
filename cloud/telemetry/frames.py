"""From rows in order of arrival to frames: sorted, cut, packed a signal at a time.

A frame's times and identities are stored once, its signals each by themselves. `arrivals` number a
machine's samples in order of arrival, so that samples of one nanosecond keep their order whatever
frames they come to lie in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.telemetry import chunk
from cloud.telemetry.chunk import Column
from cloud.telemetry.database import COLUMN_BITS
from cloud.telemetry.fresh import ABSENT, DTYPES, Layout, Rows

FRAME_ROWS: Final = 8_192
WIDE_NS: Final = 86_400 * 10**9  #: frames that span more are looked up apart
MAX_LAYOUTS: Final = 4  #: more in one compaction are joined, with absent cells
MAX_ISLANDS: Final = 8


@dataclass(slots=True)
class Table:
    """Rows of one layout with their arrival numbers."""

    layout: Layout
    rows: Rows
    arrivals: NDArray[np.int64]

    def take(self, index: slice | NDArray[np.generic]) -> "Table":
        """Return a part or another order."""
        rows = self.rows
        return Table(
            self.layout,
            Rows(
                times=rows.times[index],
                columns=[column[index] for column in rows.columns],
                states=[None if state is None else state[index] for state in rows.states],
                sources=rows.sources[index],
                seqs=rows.seqs[index],
            ),
            self.arrivals[index],
        )

    def in_time_order(self) -> "Table":
        """Return the rows by time, ties by arrival."""
        steps = np.diff(self.rows.times)
        if (steps > 0).all():
            return self
        order = np.lexsort((self.arrivals, self.rows.times))
        return self.take(order)


@dataclass(slots=True)
class Frame:
    """A packed frame, ready to be stored."""

    layout: Layout
    rows: int
    start_ns: int
    end_ns: int
    times: bytes
    arrivals: bytes
    identity: bytes
    chunks: list[bytes]

    @property
    def size(self) -> int:
        """Return the bytes of its blobs."""
        own = len(self.times) + len(self.arrivals) + len(self.identity)
        return own + sum(map(len, self.chunks))


def concat(tables: Sequence[Table]) -> Table:
    """Join tables of one layout."""
    if len(tables) == 1:
        return tables[0]
    layout = tables[0].layout
    rows = [table.rows for table in tables]
    states: list[NDArray[np.uint8] | None] = []
    for index in range(len(layout)):
        some = [row.states[index] for row in rows]
        states.append(
            None
            if all(state is None for state in some)
            else np.concatenate(
                [
                    np.zeros(len(row.times), np.uint8) if state is None else state
                    for row, state in zip(rows, some, strict=True)
                ]
            )
        )
    return Table(
        layout,
        Rows(
            times=np.concatenate([row.times for row in rows]),
            columns=[
                np.concatenate([row.columns[index] for row in rows]) for index in range(len(layout))
            ],
            states=states,
            sources=np.concatenate([row.sources for row in rows]),
            seqs=np.concatenate([row.seqs for row in rows]),
        ),
        np.concatenate([table.arrivals for table in tables]),
    )


def unite(tables: Sequence[Table]) -> list[Table]:
    """Join tables of many layouts into few, with absent cells; types are never changed."""
    unions: list[tuple[dict[str, str], list[Table]]] = []
    for table in tables:
        mine = dict(table.layout)
        for known, members in unions:
            if len(known.keys() | mine.keys()) <= 1 << COLUMN_BITS and all(
                known.get(name, code) == code for name, code in mine.items()
            ):
                known.update(mine)
                members.append(table)
                break
        else:
            unions.append((mine, [table]))
    return [
        concat([_widen(table, tuple(sorted(known.items()))) for table in members])
        for known, members in unions
    ]


def _widen(table: Table, layout: Layout) -> Table:
    n = len(table.rows.times)
    places = {name: index for index, (name, _) in enumerate(table.layout)}
    columns: list[NDArray[np.generic]] = []
    states: list[NDArray[np.uint8] | None] = []
    for name, code in layout:
        if name in places:
            columns.append(table.rows.columns[places[name]])
            states.append(table.rows.states[places[name]])
        else:
            nothing = np.full(n, np.nan) if code in "df" else np.zeros(n)
            columns.append(nothing.astype(DTYPES[code]))
            states.append(np.full(n, ABSENT, np.uint8))
    rows = table.rows
    wide = Rows(
        times=rows.times, columns=columns, states=states, sources=rows.sources, seqs=rows.seqs
    )
    return Table(layout, wide, table.arrivals)


def cuts(times: NDArray[np.int64]) -> Iterator[slice]:
    """Cut sorted times evenly into frames."""
    count = -(-len(times) // FRAME_ROWS)
    for k in range(count):
        yield slice(len(times) * k // count, len(times) * (k + 1) // count)


def islands(times: NDArray[np.int64]) -> list[slice]:
    """Part sorted times where one gap is more than half of a wide span.

    So a few late samples lie in a frame of their own, and the others stay quick to find.
    """
    todo = [(0, len(times))]
    done: list[slice] = []
    while todo:
        first, last = todo.pop()
        gaps = np.diff(times[first:last].astype(np.float64))
        widest = first + int(np.argmax(gaps)) + 1 if len(gaps) else last
        whole = not len(gaps) or gaps.sum() <= WIDE_NS or gaps.max() * 2 <= gaps.sum()
        if whole or len(todo) + len(done) >= MAX_ISLANDS:
            done.append(slice(first, last))
        else:
            todo += [(first, widest), (widest, last)]
    return sorted(done, key=lambda part: int(part.start))


def pack(table: Table) -> Frame:
    """Pack rows that are in time order."""
    rows = table.rows
    return Frame(
        layout=table.layout,
        rows=len(rows.times),
        start_ns=int(rows.times[0]),
        end_ns=int(rows.times[-1]),
        times=chunk.pack_numbers(rows.times),
        arrivals=chunk.pack_numbers(table.arrivals),
        identity=chunk.pack_numbers(rows.sources, rows.seqs),
        chunks=[
            chunk.pack_column(Column(column, state), code)
            for column, state, (_, code) in zip(
                rows.columns, rows.states, table.layout, strict=True
            )
        ],
    )


def pack_all(table: Table, *, apart: bool) -> list[Frame]:
    """Sort, cut and pack rows; `apart`: late samples in frames of their own."""
    ordered = table.in_time_order()
    parts = islands(ordered.rows.times) if apart else [slice(0, len(ordered.rows.times))]
    return [
        pack(island.take(part))
        for island in map(ordered.take, parts)
        for part in cuts(island.rows.times)
    ]
