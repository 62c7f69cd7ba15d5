"""Stored text is text: nothing that somebody wrote is ever executed, wherever it is shown."""

import itertools
import json
import urllib.request
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import expect

from models.contract import topics
from models.contract.messages import MachineRef
from tests.cloud.wires import batch, birth
from tests.e2e.parts import ANSWER_S
from tests.ui.conftest import Watched
from tests.ui.plant import Running

CALLS = ("alert(1)", "window.hit=1", "document.title='hit'", "fetch('/hit')", "import('/hit')")
SHAPES = (
    "<script>{0}</script>",
    "<img src=x onerror={0}>",
    "<svg onload={0}>",
    "<svg><script>{0}</script></svg>",
    "<iframe srcdoc='<script>{0}</script>'></iframe>",
    '<a href="javascript:{0}">x</a>',
    "javascript:{0}",
    "data:text/html,<script>{0}</script>",
    '"><script>{0}</script>',
    "' onmouseover='{0}' x='",
    '" autofocus onfocus="{0}" x="',
    "<details open ontoggle={0}>",
    "<body onload={0}>",
    "<input autofocus onfocus={0}>",
    "<video><source onerror={0}></video>",
    "<math><mtext><script>{0}</script></mtext></math>",
    "<style>@import '/hit';</style><b>{0}</b>",
    "<link rel=stylesheet href=/hit><b>{0}</b>",
    "<meta http-equiv=refresh content='0;url=javascript:{0}'>",
    "<object data='javascript:{0}'></object>",
    "<form action='javascript:{0}'><button>x</button></form>",
    "<base href='//hit.example/'><b>{0}</b>",
    "<template><script>{0}</script></template>",
    "<noscript><p title='</noscript><img src=x onerror={0}>'>",
    "{{{{constructor.constructor('{0}')()}}}}",
    "${{{0}}}",
    "`${{{0}}}`",
    "<%= {0} %>",
    "{{{{t('{0}')}}}}",
    "$t({0})",
    "\u202e<script>{0}</script>",
    "<scr\u0000ipt>{0}</script>".replace("\0", ""),
    "&lt;script&gt;{0}&lt;/script&gt;",
    "%3Cscript%3E{0}%3C/script%3E",
    "\\u003cscript\\u003e{0}\\u003c/script\\u003e",
    "]]><script>{0}</script>",
    "--><script>{0}</script>",
    "</textarea><script>{0}</script>",
    "</title><script>{0}</script>",
    "</script><script>{0}</script>",
    "<img src=x onerror=eval('{0}')>",
    "<x onclick={0} tabindex=1 id=x>x</x>",
    "<marquee onstart={0}>",
    "<svg><animate onbegin={0} attributeName=x></svg>",
    "<svg><use href=\"data:image/svg+xml,<svg id='x' onload='{0}'/>#x\"/></svg>",
    "<table background='javascript:{0}'>",
    "<div style='background:url(javascript:{0})'>x</div>",
    "<p style=animation-name:x onanimationstart={0}>x</p>",
    "<button popovertarget=x>x</button><b popover id=x onbeforetoggle={0}>x</b>",
    "<input type=image src=x onerror={0}>",
    "<audio src=x onerror={0}>",
    "<embed src='javascript:{0}'>",
    "<isindex action='javascript:{0}'>",
    "<img srcset='x' onerror={0}>",
    "<picture><source srcset=x><img onerror={0} src=x></picture>",
    "<select autofocus onfocus={0}>",
    "<keygen autofocus onfocus={0}>",
    "<svg><foreignObject><body onload={0}></foreignObject></svg>",
    "<a href='&#106;avascript:{0}'>x</a>",
    "<a href='java\tscript:{0}'>x</a>",
    "<a href=' javascript:{0}'>x</a>",
    "<a href='vbscript:{0}'>x</a>",
    "<img src=`x` onerror=`{0}`>",
    "<img/src/onerror={0}>",
    "<IMG SRC=x ONERROR={0}>",
    "<svg/onload={0}>",
    "<svg\nonload={0}>",
    "<svg onload\n={0}>",
    "<<script>{0}//<</script>",
    "<script x>{0}</script x>",
    "<script/src='/hit'></script><b>{0}</b>",
    "<script>/*{0}*/</script>",
    "<dialog open oncancel={0}>x</dialog>",
    "<slot onslotchange={0}><b>x</b></slot>",
    "<track onerror={0}>",
    "<html onfocus={0} tabindex=1 autofocus>",
    "<frameset onload={0}>",
    "<bgsound src='javascript:{0}'>",
    "<layer src='javascript:{0}'></layer>",
    "<xss contenteditable autofocus onfocus={0}>x</xss>",
)
CORPUS = [shape.format(call) for shape, call in itertools.product(SHAPES, CALLS)]


def post(running: Running, path: str, version: int | str | None = None, **body: Any) -> Any:
    headers = {"Content-Type": "application/json"}
    if version is not None:
        headers["If-Match"] = "*" if version == "*" else f'"{version}"'
    request = urllib.request.Request(
        f"{running.url}/api/v1{path}", json.dumps(body).encode(), headers, method="POST"
    )
    with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
        return json.load(answer)


def hit(watched: Watched) -> bool:
    """Say whether anything that was stored has run or been fetched."""
    page = watched.page
    return bool(page.evaluate("window.hit === 1")) or page.title() == "hit"


def tell(
    running: Running, device: str, machines: MachineRef | dict[str, MachineRef], signal: str
) -> None:
    """Let a device be born with names, and report one signal far off."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", running.broker.port)
    client.loop_start()
    born = birth({"": machines} if isinstance(machines, MachineRef) else machines, time="data")
    client.publish(topics.up(device, "birth"), born, qos=1, retain=True).wait_for_publish(ANSWER_S)
    for i in range(3):
        body = batch(i * 10, [9.0] * 10, name=signal)
        client.publish(topics.up(device, "t", "live"), body, qos=1).wait_for_publish(ANSWER_S)
    client.disconnect()
    client.loop_stop()


def test_400_strings_in_every_field_that_pages_show(watched: Watched, running: Running) -> None:
    assert len(CORPUS) >= 400
    requests: list[str] = []
    watched.page.on("request", lambda r: requests.append(r.url))
    ticket = running.service.items("/tickets")[-1]
    for text in CORPUS:
        post(
            running,
            f"/tickets/{ticket['id']}/comments",
            text=text,
            actor=" ".join(text.split())[:100],
        )
    page = watched.page
    page.goto(f"{running.url}/tickets/{ticket['id']}")
    expect(page.get_by_text(CORPUS[-1]).first).to_be_visible()
    for text in CORPUS[:: len(SHAPES) // 4]:
        assert page.get_by_text(text, exact=True).count() >= 1, text
    assert not hit(watched)
    assert not [one for one in requests if one.endswith("/hit") or "hit.example" in one]


def test_names_of_machines_and_signals_are_text(watched: Watched, running: Running) -> None:
    name = "<img src=x onerror=window.hit=1>"
    signal = "<svg onload=window.hit=1>"
    for n, shape in enumerate(SHAPES[:8]):
        machine = MachineRef(profile="generic", name=shape.format(CALLS[1])[:90])
        tell(running, f"demo.x{n}", machine, signal)
    tell(running, "demo.x9", MachineRef(profile="generic", name=name), signal)
    running.first("/machines?limit=200", id="demo.x9")
    page = watched.page
    for path in ("/", "/overview", "/machines/demo.x9", "/settings/service"):
        page.goto(running.url + path)
        page.get_by_role("heading", level=1).wait_for()
        expect(page.locator("main [role=status]")).to_have_count(0)
        assert not hit(watched)
    page.goto(f"{running.url}/machines/demo.x9")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.goto(f"{running.url}/?q=onerror")
    expect(page.get_by_role("link", name=name).first).to_be_visible()
