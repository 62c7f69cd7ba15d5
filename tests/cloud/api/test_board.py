"""The board and the trend: everything at a glance, in one answer each."""

import httpx

from cloud.api.events import event
from cloud.live import Live
from models.assessment import Assessment, Life, State
from tests.cloud.api.plant import SECOND, T0, Opened, Plant


def life(basis: str, p50_s: float | None) -> Life:
    return Life(
        component="seal",
        mode="leak",
        basis=basis,
        p10_s=None if p50_s is None else p50_s - 10,
        p50_s=p50_s,
        p90_s=None if p50_s is None else p50_s + 10,
        fraction=None,
        signal="pressure",
    )


def judged(at_ns: int, n: int, health: float, *lives: Life, revision: int = 0) -> Assessment:
    return Assessment(
        machine="acme.a",
        at_ns=at_ns,
        n=n,
        state=State.NORMAL,
        score=0.2,
        health=health,
        coverage=1.0,
        lives=lives,
        revision=revision,
    )


async def test_a_row_has_the_gravest_open_work_and_the_life_that_ends_first(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a", "data", name="Press 1")
    plant.register("acme.b", "data")
    plant.ledger.file(1, [judged(T0, 1, 90.0, life("trend", 500.0), life("counter", 300.0))])
    plant.n = 1
    plant.find("acme.a", "axis/x", T0 + SECOND, severity=2)
    plant.find("acme.a", "pressure", T0 + 2 * SECOND, severity=3)
    found = (await api.get("/api/v1/board")).json()
    first, second = found["items"]
    assert (first["machine"], first["name"], first["type"]) == (
        "acme.a",
        "Press 1",
        {"en": "Press"},
    )
    assert first["ticket"]["title"]["en"] == "Seal leaks"
    assert first["ticket"]["number"] == 1
    assert first["advisory"]["title"]["en"] == "Guide worn"
    assert (second["ticket"], second["advisory"], second["left"]) == (None, None, None)


async def test_what_was_heard_live_stands_before_what_the_ledger_knows(
    opened: Opened, plant: Plant
) -> None:
    plant.register("acme.a", "data")
    live = Live(plant.ledger, lambda: T0)
    live.heard([], [judged(T0, 1, 77.0, life("trend", 500.0))])
    transport = httpx.ASGITransport(opened.app(live=live))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8470") as api:
        (row,) = (await api.get("/api/v1/board")).json()["items"]
    assert row["health"] == 77.0
    assert row["left"] == {
        "component": "seal",
        "title": {"en": "Seal"},
        "p10_s": 490.0,
        "p50_s": 500.0,
        "p90_s": 510.0,
        "fraction": None,
    }
    assert row["trail"] == [77.0]


async def test_a_trend_has_columns_of_one_length_and_the_last_look_at_a_moment(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a", "data")
    plant.ledger.file(1, [judged(T0, 1, 90.0, life("trend", 500.0), life("counter", None))])
    plant.ledger.file(2, [judged(T0 + SECOND, 2, 80.0, life("trend", 400.0))])
    plant.ledger.file(3, [judged(T0, 3, 60.0, life("trend", 450.0), revision=1)])
    plant.n = 3
    plant.find("acme.a", "pressure", T0 + 2 * SECOND)
    found = (await api.get("/api/v1/machines/acme.a/trend")).json()
    assert found["at_ms"] == [T0 // 10**6 + 1_000 * i for i in range(3)]
    assert found["health"] == [60.0, 80.0, 20.0]
    assert [(one["component"], one["basis"]) for one in found["lives"]] == [("seal", "trend")]
    assert found["lives"][0]["p50_s"] == [450.0, 400.0, None]
    (begun,) = found["beginnings"]
    assert (begun["signal"], begun["check"], begun["severity"]) == ("pressure", "limit-low", 3)
    part = (await api.get("/api/v1/machines/acme.a/trend?start=1970-01-01T00:00:00Z"
                          "&end=2023-11-14T22:13:20Z")).json()  # fmt: skip
    assert part["at_ms"] == []
    assert (await api.get("/api/v1/machines/acme.none/trend")).status_code == 404


async def test_machine_types_are_shown_with_parts_and_modes(api: httpx.AsyncClient) -> None:
    names = [one["name"] for one in (await api.get("/api/v1/profiles")).json()["items"]]
    assert names == ["generic", "press"]
    press = (await api.get("/api/v1/profiles/press")).json()
    assert press["parts"][0]["component"] == "seal"
    assert {one["mode"]: one["policy"] for one in press["modes"]}["leak"] == "auto"
    refused = await api.get("/api/v1/profiles/none")
    assert refused.status_code == 404
    assert "known: generic, press" in refused.json()["detail"]


async def test_long_answers_are_packed(api: httpx.AsyncClient, plant: Plant) -> None:
    for i in range(30):
        plant.register(f"acme.m{i}")
    answer = await api.get("/api/v1/board", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(answer.content) / 3
    short = await api.get("/api/v1/machines/acme.m1", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in short.headers


def test_an_event_is_one_block_and_its_id_names_the_run(plant: Plant) -> None:
    live = Live(plant.ledger, lambda: T0)
    place = live.place(7)
    text = event("changes", {"a": "x\n\ny"}, place).decode()
    assert text == f'id: {place}\nevent: changes\ndata: {{"a":"x\\n\\ny"}}\n\n'
    assert live.since(live.place()) == []
    run = place.partition("-")[0]
    for other in ("", "0", f"{run[::-1]}x-0", f"{run}-", f"{run}--0", f"{run}-{'9' * 40}"):
        assert live.since(other) is None
