"""What is remembered of sets of signals has a bound: sets that come and go are never the last."""

import gc
import weakref
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from cloud.telemetry import names as sqlite_names
from cloud.telemetry.database import open_writer
from cloud.telemetry.influx import machines
from cloud.telemetry.influx.edges import Kept
from cloud.telemetry.influx.setup import Buckets, Retention
from cloud.telemetry.influx.shipment import Builder
from cloud.telemetry.influx.warming import _Empty
from models.contract import sheet
from models.rows import Block

SETS = list(combinations([f"s{k}" for k in range(12)], 6))


def test_the_embedded_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_names, "COLUMNS", 100)
    db = open_writer(tmp_path / "telemetry.db", None)
    names = sqlite_names.Names(db)
    layouts = [tuple((name, "d") for name in some) for some in SETS[:50]]
    ids = [names.layout(one) for one in layouts]
    assert sum(map(len, names._layouts)) <= 100
    assert [names.layout(one) for one in layouts] == ids
    db.close()


def test_the_writer_to_influx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "REMEMBERED", 100)
    buckets = Buckets.of("x")
    known = machines.Machines(_Empty(buckets), buckets.ever)
    builder = Builder(known, buckets, Retention(), lambda: 0)
    for n, names in enumerate(SETS[:50]):
        block = Block(
            n=n,
            machine="m",
            device="m",
            boot="b",
            stream="live",
            seq=n,
            times_ns=np.array([n * 10**9]),
            received_ns=0,
            signals=names,
            columns=tuple(np.zeros(1) for _ in names),
        )
        builder.build([block], n)
    one = known.get("m")
    assert sum(map(len, one.layouts)) <= 100
    assert len(one.told) <= 17
    assert len(one.slots) == len({name for names in SETS[:50] for name in names})


def test_layouts_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "COLUMNS", 60)
    monkeypatch.setattr(sheet, "_layouts", sheet._Layouts())
    first = sheet.layout(SETS[0], "dddddd", 1)
    assert sheet.layout(SETS[0], "dddddd", 1) is first
    for names in SETS:
        assert sheet.layout(names, "dddddd", 1).names == names
        assert sheet.layout(SETS[0], "dddddd", 1).names == SETS[0], "hits keep no bound away"
        assert sheet._layouts.columns == 6 * len(sheet._layouts.known) <= 60
    assert sheet.layout(SETS[1], "dddddd", 1).names == SETS[1]
    first_again = sheet.layout(SETS[0], "dddddd", 1)
    assert first_again is first, "who keeps one keeps the only one, whatever else is remembered"
    last = weakref.ref(sheet.layout(SETS[2], "dddddd", 1))
    for names in SETS[3:20]:
        sheet.layout(names, "dddddd", 1)
    gc.collect()
    assert last() is None, "nobody keeps it"


def test_what_was_asked_before_a_cut_does_not_count_after_it() -> None:
    kept = Kept()
    kept.note("m", kept.cuts, 0, 0)
    assert kept.get("m") == (0, 0)
    asked = kept.cuts
    kept.cut({"m": (24, 12)})
    assert kept.get("m") == (24, 12)
    kept.note("m", asked, 0, 0)
    assert kept.get("m") is None, "asked again"
