"""`forewarn life`: files in, one artefact, files out, and every complaint."""

import csv
import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from forewarn import life
from models.life.learned.runs import Runs
from tests.models.life.fleet import chained, fleet

Captured = pytest.CaptureFixture[str]
HEAD = "unit,time,x,y,event\n"


def _write(path: Path, seed: int, units: int, **options: float) -> Path:
    return _put(path, fleet(seed, units, **options))  # type: ignore[arg-type]


def _put(path: Path, runs: Runs) -> Path:
    with path.open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["unit", "time", *runs.signals, "event"])
        for unit, t, row in zip(runs.owner, runs.time, runs.values, strict=True):
            out.writerow([runs.units[unit], t, *row, int(runs.failed[unit])])
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fitted model, the runs it came from, and runs of other units."""
    at = tmp_path_factory.mktemp("life")
    fitted = _write(at / "fit.csv", 1, 6, censored=0.2)
    _write(at / "new.csv", 2, 4)
    assert life.main(["fit", "--runs", str(fitted), "--model", str(at / "model")]) == 0
    return at


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as stream:
        return list(csv.reader(stream))


def _predict(folder: Path, runs: Path, *more: str) -> list[list[str]]:
    out = folder / f"{runs.stem}.pred"
    words = ["predict", "--model", str(folder / "model"), "--runs", str(runs), "--out", str(out)]
    assert life.main([*words, *more]) == 0
    return _rows(out)


def test_a_row_per_unit_or_per_row(folder: Path) -> None:
    last = _predict(folder, folder / "new.csv")
    assert last[0] == ["unit", "time", "rul_p05", "rul_p50", "rul_p95"]
    assert [row[0] for row in last[1:]] == ["u0", "u1", "u2", "u3"]
    every = _predict(folder, folder / "new.csv", "--every-row")
    given = _rows(folder / "new.csv")
    assert [row[:2] for row in every[1:]] == [row[:2] for row in given[1:]]
    assert [row for row in every if row in last] == last
    bands = np.array([row[2:] for row in every[1:]], float)
    assert (bands[:, 0] >= 0.0).all()
    assert (np.diff(bands, axis=1) >= 0.0).all()


def test_a_forecast_knows_nothing_later(folder: Path) -> None:
    whole = _predict(folder, folder / "new.csv", "--every-row")
    lines = (folder / "new.csv").read_text().splitlines(keepends=True)
    cut = folder / "cut.csv"
    cut.write_text("".join(line for line in lines if not line.startswith(("u1", "u3")))[:4_000])
    cut.write_text(cut.read_text().rpartition("\n")[0] + "\n")
    short = _predict(folder, cut, "--every-row")
    assert all(row in whole for row in short)


def test_rows_of_units_may_be_mixed(folder: Path) -> None:
    given = _rows(folder / "new.csv")
    mixed = [given[0], *sorted(given[1:], key=lambda row: float(row[1]))]
    path = folder / "mixed.csv"
    path.write_text("".join(",".join(row) + "\n" for row in mixed))
    every = _predict(folder, path, "--every-row")
    assert [row[:2] for row in every] == [row[:2] for row in mixed]
    assert sorted(every) == sorted(_predict(folder, folder / "new.csv", "--every-row"))


def test_no_training_library_is_needed(folder: Path) -> None:
    blocked = ("lightgbm", "sklearn", "onnx", "onnxmltools", "skl2onnx", "pandas", "scipy", "river")
    program = (
        "import sys\n"
        f"for name in {blocked}: sys.modules[name] = None\n"
        "from forewarn.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    out = folder / "alone.csv"
    words = ["life", "predict", "--model", "model", "--runs", "new.csv", "--out", str(out)]
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert _rows(out) == _predict(folder, folder / "new.csv")


def test_other_columns_are_told(folder: Path, capsys: Captured) -> None:
    path = folder / "columns.csv"
    path.write_text("unit,time,b,dust,new\nz,1,0.1,coarse,3\nz,2,,fine,4\none,7,nan,,\n")
    rows = _predict(folder, path)
    assert [row[:2] for row in rows[1:]] == [["z", "2"], ["one", "7"]]
    warned = capsys.readouterr().err
    assert "column 'dust' holds text and is ignored" in warned
    assert "column 'new' was not fitted and is ignored" in warned
    assert "column 'a' is absent and counts as missing" in warned


def test_a_part_that_was_renewed_is_told(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    runs = fleet(3, 4)
    renewed = _put(tmp_path / "renewed.csv", chained(runs, 1, 2))
    at = runs.ends[1] + 1.0
    _predict(folder, renewed, "--every-row")
    assert f"unit u1 is as new from {at:g} on; its history begins anew" in capsys.readouterr().err
    words = ["fit", "--runs", str(renewed), "--model", str(tmp_path / "model")]
    assert life.main(words) == 0
    said = capsys.readouterr()
    assert f"unit u1 is as new from {at:g} on; the life before that ended unseen" in said.err
    assert said.out.startswith("3 units, 3 of them failed")


def test_columns_may_have_other_names(folder: Path) -> None:
    path = folder / "names.csv"
    text = (folder / "new.csv").read_text().replace("unit,time", "maschine,alter", 1)
    path.write_bytes(gzip.compress(text.encode()))
    named = _predict(folder, path, "--unit", "maschine", "--time", "alter")
    assert named == _predict(folder, folder / "new.csv")


def test_an_explanation_names_signals_and_past_units(folder: Path, capsys: Captured) -> None:
    _predict(folder, folder / "new.csv", "--explain", "--lang", "en")
    said = capsys.readouterr().out
    assert "unit u0 at" in said
    assert "b shortens it by" in said
    assert "like unit u" in said
    _predict(folder, folder / "new.csv", "--explain", "--lang", "zh")
    chinese = capsys.readouterr().out
    assert "使其缩短" in chinese
    assert "与单元 u" in chinese
    assert chinese.count("\n") == said.count("\n")


GOOD = "u,1,1,1,1\nu,2,1,2,1\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no column 'unit'"),
        ("time,x\n1,2\n", "no column 'unit'"),
        ("unit,time,x,x\nu,1,2,3\n", "column 'x' is there twice"),
        (HEAD, "there are no rows"),
        (HEAD + GOOD + "u,3,1\n", "row 4: 3 cells, the head has 5"),
        (HEAD + GOOD + ",3,1,1,1\n", "row 4, column 'unit': the unit is missing"),
        (HEAD + GOOD + "u,,1,1,1\n", "unit u, row 4, column 'time': the time is missing"),
        (HEAD + GOOD + "u,NaN,1,1,1\n", "unit u, row 4, column 'time': the time is missing"),
        (HEAD + GOOD + "u,2024-01-01,1,1,1\n", "unit u, row 4, column 'time': '2024-01-01'"),
        (HEAD + GOOD + "u,inf,1,1,1\n", "unit u, row 4, column 'time': inf is no age"),
        (HEAD + GOOD + "u,-3,1,1,1\n", "unit u, row 4, column 'time': -3 is no age"),
        (HEAD + GOOD + "u,1e160,1,1,1\n", "unit u, row 4, column 'time': 1e160 is no age"),
        (HEAD + "v,1e-200,1,1,1\n" + GOOD, "unit v, row 2, column 'time': 1e-200 is no age"),
        (HEAD + GOOD + "u,2,1,1,1\n", "unit u, row 4, column 'time': 2 is repeated"),
        (HEAD + GOOD + "u,1.5,1,1,1\n", "unit u, row 4, column 'time': 1.5 goes back from 2"),
        (HEAD + GOOD + "u,3,1,1,nan\n", "unit u, row 4, column 'event': nan"),
        (HEAD + GOOD + "u,3,1,1,\n", "unit u, row 4, column 'event': nothing"),
        (HEAD + GOOD + "u,3,1,1,2\n", "unit u, row 4, column 'event': 2"),
        (HEAD + GOOD + "u,3,1,1,0\n", "unit u, row 4, column 'event': it changes"),
        (HEAD + GOOD + "u,3,oops,1,1\n", "unit u, row 4, column 'x': 'oops' is no number"),
        (HEAD + "u,1,1,1,0\nu,2,1,1,0\n", "no unit failed"),
        (HEAD + "u,1,1,1,1\nv,2,1,1,1\n", "no unit failed"),
    ],
)
def test_bad_runs_are_refused(tmp_path: Path, capsys: Captured, text: str, complaint: str) -> None:
    runs, model = tmp_path / "runs.csv", tmp_path / "model"
    runs.write_text(text)
    assert life.main(["fit", "--runs", str(runs), "--model", str(model)]) == 1
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [runs]


def test_runs_that_are_not_there_are_named(tmp_path: Path, capsys: Captured) -> None:
    runs = tmp_path / "runs.csv"
    assert life.main(["fit", "--runs", str(runs), "--model", str(tmp_path / "m")]) == 1
    said = f"forewarn life: {runs} cannot be read: No such file or directory\n"
    assert capsys.readouterr().err == said


def test_bad_runs_leave_old_forecasts_alone(folder: Path, tmp_path: Path) -> None:
    runs, out = tmp_path / "runs.csv", tmp_path / "out.csv"
    runs.write_text("unit,time,a\nu,2,1\nu,1,1\n")
    out.write_text("old")
    words = ["predict", "--model", str(folder / "model"), "--runs", str(runs), "--out", str(out)]
    assert life.main(words) == 1
    assert out.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [out, runs]


def test_a_first_time_behind_all_others_is_mended(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    runs = tmp_path / "runs.csv"
    lines = [f"u,{t},0.1,0.2\n" for t in (157.2, *range(2, 14))]
    runs.write_text("unit,time,a,b\n" + "".join(lines))
    out = tmp_path / "out.csv"
    words = ["predict", "--model", str(folder / "model"), "--runs", str(runs), "--out", str(out)]
    assert life.main([*words, "--every-row"]) == 0
    assert "unit u, row 2, column 'time': 157.2 lies behind" in capsys.readouterr().err
    assert [row[1] for row in _rows(out)[1:]] == ["157.2", *(str(t) for t in range(2, 14))]


def test_a_changed_model_is_refused(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    content = bytearray((folder / "model").read_bytes())
    content[len(content) // 2] ^= 4
    (tmp_path / "model").write_bytes(content)
    words = ["predict", "--model", str(tmp_path / "model"), "--runs", str(folder / "new.csv")]
    assert life.main([*words, "--out", str(tmp_path / "out.csv")]) == 1
    assert f"{tmp_path / 'model'}: the file was changed or cut" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_an_absurd_cell_is_told_and_takes_nothing_away(tmp_path: Path, capsys: Captured) -> None:
    runs = fleet(1, 6)
    said = []
    for number, bad in enumerate((np.nan, 1e9, 1e300)):
        runs.values[70, 1] = bad
        path = _put(tmp_path / f"{number}.csv", runs)
        model = str(tmp_path / f"{number}.model")
        assert life.main(["fit", "--runs", str(path), "--model", model]) == 0
        said.append(capsys.readouterr())
    at = f"unit {runs.units[runs.owner[70]]}, row 72, column 'b': "
    assert at not in said[0].err
    assert f"{at}1e+09 lies absurdly far from all others; it counts as missing\n" in said[1].err
    assert f"{at}1e+300 is more than can be computed with; it counts as missing\n" in said[2].err
    measured = [one.out.splitlines()[:2] for one in said]
    assert measured[0] == measured[1] == measured[2]


def test_an_absurd_cell_of_a_unit_to_forecast_is_told_and_counts_as_missing(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    runs = fleet(2, 3)
    said, tables = [], []
    for bad in (np.nan, 1e30):
        runs.values[70, 1] = bad
        path, out = _put(tmp_path / "new.csv", runs), tmp_path / "out.csv"
        words = ["predict", "--model", str(folder / "model"), "--runs", str(path)]
        assert life.main([*words, "--out", str(out), "--every-row"]) == 0
        said.append(capsys.readouterr().err)
        tables.append(_rows(out))
    at = f"unit {runs.units[runs.owner[70]]}, row 72, column 'b': "
    assert at not in said[0]
    assert f"{at}1e+30 lies absurdly far from all that was fitted" in said[1]
    assert tables[0] == tables[1]


def test_a_unit_of_one_row_is_skipped_with_a_warning(tmp_path: Path, capsys: Captured) -> None:
    runs = _write(tmp_path / "runs.csv", 1, 2)
    with runs.open("a") as stream:
        stream.write("lonely,5,1,1,1,0,3,1\n")
    assert life.main(["fit", "--runs", str(runs), "--model", str(tmp_path / "m")]) == 0
    said = capsys.readouterr()
    assert "unit lonely has one row and is skipped" in said.err
    assert said.out.startswith("2 units, 2 of them failed")


@pytest.mark.parametrize("words", [["fit"], ["predict", "--model", "x"], ["fit", "--cap", "-1"]])
def test_wrong_calls_say_so(words: list[str]) -> None:
    assert life.main(words) == 2
