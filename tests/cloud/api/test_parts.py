import csv
import io

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest

from cloud.api.export import COLUMNS, PIECE
from cloud.ledger import Verdict
from models.assessment import Assessment, Life, State
from tests.cloud.api.plant import SECOND, T0, Plant

DAY_S = 86_400


def assess(plant: Plant, *lives: Life, at_ns: int = T0, revision: int = 0) -> None:
    plant.n += 1
    assessment = Assessment(
        machine="acme.a",
        at_ns=at_ns,
        revision=revision,
        n=plant.n,
        state=State.NORMAL,
        score=0.0,
        health=80.0,
        coverage=1.0,
        lives=lives,
    )
    plant.ledger.file(plant.n, [assessment])


def seal(days: float | None, basis: str = "counter") -> Life:
    spans = [None if days is None else days * factor * DAY_S for factor in (0.8, 1.0, 1.3)]
    return Life(
        component="seal",
        mode="leak",
        basis=basis,
        p10_s=spans[0],
        p50_s=spans[1],
        p90_s=spans[2],
        fraction=0.4,
    )


async def test_a_part_says_when_it_ends_and_by_when_to_order(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a")
    assess(plant, seal(100.0), seal(50.0, "trend"))
    found = (await api.get("/api/v1/machines/acme.a/parts")).json()
    (part,) = found["items"]
    assert (part["component"], part["part"], part["basis"]) == ("seal", "S-1", "trend")
    # ends first: 40 days at the earliest; before that an hour of work, 2 days for the customer to
    # choose from, 2 to plan and 5 for the part: day 31 less an hour
    assert part["ends_earliest"] == "2023-12-24T22:13:20Z"
    assert part["ends"] == "2024-01-03T22:13:20Z"
    assert part["order_by"] == "2023-12-15T21:13:20Z"


async def test_a_second_look_at_late_readings_is_not_what_is_known_now(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a")
    assess(plant, seal(50.0))
    before = (await api.get("/api/v1/machines/acme.a/parts")).json()["items"]
    assess(plant, at_ns=T0 + 600 * SECOND, revision=1)
    assert (await api.get("/api/v1/machines/acme.a/parts")).json()["items"] == before


async def test_a_part_says_in_both_languages_why(api: httpx.AsyncClient, plant: Plant) -> None:
    plant.register("acme.a")
    assess(plant, seal(100.0, "prior"))
    (part,) = (await api.get("/api/v1/machines/acme.a/parts")).json()["items"]
    assert [len(said) for said in part["why"].values()] == [3, 3]
    assert "what its age says" in part["why"]["en"][0]
    assert "no earlier forecast" in part["why"]["en"][1]
    assert "尚无同类部件" in part["why"]["zh"][2]
    plant.find("acme.a", "pressure")
    (ticket,), _ = plant.ledger.tickets()
    plant.ledger.resolve(
        ticket.id, ticket.version, actor="t", verdict=Verdict.CONFIRMED, replaced="seal"
    )
    assess(plant, seal(100.0, "prior"))
    why = (await api.get("/api/v1/machines/acme.a/parts")).json()["items"][0]["why"]
    assert why["en"][2].startswith("such parts replaced before: 1, found worn: 1")


async def test_a_planned_visit_takes_the_part_along(api: httpx.AsyncClient, plant: Plant) -> None:
    plant.register("acme.a")
    plant.find("acme.a", "axis/x", severity=2)
    (advisory,), _ = plant.ledger.advisories()
    plant.ledger.decide_advisory(advisory.id, advisory.version, "accept", actor="planner")
    (ticket,), _ = plant.ledger.tickets()
    assert ticket.due_latest_ns == T0 + 7 * DAY_S * SECOND
    assess(plant, seal(15.0))  # ends in 12 days at the earliest; alone it would be ordered on day 3
    (part,) = (await api.get("/api/v1/machines/acme.a/parts")).json()["items"]
    assert part["order_by"] == "2023-11-14T22:13:20Z"  # at once, for the visit until day 7
    plant.ledger.resolve(ticket.id, ticket.version, actor="t", verdict=Verdict.CONFIRMED)
    (part,) = (await api.get("/api/v1/machines/acme.a/parts")).json()["items"]
    assert part["order_by"] == "2023-11-17T21:13:20Z"


async def test_without_a_band_a_part_is_ordered_as_its_ticket_says(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a")
    plant.find("acme.a", "pressure")  # an alarm: at once
    (ticket,) = (await api.get("/api/v1/tickets")).json()["items"]
    (part,) = (await api.get("/api/v1/machines/acme.a/parts")).json()["items"]
    assert part["ends"] is None
    assert part["order_by"] == ticket["order_by"] == "2023-11-14T22:13:20Z"


async def test_a_part_that_is_late_is_ordered_now(api: httpx.AsyncClient, plant: Plant) -> None:
    plant.register("acme.a")
    assess(plant, seal(3.0))
    (part,) = (await api.get("/api/v1/machines/acme.a/parts")).json()["items"]
    assert part["order_by"] == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize("lives", [(), (seal(None),)])
async def test_insufficient_data_is_said(
    api: httpx.AsyncClient, plant: Plant, lives: tuple[Life, ...]
) -> None:
    plant.register("acme.a")
    assess(plant, *lives)
    (part,) = (await api.get("/api/v1/machines/acme.a/parts")).json()["items"]
    assert (part["ends"], part["order_by"]) == (None, None)


@pytest.fixture
def stored(plant: Plant) -> tuple[list[int], list[float]]:
    """More readings than one piece, some at the same time, one missing."""
    plant.register("acme.a", "data")
    times = [T0 + (i // 3) * SECOND for i in range(PIECE + 1_000)]
    values = [float(i) / 8 for i in range(len(times))]
    values[5] = float("nan")
    plant.store("acme.a", "pressure", times, values)
    plant.store("acme.a", "axis/x", [T0, T0 + 1], [0.5, 0.25])
    return times, values


async def test_csv_holds_every_reading_once_as_it_was_sent(
    api: httpx.AsyncClient, stored: tuple[list[int], list[float]]
) -> None:
    path = "/api/v1/machines/acme.a/export?signal=pressure&signal=axis/x"
    answer = await api.get(path)
    assert answer.headers["content-disposition"] == 'attachment; filename="acme.a.csv"'
    heads, *rows = csv.reader(io.StringIO(answer.text))
    assert tuple(heads) == COLUMNS
    times, values = stored
    mine = [row for row in rows if row[1] == "pressure"]
    assert len(mine) == len(times)
    assert mine[5][2] == ""
    assert [float(row[2]) for row in mine[6:]] == values[6:]
    assert mine[4] == ["2023-11-14T22:13:21Z", "pressure", "0.5", "bar", "0"]
    assert [row[2:4] for row in rows if row[1] == "axis/x"] == [["0.5", "mm"], ["0.25", "mm"]]


async def test_parquet_holds_the_same(
    api: httpx.AsyncClient, stored: tuple[list[int], list[float]]
) -> None:
    path = "/api/v1/machines/acme.a/export?signal=pressure&signal=axis/x&format=parquet"
    table = pq.read_table(io.BytesIO((await api.get(path)).content))
    assert tuple(table.column_names) == COLUMNS
    times, values = stored
    size = len(times)
    assert table.num_rows == size + 2
    found = table.column("time").to_numpy().astype(np.int64)
    np.testing.assert_array_equal(found[:size], times)
    assert table.column("value")[5].as_py() is None
    np.testing.assert_array_equal(table.column("value").to_numpy()[6:size], values[6:])
    assert table.column("unit")[size].as_py() == "mm"


async def test_a_span_and_a_name_that_a_spreadsheet_might_run(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a", "data")
    plant.store("acme.a", "=1+1", [T0, T0 + SECOND], [1.0, 2.0])
    params = {"signal": "=1+1", "start": str(T0 + 1), "end": str(T0 + 2 * SECOND)}
    answer = await api.get("/api/v1/machines/acme.a/export", params=params)
    assert list(csv.reader(io.StringIO(answer.text)))[1:] == [
        ["2023-11-14T22:13:21Z", "'=1+1", "2.0", "", "0"]
    ]


async def test_too_much_for_one_file_is_refused_with_the_figure(
    api: httpx.AsyncClient, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.register("acme.a", "data")
    plant.store("acme.a", "pressure", [T0, T0 + 1, T0 + 2], [1.0, 2.0, 3.0])
    monkeypatch.setattr("cloud.api.export.LARGEST", 2)
    answer = await api.get("/api/v1/machines/acme.a/export?signal=pressure")
    assert answer.status_code == 422
    assert "3 readings; a file holds at most 2" in answer.json()["detail"]


async def test_unknown_signals_are_not_there(api: httpx.AsyncClient, plant: Plant) -> None:
    plant.register("acme.a")
    assert (await api.get("/api/v1/machines/acme.a/export?signal=x")).status_code == 404
    assert (await api.get("/api/v1/machines/acme.a/export")).status_code == 422
