"""Numbers on the command line that cannot be: the option is named, and what it takes."""

import pytest

from forewarn.__main__ import main

TRAIN = ("train", "anomaly", "--data", "a.csv", "--out", "a.onnx")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("backup", "cloud.toml", "folder", "--keep", "0"), "from 1"),
        ((*TRAIN, "--lags", "0"), "from 1"),
        ((*TRAIN, "--trials", "0"), "from 1"),
        ((*TRAIN, "--seed", "-1"), "from 0"),
        (("demo", "--machines", "0"), "from 1"),
    ],
)
def test_a_count_is_a_whole_number(
    words: tuple[str, ...], wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 2
    assert f"argument {words[-2]}: expected a whole number {wanted}" in capsys.readouterr().err


def test_a_pace_is_not_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--speed", "0"])
    assert "argument --speed: expected a number above 0" in capsys.readouterr().err


def test_a_tenant_is_a_part_of_every_topic(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["simulate", "--tenant", "ACME"])
    assert "argument --tenant: give a-z, 0-9" in capsys.readouterr().err
