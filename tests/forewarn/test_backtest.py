"""`forewarn backtest anomalies`: bytes out, one row a row, and every kind of bad file."""

import json
from pathlib import Path

import numpy as np
import pytest

from forewarn import backtest, csv_rows

HEAD = "timestamp,score,alarm,state"


def recording(rows: int = 900, signals: int = 2, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    values = rng.normal(20, 1, (rows, signals)).round(3)
    values[rows // 2 :, 0] += 9.0
    times = np.datetime64("2026-03-01T00:00:00") + np.arange(rows) * np.timedelta64(60, "s")
    names = ",".join(f"s{i}" for i in range(signals))
    body = [f"{t}Z,{','.join(map(str, v))}" for t, v in zip(times, values.tolist(), strict=True)]
    return [f"timestamp,{names}", *body]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def run(out: Path, *files: Path, options: tuple[str, ...] = ()) -> int:
    return backtest.main(["anomalies", "--out", str(out), *options, *map(str, files)])


def test_one_row_out_for_each_row_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = recording()
    assert run(tmp_path / "out", write(tmp_path / "a.csv", lines)) == 0
    out = (tmp_path / "out" / "a.csv").read_text().splitlines()
    assert out[0] == HEAD
    assert [row.split(",")[0] for row in out[1:]] == [row.split(",")[0] for row in lines[1:]]
    alarms = [i for i, row in enumerate(out[1:]) if row.split(",")[2] == "1"]
    assert any(450 <= row < 456 for row in alarms)
    assert "s0 has changed" in capsys.readouterr().out


@pytest.mark.parametrize("piece", [7, 100, 8192])
def test_a_file_cut_short_or_among_others_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    lines = recording()
    whole = write(tmp_path / "whole.csv", lines)
    other = write(tmp_path / "other.csv", recording(seed=3))
    assert run(tmp_path / "a", whole) == 0
    monkeypatch.setattr(csv_rows, "PIECE", piece)
    cut = write(tmp_path / "cut.csv", lines[:700])
    assert run(tmp_path / "b", other, cut, whole) == 0
    expected = (tmp_path / "a" / "whole.csv").read_bytes()
    assert (tmp_path / "b" / "whole.csv").read_bytes() == expected
    assert expected.startswith((tmp_path / "b" / "cut.csv").read_bytes())


def test_names_do_not_matter(tmp_path: Path) -> None:
    lines = recording()
    plain = write(tmp_path / "plain.csv", lines)
    odd = write(tmp_path / "odd.csv", ["timestamp,detector:x,detector:x", *lines[1:]])
    assert run(tmp_path / "out", plain, odd) == 0
    left, right = ((tmp_path / "out" / f"{name}.csv").read_bytes() for name in ("plain", "odd"))
    assert left == right


def test_gaps_words_and_short_rows_are_missing_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = recording(50)
    lines[10] = lines[10].rpartition(",")[0] + ",broken"
    lines[11] = lines[11].rpartition(",")[0] + ","
    lines[12] = lines[12].rpartition(",")[0]
    lines[13] = lines[13].rpartition(",")[0] + ",inf"
    lines.insert(20, "")
    assert run(tmp_path / "out", write(tmp_path / "a.csv", lines)) == 0
    assert len((tmp_path / "out" / "a.csv").read_text().splitlines()) == 51
    assert "s1: 1 cells are no numbers" in capsys.readouterr().err


def test_times_may_repeat_jump_and_go_back(tmp_path: Path) -> None:
    lines = recording(300)
    stamps = ["2026-03-01T00:00:00Z", "2026-03-01 00:00:00", "2026-02-01T00:00:00+08:00",
              "2026-03-01", "2026-03-01T00:00:00.250Z"]  # fmt: skip
    for i, stamp in enumerate(stamps * 10):
        lines[100 + i] = stamp + lines[100 + i][20:]
    assert run(tmp_path / "out", write(tmp_path / "a.csv", lines)) == 0
    out = (tmp_path / "out" / "a.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in out[100:105]] == stamps


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        ([], 1, "first column must be 'timestamp'"),
        (["time,x", "2026-01-01T00:00:00Z,1"], 1, "not 'time'"),
        (["timestamp", "2026-01-01T00:00:00Z"], 1, "no column beside"),
        (["timestamp,x", "2026-01-01T00:00:00Z,1", "yesterday,2"], 3, "'yesterday' is no ISO 8601"),
        (["timestamp,x", "", "2026-13-01T00:00:00Z,1"], 3, "is no ISO 8601"),
        (["timestamp,x", "2026-01-01T00:00:00Z,1,2"], 2, "3 cells, and the header has 2"),
        (["timestamp,x", ",1"], 2, "'' is no ISO 8601"),
        (["timestamp,x", "9999-01-01T00:00:00Z,1"], 2, "outside 1678..2261"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_the_others_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: list[str], line: int, reason: str
) -> None:
    bad = write(tmp_path / "bad.csv", lines)
    good = write(tmp_path / "good.csv", recording(50))
    assert run(tmp_path / "out", bad, tmp_path / "absent.csv", good) == 1
    told = capsys.readouterr().err
    assert f"{bad}, line {line}: " in told
    assert reason in told
    assert "absent.csv: No such file" in told
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["good.csv"]


def test_bytes_that_are_no_text_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"timestamp,x\n2026-01-01T00:00:00Z,\xff\xfe\n")
    assert run(tmp_path / "out", path) == 1
    assert "not text of comma-separated values" in capsys.readouterr().err


def test_two_files_of_one_name_and_an_output_over_its_input_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b").mkdir()
    one = write(tmp_path / "a.csv", recording(50))
    two = write(tmp_path / "b" / "a.csv", recording(50))
    assert run(tmp_path / "out", one, two) == 1
    assert "an earlier file has the same output a.csv" in " ".join(capsys.readouterr().err.split())
    before = one.read_bytes()
    assert run(tmp_path, one) == 1
    assert "would replace it" in capsys.readouterr().err
    assert one.read_bytes() == before


def test_only_a_header_gives_only_a_header(tmp_path: Path) -> None:
    assert (
        run(tmp_path / "out", write(tmp_path / "a.csv", ["timestamp,x"]), options=("--plot",)) == 0
    )
    assert (tmp_path / "out" / "a.csv").read_text() == HEAD + "\n"


def test_the_summary_and_the_page_tell_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a<b>.csv", recording(4000, 1))
    assert run(tmp_path / "out", path, options=("--json", "--plot", "--lang", "zh")) == 0
    [summary] = json.loads(capsys.readouterr().out)
    out = (tmp_path / "out" / "a<b>.csv").read_text().splitlines()[1:]
    rows = [i for i, row in enumerate(out) if row.split(",")[2] == "1"]
    assert [alarm["row"] for alarm in summary["alarms"]] == rows != []
    assert summary["rows"] == 4000
    state = {i for i, row in enumerate(out) if row.endswith(",1")}
    spans = {i for first, last in summary["in_state"] for i in range(first, last + 1)}
    assert state == spans
    assert summary["rows_in_state"] == len(state)
    page = (tmp_path / "out" / "a<b>.html").read_text("utf-8")
    assert "<h1>a&lt;b&gt;.csv</h1>" in page
    assert page.count('class="alarm"') == 2 * len(rows)  # on the signal and on the score
    assert summary["alarms"][0]["reason"] in page
