"""`--help` of every verb and of every step below it explains each argument."""

import argparse
import contextlib
import importlib
import shlex
from collections.abc import Iterator

import pytest
import typer
from typer.main import get_command

from forewarn import examples
from forewarn.__main__ import VERBS, main


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


def parsed(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the arguments as the verb would, and do nothing."""
    module = importlib.import_module(VERBS[words[0]][0])
    app = getattr(module, "app", None)
    if isinstance(app, typer.Typer):
        command, rest = get_command(app), words[1:]
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]  # type: ignore[attr-defined]
        command.make_context(words[0], rest)
        return
    shown: list[argparse.ArgumentParser] = []
    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "print_help", lambda self, *_: shown.append(self))
        with pytest.raises(SystemExit):
            module.main(["--help"])
    shown[0].parse_args(words[1:])


@pytest.mark.parametrize("example", examples.EXAMPLES.strip().split("\n"))
def test_each_example_is_taken(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed(shlex.split(example)[1:], monkeypatch)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_and_step_has_an_example(verb: str) -> None:
    app = getattr(importlib.import_module(VERBS[verb][0]), "app", None)
    names = [verb]
    if isinstance(app, typer.Typer):
        names += [name for name, _ in commands(get_command(app), verb)]
    assert [name for name in names if not examples.of(name)] == []


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_ends_with_examples(word: str, capfd: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        main(["tickets", "ack", word])
    assert capfd.readouterr().out.endswith("examples:\n  forewarn tickets ack 17\n")


def test_a_verb_that_is_almost_right_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["ticket"]) == 2
    assert "Did you mean `forewarn tickets`?" in capfd.readouterr().err


def test_who_looks_for_the_version_is_told_the_option(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 2
    assert capfd.readouterr().err.endswith("Did you mean `forewarn --version`?\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["device", "remove", "cloud.toml", "acme.pump1"], True),
        (["user", "disable", "ada", "cloud.toml"], True),
        (["user", "disable", "--settings", "cloud.toml"], False),
    ],
)
def test_settings_that_are_an_option_are_told_so(
    words: list[str], said: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    hint = f"forewarn {words[0]}: the settings are an option: --settings cloud.toml"
    assert (hint in capfd.readouterr().err) == said
