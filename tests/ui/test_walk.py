"""A planner's day: from the board to a closed ticket and back, and in from the inbox."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from forewarn.broker import find_mosquitto, free_port
from models.contract.times import instant_ns
from tests.e2e.parts import Part, Service
from tests.ui.conftest import Watched
from tests.ui.plant import Running, need
from tests.ui.test_look import settle


def dialog_text(page: Page, label: str, text: str) -> None:
    page.get_by_role("dialog").get_by_label(label).fill(text)


def walk(page: Page, running: Running, machine: str) -> None:
    """From the board over machine and advisory to a closed ticket and back, as a planner goes."""
    advisory = running.first("/advisories", state="open", machine=machine)
    row = on_the_board(page, running, machine)
    page.get_by_role("link", name=advisory["title"]["en"]).first.click()
    expect(page).to_have_url(re.compile(f"/inbox/{advisory['id']}"))
    page.get_by_role("button", name="I look into it").wait_for()
    page.keyboard.press("e")
    expect(page.get_by_text("local looks into it").first).to_be_visible()
    page.keyboard.press("a")
    page.get_by_role("link", name="Open the ticket").click()
    done_and_confirmed(page)
    page.get_by_role("link", name="Fleet").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Fleet")
    expect(row.get_by_role("link", name=advisory["title"]["en"])).to_have_count(0)
    found = running.service.get(f"/advisories/{advisory['id']}")
    assert (found["state"], found["verdict"]) == ("verified", "confirmed")


def on_the_board(page: Page, running: Running, machine: str) -> Locator:
    """Find a machine on the board and go to its page; return its row."""
    page.goto(running.url)
    page.get_by_label("Find a machine").fill(machine)
    row = page.locator(f"tr[data-machine='{machine}']")
    name = machine.rpartition(":")[2]
    row.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    return row


def done_and_confirmed(page: Page) -> None:
    """Take a ticket on, say something, resolve it with a verdict; the customer confirms."""
    page.get_by_role("button", name="Take it on").click()
    expect(page.get_by_text("Visit the machine, then say what was found.")).to_be_visible()
    page.get_by_label("Write a remark").fill("On my way")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("On my way")).to_be_visible()
    page.get_by_role("button", name="Resolve").click()
    page.get_by_role("dialog").get_by_label("Fault confirmed").check()
    dialog_text(page, "What was found", "Worn out")
    page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    expect(page.get_by_text("Fault confirmed").first).to_be_visible()
    expect(page.get_by_text("Worn out").first).to_be_visible()
    page.get_by_role("button", name="Customer confirms").click()
    expect(page.get_by_text("Closed, confirmed").first).to_be_visible()


def test_from_the_board_to_a_resolved_ticket_and_back(watched: Watched, spent: Running) -> None:
    walk(watched.page, spent, spent.first("/advisories", state="open")["machine"])


@pytest.fixture
def demo(browser: Browser, tmp_path: Path) -> Iterator[Running]:
    """The demo as people start it, with a fault that takes its time, told slowly enough to walk."""
    need(find_mosquitto(), "mosquitto is not installed (Debian: apt install mosquitto)")
    port = free_port()
    words = [sys.executable, "-m", "forewarn", "demo", "--port", str(port)]
    words += ["--seed", "0", "--speed", "0.35"]
    part = Part(words, tmp_path / "demo.log", "machines report")
    with part:
        yield Running(broker=part, service=Service(part, port, tmp_path))


def test_the_demo_can_be_walked_through_while_it_runs(watched: Watched, demo: Running) -> None:
    """A graver fault gets its ticket at once: the advisory is seen, its ticket acknowledged."""
    page = watched.page
    watched.may_be_late = True  # triage moves the ticket's dates as time goes
    page.goto(demo.url)
    mark = page.get_by_text("This is the demo")
    expect(mark).to_be_visible()
    page.emulate_media(media="print")  # nor may a work order on paper send anybody to a machine
    expect(mark).to_be_visible()
    page.emulate_media(media="screen")
    page.locator("td a[href^='/tickets/']").first.wait_for(timeout=180_000)  # it takes its time
    ticket = demo.first("/tickets")
    row = on_the_board(page, demo, ticket["machine"])
    value = page.locator("[data-live]").first
    before = value.inner_text()
    expect(value).not_to_have_text(before)
    page.goto(f"{demo.url}/inbox/{ticket['advisory_id']}?show=done")
    page.get_by_role("link", name="Open the ticket").click()
    done_and_confirmed(page)
    page.get_by_role("link", name="Fleet").first.click()
    expect(row.locator(f"a[href='/tickets/{ticket['id']}']")).to_have_count(0)
    page.get_by_label("Language").select_option("简体中文")
    expect(page.get_by_role("heading", level=1)).to_have_text("设备总览")
    assert demo.broker.process is not None
    assert demo.broker.process.poll() is None, "the story was over before the walk"


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
    expect(page.locator("tr[data-machine]").first).to_contain_text("pump")
    names = page.locator("tr[data-machine]").all_inner_texts()
    assert names
    assert all("pump" in one for one in names)
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("tr[data-machine]").nth(8)).to_be_visible()


def test_a_link_shows_the_same_time_and_order(watched: Watched, running: Running) -> None:
    """What was zoomed to and what a list is sorted by stand in the address."""
    page = watched.page
    page.goto(f"{running.url}/machines/{running.machine('pump-01')}")
    page.get_by_role("button", name="Zoom in").click()
    expect(page).to_have_url(re.compile("from=.*&to="))
    page.reload()
    page.get_by_role("button", name="Follow live").click()
    page.locator("label", has_text="7 d").click()
    expect(page).to_have_url(re.compile(r"\?range=7d$"))
    page.goto(f"{running.url}/machines/{running.machine('printer-03')}")
    page.get_by_label("Forecast").check()
    expect(page).to_have_url(re.compile("forecast=1"))
    page.reload()
    expect(page.get_by_label("Forecast")).to_be_checked()
    page.goto(f"{running.url}/tickets")
    page.get_by_role("button", name="Machine").click()
    page.get_by_role("button", name="Machine").click()
    expect(page).to_have_url(re.compile("sort=-machine"))
    page.reload()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Machine")


#: types a word and chooses a type before the page can draw anything
AT_ONCE = """() => {
  const put = (selector, value, kind) => {
    const field = document.querySelector(selector);
    Object.getOwnPropertyDescriptor(field.constructor.prototype, 'value').set.call(field, value);
    field.dispatchEvent(new Event(kind, { bubbles: true }));
  };
  for (const text of ['p', 'pu', 'pump']) put('[aria-label="Find a machine"]', text, 'input');
  put('[aria-label="Type"]', 'centrifugal-pump', 'change');
}"""


def test_who_is_faster_than_the_page_loses_no_filter(watched: Watched, running: Running) -> None:
    page = watched.page
    page.goto(running.url)
    settle(page)
    page.evaluate(AT_ONCE)
    expect(page.get_by_label("Type")).to_have_value("centrifugal-pump")
    expect(page.get_by_label("Find a machine")).to_have_value("pump")
    expect(page).to_have_url(re.compile(r"q=pump&type=centrifugal-pump"))


def span(url: str) -> int:
    """Return how long a time a series is asked for, ns."""
    asked = parse_qs(urlsplit(url).query)
    begin, end = (instant_ns(asked[name][0]) for name in ("start", "end"))
    return end - begin


def test_zooming_asks_for_finer_buckets_and_goes_back(watched: Watched, running: Running) -> None:
    page = watched.page
    with page.expect_response(re.compile("/series")) as whole:
        page.goto(f"{running.url}/machines/{running.machine('pump-01')}")
    settle(page)
    plot = page.locator(".u-over").first
    plot.wait_for()
    box = plot.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    shorter = span(whole.value.url) / 2  # the other charts' own answers may still be on their way
    with page.expect_response(lambda r: "/series" in r.url and span(r.url) < shorter) as finer:
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
