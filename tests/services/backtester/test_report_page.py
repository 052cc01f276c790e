"""The page in a real browser: complete, quiet, within its window in both themes and sizes, and harmless whatever it shows."""

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page

from services.backtester.report import compare, write_comparison, write_report
from services.backtester.report.page import POLICY, asset
from services.backtester.result import BacktestResult, InputCoverage
from tests.services.backtester.pages import DRAWN, SIZES, open_page
from tests.services.backtester.results import Shape, curve, make_result, plain_result

MOST_BYTES = 5_000_000
HOSTILE = "<script>window.hacked=1</script><img src=x onerror='window.hacked=2'>\"'&</title></script>"


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(make_result(), tmp_path_factory.mktemp("month")).html


def _lightness(page: Page) -> float:
    text = str(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    return sum(float(part) for part in text[text.index("(") + 1 : -1].split(",")[:3]) / 3


@pytest.mark.parametrize("size", list(SIZES))
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_complete_in_each_theme_and_size(chromium: Browser, month: Path, dark: bool, size: str) -> None:
    seen = open_page(chromium, month, dark=dark, size=size)
    page = seen.page
    assert (_lightness(page) < 60) is dark
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    page.wait_for_function(f"({DRAWN})('equity') > 2000 && ({DRAWN})('price') > 2000")
    assert page.locator(".chart-svg").count() == 9
    assert page.locator("#trades tbody tr").count() > 100
    assert page.locator(".month").count() == 1
    page.get_by_role("button", name="theme").click()
    assert (_lightness(page) < 60) is not dark
    page.wait_for_function(f"({DRAWN})('price') > 2000")
    assert seen.complaints == []
    assert seen.requests == [month.as_uri()]
    page.context.close()


def test_a_trade_is_found_told_and_shown(chromium: Browser, month: Path) -> None:
    seen = open_page(chromium, month)
    page = seen.page
    page.get_by_role("tab", name="SOLUSDT").click()
    assert page.get_by_role("tab", name="SOLUSDT").get_attribute("aria-selected") == "true"
    page.locator("#trades th", has_text="net, R").click()
    best = page.locator("#trades tbody tr").first
    symbol = best.locator("td").nth(1).inner_text()
    best.click()
    told = page.locator("#trade").inner_text()
    assert symbol in told
    assert "entry" in told
    assert "MAE" in told
    assert page.get_by_role("tab", name=symbol).get_attribute("aria-selected") == "true"
    page.locator("#show-refused").check()
    page.locator("#price").hover(position={"x": 500, "y": 200})
    page.wait_for_function("document.getElementById('hover').textContent.includes(' O ')")
    assert seen.complaints == []
    page.context.close()


def test_names_from_data_are_only_text(chromium: Browser, tmp_path: Path) -> None:
    clean = make_result(Shape(days=2))
    facts = msgspec.structs.replace(
        clean.facts, strategies=((HOSTILE, 1, "x"),), source=HOSTILE, assumptions=(HOSTILE,), symbols=(HOSTILE,)
    )
    hostile = replace(
        clean,
        facts=facts,
        coverage=(InputCoverage(symbol=HOSTILE, name=HOSTILE, share=0.5, rows=1, missing=HOSTILE),),
        outcomes=tuple(msgspec.structs.replace(one, strategy=HOSTILE, symbol=HOSTILE) for one in clean.outcomes),
        candles={HOSTILE: clean.candles["BTCUSDT"]},
    )
    for path in (write_report(hostile, tmp_path).html, write_comparison(compare(clean, hostile), tmp_path).html):
        context = chromium.new_context()
        page = context.new_page()
        page.goto(path.as_uri())
        assert page.evaluate("window.hacked") is None
        assert page.locator("img").count() == 0
        assert "<script>window.hacked=1</script>" in page.inner_text("body")
        context.close()
    assert "<script>window" not in write_report(hostile, tmp_path).html.read_text()


def test_it_is_one_small_file_that_may_fetch_nothing(month: Path, tmp_path: Path) -> None:
    text = month.read_text()
    assert f'http-equiv="Content-Security-Policy" content="{POLICY}"' in text
    assert "Apache License" in text
    three_days = write_report(make_result(Shape(days=3)), tmp_path).html
    assert three_days.stat().st_size < month.stat().st_size < MOST_BYTES


def test_the_minutes_of_three_days_are_all_there(chromium: Browser, tmp_path: Path) -> None:
    result = make_result(Shape(days=3))
    seen = open_page(chromium, write_report(result, tmp_path).html)
    packed = seen.page.evaluate("JSON.parse(document.getElementById('data').textContent).bars.BTCUSDT")
    assert (packed["interval"], len(packed["number"])) == (60, 3 * 1440)
    first, bars = result.candles["BTCUSDT"], packed["open"]
    assert bars[0] / 10 ** packed["decimals"] == pytest.approx(float(first.open[0]))
    seen.page.context.close()


@pytest.mark.parametrize("ideal", [True, False])
def test_only_an_ideal_run_is_branded(chromium: Browser, tmp_path: Path, ideal: bool) -> None:
    seen = open_page(chromium, write_report(make_result(Shape(days=2, ideal=ideal)), tmp_path).html)
    assert ("IDEAL RUN" in seen.page.inner_text("main")) is ideal
    assert ("IDEAL" in seen.page.inner_text("header")) is ideal
    seen.page.context.close()


def test_an_empty_run_says_what_would_fill_it(chromium: Browser, tmp_path: Path) -> None:
    empty: BacktestResult = plain_result((), curve())
    seen = open_page(chromium, write_report(empty, tmp_path).html, size="phone")
    body = seen.page.inner_text("body")
    assert "No position was opened" in body
    assert "no candles" in body
    assert "NaN" not in body
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert seen.complaints == []
    seen.page.context.close()


def _themes() -> list[dict[str, str]]:
    """The colours of each block of the style that sets them."""
    blocks = re.findall(r"\{\s*color-scheme: \w+;(.*?)\}", asset("page.css"), re.DOTALL)
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks]


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _mixed(share: float, colour: str, onto: str) -> str:
    """As color-mix(in srgb) does it."""
    parts = (
        round(share * int(colour[place : place + 2], 16) + (1 - share) * int(onto[place : place + 2], 16))
        for place in (1, 3, 5)
    )
    return "#" + "".join(f"{part:02x}" for part in parts)


def test_every_text_stands_out_in_every_theme() -> None:
    themes = _themes()
    assert len(themes) == 3
    assert themes[1] == themes[2]  # by the system's wish and by the button
    for theme in themes:
        for name in ("text", "dim", "accent", "up", "down", "amber", "danger"):
            for ground in ("panel", "bg"):
                assert _contrast(theme[name], theme[ground]) >= 4.5, (name, ground)
        assert _contrast(theme["amber"], theme["amber-bg"]) >= 4.5
        for name in ("up", "down"):
            assert _contrast(theme["text"], _mixed(0.38, theme[name], theme["panel"])) >= 4.5
