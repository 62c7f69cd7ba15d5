"""The live board of a fleet in a terminal: how machines are, what was raised, what then happened.

`Picture` is what is known at one moment; `render` draws it for a terminal, `Telling` says it line
by line where there is none.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

DAY_S: Final = 86_400.0
PICTURE_WIDTH: Final = 140  #: columns of an image of the board
PAGES: Final = "Pages and API:"
LATEST: Final = 9  #: happenings on the board
_FAR_D: Final = 999.0
_FAR: Final = f"{_FAR_D:.0f}+"  #: a date that far is none
_STYLES: Final = {
    "normal": "green",
    "learning": "cyan",
    "alert": "yellow",
    "alarm": "bold red",
    "silent": "magenta",
    "unknown": "dim",
    "advisory": "yellow",
    "life band": "yellow",
    "ticket": "bold yellow",
    "alert to customer": "bold cyan",
    "fault": "bold red",
    "repair": "bold green",
    "verdict": "bold green",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLine:
    """One machine: `health` 0..100, `left` = days until its first part's limit (p10, p50, p90)."""

    machine: str
    type: str
    state: str
    health: float | None = None
    left: tuple[float | None, float | None, float | None] | None = None
    part: str | None = None
    heard_ns: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that was raised or that happened, at a time of the machine's clock."""

    kind: str  #: advisory | life band | ticket | alert to customer | fault | verdict
    at_ns: int | None
    machine: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything the board shows."""

    title: str
    headline: str
    address: str
    clock_ns: int | None
    machines: Sequence[MachineLine] = ()
    happenings: Sequence[Happening] = ()


def when(ns: int | None) -> str:
    """Return a time as text in UTC, to the minute."""
    if ns is None:
        return "–"
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%d %H:%MZ")


def days(left: tuple[float | None, float | None, float | None] | None) -> str:
    """Return a life band as text, such as `9–14 d` (p10 to p90)."""
    if left is None or left[1] is None:
        return "–"
    low, _, high = (_number(None if d is None else max(0.0, d)) for d in left)
    return f"{low} d" if low == high == _FAR else f"{low}–{high} d"


def _number(value: float | None) -> str:
    if value is None or value > _FAR_D:
        return _FAR
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _bar(health: float | None) -> Text:
    if health is None:
        return Text("–", style="dim")
    full = round(health / 10)
    style = "green" if health >= 70 else "yellow" if health >= 40 else "red"
    return Text.assemble(("█" * full, style), ("░" * (10 - full), "dim"), f" {health:3.0f}")


def render(picture: Picture, rows: int = 1000) -> RenderableType:
    """Draw the board with at most `rows` machines, the first of the picture."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    for title in ("machine", "type", "health", "days left", "part", "state", "heard", "raised"):
        table.add_column(title, no_wrap=True)
    for line in picture.machines[:rows]:
        table.add_row(
            Text(line.machine, style="bold" if line.note else ""),
            line.type,
            _bar(line.health),
            days(line.left),
            line.part or "–",
            Text(line.state, style=_STYLES.get(line.state, "")),
            when(line.heard_ns),
            Text(line.note, style="bold yellow"),
        )
    more = len(picture.machines) - rows
    if more > 0:
        table.add_row(f"… and {more} more")
    raised = Table(box=None, show_header=False, pad_edge=False, expand=True)
    raised.add_column(no_wrap=True)
    raised.add_column(no_wrap=True)
    raised.add_column(no_wrap=True)
    raised.add_column(ratio=1)
    for item in list(picture.happenings)[-LATEST:]:
        style = _STYLES.get(item.kind, "")
        raised.add_row(when(item.at_ns), Text(item.kind, style=style), item.machine, item.text)
    top = Text.assemble((picture.title, "bold"), "  ", (when(picture.clock_ns), "cyan"))
    return Group(
        top,
        Text(picture.headline, style="bold"),
        table,
        Panel(raised, title="raised, and what then happened", box=box.ROUNDED),
        Text(f"{PAGES} {picture.address}   Ctrl-C ends", style="dim"),
    )


def picture_of(picture: Picture) -> str:
    """Return the board as an SVG image that loads nothing from elsewhere."""
    console = Console(record=True, width=PICTURE_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(render(picture))
    image = console.export_svg(title=picture.title)
    return re.sub(r"@font-face\s*{[^}]*}", "", image)


class Telling:
    """Says what is new in plain lines: for logs and pipes."""

    def __init__(self) -> None:
        self._headline = ""
        self._told = 0

    def lines(self, picture: Picture) -> Iterator[str]:
        """Yield the lines that have not been said yet, the address before all others."""
        if not self._headline:
            yield f"{PAGES} {picture.address}"
        for item in picture.happenings[self._told :]:
            yield f"[{when(item.at_ns)}] {item.kind}: {item.machine}: {item.text}"
        self._told = len(picture.happenings)
        if picture.headline != self._headline:
            self._headline = picture.headline
            yield f"[{when(picture.clock_ns)}] {picture.headline}"
