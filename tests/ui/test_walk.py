"""A planner's day: from the board to a closed ticket and back, and in from the inbox."""

import re

from playwright.sync_api import Page, expect

from tests.ui.conftest import Watched
from tests.ui.plant import Running


def dialog_text(page: Page, label: str, text: str) -> None:
    page.get_by_role("dialog").get_by_label(label).fill(text)


def walk(page: Page, running: Running, machine: str) -> None:
    """From the board over machine and advisory to a closed ticket and back, as a planner goes."""
    advisory = running.first("/advisories", state="open", machine=machine)
    page.goto(running.url)
    page.get_by_label("Find a machine").fill(machine)
    row = page.locator(f"tr[data-machine='{machine}']")
    name = machine.rpartition(":")[2]
    row.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.get_by_role("link", name=advisory["title"]["en"]).first.click()
    expect(page).to_have_url(re.compile(f"/inbox/{advisory['id']}"))
    page.get_by_role("button", name="I look into it").wait_for()
    page.keyboard.press("e")
    expect(page.get_by_text("local looks into it").first).to_be_visible()
    page.keyboard.press("a")
    page.get_by_role("link", name="Open the ticket").click()
    page.get_by_role("button", name="Take it on").click()
    expect(page.get_by_text("Visit the machine, then say what was found.")).to_be_visible()
    page.get_by_label("Write a remark").fill("On my way")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("On my way")).to_be_visible()
    page.get_by_role("button", name="Resolve").click()
    page.get_by_role("dialog").get_by_label("Fault confirmed").check()
    dialog_text(page, "What was found", "Cartridge empty")
    page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    expect(page.get_by_text("Fault confirmed").first).to_be_visible()
    expect(page.get_by_text("Cartridge empty").first).to_be_visible()
    page.get_by_role("button", name="Customer confirms").click()
    expect(page.get_by_text("Closed, confirmed").first).to_be_visible()
    page.get_by_role("link", name="Fleet").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Fleet")
    expect(page.locator(f"a[href='/inbox/{advisory['id']}']")).to_have_count(0)
    found = running.service.get(f"/advisories/{advisory['id']}")
    assert (found["state"], found["verdict"]) == ("verified", "confirmed")


def test_from_the_board_to_a_resolved_ticket_and_back(watched: Watched, running: Running) -> None:
    walk(watched.page, running, running.first("/advisories", state="open")["machine"])


def test_filters_stand_in_the_address_and_come_back(watched: Watched, running: Running) -> None:
    page = watched.page
    page.goto(running.url)
    page.get_by_label("Find a machine").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("pump")
    expect(page).to_have_url(re.compile(r"q=pump"))
    page.get_by_label("Type").select_option("centrifugal-pump")
    page.get_by_role("button", name=re.compile("Normal")).click()
    expect(page.locator("tr[data-machine]").first).to_contain_text("pump")
    page.reload()
    expect(page.get_by_label("Find a machine")).to_have_value("pump")
    expect(page.get_by_role("button", name=re.compile("Normal"))).to_have_attribute(
        "aria-pressed", "true"
    )
    names = page.locator("tr[data-machine]").all_inner_texts()
    assert names
    assert all("pump" in one for one in names)
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("tr[data-machine]").nth(8)).to_be_visible()


def test_zooming_asks_for_finer_buckets_and_goes_back(watched: Watched, running: Running) -> None:
    page = watched.page
    page.goto(f"{running.url}/machines/{running.machine('pump-01')}")
    plot = page.locator(".u-over").first
    plot.wait_for()
    box = plot.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    with page.expect_response(re.compile("/series")) as finer:
        page.mouse.move(box["x"] + box["width"] * 0.4, y)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, y, steps=5)
        page.mouse.up()
    body = finer.value.json()
    expect(page.get_by_role("button", name="Follow live")).to_be_visible()
    page.get_by_role("button", name="Follow live").click()
    expect(page.get_by_role("button", name="Following live")).to_be_visible()
    assert body["width"] != "P1D"
    assert len(body["bucket_ns"]) > 10


def test_language_and_appearance_are_kept(watched: Watched, running: Running) -> None:
    page = watched.page
    page.goto(running.url)
    page.get_by_label("Language").select_option("简体中文")
    expect(page.get_by_role("heading", level=1)).to_have_text("设备总览")
    page.get_by_role("button", name="外观").click()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("设备总览")
    assert page.locator("html").get_attribute("data-mantine-color-scheme") == "dark"
    assert page.locator("html").get_attribute("lang") == "zh-CN"


def test_a_device_that_is_away_is_never_called_answered(watched: Watched, running: Running) -> None:
    page = watched.page
    page.goto(f"{running.url}/machines/{running.machine('pump-01')}")
    page.get_by_text("Ask the device").click()
    page.get_by_label("Question").select_option("selftest")
    page.get_by_role("button", name="Ask", exact=True).click()
    asked = page.get_by_role("region", name="Ask the device")
    expect(asked.get_by_text("Sent", exact=True)).to_be_visible()
    asked.get_by_text("Self-test").last.click()
    expect(asked.get_by_text("No word from the device yet.")).to_be_visible()
    expect(asked.get_by_text("Answered")).to_have_count(0)
