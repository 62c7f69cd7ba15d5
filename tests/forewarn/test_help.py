"""`--help` of every verb and of every step below it explains each argument."""

import argparse
import importlib
from collections.abc import Iterator

import pytest
import typer
from typer.main import get_command

from forewarn.__main__ import VERBS


def commands(command: object, name: str) -> Iterator[tuple[str, object]]:
    yield name, command
    for sub, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{name} {sub}")


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


@pytest.mark.parametrize("verb", VERBS)
def test_each_argument_is_explained(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(VERBS[verb][0])
    app = getattr(module, "app", None)
    silent = []
    if isinstance(app, typer.Typer):
        for name, command in commands(get_command(app), verb):
            assert getattr(command, "help", None), name
            silent += [f"{name} {one.name}" for one in command.params if not one.help]  # type: ignore[attr-defined]
    else:
        shown: list[argparse.ArgumentParser] = []
        monkeypatch.setattr(
            argparse.ArgumentParser, "print_help", lambda self, *_: shown.append(self)
        )
        with pytest.raises(SystemExit):
            module.main(["--help"])
        for parser in parsers(shown[0]):
            silent += [
                f"{parser.prog} {action.dest}"
                for action in parser._actions
                if not action.help and not isinstance(action, argparse._SubParsersAction)
            ]
            for action in parser._actions:
                told = "default" in (action.help or "") or action.required
                if action.type in (int, float) and action.default is not None and not told:
                    silent.append(f"{parser.prog} {action.dest}: its default")
    assert silent == []
