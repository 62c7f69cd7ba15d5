"""The documents say what is there: links, verbs, commands, samples."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from forewarn.__main__ import VERBS, main
from forewarn.check import check, kind_of
from models.fleet.layout import VERSION

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text("utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_first_page_leads_to_every_other() -> None:
    index = ROOT / "docs" / "index.md"
    led = {index.parent / target for target in LINK.findall(index.read_text("utf-8"))}
    pages = {*(ROOT / "docs" / "how-to").iterdir(), *(ROOT / "docs" / "reference").glob("*.md")}
    assert pages <= led


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_verb_that_is_named_exists(path: Path) -> None:
    text = path.read_text("utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z0-9-]+)", text)) <= targets
    assert set(re.findall(r"^make ([a-z0-9-]+)", text, re.MULTILINE)) <= targets
    named = re.findall(r"(?:`|^|bin/)forewarn ([a-z]+)", text, re.MULTILINE)
    assert set(named) <= set(VERBS)


def test_the_readme_begins_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    first = text.index("```sh")
    assert text[first:].startswith("```sh\nmake demo")
    assert "\nmake test" in text[first : text.index("```", first + 5)]
    assert ".ci/run" not in text[:first]
    assert "make test" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_explains_itself(verb: str) -> None:
    words = [sys.executable, "-m", "forewarn", verb, "--help"]
    shown = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert shown.returncode == 0, shown.stderr
    assert "usage" in shown.stdout.lower()


def test_an_unknown_verb_is_answered_with_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict"]) == 2
    assert "no verb 'predict'" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((ROOT / "deploy").glob("*.toml")), ids=lambda p: p.name)
def test_the_sample_settings_are_fine(path: Path) -> None:
    assert check(path, kind_of(path)) is None


def test_check_names_line_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('tenant = "acme"\n[broker]\nprot = 1883\n')
    assert main(["check", str(path)]) == 1
    said = capsys.readouterr().err
    assert f"{path}:3" in said
    assert "prot" in said


def test_the_changelog_names_the_version_of_snapshots() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"\n- Snapshots are of version {VERSION}: " in text


def test_locks_carry_hashes_and_no_address() -> None:
    for name in ("run.txt", "dev.txt"):
        text = (ROOT / "requirements" / name).read_text()
        assert "://" not in text
        pins = re.findall(r"^[a-zA-Z0-9_.-]+==", text, re.MULTILINE)
        assert len(
            re.findall(r"^[a-zA-Z0-9_.-]+==.*\\\n +--hash=sha256:", text, re.MULTILINE)
        ) == len(pins)
