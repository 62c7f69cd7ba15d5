"""Whatever comes in, what goes out is described, and never a fault."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cloud.api.plant import SECOND, T0, Opened, Plant
from tests.cloud.api.test_openapi import check

WORDS = st.one_of(
    st.sampled_from(
        [
            "",
            "0",
            "-1",
            "1",
            "50",
            "9" * 30,
            "true",
            "pressure",
            "axis/x",
            "alarm",
            "new",
            "open",
            "2023-11-14T22:13:20Z",
            "2023-11-14T22:13:20+99:99",
            "9999-12-31T23:59:60.999999999Z",
            "2262-04-11T23:47:16.854775807Z",
            "9223372036854775807",
            "0000-00-00T00:00:00Z",
            "PT1S",
            "P999999999999D",
            "PT0.000000001S",
            "é",
            "../..",
            "٣",
            "\ud7ff",
            "' OR 1=1 --",
        ]
    ),
    st.text(max_size=30),
    st.integers(-(2**70), 2**70).map(str),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["actor", "verdict", "as_found", "note", "replaced", "confirmed", "text", "until", "reason"]
)
BODIES = st.one_of(
    st.binary(max_size=50),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(
        FIELDS, VALUES | st.sampled_from(["confirmed", "seal", "2030-01-01T00:00:00Z"]), max_size=6
    ).map(lambda value: json.dumps(value).encode()),
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "If-Match": st.sampled_from(['"1"', "*", "", '"', 'W/"1"', "x" * 300, '"2"']),
        "If-None-Match": st.sampled_from(['"1"', "*", ",", '"']),
        "Idempotency-Key": st.sampled_from(["", "a", "b", "x" * 201]),
    },
)


@pytest.fixture
def operations(opened: Opened) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The description, and all paths with their methods."""
    description: dict[str, Any] = opened.app().openapi()
    paths = description["paths"].items()
    return description, [(path, method) for path, methods in paths for method in methods]


@pytest.fixture
async def known(api: httpx.AsyncClient, plant: Plant) -> dict[str, list[str]]:
    """Names that are there, for each place in a path."""
    plant.register("acme.gw1:a", "data")
    plant.store("acme.gw1:a", "axis/x", [T0 + i * SECOND for i in range(50)], [0.5] * 50)
    plant.find("acme.gw1:a", "pressure")
    plant.find("acme.gw1:a", "axis/x")
    found = {"machine": ["acme.gw1:a"], "item": ["nothing"]}
    for noun in ("ticket", "advisory"):
        address = f"/api/v1/{noun}s" if noun == "ticket" else "/api/v1/advisories"
        found[noun] = [one["id"] for one in (await api.get(address)).json()["items"]]
    return found


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_junk_never_makes_a_fault(
    api: httpx.AsyncClient,
    operations: tuple[dict[str, Any], list[tuple[str, str]]],
    known: dict[str, list[str]],
    data: st.DataObject,
) -> None:
    description, choices = operations
    path, method = data.draw(st.sampled_from(choices))
    taken = [one["name"] for one in description["paths"][path][method].get("parameters", ())]
    query = data.draw(st.lists(st.tuples(st.sampled_from(["nothing", *taken]), WORDS), max_size=6))
    names = {
        place: data.draw(st.sampled_from(values) | WORDS.filter(lambda w: w.strip("./")))
        for place, values in known.items()
        if f"{{{place}}}" in path
    }
    address = path
    for place, name in names.items():
        address = address.replace(f"{{{place}}}", quote(name, safe=""))
    headers = data.draw(HEADERS)
    content = None
    if method == "post":
        content = data.draw(BODIES)
        headers["Content-Type"] = "application/json"
    params: Any = [(name, value.encode("utf-8")) for name, value in query]
    answer = await api.request(method, address, params=params, content=content, headers=headers)
    assert answer.status_code != 500
    if any("/" in name for name in names.values()):
        assert answer.status_code in (404, 405, 400)  # it is another address, or none
        assert answer.headers["content-type"] == "application/problem+json"
        return
    check(description, description["paths"][path][method], answer)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
