"""A dialogue belongs to what it sends: no other step closes it, and leaving it gives that up."""

import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from tests.ui.conftest import Watched
from tests.ui.plant import Running
from tests.ui.test_look import grave

BUSY = {
    "type": "urn:forewarn:problem:busy",
    "title": "t",
    "status": 503,
    "detail": "the ledger is busy",
    "instance": "/x",
    "errors": [],
}


def held(page: Page, address: str) -> list[Route]:
    """Keep what is sent to an address; the caller answers it."""
    kept: list[Route] = []

    def keep(route: Route) -> None:
        kept.append(route)

    page.route(address, keep)
    return kept


def answered(page: Page, route: Route, now: dict[str, Any], path: str) -> None:
    """Answer a step as if it were done, until the page has read the thing anew."""
    with page.expect_response(f"**/api/v1{path}"):
        route.fulfill(json=now)


def text_of(dialog: Locator) -> Locator:
    return dialog.locator("textarea").first


def test_a_dialogue_of_a_ticket_outlives_the_step_that_was_under_way(
    watched: Watched, running: Running
) -> None:
    page, ticket = watched.page, running.first("/tickets", state="new")
    path = f"/tickets/{ticket['id']}"
    steps = held(page, "**/acknowledge")
    page.goto(running.url + path)
    page.get_by_role("button", name="Take it on").click()
    page.get_by_role("button", name="Resolve").click()
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Resolve").click()
    text_of(dialog).fill("the bearing is worn")
    answered(page, steps[0], ticket | {"state": "in_progress"}, path)
    expect(text_of(dialog)).to_have_value("the bearing is worn")


def test_a_dialogue_of_an_advisory_outlives_the_acknowledgement_that_was_under_way(
    watched: Watched, running: Running
) -> None:
    page, advisory = watched.page, running.first("/advisories", state="open")
    path = f"/advisories/{advisory['id']}"
    steps = held(page, "**/acknowledge")
    page.goto(f"{running.url}/inbox/{advisory['id']}")
    page.get_by_role("button", name="Dismiss").wait_for()
    page.keyboard.press("e")
    page.keyboard.press("d")
    dialog = page.get_by_role("dialog")
    text_of(dialog).fill("it was being cleaned")
    answered(page, steps[0], advisory, path)
    expect(text_of(dialog)).to_have_value("it was being cleaned")


def test_going_back_closes_the_dialogue(watched: Watched, running: Running) -> None:
    page, advisory = watched.page, running.first("/advisories", state="open")
    page.goto(f"{running.url}/inbox")
    page.locator(f"a[href^='/inbox/{advisory['id']}']").click()
    page.get_by_role("button", name="Dismiss").wait_for()
    page.keyboard.press("d")
    dialog = page.get_by_role("dialog")
    text_of(dialog).fill("wrong one")
    page.go_back()
    expect(dialog).to_have_count(0)
    page.go_forward()
    page.get_by_role("button", name="Dismiss").wait_for()
    page.go_back()
    expect(page).to_have_url(f"{running.url}/inbox")
    page.keyboard.press("j")  # keys are off while a dialogue is open, also where nobody sees it
    expect(page).to_have_url(re.compile("/inbox/.+"))


@pytest.mark.parametrize(
    ("thing", "names"),
    [("tickets", ("Resolve", "Cancel ticket")), ("advisories", ("Snooze", "Shelve", "Dismiss"))],
)
def test_everybody_can_use_the_dialogues(
    watched: Watched, running: Running, axe: str, thing: str, names: tuple[str, ...]
) -> None:
    page = watched.page
    state = {"tickets": "new", "advisories": "open"}[thing]
    found = running.first(f"/{thing}", state=state)
    page.goto(f"{running.url}/{'tickets' if thing == 'tickets' else 'inbox'}/{found['id']}")
    for name in names:
        page.get_by_role("button", name=name).click()
        page.get_by_role("dialog").wait_for()
        assert grave(page, axe) == [], name
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_refusal_leaves_the_keyboard_in_the_dialogue(
    context: BrowserContext, running: Running
) -> None:
    page, advisory = context.new_page(), running.first("/advisories", state="open")
    page.route(
        "**/shelve",
        lambda route: route.fulfill(status=503, content_type="application/problem+json", json=BUSY),
    )
    page.goto(f"{running.url}/inbox/{advisory['id']}")
    page.get_by_role("button", name="Shelve").click()
    dialog = page.get_by_role("dialog")
    text_of(dialog).fill("known")
    button = dialog.get_by_role("button", name="Shelve")
    button.focus()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("the ledger is busy")
    expect(button).to_be_focused()


def test_who_leaves_a_dialogue_gives_up_what_it_sent(
    context: BrowserContext, running: Running
) -> None:
    page, advisory = context.new_page(), running.first("/advisories", state="open")
    sent = held(page, "**/shelve")
    page.goto(f"{running.url}/inbox/{advisory['id']}")
    page.get_by_role("button", name="Shelve").click()
    dialog = page.get_by_role("dialog")
    text_of(dialog).fill("known")
    with page.expect_request("**/shelve"):
        dialog.get_by_role("button", name="Shelve").click()
    with page.expect_event("requestfailed", lambda one: one.url.endswith("/shelve")):
        page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)
    assert len(sent) == 1


def test_without_a_network_a_decision_fails_now_and_is_not_done_later(
    context: BrowserContext, running: Running
) -> None:
    page, advisory = context.new_page(), running.first("/advisories", state="open")
    page.goto(f"{running.url}/inbox/{advisory['id']}")
    page.get_by_role("button", name="Dismiss").click()
    dialog = page.get_by_role("dialog")
    text_of(dialog).fill("a slip")
    context.set_offline(True)
    dialog.get_by_role("button", name="Dismiss").click()
    expect(dialog.get_by_role("alert")).to_contain_text("did not answer")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    late: list[str] = []
    page.on("request", lambda one: late.append(one.url) if one.method == "POST" else None)
    context.set_offline(False)
    assert page.evaluate("fetch('/livez').then((answer) => answer.status)") == 200
    assert late == []
    assert running.service.get(f"/advisories/{advisory['id']}")["state"] == "open"


def test_a_button_that_waits_keeps_the_keyboard(watched: Watched, running: Running) -> None:
    page, ticket = watched.page, running.first("/tickets", clock="data")
    path = f"/tickets/{ticket['id']}"
    page.route(f"**/api/v1{path}", lambda route: route.fulfill(json=ticket | {"state": "new"}))
    steps = held(page, "**/acknowledge")
    page.goto(running.url + path)
    button = page.get_by_role("button", name="Take it on")
    button.focus()
    with page.expect_request("**/acknowledge"):
        page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")  # it is under way
    page.route(
        f"**/api/v1{path}", lambda route: route.fulfill(json=ticket | {"state": "in_progress"})
    )
    steps[0].fulfill(json=ticket | {"state": "in_progress"})
    expect(button).to_have_count(0)
    expect(page.get_by_role("region", name="Next")).to_be_focused()
    assert len(steps) == 1
