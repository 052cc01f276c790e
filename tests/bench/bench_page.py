"""What the web page costs a browser while the market is busy (a table): `bench_page [SECONDS RATE]`.

A whole stack with four symbols and its simulator at RATE trades a second over all of them (400: a hundred a symbol), beside the
browser on the same processors. Of each page: what crosses the wire until it is live with an empty cache, how soon that is, and
then for SECONDS each: frames, the longest task of its main thread, time in scripts and in layout a frame.
"""

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from playwright.sync_api import Browser, CDPSession, Page, expect
from rich.console import Console
from rich.table import Table

from services.console.web_page import ensure_page, find_npm
from tests.e2e.stack import Stack
from tests.services.dashboard.conftest import DESKTOP, PATIENCE_MS
from tests.support.browser import browser

SYMBOLS = "BTCUSDT,ETHUSDT,SOLUSDT,BNBUSDT"
PAGES = {"/": "BTCUSDT", "/dashboard": "BTCUSDT", "/trades": "Large trades", "/paper": "v51"}
"""Path, and a word of the stack that must stand on it."""
_WATCH = """() => {
  window.watched = { frames: 0, tasks: [] }
  new PerformanceObserver(list => list.getEntries().forEach(each => watched.tasks.push(each.duration)))
    .observe({ type: 'longtask' })
  const count = () => { watched.frames += 1; requestAnimationFrame(count) }
  requestAnimationFrame(count)
}"""


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one page; seconds, kB and milliseconds."""

    loaded_kb: float
    live_after: float
    frames: int
    long_tasks: list[float]
    script_ms: float
    layout_ms: float


def _live(page: Page, word: str) -> None:
    expect(page.get_by_role("banner").get_by_text("live", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("main").get_by_text(word).first).to_be_visible(timeout=PATIENCE_MS)


def _spent(session: CDPSession) -> dict[str, float]:
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}


def watch(opened: Browser, url: str, path: str, seconds: float) -> Seen:
    """In a browser context of its own, whose cache is empty."""
    context = opened.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]}, base_url=url)
    page = context.new_page()
    session = context.new_cdp_session(page)
    loaded: list[float] = []
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: loaded.append(event["encodedDataLength"]))
    page.goto(path, wait_until="commit", timeout=PATIENCE_MS)
    _live(page, PAGES[path])
    live_after, loaded_kb = page.evaluate("performance.now()") / 1e3, sum(loaded) / 1e3
    session.send("Performance.enable")
    page.evaluate(_WATCH)
    before = _spent(session)
    page.wait_for_timeout(seconds * 1e3)
    after = _spent(session)
    watched = page.evaluate("watched")
    frames: int = max(1, watched["frames"])
    context.close()

    def a_frame(*names: str) -> float:
        return sum((after[name] - before[name] for name in names), 0.0) * 1e3 / frames

    return Seen(
        loaded_kb,
        live_after,
        frames,
        watched["tasks"],
        a_frame("ScriptDuration"),
        a_frame("LayoutDuration", "RecalcStyleDuration"),
    )


def _row(path: str, seen: Seen, seconds: float) -> tuple[str, ...]:
    tasks = f"{max(seen.long_tasks):.0f} ({len(seen.long_tasks)} over 50)" if seen.long_tasks else "below 50"
    return (
        path,
        f"{seen.loaded_kb:.0f}",
        f"{seen.live_after:.2f}",
        f"{seen.frames / seconds:.0f}",
        tasks,
        f"{seen.script_ms:.2f}",
        f"{seen.layout_ms:.2f}",
    )


def main() -> None:
    """Print the table."""
    given = [float(word) for word in sys.argv[1:3]]
    seconds, rate = given if len(given) == 2 else (20.0, 400.0)
    ensure_page(find_npm(), print)
    columns = ("page", "loaded kB", "live after s", "frames/s", "longest task ms", "script ms/frame", "layout ms/frame")
    table = Table(*columns, box=None, title=f"four symbols, {rate:g} trades/s")
    with TemporaryDirectory() as folder, ExitStack() as ending:
        stack = Stack(Path(folder) / "state")
        ending.callback(stack.down)
        os.environ["PERPSTREAM_SIM_RATE"] = f"{rate:g}"
        stack.up("--symbols", SYMBOLS)
        url = stack.run_file().gateway_url
        assert url is not None
        with browser() as opened:
            for path in PAGES:
                watch(opened, url, path, 1.0)  # the servers' caches are warm, as for whoever comes second
                table.add_row(*_row(path, watch(opened, url, path, seconds), seconds))
    screen = Console(width=120)
    screen.print(table)
    screen.print(f"load average {psutil.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
