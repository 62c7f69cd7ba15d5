"""`forewarn backtest anomalies`: what would have been found in recordings, had they been live."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Final, Literal

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from forewarn.backtest_page import Mark, Picture, page
from forewarn.csv_rows import CsvError, CsvFile, Piece
from forewarn.tables import run as run_verb
from models.backtest import Backtest, Found
from models.counts import counted

app = typer.Typer(add_completion=False)
HEADER: Final = "timestamp,score,alarm,state\n"
MOST_SPANS: Final = 1000  #: spans in state that a summary lists

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV, first column timestamp")]
Out = Annotated[Path, typer.Option("--out", help="folder for one CSV a file", file_okay=False)]
Plot = Annotated[bool, typer.Option("--plot", help="also write one HTML page a file")]
Json = Annotated[bool, typer.Option("--json", help="print a summary as JSON")]
Lang = Annotated[Literal["en", "zh"], typer.Option("--lang", help="language of the reasons")]


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """One onset alarm of a summary."""

    row: int
    timestamp: str
    score: float
    reason: str


class Summary(msgspec.Struct, kw_only=True):
    """What was found in one file. `in_state`: [first row, last row] of spans in state."""

    file: str
    out: str
    rows: int = 0
    signals: list[str] = []
    alarms: list[Alarm] = []
    in_state: list[list[int]] = []
    rows_in_state: int = 0
    unreadable_cells: dict[str, int] = {}


@dataclass(slots=True)
class Tally:
    """Adds up a summary while the rows go by."""

    summary: Summary
    _open: bool = field(default=False)

    def add(self, piece: Piece, found: Found) -> None:
        """Count a piece's rows."""
        first = self.summary.rows
        for row, reason in found.reasons.items():
            self.summary.alarms.append(
                Alarm(
                    row=first + row,
                    timestamp=piece.stamps[row],
                    score=float(found.score[row]),
                    reason=reason,
                )
            )
        spans = self.summary.in_state
        for row in found.state.nonzero()[0].tolist() if found.state.any() else ():
            if spans and spans[-1][1] == first + row - 1:
                spans[-1][1] = first + row
            elif len(spans) < MOST_SPANS:
                spans.append([first + row, first + row])
        self.summary.rows_in_state += int(found.state.sum())
        self.summary.rows += len(found.score)


def lines(piece: Piece, found: Found) -> Iterator[str]:
    """Yield the output rows; the shortest digits that give the same number again."""
    columns = (found.score.tolist(), found.alarm.tolist(), found.state.tolist())
    for stamp, score, alarm, state in zip(piece.stamps, *columns, strict=True):
        yield f"{stamp},{score!r},{alarm:d},{state:d}\n"


def run(
    path: Path, out: Path, *, plot: bool, lang: str, progress: Progress, task: TaskID
) -> Summary:
    """Take one file from end to end; its output appears when it is complete."""
    target = out / f"{path.stem}.csv"
    if target.resolve() == path.resolve():
        raise CsvError(f"{path}: the output would replace it; choose another --out")
    summary = Summary(file=str(path), out=str(target))
    tally, recording = Tally(summary), CsvFile(path)
    test: Backtest | None = None
    picture: Picture | None = None
    size = 0  # about the bytes read
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            file.write(HEADER)
            for piece in recording.pieces():
                if test is None:
                    test = Backtest(recording.signals, lang)
                    picture = Picture(recording.signals) if plot else None
                found = test.take(piece.times_ns, piece.columns)
                file.writelines(lines(piece, found))
                tally.add(piece, found)
                if picture is not None:
                    picture.add(piece, found)
                size += sum(map(len, piece.stamps)) * (1 + len(piece.columns)) // 2
                progress.update(task, completed=size)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    summary.signals = list(recording.signals)
    summary.unreadable_cells = recording.unreadable
    if plot:
        marks = [Mark(**msgspec.structs.asdict(alarm)) for alarm in summary.alarms]
        html = page(path.name, picture or Picture(recording.signals), marks)
        target.with_suffix(".html").write_text(html, "utf-8")
    return summary


def told(summary: Summary, stream: IO[str]) -> None:
    """Print a file's summary for people."""
    print(
        f"{summary.file}: {counted(summary.rows, 'row')}, {counted(len(summary.alarms), 'alarm')}, "
        f"{counted(summary.rows_in_state, 'row')} in state -> {summary.out}",
        file=stream,
    )
    for alarm in summary.alarms:
        print(f"  row {alarm.row:,}  {alarm.timestamp}  {alarm.reason}", file=stream)
    for name, count in summary.unreadable_cells.items():
        print(f"  {name}: {count:,} cells are no numbers, taken as missing", file=sys.stderr)


@app.callback()
def backtest() -> None:
    """Try the models on recordings."""


@app.command()
def anomalies(
    files: Files, out: Out, plot: Plot = False, json: Json = False, lang: Lang = "en"
) -> None:
    """Score recordings as if they were live: one causal pass, no labels, one fixed configuration.

    Writes OUT/STEM.csv with one row an input row: timestamp,score,alarm,state.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{out}: {error.strerror}", param_hint="--out") from error
    done: list[Summary] = []
    taken: set[str] = set()
    status = 0
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        for path in files:
            task = bar.add_task(path.name, total=path.stat().st_size if path.is_file() else None)
            try:
                if path.stem in taken:
                    raise CsvError(f"{path}: an earlier file has the same output {path.stem}.csv")
                taken.add(path.stem)
                summary = run(path, out, plot=plot, lang=lang, progress=bar, task=task)
            except (CsvError, OSError) as error:
                print(f"forewarn backtest: {error}", file=sys.stderr)
                status = 1
                continue
            done.append(summary)
            if not json:
                told(summary, sys.stdout)
    if json:
        print(msgspec.json.format(msgspec.json.encode(done), indent=2).decode())
    raise typer.Exit(status)


def main(arguments: list[str]) -> int:
    """Run the verb; status 1 when a file could not be read."""
    return run_verb(app, "backtest", arguments)
