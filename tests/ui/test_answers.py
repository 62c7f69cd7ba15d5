"""What a device answers stands in the reader's words, with units and zones."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from tests.ui.conftest import WITHIN_MS
from tests.ui.plant import Running
from tests.ui.test_look import grave, settle

AT = "2026-11-30T09:59:15.736584129Z"
RESULTS: dict[str, dict[str, Any]] = {
    "snapshot": {
        "running_s": 7300.0,
        "now": AT,
        "clock": None,
        "outbox": {"disk_bytes": 4_622_576, "streams": {}},
        "signals": {"made-up": {"at": AT, "value": 3}},
    },
    "selftest": {"ok": True, "checks": [{"check": "disk", "ok": True, "text": "fine"}]},
    "network": {
        "addresses": ["10.0.0.1", "10.0.0.2"],
        "connect_ms": 0.32,
        "interfaces": [
            {"name": "eth0", "up": False, "speed_mbit": 1000, "received_bytes": 1_693_876_202}
        ],
    },
}
SAID = {
    "en": [
        ("Snapshot", "Running for", "2 h"),
        ("Snapshot", "Its time", "Nov 30, 2026 17:59:15 GMT+8"),
        ("Snapshot", "Size on disk", "4.62 MB"),
        ("Snapshot", "State of health", "81.5% · Nov 30, 2026 17:59:15 GMT+8"),
        ("Self-test", "Fine", "yes"),
        ("Network", "Connected in", "0.32 ms"),
    ],
    "zh-CN": [
        ("快照", "已运行", "2 小时"),
        ("快照", "终端时间", "2026年11月30日 17:59:15 GMT+8"),
        ("快照", "占用磁盘", "4.62 MB"),
        ("快照", "时钟", "–"),
        ("快照", "电池健康状态", "81.5% · 2026年11月30日 17:59:15 GMT+8"),
        ("快照", "made-up", "3 · 2026年11月30日 17:59:15 GMT+8"),
        ("自检", "正常", "是"),
        ("网络", "地址", "10.0.0.1、10.0.0.2"),
        ("网络", "连接耗时", "0.32 ms"),
    ],
}
ROWS = {
    "en": ("eth0", "no", "1,000 Mbit/s", "1.69 GB"),
    "zh-CN": ("eth0", "否", "1,000 Mbit/s", "1.69 GB"),
}


def commands(machine: str) -> list[dict[str, Any]]:
    """Return answers as the service tells them; a gateway names a column after its machine."""
    column = f"{machine.rpartition(':')[2]}/state_of_health"
    RESULTS["snapshot"]["signals"][column] = {"at": AT, "value": 81.5}
    common = {"machine": machine, "device": machine, "actor": "ada", "text": "", "status": 200}
    common |= {"recorded": AT, "args": {}, "state": "done", "version": 1}
    return [common | {"id": op, "op": op, "result": result} for op, result in RESULTS.items()]


def said(answer: Locator, name: str) -> Locator:
    return answer.locator("dt", has_text=name).locator("xpath=following-sibling::dd[1]").first


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_an_answer_is_told_in_words_with_units(
    browser: Browser, running: Running, axe: str, language: str, width: int
) -> None:
    machine = running.first("/tickets", clock="data")["machine"]

    def told(route: Route) -> None:
        route.fulfill(json={"items": commands(machine), "next": None})

    look: dict[str, Any] = {"viewport": {"width": width, "height": 844}, "locale": language}
    with browser.new_context(timezone_id="Asia/Shanghai", **look) as context:
        context.set_default_timeout(WITHIN_MS)
        page = context.new_page()
        page.route("**/commands?*", told)
        page.goto(f"{running.url}/machines/{machine}")
        settle(page)
        asking = page.locator("details.card")
        asking.locator("summary").first.click()
        for op, name, value in SAID[language]:
            answer = asking.locator("li", has=page.locator("summary", has_text=op))
            expect(said(answer, name)).to_have_text(value)
        row = asking.locator("tr", has_text="eth0").locator("td")
        expect(row).to_have_text(list(ROWS[language]))
        for raw in ("null", "true", "false", "[]"):
            expect(asking.get_by_text(raw, exact=True)).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert grave(page, axe) == []
