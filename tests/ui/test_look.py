"""Every page in both languages, themes and widths: usable by all, not clipped, not heavy."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.ui.conftest import WITHIN_MS, Watched
from tests.ui.plant import Running

FIRST_LOAD = 300_000  #: bytes as they come over the wire
PAGES = (
    "board",
    "machine",
    "inbox",
    "tickets",
    "lanes",
    "ticket",
    "overview",
    "mine",
    "channels",
    "profiles",
    "service",
)
#: the others come in the long tier
QUICK = {("en", "light", 1280), ("zh-CN", "dark", 390)}
DENSE = {"board", "machine", "ticket", "inbox"}
HEAVY = {"board", "machine"}
#: elements whose own text is cut off, unless the whole text is in a title or scrolls
CLIPPED = """() => [...document.querySelectorAll('main *, nav *, header *')].filter((one) => {
  const own = [...one.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  const style = getComputedStyle(one);
  const hides = style.overflowX === 'hidden' || style.overflowX === 'clip';
  return own && hides && one.scrollWidth > one.clientWidth + 1 && !one.closest('[title]')
    && style.position !== 'absolute';
}).map((one) => one.outerHTML.slice(0, 160))"""

#: the colours of the opaque points of the first chart
INKS = """() => {
  const canvas = document.querySelector('.uplot canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const found = new Set();
  for (let n = 0; n < data.length; n += 4) {
    if (data[n + 3] === 255)
      found.add('#' + [0, 1, 2].map((k) => data[n + k].toString(16).padStart(2, '0')).join(''));
  }
  return [...found];
}"""


@pytest.fixture(scope="module")
def addresses(running: Running) -> dict[str, str]:
    advisory = running.service.items("/advisories")[0]["id"]
    ticket = running.service.items("/tickets")[0]
    return {
        "board": "/",
        "machine": f"/machines/{ticket['machine']}",
        "inbox": f"/inbox/{advisory}?show=done",
        "tickets": "/tickets?show=all",
        "lanes": "/tickets?as=board&show=all",
        "ticket": f"/tickets/{ticket['id']}",
        "overview": "/overview",
        "mine": "/settings/mine",
        "channels": "/settings/channels",
        "profiles": "/settings/profiles",
        "service": "/settings/service",
    }


@contextmanager
def opened(browser: Browser, url: str, **look: Any) -> Iterator[Watched]:
    look |= {"timezone_id": "Asia/Shanghai", "reduced_motion": "reduce"}
    with browser.new_context(**look) as context:
        context.set_default_timeout(WITHIN_MS)
        watched = Watched(context.new_page())
        watched.page.goto(url)
        settle(watched.page)
        yield watched
        watched.page.unroute_all(behavior="ignoreErrors")  # it asks on while it is closed


def settle(page: Page) -> None:
    """Wait until the page has its heading and everything that it loads."""
    page.get_by_role("heading", level=1).wait_for()
    expect(page.locator("main [role=status]")).to_have_count(0)


def grave(page: Page, axe: str) -> list[str]:
    """Return what axe finds that is serious or critical."""
    page.evaluate(axe)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{one['id']}: {json.dumps([node['html'][:150] for node in one['nodes'][:3]])}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


LOOKS = [
    pytest.param(language, scheme, width, id=f"{language}-{scheme}-{width}", marks=marks)
    for language in ("en", "zh-CN")
    for scheme in ("light", "dark")
    for width in (1280, 390)
    for marks in [() if (language, scheme, width) in QUICK else pytest.mark.long]
]


@pytest.mark.parametrize(("language", "scheme", "width"), LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_use_it(
    browser: Browser,
    running: Running,
    addresses: dict[str, str],
    axe: str,
    name: str,
    language: str,
    scheme: Any,
    width: int,
) -> None:
    look = {"locale": language, "color_scheme": scheme}
    viewport = {"width": width, "height": 844}
    with opened(browser, running.url + addresses[name], viewport=viewport, **look) as watched:
        page = watched.page
        assert grave(page, axe) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("html").get_attribute("lang") == language
        assert watched.complaints == []


@pytest.mark.parametrize("width", [390, pytest.param(1280, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "name", [p if p in DENSE else pytest.param(p, marks=pytest.mark.long) for p in PAGES]
)
def test_longer_words_are_not_clipped(
    browser: Browser, running: Running, addresses: dict[str, str], name: str, width: int
) -> None:
    address = addresses[name]
    url = f"{running.url}{address}{'&' if '?' in address else '?'}lang=qps"
    viewport = {"width": width, "height": 844}
    with opened(browser, url, viewport=viewport, locale="en") as watched:
        assert watched.page.get_by_role("heading", level=1).inner_text()
        assert watched.page.evaluate(CLIPPED) == []
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    "name", [p if p in HEAVY else pytest.param(p, marks=pytest.mark.long) for p in PAGES]
)
def test_the_first_load_is_light(
    context: BrowserContext, running: Running, addresses: dict[str, str], name: str
) -> None:
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: dict[str, int] = {}
    kinds: dict[str, str] = {}
    session.on(
        "Network.responseReceived", lambda e: kinds.update({e["requestId"]: e["response"]["url"]})
    )
    session.on(
        "Network.loadingFinished",
        lambda e: sizes.update({e["requestId"]: int(e["encodedDataLength"])}),
    )
    page.goto(running.url + addresses[name])
    settle(page)
    assets = {kinds[key]: size for key, size in sizes.items() if "/assets/" in kinds.get(key, "")}
    assert len(assets) > 3
    assert sum(assets.values()) <= FIRST_LOAD, assets


@pytest.mark.parametrize(
    "name", [p if p in HEAVY else pytest.param(p, marks=pytest.mark.long) for p in PAGES]
)
def test_nothing_is_asked_for_twice(
    watched: Watched, running: Running, addresses: dict[str, str], name: str
) -> None:
    """What the shell fetches ahead is what the page asks for, and the stream makes nothing anew."""
    asked: list[str] = []
    page = watched.page
    page.on("request", lambda r: asked.append(r.url))
    page.goto(running.url + addresses[name])
    settle(page)
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
    first = list(asked)
    assert sorted(first) == sorted(set(first))


def test_a_ticket_prints_without_what_is_for_the_screen(
    watched: Watched, running: Running, addresses: dict[str, str]
) -> None:
    page = watched.page
    page.goto(running.url + addresses["ticket"])
    settle(page)
    expect(page.get_by_role("button").first).to_be_visible()
    page.emulate_media(media="print")
    for role in ("button", "navigation", "banner", "textbox"):
        expect(page.get_by_role(role)).to_have_count(0)  # those that are seen
    for text in ("Due window", "Why", "Evidence", "Conversation and history"):
        expect(page.get_by_text(text, exact=True)).to_be_visible()


def test_the_list_of_tickets_prints_with_its_headings(
    watched: Watched, running: Running, addresses: dict[str, str]
) -> None:
    page = watched.page
    page.goto(running.url + addresses["tickets"])
    settle(page)
    notice = page.locator("main > p").first  # that nobody has an account: of no use on paper
    expect(notice).to_be_visible()
    seen = page.locator("table.grid thead").inner_text().split()
    page.emulate_media(media="print")
    assert page.locator("table.grid thead").inner_text().split() == seen != []
    expect(notice).to_be_hidden()


@pytest.mark.parametrize("width", [1280, 780])
def test_the_board_prints_every_machine(watched: Watched, running: Running, width: int) -> None:
    """Also those to which a screen scrolls, and where a narrow window has cards."""
    page = watched.page
    page.set_viewport_size({"width": width, "height": 600})
    page.goto(running.url)
    settle(page)
    known = len(running.service.items("/machines?limit=200"))
    page.locator("[data-machine]").first.wait_for()
    assert page.locator("[data-machine]").count() < known
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("tr[data-machine]")).to_have_count(known)
    assert (
        page.evaluate(
            "(e => e.scrollHeight - e.clientHeight)(document.querySelector('main [role=region]'))"
        )
        <= 0
    )
    page.evaluate("dispatchEvent(new Event('afterprint'))")


def test_a_word_that_is_no_range_shows_the_usual_one(
    watched: Watched, running: Running, addresses: dict[str, str]
) -> None:
    """Also one that every object of the language knows."""
    page = watched.page
    page.goto(f"{running.url}{addresses['machine']}?range=toString&lang=valueOf")
    settle(page)
    expect(page.locator(".uplot canvas").first).to_be_visible()


def test_the_tabs_of_the_settings_stand_in_one_row(watched: Watched, running: Running) -> None:
    page = watched.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{running.url}/settings/service")
    page.get_by_role("tab").first.wait_for()
    tops = page.get_by_role("tab").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().top)"
    )
    assert len(tops) > 3
    assert len(set(tops)) == 1
    expect(page.get_by_role("tab", selected=True)).to_be_in_viewport(ratio=1)


def test_a_dark_page_prints_its_charts_as_on_a_light_one(
    browser: Browser, running: Running, addresses: dict[str, str]
) -> None:
    """Lines and axes are in a picture, which no style sheet colours."""
    with browser.new_context(color_scheme="dark", viewport={"width": 1280, "height": 860}) as dark:
        dark.set_default_timeout(WITHIN_MS)
        page = dark.new_page()
        page.goto(running.url + addresses["machine"])
        settle(page)
        page.locator(".uplot canvas").first.wait_for()
        pictures = []
        for event in ("beforeprint", "afterprint"):
            page.evaluate("event => dispatchEvent(new Event(event))", event)
            axis = page.evaluate(
                "getComputedStyle(document.documentElement).getPropertyValue('--chart-axis')"
            )
            pictures.append((axis, page.evaluate(INKS)))
    assert [(axis, axis in inks) for axis, inks in pictures] == [
        ("#55606b", True),
        ("#a6b0ba", True),
    ]
