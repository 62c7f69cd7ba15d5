"""One person takes out so much, and is told which limit it was; others do not feel it."""

import gc
from typing import Any

import httpx
import pytest

from cloud.accounts.values import Role
from cloud.api.exports import AT_ONCE, HOUR_NS, PER_HOUR, Exports, TooMuch
from tests.cloud.api.plant import SECOND, T0, Plant

PATH = "/api/v1/machines/acme.a/export?signal=pressure"


def test_so_many_at_once_and_one_that_is_sent_makes_room() -> None:
    exports = Exports()
    files = []
    for _ in range(AT_ONCE):
        exports.begin("ada", 1, T0)
        files.append(exports.counted("ada", iter([b"a", b"b"])))
    with pytest.raises(TooMuch, match=f"{AT_ONCE} exports at once"):
        exports.begin("ada", 1, T0)
    exports.begin("carl", 1, T0)
    assert list(files[0]) == [b"a", b"b"]
    exports.begin("ada", 1, T0)


@pytest.mark.parametrize("read", [0, 1])
def test_a_reader_who_goes_away_makes_room(read: int) -> None:
    exports = Exports()
    for _ in range(AT_ONCE):
        exports.begin("ada", 1, T0)
    file: Any = exports.counted("ada", iter([b"a", b"b"]))
    for _ in range(read):
        next(file)
    with pytest.raises(TooMuch):
        exports.begin("ada", 1, T0)
    del file
    gc.collect()
    exports.begin("ada", 1, T0)


def test_so_many_readings_an_hour() -> None:
    exports = Exports()
    exports.begin("ada", PER_HOUR - 5, T0)
    with pytest.raises(TooMuch, match="100,000,000 exported readings an hour") as refused:
        exports.begin("ada", 6, T0 + 600 * SECOND)
    assert refused.value.seconds == 3_000
    exports.begin("carl", 6, T0)
    exports.begin("ada", 5, T0)
    list(exports.counted("ada", iter(())))
    exports.begin("ada", 6, T0 + HOUR_NS)


async def test_who_is_refused_is_told_the_limit_and_when_to_come_again(
    api: httpx.AsyncClient, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.api.exports.PER_HOUR", 5)
    plant.register("acme.a")
    plant.store("acme.a", "pressure", [T0 + i for i in range(3)], [1.0, 2.0, 3.0])
    secrets = [plant.person(Role.ENGINEER)[2] for _ in range(2)]
    first, other = ({"Authorization": f"Bearer {one}"} for one in secrets)
    assert (await api.get(PATH, headers=first)).status_code == 200
    refused = await api.get(PATH, headers=first)
    assert refused.status_code == 429
    assert refused.json()["type"] == "urn:forewarn:problem:too-many"
    assert "5 exported readings an hour" in refused.json()["detail"]
    assert 3_590 < int(refused.headers["retry-after"]) <= 3_600
    assert (await api.get(PATH, headers=other)).status_code == 200
