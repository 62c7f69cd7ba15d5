"""How soon a page can be used, as the browser itself notes it.

*Shown*: the first frame in which the page has its heading and nothing in it is still waited for.
*Interactive*: the end of the last long task (over 50 ms on the main thread) before the first
second without one that begins after *shown*; where there is none, *shown* itself. This is time to
interactive (web.dev/tti) with a shorter quiet window and a stricter beginning: all of the page
instead of its first paint. Both are counted from the begin of the navigation.
"""

from dataclasses import dataclass
from typing import Any, Final

from playwright.sync_api import Browser

QUIET_MS: Final = 1_000
SLOWER: Final = 4  #: times slower than this computer
WATCH: Final = """() => {
  window.noted_ = {tasks: [], shown: 0, painted: 0};
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) {
      window.noted_.tasks.push([one.startTime, one.startTime + one.duration]);
    }
  }).observe({type: 'longtask', buffered: true});
  const look = (now) => {
    const heading = document.querySelector('main h1');
    if (heading && !window.noted_.painted) window.noted_.painted = performance.now();
    if (heading && !document.querySelector('main [role=status]')) {
      window.noted_.shown = performance.now();
    } else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
DONE: Final = """(quiet) => {
  const {tasks, shown} = window.noted_;
  if (!shown) return false;
  const last = Math.max(shown, ...tasks.map(([, end]) => end));
  return performance.now() - last > quiet;
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usable:
    """Times in ms since the navigation began; `cpu` of the main thread, slowed down as it was."""

    painted: float
    shown: float
    interactive: float
    cpu: float
    tasks: list[tuple[float, float]]


def usable(browser: Browser, url: str, **look: Any) -> Usable:
    """Open a page with an empty cache at a quarter of the speed, and say how soon it is usable."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, **look)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.add_init_script(f"({WATCH})()")
    page.goto(url, wait_until="commit")
    page.wait_for_function(DONE, arg=QUIET_MS, polling=100, timeout=60_000)
    noted = page.evaluate("window.noted_")
    cpu = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    context.close()
    return Usable(
        painted=noted["painted"],
        shown=noted["shown"],
        interactive=settled(noted["shown"], noted["tasks"]),
        cpu=cpu["TaskDuration"] * 1e3,
        tasks=[(begin, end) for begin, end in noted["tasks"]],
    )


def settled(shown: float, tasks: list[tuple[float, float]]) -> float:
    """Return the end of the last long task before the first quiet second from `shown` on."""
    last = shown
    for begin, end in sorted(tasks):
        if begin - last > QUIET_MS:
            break
        last = max(last, end)
    return last
