"""What changes is seen to change; a cut is said and mended."""

import json
import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, Response, Route, expect

from tests.ui.conftest import Watched
from tests.ui.plant import PROBE, Running


def test_a_live_value_is_seen_to_change(watched: Watched, running: Running) -> None:
    page = watched.page
    page.goto(f"{running.url}/machines/{PROBE}")
    value = page.locator("[data-live=temp]")
    value.wait_for()
    before = value.inner_text()
    expect(value).not_to_have_text(before)
    again = value.inner_text()
    expect(value).not_to_have_text(again)


def test_two_pages_of_a_browser_share_one_stream(context: BrowserContext, running: Running) -> None:
    streams: list[str] = []
    context.on("request", lambda r: streams.append(r.url) if "/api/v1/events" in r.url else None)
    pages = [context.new_page(), context.new_page()]
    for page in pages:
        page.goto(running.url)
        expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
    assert len(streams) == 1
    pages[0].close()
    heard = pages[1].locator(f"tr[data-machine='{PROBE}'] time")
    pages[1].get_by_label("Find a machine").fill("probe")
    expect(heard).to_have_text(re.compile("now|1 s|2 s"))
    expect(pages[1].get_by_role("status").filter(has_text="Live")).to_be_visible()


def colour(page: Page, mark: str) -> str:
    """Return the colour of the mark at the top once it says so."""
    found = page.locator("header").get_by_role("status").filter(has_text=re.compile(f"^{mark}$"))
    return str(found.evaluate("(one) => getComputedStyle(one).color"))


def test_the_page_says_that_the_service_is_gone_and_recovers_by_itself(
    context: BrowserContext, running: Running
) -> None:
    page = context.new_page()
    page.goto(f"{running.url}/machines/{PROBE}")
    value = page.locator("[data-live=temp]")
    value.wait_for()
    well = colour(page, "Live")
    running.service.part.kill()
    try:
        expect(page.get_by_text("The service has not been heard since")).to_be_visible()
        assert colour(page, "Not live") != well
        shown = value.inner_text()
    finally:
        running.service.part.start()  # the other tests need it
    expect(page.get_by_text("The service has not been heard since")).to_be_hidden()
    expect(value).not_to_have_text(shown)


def test_reasons_are_read_anew_with_the_machines_next_assessment(
    watched: Watched, running: Running
) -> None:
    page = watched.page
    ticket = running.first("/tickets", state="new", clock="data")
    board = running.service.get("/board")
    row = next(one for one in board["items"] if one["machine"] == ticket["machine"])
    told = {"now": board["now"], "machines": [row], "changes": []}
    body = f"event: changes\ndata: {json.dumps(told)}\n\n"
    streams: list[Route] = []

    def keep(route: Route) -> None:
        streams.append(route)  # nothing is told yet

    page.route("**/api/v1/events*", keep)
    paths = (f"/tickets/{ticket['id']}/why", f"/advisories/{ticket['advisory_id']}/evidence")

    def read(place: str) -> Callable[[Response], bool]:
        return lambda answer: answer.url.endswith(place)

    with page.expect_response(read(paths[0])), page.expect_response(read(paths[1])):
        page.goto(f"{running.url}/tickets/{ticket['id']}")
    page.get_by_role("button", name="Take it on").wait_for()
    found: list[str] = []

    def twice(answer: Response) -> bool:
        """Whether it was read also for what came right behind the first assessment."""
        found.extend([answer.url] if answer.url.endswith(paths[0]) else [])
        return len(found) == 2

    with page.expect_response(read(paths[1])), page.expect_response(twice):
        streams[-1].fulfill(content_type="text/event-stream", body=body + body)


def test_a_page_that_is_open_over_an_upgrade_is_loaded_anew(
    context: BrowserContext, running: Running
) -> None:
    """What its pieces were called before is gone: it asks for one, and goes where it was sent."""
    page = context.new_page()
    page.goto(running.url)
    page.get_by_label("Find a machine").wait_for()
    page.evaluate("window.before = true")
    page.route(
        re.compile(r"/assets/settings-.*\.js"), lambda route: route.fulfill(status=404), times=1
    )
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    assert page.evaluate("window.before") is None
