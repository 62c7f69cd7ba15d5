"""Every command that a page shows is one that the program takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forewarn.test_help import parsed

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"^(?:\$ )?(?:sudo (?:-u \S+ )?)?(?:\S*/)?forewarn ([a-z]+(?: .*)?)$")


def shown() -> Iterator[tuple[str, str]]:
    """Return page and command, without what a shell makes of it (comments, pipes, files)."""
    for page in PAGES:
        text = page.read_text("utf-8").replace("\\\n", " ")
        for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                if found := COMMAND.match(line.strip()):
                    yield page.name, re.split(r"[|>;&]", found[1])[0]


@pytest.mark.parametrize(("page", "command"), list(shown()))
def test_a_shown_command_is_taken(page: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed(shlex.split(command, comments=True), monkeypatch)
