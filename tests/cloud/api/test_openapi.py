"""The description is complete, valid, and the same as the one in the documentation."""

import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from cloud.accounts.values import Role
from cloud.diagnostics.values import Asked
from tests.cloud.api.plant import T0, Opened, Plant

SNAPSHOT = Path(__file__).parents[3] / "docs/reference/openapi.json"
AGAIN = "if this is meant: python -m cloud.api > docs/reference/openapi.json"


@pytest.fixture
def description(opened: Opened) -> dict[str, Any]:
    found: dict[str, Any] = opened.app().openapi()
    return found


def test_is_the_one_in_the_documentation(description: dict[str, Any]) -> None:
    assert json.loads(SNAPSHOT.read_text("utf-8")) == description, AGAIN


async def test_is_served(api: httpx.AsyncClient, description: dict[str, Any]) -> None:
    answer = await api.get("/api/v1/openapi.json")
    assert answer.json() == description
    assert description["openapi"] == "3.1.0"


def test_every_reference_leads_somewhere_and_every_part_is_used(
    description: dict[str, Any],
) -> None:
    used: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if "$ref" in part:
                used.add(part["$ref"])
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk(description)
    components = description["components"]
    there = {f"#/components/{kind}/{name}" for kind in components for name in components[kind]}
    unused = {"#/components/responses/method-not-allowed"}  # no operation can declare it
    operations = [one for path in description["paths"].values() for one in path.values()]
    ways = [name for one in operations for way in one["security"] for name in way]
    used |= {f"#/components/securitySchemes/{name}" for name in ways}
    assert used == there - unused


def test_every_shape_is_a_json_schema(description: dict[str, Any]) -> None:
    for shape in description["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(shape)


def test_every_operation_has_its_own_name_and_says_what_it_does(
    description: dict[str, Any],
) -> None:
    operations = [one for path in description["paths"].values() for one in path.values()]
    names = [one["operationId"] for one in operations]
    assert len(names) == len(set(names))
    assert all(one["description"].endswith((".", "not.")) for one in operations)


async def test_answers_are_as_described(
    api: httpx.AsyncClient, plant: Plant, description: dict[str, Any]
) -> None:
    plant.register("acme.a", "data")
    plant.store("acme.a", "pressure", [1, 2], [1.0, 2.0])
    plant.find("acme.a", "pressure")
    plant.find("acme.a", "axis/x")
    person, token, secret = plant.person(Role.ADMINISTRATOR)
    api.headers["Authorization"] = f"Bearer {secret}"
    (ticket,) = (await api.get("/api/v1/tickets")).json()["items"]
    advisory = (await api.get("/api/v1/advisories?state=open")).json()["items"][0]
    asked = Asked(
        machine="acme.a", device="acme.a", op="log", args={}, expires_ns=2 * T0, actor="x"
    )
    names = {
        "command": plant.ledger.command_add(asked).id,
        "machine": "acme.a",
        "profile": "press",
        "ticket": ticket["id"],
        "advisory": advisory["id"],
        "user": person.id,
        "token": token.id,
    }
    seen = 0
    for path, operations in description["paths"].items():
        if "get" not in operations or path.endswith(("{item}", "/events")):  # the stream is endless
            continue
        said = [
            one["name"] for one in operations["get"].get("parameters", ()) if one["in"] == "query"
        ]
        query = {"signal": "pressure", "raw": "true"}
        asked_for = {name: value for name, value in query.items() if name in said}
        answer = await api.get(path.format(**names), params=asked_for)
        assert answer.status_code == 200, path
        check(description, operations["get"], answer)
        seen += 1
    assert seen == sum("get" in operations for operations in description["paths"].values()) - 2


def check(description: dict[str, Any], operation: dict[str, Any], answer: httpx.Response) -> None:
    """Hold an answer against what is said of it."""
    said = operation["responses"][str(answer.status_code)]
    if "$ref" in said:
        said = description["components"]["responses"][said["$ref"].rpartition("/")[2]]
    media = answer.headers.get("content-type", "").partition(";")[0] or None
    if media is None:
        assert "content" not in said
        return
    schema = said["content"][media]["schema"]
    if "json" not in media:
        return
    whole = {**schema, "components": description["components"]}
    jsonschema.validate(answer.json(), whole, cls=jsonschema.Draft202012Validator)
