"""The page of figures: each benchmark replaces its own section, and says when and where it ran."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.report import Figure

HEAD = """# Performance

Written by `make bench`; a benchmark that is run alone replaces its own section. Read the ratios: \
absolute figures are noise on a shared machine. What each benchmark measures, and beside whom, is \
said in `benchmarks/README.md`.
"""


def sections_of(text: str) -> dict[str, str]:
    """Return the sections of a page by their names."""
    parts = text.split("\n## ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in parts}


def section(about: str, figures: Sequence[Figure]) -> str:
    """Return a section's text."""
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    where = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    python = f"Python {platform.python_version()}, load {os.getloadavg()[0]:.0f} at the end"
    lines = "\n".join(str(figure) for figure in figures)
    return f"{about}\n\n{when}, {where}, {python}.\n\n```text\n{lines}\n```"


def write(path: Path, ran: Mapping[str, str]) -> None:
    """Put the sections of what ran into the page."""
    old = path.read_text("utf-8") if path.exists() else ""
    whole = sections_of(old) | dict(ran)
    body = "".join(f"\n## {name}\n\n{text}\n" for name, text in sorted(whole.items()))
    path.write_text(HEAD + body, "utf-8")
