"""What a planner meets in a day's work: late parts, paper, lanes, an axis, a focus, a first day."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.ui.conftest import Watched
from tests.ui.plant import Running
from tests.ui.test_look import opened, settle

TRIAL = "Nobody has an account yet"
#: points of a chart that are drawn beside the name of its zone, where no label may begin
BESIDE = """() => [...document.querySelectorAll('.uplot')].map((plot) => {
  const canvas = plot.querySelector('canvas');
  const zone = plot.parentElement.nextElementSibling.getBoundingClientRect();
  const box = canvas.getBoundingClientRect();
  const x = Math.round(zone.right - box.left), y = Math.round(zone.top - box.top);
  const { data } = canvas.getContext('2d').getImageData(0, y, x + 3, Math.round(zone.height));
  return data.filter((one, n) => n % 4 === 3 && one > 0).length;
})"""


def altered(page: Page, path: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Let what the service answers be changed on its way."""

    def answer(route: Route) -> None:
        found = route.fetch()
        route.fulfill(response=found, json=change(found.json()))

    page.route(path, answer)


def answered(item: dict[str, Any]) -> Callable[[Route], None]:
    """Answer with this item."""
    return lambda route: route.fulfill(json=item)


def test_a_part_that_should_have_been_ordered_says_so_wherever_its_date_stands(
    watched: Watched, running: Running
) -> None:
    page = watched.page
    ticket = running.first("/tickets", state="new", clock="data")
    row = running.first("/board", machine=ticket["machine"])
    newest = datetime.fromisoformat(row["data"])
    late = {"order_by": stamp(newest - timedelta(days=3))}
    altered(page, f"**/api/v1/tickets/{ticket['id']}", lambda one: one | late)
    altered(
        page,
        "**/api/v1/machines/*/parts",
        lambda found: found | {"at": row["data"], "items": [one | late for one in found["items"]]},
    )
    altered(
        page,
        "**/api/v1/advisories*",
        lambda found: found | {"items": [one | late for one in found["items"]]},
    )
    said = page.get_by_text("overdue by 3 days").first
    page.goto(f"{running.url}/tickets/{ticket['id']}")
    expect(said).to_contain_text("Order part by")
    page.goto(f"{running.url}/machines/{ticket['machine']}")
    expect(said).to_contain_text("Order part by")


@pytest.mark.parametrize(
    ("language", "by", "late"),
    [("en", "Order part by", "overdue by 1 day"), ("zh-CN", "最晚订货", "已逾期 1 天")],
)
def test_a_part_is_ordered_in_time_until_the_day_ends(
    browser: Browser, running: Running, language: str, by: str, late: str
) -> None:
    ticket = running.first("/tickets", state="new", clock="data")
    newest = datetime.fromisoformat(running.first("/board", machine=ticket["machine"])["data"])
    begins = newest.astimezone(ZoneInfo("Asia/Shanghai")).replace(hour=0, minute=0, second=0)
    look = {"viewport": {"width": 1280, "height": 860}, "locale": language}
    for at, said in ((begins, re.compile("^[^·]*$")), (begins - timedelta(seconds=1), f"· {late}")):
        with opened(browser, running.url, **look) as watched:
            page, order = watched.page, ticket | {"order_by": stamp(at.astimezone(UTC))}
            page.route(f"**/api/v1/tickets/{ticket['id']}", answered(order))
            page.goto(f"{running.url}/tickets/{ticket['id']}")
            settle(page)
            expect(page.get_by_text(by)).to_contain_text(said)


def test_a_work_order_on_paper_names_the_machine_and_tells_nothing_of_accounts(
    watched: Watched, running: Running
) -> None:
    page, ticket = watched.page, running.first("/tickets", state="new")
    page.goto(f"{running.url}/tickets/{ticket['id']}")
    settle(page)
    expect(page.get_by_text(TRIAL)).to_be_visible()
    page.emulate_media(media="print")
    expect(page.get_by_text(TRIAL)).to_be_hidden()
    expect(page.get_by_text(ticket["machine"], exact=True)).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_all_lanes_are_in_sight_on_a_desk(
    browser: Browser, running: Running, language: str
) -> None:
    look = {"viewport": {"width": 1280, "height": 800}, "locale": language}
    with opened(browser, f"{running.url}/tickets?as=board&show=all", **look) as watched:
        lanes = watched.page.locator("main section")
        expect(lanes).to_have_count(6)
        assert lanes.last.evaluate("(one) => one.getBoundingClientRect().right") <= 1280


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_no_label_of_time_runs_into_the_name_of_the_zone(
    browser: Browser, running: Running, language: str
) -> None:
    ticket = running.first("/tickets", state="new")
    newest = datetime.fromisoformat(running.first("/board", machine=ticket["machine"])["data"])
    look = {"viewport": {"width": 390, "height": 844}, "locale": language}
    with opened(browser, f"{running.url}/machines/{ticket['machine']}", **look) as watched:
        page = watched.page
        for hours in range(0, 96, 12):
            until = newest - timedelta(hours=hours)
            span = f"from={stamp(until - timedelta(days=30))}&to={stamp(until)}"
            page.goto(f"{running.url}/machines/{ticket['machine']}?{span}")
            settle(page)
            page.locator(".uplot").first.scroll_into_view_if_needed()
            expect(page.locator(".uplot canvas").first).to_be_visible()
            assert not any(page.evaluate(BESIDE)), span


def stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def test_the_focus_is_seen_on_the_content_too(watched: Watched, running: Running) -> None:
    page = watched.page
    page.goto(running.url)
    settle(page)
    page.get_by_role("link", name="Settings").focus()
    page.keyboard.press("Tab")
    expect(page.locator("main")).to_be_focused()
    expect(page.locator("main")).to_have_css("outline-style", "solid")


@pytest.mark.parametrize(
    ("session", "words"),
    [
        ({}, "mosquitto_pub"),
        ({"trial": False, "role": "planner"}, "forewarn device add"),
        ({"trial": False, "role": "customer"}, None),
    ],
)
def test_an_empty_fleet_says_to_whoever_can_how_the_first_machine_comes(
    watched: Watched, running: Running, session: dict[str, Any], words: str | None
) -> None:
    page = watched.page
    altered(page, "**/api/v1/board", lambda found: found | {"items": []})
    altered(page, "**/api/v1/session", lambda found: found | session)
    page.goto(running.url)
    expect(page.get_by_text("No machines yet")).to_be_visible()
    command = page.locator("main pre")
    if words is None:
        expect(command).to_have_count(0)
    else:
        expect(command).to_contain_text(words)
