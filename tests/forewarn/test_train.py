import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from forewarn.__main__ import main
from forewarn.csv_rows import CsvError
from forewarn.recordings import blocks, read
from models.anomaly.card import Side, written
from models.anomaly.files import card_of, load_card
from tests.models.anomaly.trained import SIGNALS, plant, recording, saved, trained


def csv(path: Path, rows: int, still: bool = True) -> Path:
    lines = ["timestamp," + ",".join(SIGNALS) + (",still" if still else "")]
    moments = np.datetime64("2026-01-01T00:00:00") + np.arange(rows) * np.timedelta64(60, "s")
    for moment, row in zip(moments, plant(rows).tolist(), strict=True):
        lines.append(f"{moment}Z," + ",".join(f"{v:.4f}" for v in row) + (",7" if still else ""))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_train_writes_a_model_in_the_shadow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [csv(tmp_path / "one.csv", 900), csv(tmp_path / "two.csv", 600, still=False)]
    words = ["train", "anomaly", "--data", *map(str, given), "--trials", "8", "--json"]
    out = tmp_path / "new" / "pump-3.onnx"
    assert main([*words, "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "still: left out" in said.err
    card = json.loads(said.out)
    assert (card["name"], card["state"], card["metrics"]["trials"]) == ("pump-3", "shadow", 8)
    assert [source["file"] for source in card["sources"]] == ["one.csv", "two.csv"]
    assert card["sources"][0]["sha256"] == read(given[0]).sha256

    again = tmp_path / "again" / "pump-3.onnx"
    assert main([*words, "--out", str(again)]) == 0
    assert again.read_bytes() == out.read_bytes()
    assert card_of(again).read_bytes() == card_of(out).read_bytes()


def test_a_good_model_is_activated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path)
    assert main(["train", "activate", str(path)]) == 0
    assert "; active" in capsys.readouterr().out
    assert load_card(path).state == "active"


def test_one_that_is_worse_stays_in_the_shadow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = msgspec.structs.replace(
        trained().card.metrics, learned=Side(caught=0, false_onsets=3)
    )
    path = saved(tmp_path, metrics=metrics)
    before = card_of(path).read_bytes()
    assert main(["train", "activate", str(path)]) == 1
    assert "not activated, it is worse than the default" in capsys.readouterr().err
    assert card_of(path).read_bytes() == before
    assert main(["train", "show", str(path)]) == 0
    assert "it stays in the shadow" in capsys.readouterr().out


def test_show_refuses_what_was_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path)
    card_of(path).write_bytes(written(trained("forecaster").card))
    assert main(["train", "show", str(path)]) == 1
    assert "put back both files of the same training" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "x.pkl"], "ends with .onnx"),
        (["--profile", "kettle"], "no profile 'kettle'"),
        (["--signals", "load,steam"], "no recording has the signal 'steam'"),
        (["--signals", "still"], "no signal is left"),
        (["--data", "nowhere.csv"], "nowhere.csv: No such file"),
    ],
)
def test_what_cannot_be_trained_is_said(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--data", str(csv(tmp_path / "one.csv", 50)), "--out", str(tmp_path / "a.onnx")]
    assert main(["train", "anomaly", *given, *words]) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("*.onnx"))


def test_too_few_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--data", str(csv(tmp_path / "one.csv", 300)), "--out", str(tmp_path / "a.onnx")]
    assert main(["train", "anomaly", *given]) == 1
    assert "150 complete rows are too few" in capsys.readouterr().err


def test_a_recording_may_be_untidy(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("timestamp,a,b\n2026-01-02,1,\n\n2026-01-01T00:00:00Z,n/a,2\n2026-01-03,inf\n")
    found = read(path)
    assert found.signals == ("a", "b")
    assert np.all(np.diff(found.times_ns) > 0)
    np.testing.assert_array_equal(found.values, [[np.nan, 2], [1, np.nan], [np.nan, np.nan]])
    assert np.isnan(found.columns(["c"])).all()


def test_a_recording_that_is_none_names_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.csv"
    path.write_text("timestamp,a\n2026-01-01,1\nnoon,2\n")
    with pytest.raises(CsvError, match=r"r\.csv, line 3"):
        read(path)
    out = ["--out", str(tmp_path / "a.onnx")]
    assert main(["train", "anomaly", "--data", str(path), *out]) == 1
    assert "r.csv, line 3" in capsys.readouterr().err


def test_blocks_hold_every_row_once() -> None:
    one = recording(plant(2_500))
    found = list(blocks("m", one.signals, one.times_ns, one.values))
    assert [len(block) for block in found] == [1_000, 1_000, 500]
    np.testing.assert_array_equal(np.concatenate([b.times_ns for b in found]), one.times_ns)
    np.testing.assert_array_equal(np.concatenate([b.columns[1] for b in found]), one.values[:, 1])
    assert not list(blocks("m", one.signals, one.times_ns[:0], one.values[:0]))
