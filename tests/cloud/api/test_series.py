import csv
import math
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.times import rfc3339
from models.contract.times import instant_ns
from tests.cloud.api.plant import SECOND, T0, Plant

AT = "/api/v1/machines/acme.a/series"


async def raw(api: httpx.AsyncClient, query: str, limit: int) -> list[tuple[int, float | None]]:
    """Follow the pages of raw readings to the end."""
    found: list[tuple[int, float | None]] = []
    address: str | None = f"{AT}?raw=true&limit={limit}&{query}"
    while address is not None:
        page = (await api.get(address)).json()
        assert len(page["times_ns"]) <= limit
        found += zip(page["times_ns"], page["values"], strict=True)
        address = page["next"]
    return found


async def test_raw_readings_come_as_sent_with_repeated_times(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a")
    times = [T0, T0, T0 + 1, T0 + 1, T0 + 1, T0 + 1, T0 + 2, T0 + 3, T0 + 3]
    values = [float(i) for i in range(len(times))]
    plant.store("acme.a", "axis/x", times, values)
    for limit in range(1, len(times) + 2):
        found = await raw(api, f"signal=axis/x&start={T0}", limit)
        assert found == list(zip(times, values, strict=True)), limit


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(st.sampled_from([0, 0, 1, SECOND]), min_size=1, max_size=40),
    limit=st.integers(1, 9),
    data=st.data(),
)
async def test_pages_neither_lose_nor_repeat(
    api: httpx.AsyncClient, plant: Plant, steps: list[int], limit: int, data: st.DataObject
) -> None:
    plant.telemetry.erase("acme.a")
    plant.register("acme.a")
    times = np.cumsum([T0, *steps]).tolist()
    pairs = list(zip(times, map(float, range(len(times))), strict=True))
    cut = data.draw(st.integers(0, len(pairs)))
    for some in (pairs[:cut], pairs[cut:]):
        if some:
            plant.store("acme.a", "pressure", [t for t, _ in some], [v for _, v in some])
    assert await raw(api, f"signal=pressure&start={T0}", limit) == pairs


async def test_missing_values_are_null(api: httpx.AsyncClient, plant: Plant) -> None:
    plant.register("acme.a")
    plant.store("acme.a", "pressure", [T0, T0 + 1, T0 + 2], [1.5, math.nan, 2.5])
    assert [value for _, value in await raw(api, "signal=pressure", 2)] == [1.5, None, 2.5]


async def test_integers_and_truths_stay_what_they_are(api: httpx.AsyncClient, plant: Plant) -> None:
    plant.register("acme.a")
    plant.store("acme.a", "count", [T0], [2**60 + 1])
    plant.store("acme.a", "on", [T0], [True])
    for signal, value in (("count", 2**60 + 1), ("on", True)):
        body = (await api.get(AT, params={"signal": signal, "raw": "true"})).json()
        assert body["values"] == [value]
        assert type(body["values"][0]) is type(value)


async def test_a_spike_of_one_reading_is_in_its_bucket(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a", "data")
    times = [T0 + i * SECOND for i in range(3_000)]
    values = [10.0] * 3_000
    values[1_234] = 99.5
    plant.store("acme.a", "pressure", times, values)
    query = {"signal": "pressure", "start": rfc3339(T0), "end": rfc3339(times[-1] + 1)}
    for width in ("PT1M", "50"):
        body = (await api.get(AT, params={**query, "width": width})).json()
        columns = {name: value for name, value in body.items() if isinstance(value, list)}
        assert len({len(column) for column in columns.values()}) == 1
        assert max(body["max"]) == 99.5
        assert body["max_ns"][body["max"].index(99.5)] == times[1_234]
        assert sum(body["count"]) == 3_000
        assert all(a < b for a, b in pairwise(body["bucket_ns"]))
        assert (body["unit"], body["clock"]) == ("bar", "data")
        assert (body["first_ns"][0], body["last_ns"][-1]) == (times[0], times[-1])
        if width == "PT1M":
            assert (body["width"], len(body["count"])) == ("PT60S", 51)
        else:
            assert len(body["count"]) <= 51


async def test_without_times_it_is_the_day_up_to_the_newest(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a")
    day = 86_400 * SECOND
    plant.store("acme.a", "pressure", [T0 - day - 1, T0 - day + 1, T0], [1.0, 2.0, 3.0])
    body = (await api.get(AT, params={"signal": "pressure", "raw": "true"})).json()
    assert body["times_ns"] == [T0 - day + 1, T0]
    assert (body["start"], body["end"]) == (rfc3339(T0 - day + 1), rfc3339(T0 + 1))


async def test_a_signal_of_the_profile_without_readings_is_empty(
    api: httpx.AsyncClient, plant: Plant
) -> None:
    plant.register("acme.a")
    for more in ({}, {"raw": "true"}):
        answer = await api.get(AT, params={"signal": "pressure", **more})
        assert answer.status_code == 200
        assert answer.json()["quality"] == []


@pytest.mark.parametrize(
    ("query", "status", "pointer"),
    [
        ("signal=nothing", 404, None),
        ("", 422, "/signal"),
        ("signal=pressure&start=yesterday", 422, "/start"),
        ("signal=pressure&start=2023-11-14T22:13:20", 422, "/start"),
        ("signal=pressure&start=9&end=9", 422, "/start"),
        ("signal=pressure&end=2023-02-30T00:00:00Z", 422, "/end"),
        ("signal=pressure&width=0", 422, "/width"),
        ("signal=pressure&width=10001", 422, "/width"),
        ("signal=pressure&width=PT", 422, "/width"),
        ("signal=pressure&width=PT0S", 422, "/width"),
        ("signal=pressure&start=0&width=PT1S", 422, "/width"),
        ("signal=pressure&raw=true&limit=20001", 422, "/limit"),
        ("signal=pressure&raw=true&after=made-up", 422, "/after"),
    ],
)
async def test_a_wrong_question_says_where(
    api: httpx.AsyncClient, plant: Plant, query: str, status: int, pointer: str | None
) -> None:
    plant.register("acme.a")
    plant.store("acme.a", "pressure", [T0], [1.0])
    answer = await api.get(f"{AT}?{query}")
    assert answer.status_code == status
    problem = answer.json()
    assert [one["pointer"] for one in problem["errors"]] == ([pointer] if pointer else [])
    assert all(one["in"] == "query" for one in problem["errors"])


async def test_the_recording_with_its_repeated_times(
    api: httpx.AsyncClient, plant: Plant, recording: Path
) -> None:
    with recording.open() as lines:
        rows = list(csv.DictReader(lines))
    times = np.array([instant_ns(row["timestamp"]) for row in rows])
    values = [float(row["value"]) for row in rows]
    assert len(times) - len(np.unique(times)) == 12
    plant.register("acme.a", "data")
    plant.store("acme.a", "temperature", times.tolist(), values)
    order = np.argsort(times, kind="stable")
    expected = [(int(times[i]), values[i]) for i in order]
    assert await raw(api, "signal=temperature&start=0", 1_000) == expected
