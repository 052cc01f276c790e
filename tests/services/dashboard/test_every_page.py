"""Every page opens with what the stack has, fits desktop and phone in both themes, and can be used by everybody."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.console.web_page import DASHBOARD
from tests.services.dashboard.conftest import DESKTOP, PHONE, WALL, Desk, Opening, looked_at
from tests.services.dashboard.people import registered
from tests.services.dashboard.test_market_page import serious_findings

PATHS = [path for path in json.loads((DASHBOARD / "paths.json").read_text()) if ":" not in path]
BEFORE = ("/login", "/register")
# A page and what must stand on it: a region, and words in it that come from the stack.
WORDS = [
    ("/dashboard", "Scores", "BTCUSDT"),
    ("/dashboard", "Am I safe", "warning at"),
    ("/history", "By symbol", "BTCUSDT"),
    ("/kline", "In figures", ":00"),
    ("/trades", "Stored", "BTCUSDT"),
    ("/trades", "Gaps", "No gap"),
    ("/server", "Feeds", "BTCUSDT"),
    ("/server", "Database", "agg_trades"),
    ("/server", "Services", "risk guard"),
    ("/paper", "Paper accounts", "v51"),
    ("/live", "Account main", "agree with the venue"),
    ("/about", "This installation", "PostgreSQL"),
]


def settled(page: Page) -> None:
    """Until nothing on it is still being loaded."""
    expect(page.locator("main section").first).to_be_visible()
    expect(page.get_by_role("status", name="Loading")).to_have_count(0)


def test_each_page_shows_what_the_stack_has(opening: Opening, tmp_path: Path) -> None:
    page = opening("/")
    for path, region, words in WORDS:
        page.goto(path, wait_until="commit")
        with looked_at(page, tmp_path, path.strip("/")):
            found = page.get_by_role("region", name=region, exact=True).first.get_by_text(words).first
            expect(found).to_be_visible()


@pytest.mark.parametrize("look", [(DESKTOP, "dark", "mia"), (WALL, "light", "ida"), (PHONE, "light", "leo")])
def test_each_page_fits_the_screen_and_hides_nothing_from_anybody(
    opening: Opening, desk: Desk, tmp_path: Path, look: tuple[tuple[int, int], str, str]
) -> None:
    size, scheme, name = look
    page = registered(opening, desk, name, "admin")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in PATHS:
        if path in BEFORE:
            continue
        page.goto(path, wait_until="commit")
        with looked_at(page, tmp_path, f"{path.strip('/')}-{size[0]}-{scheme}"):
            settled(page)
            assert page.evaluate("document.documentElement.dataset.mantineColorScheme") == scheme
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            assert serious_findings(page) == [], path


@pytest.mark.parametrize("path", BEFORE)
def test_the_pages_before_one_comes_in_can_be_used_by_everybody(opening: Opening, path: str) -> None:
    page = opening(path, PHONE, "light")
    expect(page.locator("form")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious_findings(page) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/backtests", "needs the role of a trader"),
        ("/users", "This page is for administrators"),
        ("/signals/nothing", "There is no such signal"),
        ("/live/trades/nothing", "There is no such trade"),
        ("/backtests/nothing", "There is no such backtest"),
    ],
)
def test_what_a_viewer_may_not_or_what_is_not_there_is_said(opening: Opening, path: str, words: str) -> None:
    page = opening(path)
    expect(page.get_by_text(words)).to_be_visible()
