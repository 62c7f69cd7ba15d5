"""The pages that work without scripts, as a browser without scripts uses them."""

import re
import time
from html.parser import HTMLParser

import httpx
import pytest

from cloud.accounts.desk import LINK_NS, Desk
from cloud.accounts.values import Role
from cloud.api.forms.acknowledging import VALID_S, Errand, make_code
from cloud.api.forms.routes import local
from cloud.api.forms.words import WORDS
from tests.cloud.api.people import PASSWORD, browser, with_password
from tests.cloud.api.plant import BASE, Opened, Plant

SECRET = b"a key of the installation"
CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}


class Page(HTMLParser):
    """What a browser sees of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


async def press(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """Press a button without fields."""
    return await client.post(path, headers={"Content-Type": "application/x-www-form-urlencoded"})


def desk(plant: Plant) -> Desk:
    return Desk(plant.ledger, lambda: plant.clock[0])


async def test_from_the_first_start_to_the_first_page(opened: Opened, plant: Plant) -> None:
    code = desk(plant).setup_link()
    form = {"name": "Chen", "password": PASSWORD, "again": PASSWORD}
    async with browser(opened) as client:
        shown = await client.get(f"/setup/{code}")
        assert shown.status_code == 200
        done = await client.post(f"/setup/{code}", data=form)
        assert (done.status_code, done.headers["location"]) == (303, "/")
        me = (await client.get("/api/v1/session")).json()["me"]
        assert (me["name"], me["role"]) == ("chen", "administrator")
        assert (await client.get(f"/setup/{code}")).status_code == 404
    async with browser(opened) as other:
        assert (await other.post(f"/setup/{code}", data=form)).status_code == 404
        assert (await other.get("/api/v1/machines")).status_code == 401


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"name": "chen", "password": PASSWORD, "again": "other"}, "differs"),
        ({"name": "chen", "password": "short", "again": "short"}, "form"),
        ({"name": "a b", "password": PASSWORD, "again": PASSWORD}, "name_form"),
        ({"name": "<script>alert(1)</script>", "password": PASSWORD}, "name_form"),
        ({"name": ""}, "name_form"),
        ({"name": "Triage", "password": PASSWORD, "again": PASSWORD}, "name_itself"),
    ],
)
async def test_a_form_that_is_wrong_says_what_and_may_be_sent_again(
    opened: Opened, plant: Plant, form: dict[str, str], word: str
) -> None:
    code = desk(plant).setup_link()
    async with browser(opened) as client:
        answer = await client.post(f"/setup/{code}", data=form)
        assert answer.status_code == 422
        assert WORDS["en"][word] in answer.text
        assert "script" not in Page(answer.text).tags
        again = {"name": "chen", "password": PASSWORD, "again": PASSWORD}
        assert (await client.post(f"/setup/{code}", data=again)).status_code == 303


async def test_links_end_after_a_day_and_a_new_one_voids_the_old(
    opened: Opened, plant: Plant
) -> None:
    old, new = desk(plant).setup_link(), desk(plant).setup_link()
    async with browser(opened) as client:
        assert (await client.get(f"/setup/{old}")).status_code == 404
        assert (await client.get(f"/password/{new}")).status_code == 404  # it is for something else
        assert (await client.get(f"/setup/{new}")).status_code == 200
        plant.clock[0] += LINK_NS
        assert (await client.get(f"/setup/{new}")).status_code == 404


async def test_a_link_makes_no_second_administrator(opened: Opened, plant: Plant) -> None:
    code = desk(plant).setup_link()
    with_password(plant, "chen", Role.ADMINISTRATOR)
    async with browser(opened) as client:
        form = {"name": "eve", "password": PASSWORD, "again": PASSWORD}
        assert (await client.post(f"/setup/{code}", data=form)).status_code == 404
    assert plant.ledger.account_named("eve") is None


async def test_signing_in_goes_on_where_one_was(opened: Opened, plant: Plant) -> None:
    with_password(plant, "chen")
    async with browser(opened) as client:
        shown = await client.get("/sign-in?next=/machines/acme.a")
        assert 'value="/machines/acme.a"' in shown.text
        form = {"name": "chen", "password": PASSWORD, "next": "/machines/acme.a"}
        done = await client.post("/sign-in", data=form, headers={"Origin": BASE})
        assert (done.status_code, done.headers["location"]) == (303, "/machines/acme.a")
        assert (await client.get("/api/v1/machines")).status_code == 200
        out = await press(client, "/sign-out")
        assert WORDS["en"]["signed_out"] in out.text
        assert (await client.get("/api/v1/machines")).status_code == 401


async def test_on_a_trial_installation_there_is_nothing_to_sign_in_to(opened: Opened) -> None:
    async with browser(opened) as client:
        answer = await client.get("/sign-in")
    assert WORDS["en"]["trial"] in answer.text
    assert "form" not in Page(answer.text).tags


async def test_a_wrong_password_is_said_and_the_name_kept(opened: Opened, plant: Plant) -> None:
    with_password(plant, "chen")
    async with browser(opened) as client:
        form = {"name": 'chen"><script>', "password": "wrong"}
        answer = await client.post("/sign-in", data=form, headers=CHINESE)
    assert answer.status_code == 401
    assert WORDS["zh-CN"]["wrong"] in answer.text
    page = Page(answer.text)
    assert ("value", 'chen"><script>') in page.attributes
    assert "script" not in page.tags
    assert ("lang", "zh-CN") in page.attributes


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/ok\r\nSet-Cookie: a=b",
        "http:evil.example",
        "",
        "machines",
        "//[",
    ],
)
def test_nobody_is_led_away(address: str) -> None:
    assert local(address) == "/"


@pytest.mark.parametrize("address", ["/", "/machines/acme.gw1:p3?tab=why", "/tickets/1#note"])
def test_own_addresses_are_kept(address: str) -> None:
    assert local(address) == address


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/setup/x", "/nothing", "/password/x"])
async def test_every_page_has_a_strict_policy_with_a_nonce_of_its_own(
    opened: Opened, path: str
) -> None:
    async with browser(opened) as client:
        first, second = await client.get(path), await client.get(path)
    policy = first.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'nonce-")
    assert "unsafe" not in policy
    assert "script-src" not in policy
    nonce = re.search(r"'nonce-([^']+)'", policy)
    assert nonce is not None
    assert f'<style nonce="{nonce.group(1)}">' in first.text
    assert policy != second.headers["content-security-policy"]
    page = Page(first.text)
    assert "script" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]


async def test_browsers_get_pages_and_programs_get_problems(opened: Opened, plant: Plant) -> None:
    with_password(plant, "chen")
    async with browser(opened) as client:
        page = await client.get("/nothing", headers=CHINESE)
        assert page.headers["content-type"].startswith("text/html")
        assert WORDS["zh-CN"]["e404"] in page.text
        problem = await client.get("/nothing", headers={"Accept": "application/json"})
        assert problem.headers["content-type"] == "application/problem+json"
        api = await client.get("/api/v1/machines")
        assert api.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_no_other_site_signs_anybody_in(
    opened: Opened, plant: Plant, headers: dict[str, str]
) -> None:
    with_password(plant, "chen")
    form = {"name": "chen", "password": PASSWORD}
    async with browser(opened) as client:
        answer = await client.post("/sign-in", data=form, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "content",
    [b"%ff=1&name=\xff", b"a=1&" * 20, b"name=" + b"x" * 9_000, b"", b"&&&=", b"name=%zz"],
)
async def test_junk_in_a_form_is_refused_or_wrong(
    opened: Opened, plant: Plant, content: bytes
) -> None:
    with_password(plant, "chen")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with browser(opened) as client:
        answer = await client.post("/sign-in", content=content, headers=headers)
    assert answer.status_code in (400, 401, 413)


async def test_forms_are_taken_nowhere_else(opened: Opened) -> None:
    async with browser(opened) as client:
        answer = await client.post("/api/v1/session", data={"name": "a", "password": "b"})
        assert answer.status_code == 415
        answer = await client.post("/sign-in", json={"name": "a", "password": "b"})
        assert answer.status_code == 415


@pytest.fixture
async def ticket(plant: Plant) -> str:
    plant.register("acme.a", name="<img src=x onerror=alert(1)>")
    plant.find("acme.a", "pressure")
    return plant.ledger.tickets()[0][0].id


async def test_a_link_in_an_alert_acknowledges_once_and_only_by_its_button(
    opened: Opened, plant: Plant, ticket: str
) -> None:
    with_password(plant, "chen")
    code = make_code(SECRET, Errand(ticket=ticket, channel="maintenance"))
    async with browser(opened) as client:
        for _ in range(3):  # mail scanners look at links
            shown = await client.get(f"/acknowledge/{code}", headers=CHINESE)
            assert shown.status_code == 200
            assert "密封泄漏" in shown.text
        assert "2023-11-15 22:13 UTC" in shown.text
        assert "(acme.a)" in shown.text
        assert plant.ledger.ticket(ticket).state == "new"
        done = await press(client, f"/acknowledge/{code}")
        assert WORDS["en"]["acknowledged"] in done.text
        row = plant.ledger.ticket(ticket)
        assert (row.state, row.assignee) == ("in_progress", "link of maintenance")
        again = await press(client, f"/acknowledge/{code}")
        assert WORDS["en"]["acknowledged_before"] in again.text
        assert plant.ledger.ticket(ticket).version == row.version
        assert (await client.get("/api/v1/tickets")).status_code == 401  # it opens nothing else


async def test_forged_and_old_links_are_refused(
    opened: Opened, plant: Plant, ticket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = make_code(SECRET, Errand(ticket=ticket, channel="x"))
    forged = make_code(b"another key", Errand(ticket=ticket, channel="x"))
    async with browser(opened) as client:
        for code in (forged, good[:-1], good + "A", "x", good.swapcase()):
            assert (await press(client, f"/acknowledge/{code}")).status_code == 404
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + VALID_S + 2)
        assert (await press(client, f"/acknowledge/{good}")).status_code == 404
    assert plant.ledger.ticket(ticket).state == "new"


def test_both_languages_have_every_word() -> None:
    assert set(WORDS["en"]) == set(WORDS["zh-CN"])
    for name, text in WORDS["en"].items():
        assert re.findall(r"{\w+}", text) == re.findall(r"{\w+}", WORDS["zh-CN"][name])


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("", "en"),
        ("de", "en"),
        ("zh", "zh-CN"),
        ("zh-TW;q=0.5, en;q=0.4", "zh-CN"),
        ("en;q=0.1,zh-CN;q=x", "en"),
        ("zh;q=0", "en"),
        (";;;,,,q=", "en"),
        ("zh;q=99", "en"),
    ],
)
async def test_the_browsers_language(opened: Opened, asked: str, spoken: str) -> None:
    async with browser(opened) as client:
        answer = await client.get("/sign-in", headers={"Accept-Language": asked})
    assert answer.headers["content-language"] == spoken


async def test_the_first_page_of_somebody_with_a_language(opened: Opened, plant: Plant) -> None:
    account = with_password(plant, "chen", language="zh-CN")
    code = desk(plant).password_link(account)
    async with browser(opened) as client:
        answer: httpx.Response = await client.get(f"/password/{code}")
    assert answer.headers["content-language"] == "zh-CN"
