"""The first page of a demonstration: it opens by itself, moves, fits every screen, and says at once when it is no longer news."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from services.console.web_page import DASHBOARD
from tests.services.dashboard.conftest import DESKTOP, PATIENCE_MS, PHONE, Desk, Opening, looked_at

MOST_FIRST_LOAD_BYTES = 400_000
AXE = DASHBOARD / "node_modules/axe-core/axe.min.js"
expect.set_options(timeout=PATIENCE_MS)


def live(page: Page) -> None:
    """Until the page says that it is connected, with its figures there."""
    expect(page.get_by_role("banner").get_by_text("live", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="BTCUSDT")).to_be_visible()


def serious_findings(page: Page) -> list[str]:
    """What axe calls serious or critical, with the element."""
    page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found if each["impact"] in ("serious", "critical")
    ]


def test_a_demonstration_opens_signed_in_says_so_and_moves(opening: Opening, tmp_path: Path) -> None:
    page = opening("/")
    with looked_at(page, tmp_path, "market"):
        live(page)
        expect(page.get_by_text("signed in as local viewer")).to_be_visible()
        expect(page.get_by_text("SIMULATOR")).to_be_visible()
        expect(page.get_by_role("region", name="Signals").locator("li").first).to_be_visible()
        expect(page.get_by_role("region", name="Feeds").locator("tbody tr").first).to_be_visible()
        expect(page.locator("canvas").first).to_be_visible()
        card = page.get_by_role("button", name="BTCUSDT")
        before = card.inner_text()
        expect(card).not_to_have_text(before, use_inner_text=True)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_it_fits_the_screen_and_can_be_used_by_everybody(
    opening: Opening, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    page = opening("/", size, scheme)
    with looked_at(page, tmp_path, f"market-{size[0]}-{scheme}"):
        live(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("document.documentElement.dataset.mantineColorScheme") == scheme
        assert serious_findings(page) == []


def test_the_first_load_is_small_and_the_second_asks_for_almost_nothing(opening: Opening) -> None:
    page = opening("/about")
    session = page.context.new_cdp_session(page)
    loaded: list[float] = []
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: loaded.append(event["encodedDataLength"]))
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto("/", wait_until="commit")
    live(page)
    expect(page.locator("canvas").first).to_be_visible()
    assert 50_000 < sum(loaded) <= MOST_FIRST_LOAD_BYTES
    loaded.clear()
    session.send("Network.setCacheDisabled", {"cacheDisabled": False})
    page.goto("/", wait_until="commit")
    page.goto("/", wait_until="commit")
    loaded.clear()
    live(page)
    assert sum(loaded) < 100_000


def test_a_connection_that_says_nothing_greys_the_page_and_comes_back(
    opening: Opening, desk: Desk, tmp_path: Path
) -> None:
    page = opening("/")
    with looked_at(page, tmp_path, "lost"):
        live(page)
        desk.freeze()
        try:
            expect(page.get_by_role("banner").get_by_text(re.compile("quiet|lost"))).to_be_visible()
            expect(page.get_by_role("region", name="Feeds").get_by_text("last heard")).to_be_visible()
        finally:
            desk.thaw()
        live(page)
        expect(page.get_by_role("region", name="Feeds").get_by_text("last heard")).to_be_hidden()


def test_a_gateway_that_starts_again_is_found_again(opening: Opening, desk: Desk) -> None:
    page = opening("/")
    live(page)
    desk.kill()
    expect(page.get_by_role("banner").get_by_text(re.compile("lost"))).to_be_visible()
    live(page)
    card = page.get_by_role("button", name="BTCUSDT")
    before = card.inner_text()
    expect(card).not_to_have_text(before, use_inner_text=True)


def test_everything_is_a_key_away(opening: Opening) -> None:
    page = opening("/")
    live(page)
    page.keyboard.press("Control+k")
    page.get_by_placeholder("Page, symbol or action").fill("about")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/about$"))
    expect(page.get_by_placeholder("Page, symbol or action")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page).to_have_url(re.compile("/$"))
    page.keyboard.press("6")
    expect(page.get_by_role("button", name="5m", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
