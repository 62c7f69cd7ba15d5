"""Which samples are stored, by the numbers their devices gave them: proof of exactly once."""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from cloud.errors import StoreCorrupt
from cloud.telemetry import chunk, fresh
from cloud.telemetry.names import fresh_range
from cloud.telemetry.readers import Readers

Run = tuple[str, str, int, int]  #: boot, stream, first seq, count


def runs(readers: Readers, db: sqlite3.Connection, machine: int) -> Iterator[Run]:
    """Yield runs of consecutive numbers of one boot and stream, as they lie in the file."""
    names = {
        number: (boot, stream)
        for number, boot, stream in db.execute("SELECT id, boot, stream FROM source")
    }

    def name(source: int) -> tuple[str, str]:
        if source not in names:
            raise StoreCorrupt(
                f"{readers.path}, table source: row {source} is missing; restore the file from a "
                "backup"
            )
        return names[source]

    frames = db.execute("SELECT id, rows, identity FROM frame WHERE machine = ?", (machine,))
    for number, rows, blob in frames:
        where = f"{readers.path}, table frame, row {number}"
        sources, seqs = chunk.unpack_numbers(blob, rows, where, 2)
        breaks = np.flatnonzero((np.diff(sources) != 0) | (np.diff(seqs) != 1)) + 1
        edges = [0, *breaks.tolist(), rows]
        for first, last in pairwise(edges):
            yield (*name(int(sources[first])), int(seqs[first]), last - first)
    young = db.execute("SELECT id, body FROM fresh WHERE id >= ? AND id < ?", fresh_range(machine))
    for number, body in young:
        for source, seq, count in fresh.runs(body, f"{readers.path}, table fresh, row {number}"):
            yield (*name(source), seq, count)


def audit(found: Iterable[Run]) -> tuple[dict[tuple[str, str], list[tuple[int, int]]], int]:
    """Return the stored intervals [first, last] of each (boot, stream), and how many repeats."""
    by_stream: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for boot, stream, first, count in found:
        by_stream.setdefault((boot, stream), []).append((first, first + count))
    repeats = 0
    out: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for key, spans in by_stream.items():
        merged: list[tuple[int, int]] = []
        for first, behind in sorted(spans):
            if merged and first <= merged[-1][1] + 1:
                repeats += max(0, min(behind, merged[-1][1] + 1) - first)
                merged[-1] = (merged[-1][0], max(merged[-1][1], behind - 1))
            else:
                merged.append((first, behind - 1))
        out[key] = merged
    return out, repeats
