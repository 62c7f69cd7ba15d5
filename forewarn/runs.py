"""Files of runs: `unit,time,<signals…>` and an optional `event`, read and checked cell by cell."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.life.learned.outliers import outliers
from models.life.learned.runs import Runs

MOST_BYTES: Final = 1 << 30  #: of a file, unpacked: more is refused
MOST_SIGNALS: Final = 1_000
FEWEST: Final = 10  #: rows in good order that prove the first time of a unit wrong
LARGEST_AGE: Final = 1e30  #: and the smallest but 0 is one by it: their squares are numbers, too
LARGEST: Final = 1e38  #: value of a signal: models compute with numbers of 32 bits
MISSING: Final = frozenset({"", "nan", "na", "n/a", "null", "none"})


class BadRuns(ValueError):
    """The file is not what it should be; the message names unit, row and column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """Runs as they were read.

    Attributes:
        runs: the units in the order in which they first occur.
        order: place of each row of `runs` in the file, (n,).
        unit: text of each row's unit, in the order of the file, (n,).
        time: text of each row's time, in the order of the file, (n,).
        sha256: digest of the file.
        warnings: what was left out, in words.
    """

    runs: Runs
    order: NDArray[np.intp]
    unit: list[str]
    time: list[str]
    sha256: str
    warnings: list[str]


def read(path: Path, *, unit: str = "unit", time: str = "time") -> File:
    """Read a file of runs (CSV, or CSV in gzip); raise BadRuns where it is not one."""
    content, digest = _content(path)
    table = csv.reader(io.StringIO(content, newline=""))
    head = [name.strip() for name in next(table, [])]
    _check_head(head, unit, time, path)
    rows = _rows(table, head, path)
    if not rows:
        raise BadRuns(f"{path}: there are no rows")
    columns = dict(zip(head, zip(*rows, strict=True), strict=True))
    units = [_named(text, n, unit) for n, text in enumerate(columns.pop(unit), 2)]
    times_text = [text.strip() for text in columns.pop(time)]
    times = [
        _age(text, row, name, time)
        for row, (text, name) in enumerate(zip(times_text, units, strict=True), 2)
    ]
    events = columns.pop("event", None)
    names = list(dict.fromkeys(units))
    place = {name: k for k, name in enumerate(names)}
    owner = np.array([place[name] for name in units], np.intp)
    order = np.argsort(owner, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(owner))])
    age = np.array(times)[order]
    signals, values, warnings = _signals(columns, units)
    warnings += _mend(age, starts, order, names, time)
    _check_times(age, owner[order], order, names, time)
    runs = Runs(
        units=tuple(names),
        starts=starts,
        time=age,
        values=values[order],
        signals=signals,
        failed=_failed(events, units, place),
    )
    return File(
        runs=runs, order=order, unit=units, time=times_text, sha256=digest, warnings=warnings
    )


def without_outliers(file: File) -> tuple[Runs, list[str]]:
    """Return the runs with their absurd cells missing, and those cells in words."""
    return without(file, outliers(file.runs), "lies absurdly far from all others")


def without(file: File, bad: NDArray[np.bool_], why: str) -> tuple[Runs, list[str]]:
    """Return the runs with some cells, (n, s), missing, and those cells in words."""
    warnings = []
    for j in np.flatnonzero(bad.any(axis=0)):
        rows = np.flatnonzero(bad[:, j])
        first = int(rows[np.argmin(file.order[rows])])
        where = _where(file.unit, int(file.order[first]), file.runs.signals[j])
        warnings.append(
            f"{where}: {file.runs.values[first, j]:g} {why}; it counts as missing{_more(len(rows))}"
        )
    return replace(file.runs, values=np.where(bad, np.nan, file.runs.values)), warnings


def _where(units: list[str], row: int, column: str) -> str:
    return f"unit {units[row]}, row {row + 2}, column '{column}'"


def _more(cells: int) -> str:
    return f", and so do {cells - 1} more cells of the column" if cells > 1 else ""


def _content(path: Path) -> tuple[str, str]:
    try:
        packed = path.read_bytes()
        digest = hashlib.sha256(packed).hexdigest()
        if packed[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
                packed = stream.read(MOST_BYTES + 1)
        if len(packed) > MOST_BYTES:
            raise BadRuns(f"{path}: over {MOST_BYTES} bytes unpacked; split the file by units")
        return packed.decode("utf-8-sig"), digest
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadRuns(f"{path} cannot be read: {reason}") from error
    except UnicodeDecodeError as error:
        raise BadRuns(f"{path} is not UTF-8 text: {error}") from error


def _check_head(head: list[str], unit: str, time: str, path: Path) -> None:
    for name, option in ((unit, "--unit"), (time, "--time")):
        if name not in head:
            raise BadRuns(f"{path}, row 1: there is no column '{name}'; {option} names another")
    twice = sorted({name for name in head if head.count(name) > 1})
    if twice:
        raise BadRuns(f"{path}, row 1: column '{twice[0]}' is there twice")
    if len(head) > MOST_SIGNALS + 3:
        raise BadRuns(f"{path}: {len(head)} columns, {MOST_SIGNALS} signals may be there at most")


def _rows(table: Iterator[list[str]], head: list[str], path: Path) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for cells in table:
            if not cells:
                continue
            if len(cells) != len(head):
                raise BadRuns(
                    f"{path}, row {len(rows) + 2}: {len(cells)} cells, the head has {len(head)}"
                )
            rows.append(cells)
    except csv.Error as error:
        raise BadRuns(f"{path}, row {len(rows) + 2}: {error}") from error
    return rows


def _named(text: str, row: int, column: str) -> str:
    if text.strip().lower() in MISSING:
        raise BadRuns(f"unit ?, row {row}, column '{column}': the unit is missing")
    return text.strip()


def _age(text: str, row: int, unit: str, column: str) -> float:
    where = f"unit {unit}, row {row}, column '{column}'"
    if text.lower() in MISSING:
        raise BadRuns(f"{where}: the time is missing")
    try:
        value = float(text)
    except ValueError:
        raise BadRuns(
            f"{where}: '{text}' is no number; time is the age of the unit (cycles, seconds, days)"
        ) from None
    if not math.isfinite(value) or value < 0.0:
        raise BadRuns(f"{where}: {text} is no age; it counts from 0 when the unit began")
    if value and not 1.0 / LARGEST_AGE <= value <= LARGEST_AGE:
        raise BadRuns(f"{where}: {text} is no age; choose a unit of time that suits the lives")
    return value


def _mend(
    age: NDArray[np.float64],
    starts: NDArray[np.intp],
    order: NDArray[np.intp],
    names: list[str],
    column: str,
) -> list[str]:
    """Mend, in place, the first time of a unit that alone lies behind all its others.

    A clock that still showed the run before is the only disorder whose right order is certain.
    """
    warnings = []
    for name, first, end in zip(names, starts, starts[1:], strict=False):
        rest = age[first + 1 : end]
        if len(rest) >= FEWEST and age[first] > rest[-1] and (rest[1:] > rest[:-1]).all():
            mended = max(rest[0] - (rest[1] - rest[0]), 0.5 * rest[0])
            warnings.append(
                f"unit {name}, row {order[first] + 2}, column '{column}': {age[first]:g} lies "
                f"behind the unit's last time; read as {mended:g}"
            )
            age[first] = mended
    return warnings


def _check_times(
    age: NDArray[np.float64],
    owner: NDArray[np.intp],
    order: NDArray[np.intp],
    names: list[str],
    column: str,
) -> None:
    bad = np.flatnonzero((owner[1:] == owner[:-1]) & (age[1:] <= age[:-1]))
    if len(bad):
        k = int(bad[0])
        what = "is repeated" if age[k + 1] == age[k] else f"goes back from {age[k]:g}"
        raise BadRuns(
            f"unit {names[owner[k]]}, row {order[k + 1] + 2}, column '{column}': "
            f"{age[k + 1]:g} {what}; time must grow from row to row of a unit"
        )


def _failed(
    events: tuple[str, ...] | None, units: list[str], place: dict[str, int]
) -> NDArray[np.bool_]:
    failed = np.ones(len(place), bool)
    seen: dict[str, bool] = {}
    for row, (text, unit) in enumerate(zip(events or (), units, strict=False), 2):
        where = f"unit {unit}, row {row}, column 'event'"
        if text.strip() not in ("0", "1", "0.0", "1.0"):
            shown = text.strip() or "nothing"
            raise BadRuns(f"{where}: {shown}; it is 1 (the last row is the failure) or 0")
        value = float(text) == 1.0
        if seen.setdefault(unit, value) != value:
            raise BadRuns(f"{where}: it changes; it must be the same in all rows of a unit")
        failed[place[unit]] = value
    return failed


def _signals(
    columns: dict[str, tuple[str, ...]], units: list[str]
) -> tuple[tuple[str, ...], NDArray[np.float64], list[str]]:
    names, found, warnings = [], [], []
    for name, cells in columns.items():
        values, bad = _column(cells)
        if bad is not None and np.isnan(values).all():
            warnings.append(f"column '{name}' holds text and is ignored")
            continue
        if bad is not None:
            raise BadRuns(
                f"unit {units[bad]}, row {bad + 2}, column '{name}': '{cells[bad]}' is no number"
            )
        beyond = np.flatnonzero(np.abs(values) > LARGEST)
        if len(beyond):
            first = int(beyond[0])
            warnings.append(
                f"{_where(units, first, name)}: {values[first]:g} is more than can be computed "
                f"with; it counts as missing{_more(len(beyond))}"
            )
            values[beyond] = np.nan
        names.append(name)
        found.append(values)
    grid = np.column_stack(found) if found else np.empty((len(units), 0))
    return tuple(names), grid, warnings


def _column(cells: tuple[str, ...]) -> tuple[NDArray[np.float64], int | None]:
    """Return a column's numbers, NaN where missing, and the first row that holds other text."""
    try:
        return np.array([float(cell) if cell else math.nan for cell in cells]), None
    except ValueError:
        pass
    values, bad = np.full(len(cells), np.nan), None
    for k, cell in enumerate(cells):
        try:
            values[k] = float(cell)
        except ValueError:
            if bad is None and cell.strip().lower() not in MISSING:
                bad = k
    return values, bad
