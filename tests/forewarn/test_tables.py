import io
import sys

import pytest
import typer

from forewarn import tables


class Terminal(io.StringIO):
    """A terminal of 80 columns."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_table_with_whole_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")  # no colours
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    row = (
        "acme.gw1:pump3",
        "a name that is long enough to be broken somewhere",
        "2023-11-14 22:13:20Z",
    )
    tables.print_table(("machine", "name", "heard (UTC)"), [row], none="")
    shown = terminal.getvalue()
    assert "2023-11-14 22:13:20Z" in shown
    assert "acme.gw1:pump3" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_pipe_gets_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_table(("a", "b"), [("x\ty", None), ("two\nlines", 3)], none="")
    assert capsys.readouterr().out == "a\tb\nx y\t\ntwo lines\t3\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (3_600, "1 h"), (172_799, "48 h"), (172_800, "2 d")]
)
def test_spans_in_words(seconds: float | None, text: str) -> None:
    assert tables.days(seconds) == text


@pytest.mark.parametrize(
    ("lang", "wanted", "text"),
    [("zh_CN.UTF-8", None, "泵"), ("C", None, "pump"), ("C", "zh", "泵"), ("C", "de", "pump")],
)
def test_texts_in_the_readers_language(
    monkeypatch: pytest.MonkeyPatch, lang: str, wanted: str | None, text: str
) -> None:
    monkeypatch.setenv("LANG", lang)
    assert tables.in_words({"en": "pump", "zh": "泵"}, wanted) == text


def test_a_reader_who_leaves_early_is_no_failure() -> None:
    def leave() -> None:
        raise BrokenPipeError

    app = typer.Typer(add_completion=False)
    app.command()(leave)
    before = sys.stdout
    try:
        assert tables.run(app, "machines", []) == 0
        sys.stdout.close()
    finally:
        sys.stdout = before
