"""Readings as a file: CSV, or Parquet where pyarrow is installed. Streamed in pieces."""

import csv
import importlib.util
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response, StreamingResponse

from cloud.api.assessments import Moment
from cloud.api.deps import ApiDeps, Deps
from cloud.api.problems import HttpProblem, declared
from cloud.api.series import Span, span_of
from cloud.errors import Refused
from cloud.telemetry import Series
from cloud.times import rfc3339

PIECE: Final = 20_000  #: readings read at once
LARGEST: Final = 20_000_000  #: readings in one file
SIGNALS: Final = 50
CSV: Final = "text/csv"
PARQUET: Final = "application/vnd.apache.parquet"
COLUMNS: Final = ("time", "signal", "value", "unit", "quality")
router = APIRouter(prefix="/api/v1/machines", tags=["series"])
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "a file with the columns time, signal, value, unit, quality",
        "content": {
            CSV: {"schema": {"type": "string"}},
            PARQUET: {"schema": {"type": "string", "contentMediaType": PARQUET}},
        },
    }
}


def _spans(
    deps: Deps,
    machine: str,
    signal: Annotated[list[str], Query(min_length=1, max_length=SIGNALS)],
    start: Moment = None,
    end: Moment = None,
) -> list[Span]:
    return [span_of(deps, machine, name, start, end) for name in dict.fromkeys(signal)]


@router.get(
    "/{machine}/export", responses=_FILE | declared(404, 429, 501), response_class=StreamingResponse
)
def export_series(
    deps: Deps,
    spans: Annotated[list[Span], Depends(_spans)],
    format: Annotated[Literal["csv", "parquet"], Query()] = "csv",  # noqa: A002 - its usual name
) -> Response:
    """Return readings with start <= time < end as a file; default: the 24 h up to the newest."""
    if format == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise HttpProblem(501, "Parquet needs pyarrow here: pip install forewarn[parquet]")
    who = deps.principal.account or deps.principal.name
    deps.exports.begin(who, _size(deps, spans), deps.health().now_ns)
    name = "".join(c if c.isalnum() or c in ".-" else "_" for c in spans[0].machine)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{format}"'}
    file, media = (_csv, CSV) if format == "csv" else (_parquet, PARQUET)
    counted = deps.exports.counted(who, file(deps, spans))
    return StreamingResponse(counted, media_type=media, headers=headers)


def _size(deps: ApiDeps, spans: list[Span]) -> int:
    """Return how many readings a file will hold, if one may hold so many."""
    count = 0
    for span in spans:
        width = span.end_ns - span.start_ns
        found = deps.telemetry.buckets(span.machine, span.signal, span.start_ns, span.end_ns, width)
        count += int(found.count.sum())
    if count > LARGEST:
        raise Refused(
            "query/start", f"{count} readings; a file holds at most {LARGEST}: ask for less time"
        )
    return count


def _pieces(deps: ApiDeps, span: Span) -> Iterator[Series]:
    """Yield a span's readings, each once, in order of time."""
    begin, seen = span.start_ns, 0
    while True:
        found = deps.telemetry.series(span.machine, span.signal, begin, span.end_ns, seen + PIECE)
        fresh = Series(
            times_ns=found.times_ns[seen:],
            values=found.values[seen:],
            quality=found.quality[seen:],
            missing=found.missing[seen:],
        )
        if len(fresh.times_ns):
            yield fresh
        if len(found.times_ns) < seen + PIECE:
            return
        last = int(found.times_ns[-1])
        seen = int((found.times_ns == last).sum())
        begin = last


def _csv(deps: ApiDeps, spans: list[Span]) -> Iterator[bytes]:
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(COLUMNS)
    for span in spans:
        name, unit = _cell(span.signal), _cell(span.unit or "")
        for piece in _pieces(deps, span):
            values, times = piece.values.tolist(), piece.times_ns.tolist()
            for at_ns, value, gone, quality in zip(
                times, values, piece.missing.tolist(), piece.quality.tolist(), strict=True
            ):
                shown = "" if gone else value
                lines.writerow((rfc3339(at_ns), name, shown, unit, quality))
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    found = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return found


def _cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _parquet(deps: ApiDeps, spans: list[Span]) -> Iterator[bytes]:
    """Write the file piece by piece to disk, then send it; memory holds one piece."""
    import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to load
    import pyarrow.parquet as pq  # noqa: PLC0415

    kinds = (pa.timestamp("ns", tz="UTC"), pa.string(), pa.float64(), pa.string(), pa.uint8())
    schema = pa.schema(list(zip(COLUMNS, kinds, strict=True)))
    with tempfile.TemporaryDirectory(prefix="forewarn-export-") as folder:
        path = Path(folder) / "series.parquet"
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for span in spans:
                for piece in _pieces(deps, span):
                    size = len(piece.times_ns)
                    values = piece.values.astype(np.float64)
                    columns = [
                        pa.array(piece.times_ns, kinds[0]),
                        pa.array([span.signal] * size, kinds[1]),
                        pa.array(values, kinds[2], mask=piece.missing),
                        pa.array([span.unit] * size, kinds[3]),
                        pa.array(piece.quality, kinds[4]),
                    ]
                    writer.write_batch(pa.record_batch(columns, schema=schema))
        with path.open("rb") as file:
            while part := file.read(1 << 16):
                yield part
