import httpx
import pytest

from models.assessment import Check, Contribution
from tests.cloud.api.plant import SECOND, T0, Plant, every


async def test_lists_each_machine_once_in_order(api: httpx.AsyncClient, plant: Plant) -> None:
    names = sorted(f"acme.gw{i % 3}:pump{i}" for i in range(23))
    for name in names:
        plant.register(name)
    for limit in (1, 7, 23, 200):
        found = await every(api, f"/api/v1/machines?limit={limit}")
        assert [one["id"] for one in found] == names


async def test_a_search_keeps_its_filter_over_pages(api: httpx.AsyncClient, plant: Plant) -> None:
    for i in range(6):
        plant.register(f"acme.pump{i}", name="cold water" if i % 2 else "hot water")
    found = await every(api, "/api/v1/machines?limit=2&q=cold")
    assert [one["id"] for one in found] == ["acme.pump1", "acme.pump3", "acme.pump5"]


async def test_lists_by_state(api: httpx.AsyncClient, plant: Plant) -> None:
    plant.register("acme.a")
    plant.register("acme.b")
    plant.find("acme.b", "pressure")
    found = await every(api, "/api/v1/machines?state=alarm")
    assert [one["id"] for one in found] == ["acme.b"]


@pytest.mark.parametrize("clock", ["wall", "data"])
async def test_one_says_its_clock_and_newest_assessment(
    api: httpx.AsyncClient, plant: Plant, clock: str
) -> None:
    plant.register("acme.gw1:pump3", clock, "Pump 3")
    before = (await api.get("/api/v1/machines/acme.gw1:pump3")).json()
    assert (before["clock"], before["assessment"], before["state"]) == (clock, None, "unknown")
    plant.find("acme.gw1:pump3", "pressure", T0 + 5)
    after = (await api.get("/api/v1/machines/acme.gw1%3Apump3")).json()
    assert after["seen"] == after["assessment"]["at"] == "2023-11-14T22:13:20.000000005Z"
    assert after["assessment"]["conditions"][0]["since"] == after["seen"]
    assert (after["name"], after["health"]) == ("Pump 3", 20.0)


async def test_an_unchanged_machine_is_not_sent_again(api: httpx.AsyncClient, plant: Plant) -> None:
    plant.register("acme.a")
    first = await api.get("/api/v1/machines/acme.a")
    known = {"If-None-Match": f'"other", {first.headers["etag"]}'}
    again = await api.get("/api/v1/machines/acme.a", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    plant.find("acme.a", "pressure")
    changed = await api.get("/api/v1/machines/acme.a", headers=known)
    assert (changed.status_code, changed.json()["state"]) == (200, "alarm")


async def test_signals_join_profile_and_newest_readings(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a")
    plant.store("acme.a", "pressure", [T0, T0 + SECOND], [3.0, 3.5])
    plant.store("acme.a", "extra", [T0], [1.0])
    found = (await api.get("/api/v1/machines/acme.a/signals")).json()
    assert found["clock"] == "wall"
    signals = {one["signal"]: one for one in found["items"]}
    assert sorted(signals) == ["axis/x", "extra", "pressure"]
    pressure = signals["pressure"]
    assert (pressure["value"], pressure["unit"], pressure["at"]) == (
        3.5,
        "bar",
        "2023-11-14T22:13:21Z",
    )
    assert pressure["limits"]["alarm_low"] == 2.0
    assert (signals["axis/x"]["stored"], signals["axis/x"]["at"]) == (False, None)
    assert (signals["extra"]["unit"], signals["extra"]["value"]) == (None, 1.0)


async def test_what_makes_up_the_score_has_the_unit_that_the_device_tells(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a", profile="generic", units=(("temp", "Cel"),))
    said = [
        Contribution(
            signal=name, check=Check.SHIFT, value=7.0, expected=2.0, unit=None, weight=weight
        )
        for name, weight in (("temp", 0.8), ("other", 0.2))
    ]
    plant.find("acme.a", "temp", contributions=tuple(said))
    machine = (await api.get("/api/v1/machines/acme.a")).json()["assessment"]
    (filed,) = await every(api, "/api/v1/machines/acme.a/assessments")
    for one in (machine, filed):
        assert [c["unit"] for c in one["contributions"]] == ["Cel", None]


async def test_what_was_assessed_before_a_unit_was_told_has_none_of_it(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    one = Contribution(
        signal="temp", check=Check.SHIFT, value=7.0, expected=2.0, unit=None, weight=1.0
    )
    plant.register("acme.a", profile="generic", units=(("temp", "Cel"),))
    plant.find("acme.a", "temp", contributions=(one,))
    told_ns = T0 + 3600 * SECOND
    plant.register("acme.a", profile="generic", units=(("temp", "K"),), at_ns=told_ns)
    machine = (await api.get("/api/v1/machines/acme.a")).json()["assessment"]
    assert [c["unit"] for c in machine["contributions"]] == [None]
    plant.find("acme.a", "temp", at_ns=told_ns, contributions=(one,))
    filed = await every(api, "/api/v1/machines/acme.a/assessments")
    assert [one["contributions"][0]["unit"] for one in filed] == ["K", None]


async def test_what_the_profile_does_not_name_has_the_unit_that_the_device_tells(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a", profile="generic", units=(("temp", "Cel"), ("silent", "V")))
    plant.store("acme.a", "temp", [T0], [21.0])
    found = (await api.get("/api/v1/machines/acme.a/signals")).json()
    assert [(one["signal"], one["unit"]) for one in found["items"]] == [("temp", "Cel")]
    series = (await api.get("/api/v1/machines/acme.a/series?signal=temp")).json()
    assert series["unit"] == "Cel"
    export = await api.get("/api/v1/machines/acme.a/export?signal=temp")
    assert export.text.splitlines()[1].split(",")[1:] == ["temp", "21.0", "Cel", "0"]


async def test_limits_in_another_unit_than_the_readings_are_not_shown(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a", units=(("pressure", "kPa"), ("axis/x", "mm")))
    found = (await api.get("/api/v1/machines/acme.a/signals")).json()["items"]
    units = {one["signal"]: (one["unit"], one["profile_unit"]) for one in found}
    assert units == {"pressure": ("kPa", "bar"), "axis/x": ("mm", None)}
    (limits,) = (one["limits"] for one in found if one["signal"] == "pressure")
    assert limits["alarm_low"] is None


async def test_assessments_newest_first_within_a_time(api: httpx.AsyncClient, plant: Plant) -> None:
    plant.register("acme.a")
    for i in range(9):
        plant.find("acme.a", "pressure", T0 + i * SECOND)
    found = await every(api, "/api/v1/machines/acme.a/assessments?limit=2")
    assert [one["n"] for one in found] == list(range(9, 0, -1))
    span = f"start=2023-11-14T22:13:22Z&end={T0 + 5 * SECOND}"
    found = await every(api, f"/api/v1/machines/acme.a/assessments?limit=2&{span}")
    assert [one["n"] for one in found] == [5, 4, 3]


@pytest.mark.parametrize("rest", ["", "/signals", "/assessments", "/series?signal=x"])
async def test_an_unknown_machine_is_a_problem(api: httpx.AsyncClient, rest: str) -> None:
    answer = await api.get(f"/api/v1/machines/acme.nothing{rest}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:forewarn:problem:not-found"
