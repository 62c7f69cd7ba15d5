"""Reading back: one request where one will do, and the coarsest exact tier for buckets.

Every minute before that of a machine's newest stored sample is in the minutes, every hour before
its hour in the hours (`shipment` stores roll-ups before raw samples). What lies behind comes from
the finer tier.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from cloud.telemetry import Latest, rollup
from cloud.telemetry.fresh import MISSING, QUALITY
from cloud.telemetry.identity import Run
from cloud.telemetry.influx import names, tables
from cloud.telemetry.influx.edges import Edges
from cloud.telemetry.influx.grid import Grid
from cloud.telemetry.influx.http import Connection, Table
from cloud.telemetry.influx.influxql import FLOOR_NS, quoted, select, since, source, tagged, within
from cloud.telemetry.influx.setup import Buckets
from cloud.telemetry.query import Samples, Span
from cloud.telemetry.reduction import RAW, plan
from cloud.telemetry.rollup import HOUR_NS, MINUTE_NS, Partials

PAGE: Final = 20_000
LETTERS: Final = (*names.LETTERS.values(), names.STATE)
_STORED: Final = {HOUR_NS: names.HOUR, MINUTE_NS: names.MINUTE}
_ROLLED: Final = ",".join([*tables.FLOATS, *tables.OFFSETS, *tables.COUNTS])


class Reader:
    """Answers the store's questions. Safe from any thread."""

    def __init__(self, connection: Connection, buckets: Buckets) -> None:
        self._connection = connection
        self._buckets = buckets

    def ask(self, statements: Sequence[str]) -> list[list[Table]]:
        """Run statements that name their buckets."""
        return self._connection.query(self._buckets.ever, statements)

    def _from(self, measurement: str) -> Iterator[str]:
        """Yield where a measurement may lie: its own bucket, and that of late samples."""
        if measurement != names.HOUR:
            own = self._buckets.minute if measurement == names.MINUTE else self._buckets.raw
            yield source(own, measurement)
        yield source(self._buckets.ever, measurement)

    def _asking(
        self, machine: str, signal: str, span: Span, limit: int | None = None, *, live: bool = False
    ) -> list[str]:
        letters = LETTERS if live else (*LETTERS, *map(str.upper, LETTERS))
        fields = quoted(*(f"{letter}.{names.safe(signal)}" for letter in letters), names.OWN)
        mine = (tagged("machine", machine), within(span))
        return [
            select(fields, place, *mine, by="stream", limit=limit)
            for place in self._from(names.READING)
        ]

    def _grids(self, machine: str, signal: str, span: Span, limit: int | None) -> list[Grid]:
        """Return samples by stored time, a grid a series; `limit` holds for each."""
        return _grids(self.ask(self._asking(machine, signal, span, limit)))

    def series(self, machine: str, signal: str, span: Span, limit: int | None) -> Samples:
        """Return the first `limit` samples of a span (None: all)."""
        whole = _moved(span)
        want = limit if limit is not None and limit <= PAGE else None
        while want is not None:
            found = self._grids(machine, signal, whole, want)
            cut = [int(grid.times[-1]) for grid in found if len(grid) == want]
            if not cut:
                return tables.between(tables.samples(found), span).take(slice(0, limit))
            # Complete up to `reach`, but for samples moved behind it from before.
            reach = min(cut) + 1
            begun = [grid.before(reach) for grid in found]
            behind = Span(reach, min(reach + names.FARTHEST_NS, whole.end_ns))
            begun += self._grids(machine, signal, behind, None)
            sure = tables.between(
                tables.samples(begun), Span(span.start_ns, min(reach, span.end_ns))
            )
            if len(sure.times) >= (limit or 0):
                return sure.take(slice(0, limit))
            want = want * 4 if want * 4 <= PAGE * 4 else None
        found = self._grids(machine, signal, whole, None)
        return tables.between(tables.samples(found), span).take(slice(0, limit))

    def edges(self, machine: str, start_ns: int) -> Edges:
        """Return how far each tier reaches.

        The minute that was stored last may still be open, all before it are complete.
        """
        kept = source(self._buckets.ever, names.KEPT)
        trimmed, *rolled = self.ask(
            [
                select("raw_from,minute_from", kept, tagged("machine", machine)),
                *self._last_minutes(machine, since(start_ns)),
            ]
        )
        times = [row[0] for found in rolled for table in found for row in table.rows]
        raw_from, minute_from = trimmed[0].rows[-1][1:3] if trimmed else (None, None)
        minute = max(times, default=start_ns) // MINUTE_NS * MINUTE_NS
        return Edges.of(minute, raw_from, minute_from)

    def _last_minutes(self, machine: str, *more: str, by: str | None = None) -> list[str]:
        """Return for the stored minutes what `last` finds at once, however long the past is."""
        return [
            select("last(count)", place, tagged("machine", machine), *more, by=by)
            for place in self._from(names.MINUTE)
        ]

    def _each_row_field(self, function: str, *conditions: str, by: str | None = None) -> list[str]:
        """Return a function of the fields that every sample has one of."""
        return [
            select(f"{function}({quoted(field)})", place, *conditions, by=by)
            for place in self._from(names.READING)
            for field in (names.ROW, names.OLD_ROW)
        ]

    def newest_rows(self, machine: str) -> tuple[int | None, dict[str, int]]:
        """Return the last stored minute, and each stream's newest stored time from it on."""
        found = self.ask(self._last_minutes(machine))
        minutes = [row[0] for answer in found for table in answer for row in table.rows]
        minute = max(minutes) // MINUTE_NS * MINUTE_NS if minutes else None
        bound = since(FLOOR_NS if minute is None else minute)
        rows = self.ask(
            self._each_row_field("last", tagged("machine", machine), bound, by="stream")
        )
        out: dict[str, int] = {}
        for answer in rows:
            for table in answer:
                stream = table.tags["stream"]
                out[stream] = max(out.get(stream, FLOOR_NS), table.rows[0][0])
        return minute, out

    def taken(self, machine: str, stream: str, spans: Sequence[tuple[int, int]]) -> dict[int, int]:
        """Return the stored times of a series in some spans, with the rows that hold them."""
        mine = tagged("machine", machine), tagged("stream", stream)
        rows = quoted(names.ROW, names.OLD_ROW)
        found = self.ask(
            [
                select(rows, place, *mine, within(Span(*span)))
                for place in self._from(names.READING)
                for span in spans
            ]
        )
        out: dict[int, int] = {}
        for grid in _grids(found):
            ids = np.where(grid.there(1), grid.whole(1), grid.whole(2))
            out.update(zip(grid.times.tolist(), ids.tolist(), strict=True))
        return out

    def _asking_stored(self, measurement: str, machine: str, signal: str, span: Span) -> list[str]:
        mine = tagged("machine", machine), tagged("signal", signal), within(span)
        return [select(_ROLLED, place, *mine) for place in self._from(measurement)]

    def unclosed(
        self, machine: str, signals: Sequence[str], minute: int
    ) -> dict[str, tuple[Partials, Partials]]:
        """Return what the open minute and its hour hold of each signal (see `rolls`)."""
        hour = minute // HOUR_NS * HOUR_NS
        inside, before = Span(minute, minute + MINUTE_NS), Span(hour, minute)
        asked: list[str] = []
        for signal in signals:
            asked += self._asking(machine, signal, _moved(inside))
            asked += self._asking_stored(names.MINUTE, machine, signal, before)
        answers = iter(self.ask(asked))
        out = {}
        for signal in signals:
            raw = tables.samples(_grids([next(answers), next(answers)]))
            rolled = tables.partials(_grids([next(answers), next(answers)]), MINUTE_NS, late=False)
            whole = rollup.join([rolled], HOUR_NS)
            out[signal] = (_reduced(tables.between(raw, inside), MINUTE_NS), whole)
        return out

    def buckets(
        self, machine: str, signal: str, span: Span, width_ns: int, edges: Edges | None = None
    ) -> Partials:
        """Return a signal's buckets of `width_ns` over a span, by one request behind `edges`.

        `edges`: those of the machine, where they need not be asked for.
        """
        edges = edges or self.edges(machine, span.start_ns)
        parts = [
            inner
            for part in plan(span, width_ns, edges.raw_from_ns, edges.minute_from_ns)
            for inner in edges.cover(part)
        ]
        asked = [
            self._asking(machine, signal, _moved(inner))
            if level == RAW
            else self._asking_stored(_STORED[level], machine, signal, inner)
            for level, inner in parts
        ]
        answers = iter(self.ask([statement for statements in asked for statement in statements]))
        out: list[Partials] = []
        for (level, inner), statements in zip(parts, asked, strict=True):
            found = _grids([next(answers) for _ in statements])
            if level == RAW:
                samples = tables.between(tables.samples(found), inner)
                out.append(_reduced(samples, width_ns))
            else:
                out.append(tables.partials(found, level))
        return rollup.join(out, width_ns)

    def count(self, machine: str) -> int:
        """Return how many samples (rows) a machine has."""
        found = self.ask(self._each_row_field("count", tagged("machine", machine)))
        return sum(row[1] for answer in found for table in answer for row in table.rows)

    def oldest(self, measurement: str) -> dict[str, int]:
        """Return, by machine, the first time that the bucket for ever holds of a measurement."""
        fields = ["count"] if measurement == names.MINUTE else [names.ROW, names.OLD_ROW]
        place = source(self._buckets.ever, measurement)
        out: dict[str, int] = {}
        for answer in self.ask(
            [select(f"first({quoted(f)})", place, by="machine") for f in fields]
        ):
            for table in answer:
                machine = names.plain(table.tags["machine"])
                out[machine] = min(out.get(machine, names.EDGE_NS), table.rows[0][0])
        return out

    def identities(self, machine: str) -> Iterator[Run]:
        """Yield (boot, stream, first seq, count) of runs of stored samples."""
        mine = tagged("machine", machine)
        boots, *found = self.ask(
            [
                select("boot", source(self._buckets.ever, names.BOOT), mine),
                *(
                    select(quoted(field), place, mine, by="stream")
                    for place in self._from(names.READING)
                    for field in (names.ROW, names.OLD_ROW)
                ),
            ]
        )
        named = {number: boot for table in boots for number, boot in table.rows}
        for answer in found:
            for table in answer:
                rows = table.grid.whole(1)
                cuts = np.flatnonzero(np.diff(rows) != 1) + 1
                for run in np.split(rows, cuts):
                    number, seq = divmod(int(run[0]), 1 << names.SEQ_BITS)
                    boot, first = names.unpaged(named[number])
                    yield boot, names.plain(table.tags["stream"]), first + seq, len(run)

    def signals(self, machine: str) -> dict[str, set[str]]:
        """Return the signals of a machine, each with the letters of its fields."""
        place = source(self._buckets.ever, names.SIGNAL)
        answer = self.ask([select("*", place, tagged("machine", machine), by="signal")])
        return {
            names.plain(table.tags["signal"]): {
                column
                for column, cell in zip(table.columns, table.rows[0], strict=True)
                if cell is not None and column not in {"time", "machine"}
            }
            for table in answer[0]
        }

    def _since(self, machine: str) -> dict[str, int]:
        """Return, by signal, the last stored minute: nothing newer lies before it."""
        out: dict[str, int] = {}
        for answer in self.ask(self._last_minutes(machine, by="signal")):
            for table in answer:
                signal = names.plain(table.tags["signal"])
                minute = table.rows[0][0] // MINUTE_NS * MINUTE_NS
                out[signal] = max(out.get(signal, FLOOR_NS), minute)
        return out

    def latest(self, machine: str) -> list[Latest]:
        """Return the newest live value of each signal."""
        known = self.signals(machine)
        bounds = self._since(machine)
        found = self._recent(machine, known, max(bounds.values(), default=FLOOR_NS))
        missed = {signal: known[signal] for signal in known.keys() - found.keys()}
        if missed:  # not heard of since the machine's last stored minute
            spans = self._newest_spans(machine, missed, bounds)
            if older := {signal: known[signal] for signal in missed.keys() - spans.keys()}:
                spans |= self._newest_spans(machine, older, {})
            found |= {one.signal: one for one in self._newest(machine, spans)}
        return [found[signal] for signal in sorted(found)]

    def _recent(self, machine: str, known: dict[str, set[str]], start_ns: int) -> dict[str, Latest]:
        """Return the newest live values among the samples stored since a time, all at once."""
        fields = [
            f"{letter}.{names.safe(signal)}"
            for signal, letters in sorted(known.items())
            for letter in sorted(letters & set(LETTERS))
        ]
        if not fields or start_ns == FLOOR_NS:
            return {}
        mine = tagged("machine", machine), since(start_ns)
        answers = self.ask(
            [
                select(quoted(*fields, names.OWN), place, *mine, by="stream")
                for place in self._from(names.READING)
            ]
        )
        grids = _grids(answers)
        out = {}
        for signal in known:
            live = tables.samples([tables.only(grid, names.safe(signal)) for grid in grids])
            if len(live.times):
                out[signal] = _last(signal, live)
        return out

    def _newest_spans(
        self, machine: str, known: dict[str, set[str]], bounds: dict[str, int]
    ) -> dict[str, Span]:
        """Return, by signal, the stored times among which the newest live sample is."""
        asked = [
            select(
                f"last({quoted(f'{letter}.{names.safe(signal)}')}),{quoted(names.OWN)}",
                place,
                tagged("machine", machine),
                since(bounds.get(signal, FLOOR_NS)),
            )
            for signal, letters in sorted(known.items())
            for letter in sorted(letters & set(LETTERS))
            for place in self._from(names.READING)
        ]
        answers = iter(self.ask(asked))
        spans: dict[str, Span] = {}
        for signal, letters in sorted(known.items()):
            found = [
                (row[0], row[0] if row[2] is None else row[2])
                for _ in range(2 * len(letters & set(LETTERS)))
                for table in next(answers)
                for row in table.rows
            ]
            if found:
                stored = max(at for at, _ in found)
                spans[signal] = Span(min(own for at, own in found if at == stored), stored + 1)
        return spans

    def _newest(self, machine: str, spans: dict[str, Span]) -> list[Latest]:
        """Return the newest live sample of each signal among those stored in its span."""
        asked: list[str] = []
        for signal, span in sorted(spans.items()):
            asked += self._asking(machine, signal, span, live=True)
        answers = iter(self.ask(asked))
        out = []
        for signal in sorted(spans):
            live = tables.samples(_grids([next(answers), next(answers)]))
            out.append(_last(signal, live))
        return out


def _last(signal: str, live: Samples) -> Latest:
    """Return the last of some samples in time order."""
    state, value = int(live.states[-1]), live.values[-1].item()
    missing = state & MISSING or value != value  # noqa: PLR0124 (NaN)
    return Latest(
        signal=signal,
        at_ns=int(live.times[-1]),
        value=None if missing else float(value),
        quality=state & QUALITY,
    )


def _moved(span: Span) -> Span:
    """Return where samples of a span may be stored."""
    return Span(span.start_ns, span.end_ns + names.FARTHEST_NS)


def _grids(answers: Sequence[Sequence[Table]]) -> list[Grid]:
    """Return the series of some answers as arrays."""
    return [table.grid for answer in answers for table in answer]


def _reduced(found: Samples, width_ns: int) -> Partials:
    return rollup.reduce(found.times, found.values, found.states, width_ns)
