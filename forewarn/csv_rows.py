"""Recordings as CSV files: read in pieces, so that memory does not depend on their length.

The first column is `timestamp` (ISO 8601; without a zone it is UTC), all others are numeric
signals. A cell that is not a number is missing data and counted; so are `inf` and absent cells at
the end of a row. Blank lines are no rows. What cannot be read otherwise is named with its line.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

PIECE: Final = 8192  #: rows read at once
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: ns since 1970 fit into 64 bits within these
_YEARS: Final = range(1678, 2262)


class CsvError(ValueError):
    """A recording cannot be read; the text names file, line and reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some rows: `stamps` as written, `times_ns` (n,) int64, `columns` k arrays (n,) float64."""

    stamps: tuple[str, ...]
    times_ns: NDArray[np.int64]
    columns: list[NDArray[np.float64]]


@dataclass(slots=True)
class CsvFile:
    """One file, open for one pass. `unreadable`: signal -> cells that are not numbers, so far."""

    path: Path
    signals: tuple[str, ...] = ()
    unreadable: dict[str, int] = field(default_factory=dict)

    def pieces(self) -> Iterator[Piece]:
        """Yield the rows in pieces. `CsvError` when the file cannot be read on.

        The header is read with the first piece; `signals` are known from then on.
        """
        line = 0
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, strict=True)
                line = 1
                self._header(next(reader, []))
                while rows := list(islice(reader, PIECE)):
                    lines = range(line + 1, line + 1 + len(rows))
                    line = lines[-1]
                    piece = self._piece(rows, lines)
                    if piece is not None:
                        yield piece
        except OSError as error:
            raise CsvError(f"{self.path}: {error.strerror or error}") from error
        except (UnicodeDecodeError, csv.Error) as error:
            place = f"{self.path}, line {line + 1} or after"
            raise CsvError(f"{place}: not text of comma-separated values: {error}") from error

    def _header(self, names: list[str]) -> None:
        first = names[0].strip() if names else ""
        if first != "timestamp":
            self._stop(1, f"the first column must be 'timestamp', not '{first[:40]}'")
        if len(names) < 2:
            self._stop(1, "there is no column beside 'timestamp'")
        self.signals = tuple(name.strip() for name in names[1:])

    def _piece(self, rows: list[list[str]], lines: range) -> Piece | None:
        width = 1 + len(self.signals)
        if set(map(len, rows)) != {width}:
            rows, lines = self._even(rows, lines)
            if not rows:
                return None
        stamps, *cells = zip(*rows, strict=True)
        columns = [
            self._numbers(name, column) for name, column in zip(self.signals, cells, strict=True)
        ]
        return Piece(stamps=stamps, times_ns=self._times(stamps, lines), columns=columns)

    def _even(self, rows: list[list[str]], lines: range) -> tuple[list[list[str]], range]:
        """Leave blank lines out and fill short rows; a row that is too long is an error."""
        width = 1 + len(self.signals)
        kept, places = [], []
        for line, row in zip(lines, rows, strict=True):
            if len(row) > width:
                self._stop(line, f"{len(row)} cells, and the header has {width}")
            if row:
                kept.append(row + [""] * (width - len(row)))
                places.append(line)
        return kept, places  # type: ignore[return-value]

    def _numbers(self, name: str, cells: tuple[str, ...]) -> NDArray[np.float64]:
        try:
            return np.array(list(map(float, cells)))
        except ValueError:
            found = np.full(len(cells), np.nan)
        for i, cell in enumerate(cells):
            try:
                found[i] = float(cell)
            except ValueError:
                if cell.strip():
                    self.unreadable[name] = self.unreadable.get(name, 0) + 1
        return found

    def _times(self, stamps: tuple[str, ...], lines: range) -> NDArray[np.int64]:
        quick = _quick_times(stamps)
        if quick is not None:
            return quick
        found = np.empty(len(stamps), np.int64)
        for i, stamp in enumerate(stamps):
            try:
                at = datetime.fromisoformat(stamp.strip())
            except ValueError:
                self._stop(lines[i], f"'{stamp[:40]}' is no ISO 8601 time")
            if at.year not in _YEARS:
                self._stop(lines[i], f"the year of '{stamp[:40]}' is outside 1678..2261")
            since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH
            whole = (since.days * 86_400 + since.seconds) * 10**9
            found[i] = whole + since.microseconds * 1000
        return found

    def _stop(self, line: int, reason: str) -> None:
        raise CsvError(f"{self.path}, line {line}: {reason}")


def _quick_times(stamps: tuple[str, ...]) -> NDArray[np.int64] | None:
    """Return times of the form 2026-11-24T08:15:00Z (also with a space, without Z), or None."""
    size = len(stamps[0])
    if size not in {19, 20} or set(map(len, stamps)) != {size}:
        return None
    text = np.array(stamps, f"U{size}")
    marks = text.view("U1").reshape(-1, size)
    plain = np.isin(marks[:, 10], ("T", " ")).all() and (marks[:, 4] == "-").all()
    if size == 20:
        plain = plain and (marks[:, 19] == "Z").all()
        text = text.astype("U19")
    if not plain:
        return None
    try:
        found = text.astype("M8[s]")
    except ValueError:
        return None
    years = found.astype("M8[Y]").astype(np.int64) + 1970
    if np.isnat(found).any() or not ((years >= _YEARS[0]) & (years <= _YEARS[-1])).all():
        return None
    return found.astype(np.int64) * 10**9
