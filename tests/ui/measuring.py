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


#: notes when the pixels of the first chart changed; `drawn` is the first frame with a line in it
PIXELS: Final = """() => {
  const noted = {begin: performance.now(), drawn: 0, last: 0, changes: 0};
  window.pixels_ = noted;
  const ink = getComputedStyle(document.documentElement).getPropertyValue('--chart-line').trim();
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(ink.slice(at, at + 2), 16));
  let before = null;
  const look = () => {
    if (window.pixels_ !== noted) return;
    const canvas = document.querySelector('.uplot canvas');
    if (canvas && canvas.width) {
      const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      let [hash, line] = [0, 0];
      for (let n = 0; n < data.length; n += 4) {
        hash = (hash * 31 + data[n] + (data[n + 3] << 8)) | 0;
        line += Math.abs(data[n] - r) + Math.abs(data[n + 1] - g) + Math.abs(data[n + 2] - b) < 40
          && data[n + 3] > 128;
      }
      if (line > 200 && !noted.drawn) noted.drawn = performance.now() - noted.begin;
      if (before !== null && hash !== before) {
        noted.last = performance.now() - noted.begin;
        noted.changes += 1;
      }
      before = hash;
    }
    requestAnimationFrame(look);
  };
  look();
}"""
#: how long every frame took, since this was run
FRAMES: Final = """() => {
  window.frames_ = [];
  let last = performance.now();
  const step = (now) => {
    window.frames_.push(now - last);
    last = now;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}"""
