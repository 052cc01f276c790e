"""Funding, candles, trades, backtests and server: each page opens for the local viewer and shows what the API has."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.services.dashboard.conftest import DESKTOP, PATIENCE_MS, PHONE, Opening, looked_at
from tests.services.dashboard.test_market_page import serious_findings

expect.set_options(timeout=PATIENCE_MS)
# A page and what must stand on it: a region, and words in it that come from the database.
PAGES = [
    ("/history", "By symbol", "BTCUSDT"),
    ("/kline", "In figures", "60"),
    ("/trades", "Stored", "BTCUSDT"),
    ("/trades", "Gaps", "lost"),
    ("/backtests", "Backtests", "No backtest has run here"),
    ("/server", "Feeds", "BTCUSDT"),
    ("/server", "Database", "agg_trades"),
]


@pytest.mark.parametrize(("path", "region", "words"), PAGES)
def test_a_page_shows_what_the_api_has(opening: Opening, tmp_path: Path, path: str, region: str, words: str) -> None:
    page = opening(path)
    with looked_at(page, tmp_path, path.strip("/")):
        expect(page.get_by_role("region", name=region, exact=True).first.get_by_text(words).first).to_be_visible()


@pytest.mark.parametrize("path", ["/history", "/kline", "/trades", "/backtests", "/server", "/settings"])
@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "dark"), (PHONE, "light")])
def test_a_page_fits_the_screen(
    opening: Opening, tmp_path: Path, path: str, size: tuple[int, int], scheme: str
) -> None:
    page = opening(path, size, scheme)
    with looked_at(page, tmp_path, f"{path.strip('/')}-{size[0]}-{scheme}"):
        expect(page.locator("main section").first).to_be_visible()
        expect(page.get_by_role("status", name="Loading")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert serious_findings(page) == []


def test_a_viewer_is_told_who_may_start_a_backtest(opening: Opening) -> None:
    page = opening("/backtests")
    expect(page.get_by_text("needs the role of a trader")).to_be_visible()


def test_a_viewer_is_told_whose_page_the_accounts_are(opening: Opening) -> None:
    page = opening("/users")
    expect(page.get_by_text("This page is for administrators")).to_be_visible()
