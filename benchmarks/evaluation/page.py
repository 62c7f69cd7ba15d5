"""The page that the evaluations write: each owns one section, the rest of the page stays."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "evaluation.md"
_HEAD = "# Evaluation\n\nEach section is written by its evaluation (`make evaluate`).\n"


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Put `text` (Markdown) between the marks of section `name`, at the end if it is new."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    old = page.read_text("utf-8") if page.exists() else _HEAD
    head, mark, rest = old.partition(begin)
    tail = rest.partition(end)[2] if mark else "\n"
    page.write_text(f"{head.rstrip()}\n\n{section}\n{tail.lstrip()}", "utf-8")
