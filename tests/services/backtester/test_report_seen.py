"""The report of a lively market as people get it: the command's own page in a real browser, both themes, desk and phone.

Pictures of every page stay in pytest's temporary folder (`seen/`), for a look at what no assertion says.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.services.backtester.lively_days import MARKETS, write_lively_days
from tests.services.backtester.pages import DRAWN, SIZES, Seen, open_page

SHARE_OF_TRADES, SEED = 0.02, 3
MOST_BYTES, LEAST_CONTRAST = 5_000_000, 4.5
PANELS = {
    *(
        "Assumptions",
        "Coverage",
        "Equity and drawdown",
        "Trades on the price",
        "Calendar",
        "R distribution",
        "MAE and MFE",
    ),
    *("Score against outcome", "Exit reasons", "Hold times", "Hour of entry (UTC)", "Net by symbol", "Cost breakdown"),
    *(
        "Result",
        "Risk",
        "Trades",
        "Market",
        "Is it luck?",
        "By symbol",
        "By strategy",
        "Long and short",
        "By exit",
        "By score",
    ),
    *("By hold", "By hour of entry (UTC)", "Refused signals", "Costs"),
}
FIGURES = {
    *("Net PnL", "Gross PnL", "Fees", "Slippage", "Funding", "CAGR", "Sharpe", "Sortino", "Calmar", "Profit factor"),
    *("Expectancy", "Win rate", "Max drawdown", "Longest under water", "Time in market", "Mean exposure", "Win streak"),
    *("Loss streak", "Turnover a day", "Capacity a trade", "Probability of luck", "Deflated Sharpe"),
}
# Texts whose contrast with what lies behind them is too low, after WCAG 2.2. Colours are painted to read them in sRGB.
PALE = """(least) => {
  const brush = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const read = (colour) => {
    brush.clearRect(0, 0, 1, 1); brush.fillStyle = colour; brush.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = brush.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = (top, below) => [0, 1, 2].map((place) => top[place] * top[3] + below[place] * (1 - top[3]));
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.unshift(read(getComputedStyle(at).backgroundColor));
    return layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const linear = (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const light = (colour) => colour.map((part) => linear(part / 255))
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement, style = getComputedStyle(element);
    if (!node.textContent.trim() || !element.getClientRects().length || style.visibility === "hidden") continue;
    const ground = behind(element), colour = element.closest("svg") ? style.fill : style.color;
    const [one, other] = [light(over(read(colour), ground)), light(ground)].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < least) found.push(`${contrast.toFixed(2)} ${node.textContent.trim().slice(0, 40)}`);
  }
  return [found, document.querySelectorAll("td").length];
}"""
# Charts that are empty, small or not within the window, and their texts that are cut.
WRONG_CHARTS = """() => {
  const width = document.documentElement.clientWidth, found = [];
  const within = (name, box) => {
    if (box.width < 120 || box.height < 40) found.push(`${name} is ${box.width} by ${box.height}`);
    if (box.left < 0 || box.right > width) found.push(`${name} reaches from ${box.left} to ${box.right}`);
  };
  for (const id of ["equity", "price"]) within(id, document.getElementById(id).getBoundingClientRect());
  for (const chart of document.querySelectorAll(".chart-svg")) {
    const name = chart.getAttribute("aria-label"), box = chart.getBoundingClientRect();
    if (!box.width) continue;
    within(name, box);
    const marks = [...chart.querySelectorAll("rect, .dot, path")].filter((mark) => mark.getBoundingClientRect().width > 1);
    if (!marks.length) found.push(`${name} is empty`);
    for (const text of chart.querySelectorAll("text")) {
      const at = text.getBoundingClientRect();
      const cut = [box.left - at.left, at.right - box.right, box.top - at.top, at.bottom - box.bottom].some((over) => over > 1);
      if (cut) found.push(`${name}: ${text.textContent} is cut`);
    }
  }
  return found;
}"""
CUT_TABLES = """() => [...document.querySelectorAll(".scroll")].filter((one) => one.scrollWidth > one.clientWidth + 1)
  .map((one) => `${one.closest("section").querySelector("h2").textContent}: ${one.scrollWidth} in ${one.clientWidth}`)"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the command has written: two days behind a day of warm-up."""
    folder = tmp_path_factory.mktemp("lively")
    markets = tuple(replace(one, trades_a_day=int(one.trades_a_day * SHARE_OF_TRADES)) for one in MARKETS)
    first, end = write_lively_days(folder / "data", markets, 3, SEED)
    command = [sys.executable, "-m", "services.console", "backtest", "run", "--parquet", str(folder / "data")]
    command += ["--from", str((first + timedelta(days=1)).date()), "--to", str(end.date()), "--warm-up-hours", "24"]
    command += ["--output", str(folder / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seen")


@pytest.fixture(scope="module", params=[(theme, size) for theme in ("light", "dark") for size in SIZES], ids="-".join)
def seen(request: pytest.FixtureRequest, chromium: Browser, report: Path, pictures: Path) -> Iterator[Seen]:
    """The page, drawn, in each theme and size; photographed."""
    theme, size = request.param
    found = open_page(chromium, report / "report.html", dark=theme == "dark", size=size)
    found.page.wait_for_function(f"({DRAWN})('equity') > 2000 && ({DRAWN})('price') > 2000")
    picture = pictures / f"{theme}-{size}.png"
    found.page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 100_000
    yield found
    found.page.context.close()


def test_the_market_gives_something_to_look_at(report: Path) -> None:
    found: dict[str, Any] = json.loads((report / "report.json").read_bytes())
    trades = found["trades"]
    assert len(trades) >= 40
    assert {trade["symbol"] for trade in trades} == {market.symbol for market in MARKETS}
    assert {trade["direction"] for trade in trades} == {"long", "short"}
    assert {trade["strategy"] for trade in trades} == {"v51", "v52"}
    assert {group["key"] for group in found["tables"]["by_exit"]} >= {"take_profit_2", "stop_loss", "break_even_stop"}
    assert len(found["tables"]["refused"]) >= 3
    assert (report / "report.html").stat().st_size < MOST_BYTES


def test_it_is_whole_quiet_and_alone(seen: Seen, report: Path) -> None:
    page = seen.page
    assert {text.strip() for text in page.locator("h2").all_inner_texts()} >= PANELS
    assert set(page.locator(".explained").all_inner_texts()) >= FIGURES
    assert page.locator(".chart-svg").count() >= 9
    assert seen.complaints == []
    assert seen.requests == [(report / "report.html").as_uri()]


def test_nothing_is_cut_or_beside_the_window(seen: Seen) -> None:
    page = seen.page
    width = _width(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(WRONG_CHARTS) == []
    if width > 1000:
        assert page.evaluate(CUT_TABLES) == []


def test_every_text_stands_out(seen: Seen) -> None:
    pale, cells = seen.page.evaluate(PALE, LEAST_CONTRAST)
    assert cells > 300
    assert pale == []


def test_the_result_stands_on_the_first_screen(seen: Seen) -> None:
    first = seen.page.locator(".tile").first.bounding_box()
    assert first is not None
    assert first["y"] + first["height"] < 844
    assert _width(seen.page) == 390 or _bottom(seen.page, ".top-grid") < 900


def test_the_charts_show_all_of_the_range(chromium: Browser, report: Path) -> None:
    """On a desk: there is no pointer that hovers on a phone."""
    seen = open_page(chromium, report / "report.html")
    seen.page.wait_for_function(f"({DRAWN})('equity') > 2000 && ({DRAWN})('price') > 2000")
    facts = json.loads((report / "report.json").read_bytes())["facts"]
    days = (facts["end_ms"] - facts["start_ms"]) / 86_400_000
    at_left, at_right = (_hovered(seen.page, place) for place in (0.03, 0.9))
    assert at_left.startswith("2026-03-03 0")
    assert at_right >= f"2026-03-{2 + days:02.0f} 1"
    seen.page.context.close()


def test_a_chosen_trade_among_refused_signals(seen: Seen, report: Path, pictures: Path) -> None:
    """The last one here: it leaves the page as a reader has it then."""
    page = seen.page
    signals = json.loads((report / "report.json").read_bytes())["signals"]
    label = page.locator("label", has=page.locator("#show-refused")).inner_text()
    refused = sum(signal["state"] == "refused" for signal in signals)
    assert label.strip() == "refused signals" if refused <= 10_000 else f"{refused:,}".replace(",", "\u202f") in label
    page.locator("#show-refused").check()
    page.locator("#trades tbody tr").nth(3).click()
    assert "entry" in page.locator("#trade").inner_text()
    page.wait_for_function(f"({DRAWN})('price') > 2000")
    assert page.evaluate("document.documentElement.scrollWidth") <= _width(page)
    name = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
    page.screenshot(path=pictures / f"{name}-{_width(page)}-trade.png")
    assert seen.complaints == []


def _width(page: Page) -> int:
    size = page.viewport_size
    assert size is not None
    return size["width"]


def _bottom(page: Page, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["y"] + box["height"]


def _hovered(page: Page, share: float) -> str:
    """What the price chart tells at that share of its width."""
    chart = page.locator("#price")
    box = chart.bounding_box()
    assert box is not None
    chart.hover(position={"x": box["width"] * share, "y": box["height"] / 2})
    page.wait_for_function("document.getElementById('hover').textContent.includes(' O ')")
    return page.locator("#hover").inner_text()
