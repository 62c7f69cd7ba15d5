import csv
import io
import json

import pytest

from forewarn import series
from tests.cloud.api.plant import SECOND, T0, Plant

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def readings(url: str, plant: Plant) -> list[int]:
    """Times of readings, with repeated ones."""
    plant.register("acme.gw1:b", "data")
    times = [T0, T0, T0 + 1, *(T0 + i * SECOND for i in range(1, 6_000))]
    plant.store("acme.gw1:b", "axis/x", times, [float(i) for i in range(len(times))])
    return times


def test_raw_csv_has_every_reading(readings: list[int], capsys: Captured) -> None:
    assert series.main(["acme.gw1:b", "axis/x", "--raw", "--csv"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[:4] == [
        ["time", "value", "quality"],
        ["2023-11-14T22:13:20Z", "0.0", "0"],
        ["2023-11-14T22:13:20Z", "1.0", "0"],
        ["2023-11-14T22:13:20.000000001Z", "2.0", "0"],
    ]
    assert [float(row[1]) for row in rows[1:]] == list(map(float, range(len(readings))))


def test_raw_json_is_one_series(readings: list[int], capsys: Captured) -> None:
    assert series.main(["acme.gw1:b", "axis/x", "--raw", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["times_ns"] == readings
    assert len(found["values"]) == len(found["quality"]) == len(readings)


def test_buckets(readings: list[int], capsys: Captured) -> None:
    assert series.main(["acme.gw1:b", "axis/x", "--width", "PT10M"]) == 0
    captured = capsys.readouterr()
    head, *lines = captured.out.splitlines()
    assert head.split("\t") == ["from", "min", "max", "first", "last", "readings"]
    assert sum(int(line.split("\t")[-1]) for line in lines) == len(readings)
    assert captured.err.strip() == "acme.gw1:b axis/x in mm, data time, UTC, buckets of PT600S"


def test_since_counts_from_the_newest_reading(readings: list[int], capsys: Captured) -> None:
    assert series.main(["acme.gw1:b", "axis/x", "--since", "15m", "--raw", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["times_ns"] == [t for t in readings if t >= readings[-1] - 900 * SECOND]


def test_bucket_csv_has_all_columns(readings: list[int], capsys: Captured) -> None:
    assert series.main(["acme.gw1:b", "axis/x", "--since", "1h", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert sum(int(row["count"]) for row in rows) == 3_601
    assert float(rows[-1]["max"]) == len(readings) - 1
    assert rows[-1]["max_ns"].endswith("Z")


@pytest.mark.parametrize("span", ["1", "h", "0h", "1y", "-1h", "1.5h"])
def test_wrong_spans(url: str, capsys: Captured, span: str) -> None:
    assert series.main(["acme.a", "x", f"--since={span}"]) == 2
    said = capsys.readouterr().err
    assert "'--since'" in said
    assert "7d" in said


@pytest.mark.parametrize("words", [["nothing"], ["nothing", "--since", "1h"]])
def test_an_unknown_signal(readings: list[int], capsys: Captured, words: list[str]) -> None:
    assert series.main(["acme.gw1:b", *words]) == 1
    assert "nothing" in capsys.readouterr().err


def test_what_the_service_refuses_is_named(readings: list[int], capsys: Captured) -> None:
    assert series.main(["acme.gw1:b", "axis/x", "--width", "0"]) == 1
    assert "width: from 1 to 10000 buckets" in capsys.readouterr().err
