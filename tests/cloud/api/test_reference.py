"""The page in the documentation names every address and every kind of problem."""

import re
from pathlib import Path

from cloud.api.app import bare
from cloud.api.problems import KINDS

PAGE = (Path(__file__).parents[3] / "docs/reference/api.md").read_text("utf-8")


def test_names_every_address() -> None:
    paths = bare().openapi()["paths"]
    there = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert set(re.findall(r"^\| `(GET|POST) (\S+)` \|", PAGE, re.MULTILINE)) == there


def test_names_every_kind_of_problem() -> None:
    named = re.findall(r"^\| (\d+) \| `([a-z-]+)` \|", PAGE, re.MULTILINE)
    assert {int(status): kind for status, kind in named} == {
        status: kind for status, (kind, _) in KINDS.items()
    }
