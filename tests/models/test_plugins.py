from importlib import metadata
from importlib.metadata import EntryPoint, EntryPoints
from types import SimpleNamespace

import pytest

from models.plugins import BrokenPluginError, UnknownPluginError, find

TABLE = {"dict": "builtins:dict", "nested": "types:SimpleNamespace.__init__", "gone": "no.such:x"}


def test_our_own_come_first_and_are_loaded_when_asked_for() -> None:
    assert find(TABLE, "forewarn.none", "dict") is dict
    assert find(TABLE, "forewarn.none", "nested") == SimpleNamespace.__init__


def test_an_unknown_name_lists_those_that_there_are() -> None:
    with pytest.raises(UnknownPluginError, match=r"'x' .* there are: dict, gone, nested"):
        find(TABLE, "forewarn.none", "x")


def test_a_broken_one_says_where_it_was_looked_for() -> None:
    with pytest.raises(BrokenPluginError, match=r"plug-in 'gone' \(no.such:x\)"):
        find(TABLE, "forewarn.none", "gone")


def test_entry_points_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints(
        [
            EntryPoint(name="theirs", value="builtins:list", group="g"),
            EntryPoint(name="dict", value="builtins:list", group="g"),
        ]
    )
    monkeypatch.setattr(metadata, "entry_points", lambda group: points.select(group=group))
    assert find(TABLE, "g", "theirs") is list
    assert find(TABLE, "g", "dict") is dict
