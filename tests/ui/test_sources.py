"""The sources of the pages: catalogues and lock file."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from models.contract.errors import Reason

WEB = Path(__file__).parents[2] / "cloud/ui/web"
CATALOGUES = WEB / "src/i18n"
HOLE = re.compile(r"\{\{(\w+)\}\}")
CALL = re.compile(r"\bt\(\s*'([\w.-]+)'")
BUILT = re.compile(r"`([\w.]+[._])\$\{")  #: the beginning of a name that a page puts together


def flat(tree: dict[str, Any], path: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in tree.items():
        place = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            found.update(flat(value, place))
        else:
            found[place] = value
    return found


@pytest.fixture(scope="module")
def words() -> dict[str, dict[str, str]]:
    return {
        name: flat(json.loads((CATALOGUES / f"{name}.json").read_text("utf-8")))
        for name in ("en", "zh")
    }


def test_the_catalogues_are_complete(words: dict[str, dict[str, str]]) -> None:
    assert words["en"].keys() == words["zh"].keys()
    empty = [key for one in words.values() for key, text in one.items() if not text.strip()]
    assert empty == []


@pytest.mark.parametrize("name", ["en", "zh"])
def test_no_word_of_a_catalogue_hides_another(name: str) -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), [key for key, _ in pairs]
        return dict(pairs)

    json.loads((CATALOGUES / f"{name}.json").read_text("utf-8"), object_pairs_hook=once)


def test_the_catalogues_have_the_same_holes(words: dict[str, dict[str, str]]) -> None:
    other = [
        key
        for key, text in words["en"].items()
        if set(HOLE.findall(text)) != set(HOLE.findall(words["zh"][key]))
    ]
    assert other == []


def test_chinese_is_chinese(words: dict[str, dict[str, str]]) -> None:
    same = {key for key, text in words["en"].items() if text == words["zh"][key]}
    assert same <= {"app", "common.none", "event.other"}


def test_every_word_that_a_page_asks_for_is_there(words: dict[str, dict[str, str]]) -> None:
    known = words["en"].keys()
    missing = {
        f"{path.name}: {key}"
        for path in WEB.glob("src/**/*.ts*")
        for key in CALL.findall(path.read_text("utf-8"))
        if key not in known and f"{key}_other" not in known
    }
    assert missing == set()


def test_no_word_is_kept_that_no_page_asks_for(words: dict[str, dict[str, str]]) -> None:
    source = "\n".join(path.read_text("utf-8") for path in WEB.glob("src/**/*.ts*"))
    built = tuple(BUILT.findall(source))
    names = {re.sub(r"_(one|other)$", "", key) for key in words["en"]}
    assert [n for n in sorted(names) if f"'{n}'" not in source and not n.startswith(built)] == []


def test_each_reason_for_which_messages_are_set_aside_has_words(
    words: dict[str, dict[str, str]],
) -> None:
    named = {key.removeprefix("aside.") for key in words["en"] if key.startswith("aside.")}
    assert named == {*Reason}


def test_the_lock_names_no_address() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text("utf-8"))
    assert [name for name, one in lock["packages"].items() if "resolved" in one] == []
    assert all("integrity" in one for name, one in lock["packages"].items() if name)


def test_versions_are_exact() -> None:
    package = json.loads((WEB / "package.json").read_text("utf-8"))
    named = package["dependencies"] | package["devDependencies"]
    assert [name for name, one in named.items() if not re.fullmatch(r"\d+\.\d+\.\d+", one)] == []
