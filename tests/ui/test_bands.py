"""Remaining life reads as a band with its unit, and times of a chart name their zone."""

import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.ui.conftest import Watched
from tests.ui.plant import PROBE, Running
from tests.ui.test_look import settle

DAY = 86_400.0
BAND = re.compile(r"[\d.]+–[\d.]+ d$")
#: earliest, middle and latest in days, and how each language says them
BANDS = [
    ((9.2, 11.0, 14.4), "9.2–14 d", "9.2–14 天"),
    ((11.6, 12.0, 12.4), "11.6–12.4 d", "11.6–12.4 天"),
    ((0.0, 0.02, 0.04), "0–0.04 d", "0–0.04 天"),
    ((12.0, 12.0, 12.0), "≈ 12 d", "约 12 天"),
    ((0.0, 0.0, 0.0), "limit reached", "已达极限"),
]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_ends_of_a_band_differ(watched: Watched, running: Running, language: str) -> None:
    names = [row["id"] for row in running.service.items("/machines?limit=200")]
    still = [name for name in names if name != PROBE]  # what is heard now is told anew by itself
    wanted = dict(zip(still, BANDS, strict=False))

    def told(route: Route) -> None:
        answer = route.fetch()
        board: dict[str, Any] = answer.json()
        rows = [
            row | {"left": lasting(wanted[row["machine"]][0])}
            for row in board["items"]
            if row["machine"] in wanted
        ]
        route.fulfill(response=answer, json=board | {"items": rows})

    def lasting(days: tuple[float, ...]) -> dict[str, Any]:
        ends = zip(("p10_s", "p50_s", "p90_s"), days, strict=True)
        named = {"component": "part", "title": {"en": "part", "zh": "部件"}}
        return {"basis": "wear", "signal": None, **named} | {key: d * DAY for key, d in ends}

    page = watched.page
    page.route("**/api/v1/board", told)
    page.goto(f"{running.url}/?lang={language}")
    settle(page)
    for machine, (_, *said) in wanted.items():
        row = page.locator(f"tr[data-machine='{machine}']")
        expect(row.get_by_text(said[language != "en"], exact=True)).to_be_visible()


def life(page: Page, running: Running) -> Any:
    """Open the machine whose life ends and return the chart of the days it has left."""
    page.goto(f"{running.url}/machines/{running.first('/tickets', clock='data')['machine']}")
    settle(page)
    return page.get_by_role("region", name=re.compile("^Days left:")).first


def test_the_chart_of_a_remaining_life_says_a_band(watched: Watched, running: Running) -> None:
    page = watched.page
    chart = life(page, running)
    expect(chart.locator("header .strong")).to_have_text(
        re.compile(rf"({BAND.pattern}|limit reached)")
    )
    plot = chart.get_by_role("img")
    plot.scroll_into_view_if_needed()
    chart.locator("canvas").wait_for()
    size = plot.bounding_box()
    assert size
    page.mouse.move(size["x"] + size["width"] * 0.45, size["y"] + size["height"] / 2)
    under = chart.locator("header > [aria-hidden]")
    expect(under).to_have_text(re.compile(r"GMT[+-]\d+ · ([\d.]+–[\d.∞]+ d|limit reached|–)$"))


def test_the_time_axis_names_its_zone(watched: Watched, running: Running) -> None:
    chart = life(watched.page, running)
    expect(chart.get_by_text(re.compile(r"^GMT[+-]\d+$"))).to_be_visible()


@pytest.mark.parametrize("key", ["Enter", "tap"])
def test_what_coverage_means_is_told_without_a_mouse(
    context: BrowserContext, running: Running, key: str
) -> None:
    page = context.new_page()
    life(page, running)
    hint = page.get_by_text("How much of what the profile asks for")
    expect(hint).to_be_hidden()
    asked = page.locator("summary", has_text="Coverage")
    if key == "tap":
        asked.dispatch_event("click")
    else:
        asked.focus()
        page.keyboard.press(key)
    expect(hint).to_be_visible()
