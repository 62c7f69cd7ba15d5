"""Pages say the same of a machine, its ticket and its times."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Route, expect

from tests.ui.conftest import Watched
from tests.ui.plant import Running

OWN = re.compile(r"\(machine's\sclock\)")
OWN_TIMES = "Times: machine's clock"  #: of a group, once
SEVERITY = {1: "Notice", 2: "Alert", 3: "Alarm"}


def test_board_and_ticket_agree_on_severity_and_clock(watched: Watched, running: Running) -> None:
    page = watched.page
    ticket = running.first("/tickets", state="new", clock="data")
    page.goto(running.url)
    page.get_by_label("Find a machine").fill(ticket["machine"])
    word = SEVERITY[ticket["severity"]]
    row = page.locator(f"tr[data-machine='{ticket['machine']}']")
    expect(row.locator("td").first).to_have_text(word)
    page.goto(f"{running.url}/tickets/{ticket['id']}")
    expect(page.get_by_text(word, exact=True).first).to_be_visible()
    opened = page.locator("time").last
    expect(opened).to_contain_text("GMT+1")
    expect(opened).to_have_attribute("datetime", ticket["opened"])
    said = opened.inner_text()
    expect(page.get_by_text(said)).not_to_have_count(1)  # the ticket itself says the same


@pytest.mark.parametrize("state", ["normal", "silent"])
def test_a_machine_stands_no_better_than_the_work_that_waits_on_it(
    watched: Watched, running: Running, state: str
) -> None:
    page = watched.page
    ticket = running.first("/tickets", state="new", clock="data")

    def calm(route: Route) -> None:
        """Answer as if the machine's readings said nothing of it."""
        answer = route.fetch()
        board: dict[str, Any] = answer.json()
        rows = [
            row | {"state": state} if row["machine"] == ticket["machine"] else row
            for row in board["items"]
        ]
        route.fulfill(response=answer, json=board | {"items": rows})

    page.route("**/api/v1/board", calm)
    page.goto(running.url)
    page.get_by_label("Find a machine").fill(ticket["machine"])
    word = SEVERITY[ticket["severity"]]
    row = page.locator(f"tr[data-machine='{ticket['machine']}']")
    expect(row.locator("td").first).to_have_text(word)
    page.get_by_role("button", name=word).first.click()  # the chip that counts it
    expect(row).to_be_visible()


def test_times_of_a_machines_own_clock_say_so(watched: Watched, running: Running) -> None:
    page = watched.page
    ticket = running.first("/tickets", state="new", clock="data")
    page.goto(f"{running.url}/machines/{ticket['machine']}")
    strip = page.get_by_role("img", name="State").filter(has=page.locator("rect"))
    expect(strip).to_have_attribute("aria-label", OWN)
    expect(strip.locator("title").first).to_have_text(OWN)
    expect(page.get_by_role("region", name="History").get_by_text(OWN_TIMES)).to_have_count(1)
    page.goto(f"{running.url}/overview")
    card = page.locator("li.card").filter(has_text=f"#{ticket['number']}")
    expect(card.get_by_text("Expected to be done by")).to_have_text(re.compile(r"\d{4}$"))
    expect(card.get_by_text("we will contact you to plan a visit")).to_be_visible()
    expect(card.get_by_text("Planned")).to_have_count(0)  # nobody has, yet
    expect(card.get_by_text(OWN_TIMES)).to_have_count(1)


def test_dates_of_work_and_parts_say_whose_clock_they_are_on(
    watched: Watched, running: Running
) -> None:
    page, own, day = watched.page, re.compile(rf"\d{{4}}.* {OWN.pattern}"), re.compile(r"\d{4}")
    ticket = running.first("/tickets", state="new", clock="data")

    def ordered(route: Route) -> None:
        """Answer as if the first part had to be ordered now."""
        answer = route.fetch()
        parts: dict[str, Any] = answer.json()
        first, *others = parts["items"]
        items = [first | {"order_by": parts["at"]}, *others]
        route.fulfill(response=answer, json=parts | {"items": items})

    page.route("**/api/v1/machines/*/parts", ordered)
    page.goto(f"{running.url}/machines/{ticket['machine']}")
    expect(page.get_by_text("Order part by").first).to_have_text(day)
    expect(page.get_by_role("region", name="Parts").get_by_text(OWN_TIMES)).to_have_count(1)
    known = page.locator("dt").filter(has_text="Known since").locator("+ dd")
    expect(known).to_have_text(re.compile(r"\d{4}"))  # when the service first heard of it
    expect(known).not_to_contain_text("machine's")
    page.goto(f"{running.url}/tickets/{ticket['id']}")
    for heading in ("Due window", "Opened"):
        said = page.get_by_role("heading", name=heading, exact=True).locator("+ div")
        expect(said).to_have_text(day)
    expect(page.get_by_text(OWN_TIMES)).to_have_count(3)  # facts, evidence, history
    page.goto(f"{running.url}/inbox/{ticket['advisory_id']}?show=done")
    item = page.locator(f"a[href^='/inbox/{ticket['advisory_id']}']")
    expect(item).to_have_text(own)
    window = page.get_by_role("heading", name="Due window", exact=True).locator("+ div")
    expect(window).to_have_text(day)
    expect(page.get_by_text(OWN_TIMES)).to_have_count(2)  # facts, evidence
    board = running.service.get("/board") | {"items": []}
    page.route("**/api/v1/board", lambda route: route.fulfill(json=board))
    page.goto(f"{running.url}/tickets")  # without a machine's now, dates stand for days left
    expect(page.get_by_role("row").filter(has_text=f"#{ticket['number']}")).to_have_text(own)


@pytest.mark.parametrize(
    ("check", "value", "limits", "said", "words"),
    [
        ("limit-high", 2.5e6, {"alert_high": 2e6}, "2.5 MB", "above its limit"),
        ("limit-high", 2e6, {"alert_high": 2e6}, "2 MB", "at or above its limit"),
        ("limit-high", 999_999.5, {"alert_high": 2e6}, "now 1 MB", "was at or above its limit"),
        ("limit-high", 2.5e6, {"alert_high": 2e6, "alarm_high": 3e6}, "2.5 MB", "above its limit"),
        ("limit-low", 999_499.0, {"alarm_low": 9e5}, "now 999 kB", "was at or below its limit"),
    ],
)
def test_the_words_of_a_limit_fit_the_value_of_now(
    watched: Watched,
    running: Running,
    check: str,
    value: float,
    limits: dict[str, float],
    said: str,
    words: str,
) -> None:
    page = watched.page
    ticket = running.first("/tickets", state="new")

    def found(route: Route) -> None:
        """Answer as if the first finding were this one."""
        answer = route.fetch()
        first, *others = answer.json()["items"]
        first |= {"check": check, "value": value, "ended": None, "kind": "condition"}
        route.fulfill(response=answer, json={"items": [first, *others]})

    def signals(route: Route) -> None:
        answer = route.fetch()
        known: dict[str, Any] = answer.json()
        for one in known["items"]:
            one["unit"] = "By"
            one["limits"] = dict.fromkeys(one["limits"]) | limits
        route.fulfill(response=answer, json=known)

    def machine(route: Route) -> None:
        """Answer as if it stood out most."""
        answer = route.fetch()
        detail: dict[str, Any] = answer.json()
        for one in detail["assessment"]["contributions"]:
            one |= {"check": check, "value": value, "unit": "By"}
        route.fulfill(response=answer, json=detail)

    page.route("**/api/v1/advisories/*/evidence", found)
    page.route(f"**/api/v1/machines/{quote(ticket['machine'], safe=':')}", machine)
    page.route(f"**/api/v1/machines/{quote(ticket['machine'], safe='')}", machine)
    page.route("**/api/v1/machines/*/signals", signals)
    page.goto(f"{running.url}/tickets/{ticket['id']}")
    row = page.get_by_role("region", name="Evidence").locator("li").first
    expect(row).to_contain_text(words)
    expect(row.locator(".strong").nth(1)).to_have_text(said)
    page.goto(f"{running.url}/machines/{ticket['machine']}")
    most = page.get_by_role("region", name="What is going on").locator(
        "li", has=page.locator("svg")
    )
    expect(most.first).to_contain_text(words)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "the device sends °F, the machine type expects °C. Limits and forecasts do not"),
        ("zh-CN", "终端发送的单位为 °F，设备类型要求 °C，其限值和寿命预测不适用"),
    ],
)
def test_a_unit_that_the_machine_type_does_not_expect_is_told(
    watched: Watched, running: Running, language: str, said: str
) -> None:
    page = watched.page
    ticket = running.first("/tickets", clock="data")

    def told(route: Route) -> None:
        """Answer as if the device told the first signal in another unit."""
        answer = route.fetch()
        known: dict[str, Any] = answer.json()
        known["items"][0] |= {"unit": "[degF]", "profile_unit": "Cel"}
        route.fulfill(response=answer, json=known)

    page.route("**/api/v1/machines/*/signals", told)
    for path in (f"/machines/{ticket['machine']}", f"/tickets/{ticket['id']}"):
        page.goto(f"{running.url}{path}?lang={language}")
        expect(page.get_by_text(said)).to_have_count(1)
