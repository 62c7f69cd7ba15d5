"""400 texts that try to run, in every field that takes text, on the page that shows it.

Long tier. Fields that hold 10,000 signs get the texts a few dozen at a time, one on each line; the
others get one each. A field that the description gains fails the test until it is tried here.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from forewarn.broker import free_port
from models.contract.messages import MachineRef
from tests.e2e.parts import Service, mosquitto, service
from tests.ui.conftest import Watched
from tests.ui.plant import Running, setup_link, simulate
from tests.ui.test_accounts import PASSWORD, sign_in
from tests.ui.test_stored_text import CORPUS, hit, post, tell

pytestmark = pytest.mark.long
LONGEST = 9_000
TRIED = {
    "actor", "as_found", "full_name", "name", "note", "reason", "site", "sites", "text",
}  # fmt: skip
#: fields whose grammar leaves no room for a script, that are never shown, or are JSON for a device
BOUND = {"args", "customer", "new", "password", "present", "replaced", "until", "zone"}


def one_line(text: str, size: int) -> str:
    return " ".join(text.split())[:size]


def heaps() -> Iterator[str]:
    """The corpus in as few texts as fit."""
    heap = ""
    for text in CORPUS:
        if len(heap) + len(text) > LONGEST:
            yield heap
            heap = ""
        heap += text + "\n"
    yield heap


@pytest.fixture(scope="module")
def own(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service of its own: what is written here is for nobody else."""
    with mosquitto(tmp_path_factory.mktemp("broker"), free_port()) as broker:
        started = service(tmp_path_factory.mktemp("service"), broker.port)
        with started.part:
            simulate(broker)
            yield Running(broker=broker, service=started)


def strings(service: Service) -> set[str]:
    """Return the names of the fields that take text of one's own."""
    schemas = service.get("/openapi.json")["components"]["schemas"]

    def free(said: dict[str, Any]) -> bool:
        said = schemas[said["$ref"].rpartition("/")[2]] if "$ref" in said else said
        if "anyOf" in said:
            return any(free(one) for one in said["anyOf"])
        if said.get("type") == "array":
            return free(said["items"])
        return said.get("type") in ("string", "object") and "enum" not in said

    document = service.get("/openapi.json")
    bodies = [
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for path in document["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    ]
    return {
        name
        for ref in bodies
        for name, said in schemas[ref.rpartition("/")[2]].get("properties", {}).items()
        if free(said)
    }


def test_every_field_is_tried(own: Running) -> None:
    assert strings(own.service) == TRIED | BOUND


def shown(watched: Watched, address: str, *texts: str) -> None:
    """Open a page; each text is there as it was written, and nothing of them has run."""
    page = watched.page
    page.goto(address)
    page.get_by_role("heading", level=1).wait_for()
    expect(page.locator("main [role=status]")).to_have_count(0)
    for text in texts:
        page.wait_for_function(
            "text => document.querySelector('main').textContent.includes(text)", arg=text
        )
    assert not hit(watched)


def test_of_tickets_and_advisories(watched: Watched, own: Running) -> None:
    ticket = own.first("/tickets")
    path = f"/tickets/{ticket['id']}"
    names = itertools.cycle(one_line(text, 100) for text in CORPUS)

    def step(kind: str, **body: Any) -> None:
        version = own.service.get(path)["version"]
        post(own, f"{path}/{kind}", version, actor=next(names), **body)

    for heap in heaps():
        step("resolve", verdict="confirmed", as_found=heap, note=heap)
        shown(watched, own.url + path, heap.splitlines()[-1])
        shown(watched, f"{own.url}/machines/{ticket['machine']}")
        step("reopen", note=heap)
    step("resolve", verdict="confirmed")
    step("close", confirmed=True, note=CORPUS[0])
    for text in CORPUS:
        post(own, f"{path}/comments", text=text, actor=next(names))
    shown(watched, own.url + path, *CORPUS[::20])
    advisory = own.first("/advisories", state="open")
    path = f"/advisories/{advisory['id']}"
    for kind, heap in itertools.product(("defer", "shelve"), heaps()):
        version = own.service.get(path)["version"]
        until = {"until": "2100-01-01T00:00:00Z"} if kind == "defer" else {}
        post(own, f"{path}/{kind}", version, actor=next(names), reason=heap, **until)
        shown(watched, f"{own.url}/inbox/{advisory['id']}?show=deferred", heap.splitlines()[-1])
    for text in CORPUS:
        post(own, f"{path}/notes", text=text, actor=next(names))
    version = own.service.get(path)["version"]
    post(own, f"{path}/reject", version, actor=next(names), reason="\n".join(CORPUS)[:LONGEST])
    shown(watched, f"{own.url}/inbox/{advisory['id']}?show=done", CORPUS[0])


def test_of_machines_and_devices(watched: Watched, own: Running) -> None:
    for n, text in enumerate(CORPUS):
        machine = MachineRef(profile="generic", name=one_line(text, 100))
        tell(own, f"demo.named-{n:03}", machine, one_line(text, 60))
    last = one_line(CORPUS[-1], 100)
    own.first("/machines?limit=200", name=last)
    machines = [one for one in own.service.items("/machines?limit=200") if "named" in one["id"]]
    assert len(machines) == len(CORPUS)
    for n, text in enumerate(CORPUS):
        machine = machines[n]["id"]
        place = {"customer": "acme", "site": one_line(text, 100)}
        post(own, f"/machines/{machine}/site", "*", **place)
    shown(watched, f"{own.url}/overview", last)
    shown(watched, f"{own.url}/?q=named-3")
    shown(watched, f"{own.url}/settings/service")
    for machine in machines[:: len(machines) // 8]:
        shown(watched, f"{own.url}/machines/{machine['id']}", machine["name"] or machine["id"])


def test_of_people_and_tokens(context: BrowserContext, own: Running) -> None:
    watched = Watched(context.new_page())
    page = watched.page
    page.goto(setup_link(own.service.part.log))
    page.fill("input[name=name]", "ada")
    page.fill("input[name=password]", PASSWORD)
    page.fill("input[name=again]", PASSWORD)
    page.get_by_role("button").click()
    page.get_by_role("heading", level=1).wait_for()
    for n, text in enumerate(CORPUS):
        person: dict[str, Any] = {"full_name": one_line(text, 200), "sites": [one_line(text, 100)]}
        written(page, own, "/users", name=f"p{n}", role="customer", customer="acme", **person)
    shown(watched, f"{own.url}/settings/users", *(one_line(t, 200) for t in CORPUS[::20]))
    for text in CORPUS:
        token = written(page, own, "/tokens", name=one_line(text, 100), scope="read", days=1)
        written(page, own, f"/tokens/{token['token']['id']}/revoke")
    shown(watched, f"{own.url}/settings/tokens", *(one_line(t, 100) for t in CORPUS[::20]))
    for text in CORPUS[::40]:
        me = page.request.get(f"{own.url}/api/v1/me")
        headers = {"If-Match": me.headers["etag"]}
        written(page, own, "/me/settings", headers, full_name=one_line(text, 200))
        shown(watched, f"{own.url}/settings/mine")
    context.clear_cookies()
    page.goto(f"{own.url}/settings/mine")
    sign_in(page, CORPUS[0][:60], "wrong and long enough")
    expect(page.locator("input[name=name]")).to_have_value(CORPUS[0][:60])
    assert not hit(watched)


def written(
    page: Page, own: Running, path: str, headers: dict[str, str] | None = None, **body: Any
) -> Any:
    """Write as the person who is signed in does."""
    answer = page.request.post(
        f"{own.url}/api/v1{path}",
        data=json.dumps(body),
        headers={"Content-Type": "application/json", "Origin": own.url, **(headers or {})},
    )
    assert answer.ok, answer.text()
    return answer.json()
