"""What the reading verbs share: options, tables, JSON, words for numbers, exit status."""

import csv
import getpass
import itertools
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cloud.accounts.values import ITSELF
from forewarn.client import TOKEN, ServiceError

Url = Annotated[
    str | None,
    typer.Option(help="address of the service", envvar="FOREWARN_URL", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]
Language = Annotated[
    Literal["en", "zh"] | None,
    typer.Option("--lang", help="language of the texts (default: LANG)", show_default=False),
]
OfMachine = Annotated[str | None, typer.Option("--machine", help="only of this machine")]
Actor = Annotated[str | None, typer.Option("--by", help="who does it (default: you)")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="only say what would be done")]
DAY_S: Final = 86_400.0
NARROW: Final = 27  #: characters of a column that is never broken: a time, a short name
WRONG: Final = 2  #: exit status for wrong arguments
WITH_SETTINGS: Final = ("device", "token", "user")  #: verbs with `--settings cloud.toml`
STYLES: Final = {
    "alarm": "bold red",
    "alert": "yellow",
    "silent": "magenta",
    "normal": "green",
    "learning": "cyan",
    "new": "bold yellow",
    "open": "yellow",
    "in_progress": "cyan",
}
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN: Final = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)


def run(app: typer.Typer, verb: str, arguments: list[str]) -> int:
    """Run a verb: 0 done, 1 it failed and said why on stderr, 2 wrong arguments."""
    try:
        app(arguments, prog_name=f"forewarn {verb}")
    except ServiceError as error:
        print(f"forewarn {verb}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - until exit
        return 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if status == WRONG and verb in WITH_SETTINGS:
            _about_settings(verb, arguments)
        return status
    return 0


def _about_settings(verb: str, arguments: list[str]) -> None:
    """Say how these verbs are told the settings, to whom gave them as the others take them."""
    pairs = itertools.pairwise(["", *arguments])
    for before, word in pairs:
        if word.endswith(".toml") and not before.startswith("--"):
            print(
                f"forewarn {verb}: the settings are an option: --settings {word}", file=sys.stderr
            )


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def print_table(heads: Sequence[str], rows: Iterable[Sequence[Any]], *, none: str) -> None:
    """Print a table for people on a terminal, else tab-separated lines with a head.

    `none` is said when there are no rows.
    """
    lines = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not lines:
        print(none, file=sys.stderr)
    elif sys.stdout.isatty():
        table = Table(box=box.SIMPLE_HEAD)
        for head, *cells in zip(heads, *lines, strict=True):
            table.add_column(head, no_wrap=max(map(len, cells)) <= NARROW)
        for line in lines:
            table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in line))
        Console().print(table)
    else:
        for line in [list(heads), *lines]:
            print("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in line))


def print_csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print comma-separated values with a head."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)


def print_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Print names and values, one a line, without those that are unknown."""
    known = [(name, str(value)) for name, value in facts if value not in (None, "")]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        print(f"{name:{width}}  {value}")


def moment(text: str | None, clock: str = "wall") -> str:
    """Return a time of the API for people: UTC to the second, `data` time marked."""
    if text is None:
        return ""
    return text[:19].replace("T", " ") + "Z" + (" (data)" if clock == "data" else "")


def day(text: str | None, clock: str = "wall") -> str:
    """Return the day of a time of the API for people: all of it is in time."""
    if text is None:
        return ""
    return text[:10] + " UTC" + (" (data)" if clock == "data" else "")


def days(seconds: float | None) -> str:
    """Return a span for people: days, or hours below two days."""
    if seconds is None:
        return ""
    return f"{seconds / DAY_S:.0f} d" if seconds >= 2 * DAY_S else f"{seconds / 3600:.0f} h"


def number(value: float | None, digits: int = 6) -> str:
    """Return a number with so many significant digits; nothing for a missing one."""
    return "" if value is None else f"{value:.{digits}g}"


def span_ns(text: str, option: str) -> int:
    """Read `90s`, `15m`, `1h`, `7d` or `2w` as ns; `typer.BadParameter` names the option."""
    found = _SPAN.fullmatch(text)
    if not found or int(found[1]) == 0:
        raise typer.BadParameter(
            f"'{text}': write 90s, 15m, 1h, 7d or 2w", param_hint=f"'{option}'"
        )
    return int(found[1]) * _UNITS_S[found[2]] * 1_000_000_000


def spoken(language: str | None) -> str:
    """Return the language asked for, else the terminal's: en or zh."""
    return language or ("zh" if os.environ.get("LANG", "").startswith("zh") else "en")


def in_words(texts: dict[str, str], language: str | None) -> str:
    """Return a text in the language asked for, or in one that there is."""
    return texts.get(spoken(language)) or next(iter(texts.values()), "")


def who(actor: str) -> str:
    """Return who did something; parts of the service are the service."""
    return "forewarn" if actor in ITSELF else actor


def me() -> str | None:
    """Return who is at the keyboard; None with a token, which says by itself who acts."""
    return None if os.environ.get(TOKEN) else user()


def user() -> str:
    """Return who is at the keyboard, `local` where the computer does not know."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "local"
