"""`forewarn life fit` and `forewarn life predict`: remaining life learned from whole runs."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final

import numpy as np
import typer

from forewarn.runs import BadRuns, File, read, without, without_outliers
from forewarn.tables import Language, spoken

if TYPE_CHECKING:
    from models.life.learned.card import Card
    from models.life.learned.prognosis import Forecast, Prognosis
    from models.life.learned.renewal import Renewal

app = typer.Typer(
    help="Learn remaining life from whole runs, and forecast it.",
    add_completion=False,
    no_args_is_help=True,
)
HEAD: Final = ("unit", "time", "rul_p05", "rul_p50", "rul_p95")
SHOWN: Final = 5  #: signals of an explanation
_LIKE: Final = {
    "en": "like unit {unit} at {time:g} (forecast then {forecast:.4g}): it had ",
    "zh": "与单元 {unit} 在 {time:g} 时相似（当时预测 {forecast:.4g}）：其实际剩余",
}
_SAID: Final = {
    "en": {
        "unit": "unit {unit} at {age:g}: {likely:.4g} left ({low:.4g} to {high:.4g})",
        "shortens": "{signal} shortens it by {effect:.3g}",
        "lengthens": "{signal} lengthens it by {effect:.3g}",
        "failed": _LIKE["en"] + "{left:.4g} left",
        "outlived": _LIKE["en"] + "more than {left:.4g} left",
    },
    "zh": {
        "unit": "单元 {unit}，时间 {age:g}：剩余 {likely:.4g}（{low:.4g} 至 {high:.4g}）",
        "shortens": "{signal} 使其缩短 {effect:.3g}",
        "lengthens": "{signal} 使其延长 {effect:.3g}",
        "failed": _LIKE["zh"] + " {left:.4g}",
        "outlived": _LIKE["zh"] + "超过 {left:.4g}",
    },
}
RunsFile = Annotated[Path, typer.Option("--runs", help="CSV: unit,time,<signals…>[,event]")]
UnitName = Annotated[str, typer.Option("--unit", help="name of the column with the unit")]
TimeName = Annotated[
    str, typer.Option("--time", help="name of the column with its age, in any unit")
]


@app.command()
def fit(
    *,
    runs: RunsFile,
    model: Annotated[Path, typer.Option(help="where the fitted model goes")],
    cap: Annotated[
        float | None,
        typer.Option(
            help="longer remaining lives are learned as this, in the unit of --time (default: none)"
        ),
    ] = None,
    unit: UnitName = "unit",
    time: TimeName = "time",
    seed: Annotated[int, typer.Option(min=0, help="of all chance")] = 0,
) -> None:
    """Learn remaining life from runs to failure; units that did not fail (event = 0) help."""
    from models.life.learned import fitting  # noqa: PLC0415  training takes seconds to import

    if cap is not None and not 0.0 < cap < float("inf"):
        raise typer.BadParameter("the cap is a positive time", param_hint="--cap")
    file = read(runs, unit=unit, time=time)
    whole, outlying = without_outliers(file)
    _warn(file.warnings + outlying)
    single = whole.counts == 1
    names = [name for name, one in zip(whole.units, single, strict=True) if one]
    _warn([f"unit {name} has one row and is skipped" for name in names])
    chosen = whole.pick(np.flatnonzero(~single))
    _check(model)
    artefact, card = fitting.fit(chosen, cap=cap, seed=seed, data_sha256=file.sha256)
    _warn([f"column '{name}' never changes and is ignored" for name in card.ignored])
    _warn([f"{_renewed(one)}; the life before that ended unseen" for one in card.renewed])
    with _whole(model) as stream:
        stream.write(artefact)
    typer.echo(f"{_summary(card)}\nwritten: {model}")


def _summary(card: Card) -> str:
    """Return what was learned from, and how well it forecasts units that were left out."""
    score = card.score
    measured = (
        f"units left out, {card.folds} folds: RMSE {score.rmse:.4g}, mean error {score.mae:.4g}, "
        f"90 % bands cover {score.coverage:.1%} and are {score.width:.4g} wide"
        if card.failures > 1
        else "one life alone: nothing to measure with; bands reach from half to twice the forecast"
    )
    return (
        f"{card.units} units, {card.failures} of them failed, {card.rows} rows, "
        f"{len(card.signals)} signals, {len(card.conditions.centres) or 1} operating condition(s)\n"
        f"{measured}"
    )


@app.command()
def predict(
    *,
    model: Annotated[Path, typer.Option(help="a model that `forewarn life fit` wrote")],
    runs: RunsFile,
    out: Annotated[Path, typer.Option(help="where unit,time,rul_p05,rul_p50,rul_p95 go")],
    every_row: Annotated[
        bool, typer.Option("--every-row", help="a forecast for each row, not the last of a unit")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="print what drives each unit's last forecast")
    ] = False,
    lang: Language = None,
    unit: UnitName = "unit",
    time: TimeName = "time",
) -> None:
    """Forecast the remaining life of units from their rows so far, as a 90 % band."""
    prognosis = _opened(model)
    file = read(runs, unit=unit, time=time)
    known = prognosis.card.signals
    dead = prognosis.card.ignored
    _warn(file.warnings)
    has = file.runs.signals
    _warn([f"column '{n}' was not fitted and is ignored" for n in has if n not in (*known, *dead)])
    _warn([f"column '{n}' is absent and counts as missing" for n in known if n not in has])
    sound, outlying = without(
        file, prognosis.absurd(file.runs), "lies absurdly far from all that was fitted"
    )
    _warn(outlying)
    file = replace(file, runs=sound)
    forecast = prognosis.forecast(file.runs)
    _warn([f"{_renewed(one)}; its history begins anew" for one in forecast.renewed])
    _check(out)
    with _whole(out) as stream:
        stream.write(_table(file, forecast, every_row=every_row).encode())
    if explain:
        _explain(prognosis, file, forecast, lang)


def _opened(model: Path) -> Prognosis:
    """Return a model of a file; `BadRuns` or `BadArtefact` names the file."""
    from models.life.learned.card import BadArtefact  # noqa: PLC0415  needs NumPy
    from models.life.learned.prognosis import Prognosis  # noqa: PLC0415  loads ONNX Runtime

    try:
        return Prognosis(model.read_bytes())
    except OSError as error:
        raise BadRuns(f"{model} cannot be read: {error.strerror}") from error
    except BadArtefact as error:
        raise BadArtefact(f"{model}: {error}") from error


def _table(file: File, forecast: Forecast, *, every_row: bool) -> str:
    """Return the forecasts as CSV: of all rows in the order of the file, or of the last ones."""
    lines = {}
    rows = range(len(file.order)) if every_row else (file.runs.starts[1:] - 1).tolist()
    for row in rows:
        at = int(file.order[row])
        band = (forecast.p05[row], forecast.p50[row], forecast.p95[row])
        lines[at] = [file.unit[at], file.time[at], *(f"{value:.6g}" for value in band)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    writer.writerows(lines[at] for at in (sorted(lines) if every_row else lines))
    return text.getvalue()


def _explain(prognosis: Prognosis, file: File, forecast: Forecast, lang: str | None) -> None:
    from models.life.learned.explain import drivers, similar  # noqa: PLC0415  needs NumPy

    say = _SAID.get(spoken(lang), _SAID["en"])
    rows = file.runs.starts[1:] - 1
    effects = drivers(prognosis, file.runs, rows)
    for name, row, effect in zip(file.runs.units, rows, effects, strict=True):
        age = float(forecast.age[row])
        low, likely, high = forecast.p05[row], forecast.p50[row], forecast.p95[row]
        typer.echo(say["unit"].format(unit=name, age=age, low=low, likely=likely, high=high))
        for k in sorted(range(len(effect)), key=lambda k: -abs(effect[k]))[:SHOWN]:
            word = say["shortens" if effect[k] < 0.0 else "lengthens"]
            signal = prognosis.card.signals[k]
            typer.echo("  " + word.format(signal=signal, effect=abs(effect[k])))
        for past in similar(prognosis.card, age, float(likely)):
            word = say["failed" if past.failed else "outlived"]
            then = {"time": past.time, "forecast": past.forecast, "left": past.left}
            typer.echo("  " + word.format(unit=past.unit, **then))


def _renewed(one: Renewal) -> str:
    return f"unit {one.unit} is as new from {one.time:g} on"


def _warn(lines: list[str]) -> None:
    for line in lines:
        typer.echo(f"warning: {line}", err=True)


def _check(path: Path) -> None:
    """Say before the work that the result could not be written."""
    if not path.absolute().parent.is_dir():
        raise BadRuns(f"{path}: the folder does not exist")
    if path.is_dir():
        raise BadRuns(f"{path} is a folder; name a file")


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """Write a file beside the old one and put it in its place at the end, or not at all."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def main(arguments: list[str]) -> int:
    """Run the verb: 0 done, 1 the input is not usable (the reason is on stderr), 2 wrong call."""
    from models.life.learned.card import BadArtefact  # noqa: PLC0415  needs NumPy
    from models.life.learned.fitting import NothingFailed  # noqa: PLC0415

    try:
        app(arguments, prog_name="forewarn life")
    except (BadRuns, BadArtefact, NothingFailed, OSError) as error:
        print(f"forewarn life: {error}", file=sys.stderr)
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
