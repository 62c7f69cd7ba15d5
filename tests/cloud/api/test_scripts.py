"""Stored text is text: what tries to run comes back as it was written, and as nothing else."""

from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from cloud.accounts.desk import Desk
from cloud.accounts.values import Role
from cloud.api.forms.acknowledging import Errand, make_code
from tests.cloud.api.people import PASSWORD, browser, with_password
from tests.cloud.api.plant import Opened, Plant
from tests.cloud.api.scripts import SCRIPTS

SECRET = b"a key of the installation"
ANY = {"If-Match": "*"}


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.values: list[str | None] = []
        self.live: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "svg", "img", "base", "template"):
            self.live.append(tag)
        for name, value in attrs:
            self.values.append(value)
            leads = name in ("href", "src", "action", "formaction", "data", "content")
            if name.startswith("on") or (leads and "script:" in (value or "").lower()):
                self.live.append(name)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_there_are_400_of_them() -> None:
    assert len(set(SCRIPTS)) == 400


async def store_and_read(api: httpx.AsyncClient, plant: Plant, scripts: list[str]) -> int:
    """Write each text into each field and read it back; return how many were stored."""
    stored = 0

    async def write(path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        answer = await api.post(f"/api/v1{path}", json=body, headers=headers)
        assert answer.status_code in (200, 201), (path, body, answer.text)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        found: dict[str, Any] = answer.json()
        return found

    for i, text in enumerate(scripts):
        short = text[:100]
        machine = f"acme.m{i}"
        plant.register(machine, name=text)
        plant.find(machine, "pressure")
        plant.find(machine, "axis/x")
        shown = (await api.get(f"/api/v1/machines/{machine}")).json()
        assert shown["name"] == text
        (ticket,) = (await api.get(f"/api/v1/tickets?machine={machine}")).json()["items"]
        advisories = (await api.get(f"/api/v1/advisories?machine={machine}&state=open")).json()
        advisory, path = advisories["items"][0]["id"], f"/tickets/{ticket['id']}"
        said = await write(f"{path}/comments", {"text": text}, {})
        assert said["detail"]["text"] == text
        note = await write(f"/advisories/{advisory}/notes", {"text": text}, {})
        assert note["detail"]["text"] == text
        shelved = await write(f"/advisories/{advisory}/shelve", {"reason": text}, ANY)
        assert shelved["reason"] == text
        done = await write(
            f"{path}/resolve",
            {"verdict": "confirmed", "as_found": text, "note": text},
            ANY,
        )
        assert (done["as_found"], done["note"]) == (text, text)
        site = await write(f"/machines/{machine}/site", {"customer": "acme", "site": short}, ANY)
        assert site["site"] == short
        me = await write("/me/settings", {"full_name": text}, ANY)
        assert me["full_name"] == text
        token = await write("/tokens", {"name": short}, {})
        assert token["token"]["name"] == short
        gone = await write(f"/tokens/{token['token']['id']}/revoke", {}, {})  # few work at once
        assert gone["name"] == short
        history = await api.get(f"/api/v1{path}/history")
        assert text in [event["detail"].get("text") for event in history.json()["items"]]
        stored += 9
    return stored


@pytest.fixture
async def signed_in(api: httpx.AsyncClient, plant: Plant) -> httpx.AsyncClient:
    _, _, secret = plant.person(Role.ADMINISTRATOR)
    api.headers["Authorization"] = f"Bearer {secret}"
    return api


async def test_text_comes_back_as_it_was_written(
    signed_in: httpx.AsyncClient, plant: Plant
) -> None:
    assert await store_and_read(signed_in, plant, SCRIPTS[::20]) == 9 * 20


@pytest.mark.long
async def test_every_text_in_every_field(signed_in: httpx.AsyncClient, plant: Plant) -> None:
    assert await store_and_read(signed_in, plant, SCRIPTS) == 9 * 400


async def test_pages_show_it_as_text(opened: Opened, plant: Plant) -> None:
    with_password(plant, "chen")
    plant.register("acme.a")
    plant.find("acme.a", "pressure")
    ticket = plant.ledger.tickets()[0][0]
    async with browser(opened) as client:
        for text in SCRIPTS[::16]:
            form = {"name": text, "password": "wrong", "next": text}
            answer = await client.post("/sign-in", data=form)
            seen = Seen(answer.text)
            assert not seen.live, text
            assert text[:64] in seen.values
        for text in SCRIPTS[::20]:
            code = Desk(plant.ledger, lambda: plant.clock[0]).setup_link()
            answer = await client.post(f"/setup/{code}", data={"name": text, "password": PASSWORD})
            assert not Seen(answer.text).live
            link = make_code(SECRET, Errand(ticket=ticket.id, channel=text))
            assert not Seen((await client.get(f"/acknowledge/{link}")).text).live
            problem = await client.get("/api/v1/machines/" + text.replace("/", "%2F"))
            assert problem.headers["content-type"] == "application/problem+json"
            missing = await client.get("/nothing", params={"x": text})
            assert not Seen(missing.text).live
