"""Somebody, or the service itself, changes a ticket while its page is open and not yet told."""

from playwright.sync_api import Response, Route, expect

from tests.ui.conftest import Watched
from tests.ui.plant import Running
from tests.ui.test_agreement import SEVERITY
from tests.ui.test_stored_text import post


def test_a_step_is_refused_when_somebody_acted_and_taken_when_only_the_service_did(
    watched: Watched, spent: Running
) -> None:
    page, path = watched.page, f"/tickets/{spent.first('/tickets', state='new')['id']}"
    watched.may_be_late = True
    page.route("**/api/v1/events*", lambda _: None)  # never answered: the page is not told
    page.goto(spent.url + path)
    button = page.get_by_role("button", name="Take it on")
    button.wait_for()
    post(spent, f"{path}/acknowledge", spent.service.get(path)["version"], actor="ann")
    button.click()
    expect(page.get_by_text("It changed meanwhile.")).to_be_visible()
    expect(page.get_by_text("Visit the machine, then say what was found.")).to_be_visible()

    refused: list[str] = []
    before = {"severity": 1}

    def older(route: Route) -> None:
        """Answer as before dates and severity moved, until a step was refused."""
        answer = route.fetch()
        ticket = answer.json()
        changes = {} if refused else {"version": ticket["version"] - 1, **before}
        route.fulfill(response=answer, json=ticket | changes)

    def moved(route: Route) -> None:
        """Answer as if the service had written the newest version."""
        answer = route.fetch()
        history = answer.json()
        history["items"].append(history["items"][-1] | {"type": "raised", "actor": "triage"})
        route.fulfill(response=answer, json=history)

    def note(response: Response) -> None:
        if response.status == 412:
            refused.append(response.url)

    page.route(f"**/api/v1{path}", older)
    page.route(f"**/api/v1{path}/history*", moved)
    page.on("response", note)
    page.reload()
    page.get_by_role("button", name="Cancel ticket").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("sold")
    page.get_by_role("dialog").get_by_role("button", name="Cancel ticket").click()
    expect(page.get_by_role("dialog").get_by_text("more severe meanwhile")).to_be_visible()
    assert spent.service.get(path)["state"] == "in_progress"

    refused.clear()
    page.reload()
    page.get_by_role("button", name="Resolve").click()
    page.get_by_role("dialog").get_by_label("Cannot tell").check()
    page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    page.get_by_role("button", name="Customer confirms").wait_for()
    assert len(refused) == 1
    expect(page.get_by_text("It changed meanwhile.")).to_have_count(0)
    assert spent.service.get(path)["verdict"] == "inconclusive"

    refused.clear()
    before = {}  # somebody opened it again and found the same
    page.unroute(f"**/api/v1{path}/history*")
    page.reload()
    page.get_by_role("button", name="Customer confirms").click()
    expect(page.get_by_text("It changed meanwhile.")).to_be_visible()
    assert spent.service.get(path)["state"] == "resolved"


def test_an_advisory_is_not_shelved_that_became_more_severe_behind_the_dialog(
    watched: Watched, running: Running
) -> None:
    page, raised = watched.page, False
    tried: list[str] = []
    advisory = running.first("/advisories", state="open")
    path = f"/advisories/{advisory['id']}"
    watched.may_be_late = True

    def older(route: Route) -> None:
        """Answer as before it was raised."""
        answer = route.fetch()
        found = answer.json()
        before = {"version": found["version"] - 1, "severity": found["severity"] - 1}
        route.fulfill(response=answer, json=found | ({} if raised else before))

    page.route(f"**/api/v1{path}", older)
    page.on(
        "request", lambda r: tried.append(r.headers["if-match"]) if r.method == "POST" else None
    )
    page.goto(f"{running.url}/inbox/{advisory['id']}")
    shown = page.get_by_role("article").locator(".state").first
    expect(shown).to_have_text(SEVERITY[advisory["severity"] - 1])  # not yet that of the list
    page.get_by_role("button", name="Shelve").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("known")
    raised = True
    post(running, f"{path}/notes", actor="ann", text="it is louder now")  # the page reads it anew
    shown = page.locator("article .state").first  # a dialogue hides what is behind it from roles
    expect(shown).to_have_text(SEVERITY[advisory["severity"]])
    seen = running.service.get(path)["version"] - 1
    dialog.get_by_role("button", name="Shelve").click()
    expect(dialog.get_by_role("alert")).to_contain_text("more severe meanwhile")
    expect(dialog.get_by_role("alert")).to_contain_text(SEVERITY[advisory["severity"]])
    expect(dialog.get_by_label("Reason")).to_have_value("known")
    assert tried == [f'"{seen}"']
    assert running.service.get(path)["state"] == "open"
