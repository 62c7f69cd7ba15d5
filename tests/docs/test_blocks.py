"""What the how-tos tell people to write is what the programs accept."""

import re
from pathlib import Path
from typing import Any

import pytest

from cloud.settings import load as load_cloud
from edge_agent.settings import check
from models.anomaly.checks import check_detector
from models.profile import parse_profile

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
HEAD = 'name = "p"\nversion = 1\ntitle = { en = "P" }\n'


def blocks(name: str, language: str) -> list[str]:
    text = (HOW_TO / name).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


SOURCES = [
    text
    for name in ("high-rate.md", "train-a-model.md")
    for text in blocks(name, "toml")
    if "[[sources]]" in text
]


@pytest.mark.parametrize("text", SOURCES)
def test_the_sources_of_a_device(text: str, tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(text)
    assert check(path) == []


def test_the_channel_of_a_profile() -> None:
    [text] = [b for b in blocks("high-rate.md", "toml") if "[channels" in b]
    made = parse_profile(HEAD + "[signals.vibration_rms]\n" + text)
    assert made.channels["drive-end"].bearing == "6309"


def test_the_services_detectors(tmp_path: Path) -> None:
    [text] = [b for b in blocks("train-a-model.md", "toml") if "[detectors]" in b]
    path = tmp_path / "cloud.toml"
    path.write_text(text)
    assert len(load_cloud(path).detectors["centrifugal-pump"]) == 2


def test_the_detector_of_ones_own() -> None:
    space: dict[str, Any] = {}
    for text in blocks("train-a-model.md", "python"):
        exec(text, space)
    space["test_it_is_a_detector"]()
    check_detector(space["Range"])
