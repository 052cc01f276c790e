"""The first page of a demonstration: it opens by itself, moves, fits every screen, and says at once when it is no longer news."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from services.console.web_page import DASHBOARD
from tests.services.dashboard.conftest import DESKTOP, PATIENCE_MS, PHONE, Desk, Opening, looked_at

MOST_FIRST_LOAD_BYTES = 400_000
AXE = DASHBOARD / "node_modules/axe-core/axe.min.js"
GREY_WITHIN_MS = 2_000
WATCH_GREY = """() => {
    const dim = (element) => {
        for (let each = element; each; each = each.parentElement)
            if (Number(getComputedStyle(each).opacity) < 0.9) return true;
        return false;
    };
    const look = () => {
        const feeds = document.querySelector('section[aria-label="Feeds"]');
        const risk = [...document.querySelectorAll("header span")].find((each) => each.textContent === "risk");
        const since = feeds.querySelector("header time");
        const old = [document.querySelector('[title="Mark price, USDT"]'), feeds.querySelector("tbody tr"), risk];
        if (since !== null && feeds.textContent.includes("last heard") && old.every(dim))
            document.documentElement.dataset.grey = `${Date.now()} ${Date.parse(since.dateTime)}`;
        else requestAnimationFrame(look);
    };
    look();
}"""
"""Keeps when the page has greyed a card's price, a panel and the bar, and since when it says that is (in its root)."""
expect.set_options(timeout=PATIENCE_MS)


def live(page: Page) -> None:
    """Until the page says that it is connected, with its figures there."""
    expect(page.get_by_role("banner").get_by_text("live", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="BTCUSDT")).to_be_visible()


def price(page: Page) -> Locator:
    """The mark price on the card; the card's other words change with the clock alone."""
    return page.get_by_role("button", name="BTCUSDT").get_by_title("Mark price, USDT")


def moves(page: Page) -> None:
    """Until another price stands there than now."""
    expect(price(page)).not_to_have_text(price(page).inner_text(), use_inner_text=True)


def shows(page: Page, signals: list[str]) -> None:
    """Until the log has all of these."""
    log = page.get_by_role("region", name="Signals")
    for each in signals:
        expect(log.locator(f'a[href="/signals/{each}"]')).to_be_visible()


def _missed(desk: Desk, page: Page) -> list[str]:
    """Until signals have come that the page does not show while its gateway is away."""
    links = page.get_by_role("region", name="Signals").locator("li a")
    known = links.evaluate_all("(links) => links.map((each) => each.getAttribute('href').split('/').pop())")
    until = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < until:
        missed = [each for each in desk.newest_signals() if each not in known]
        if missed:
            return missed
        time.sleep(0.2)
    raise AssertionError("no strategy has said anything")


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
        moves(page)


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
    page.goto("about:blank")  # what that page still loads is not this one's
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
        moves(page)
        expect(page.get_by_role("region", name="Signals").locator("li").first).to_be_visible()
        page.evaluate(WATCH_GREY)
        frozen_ms = time.time() * 1000
        desk.freeze()
        try:
            root = page.locator("html")
            expect(root).to_have_attribute("data-grey", re.compile(r"\d"))
            at_ms, since_ms = map(int, (root.get_attribute("data-grey") or "").split())
            page.screenshot(path=tmp_path / "grey.png")
            expect(page.get_by_role("banner").get_by_text(re.compile("quiet|lost"))).to_be_visible()
            # Something is heard each second, and what was on its way arrives.
            assert frozen_ms - 2_000 <= since_ms <= frozen_ms + 1_000
            assert at_ms - since_ms <= GREY_WITHIN_MS
            missed = _missed(desk, page)
        finally:
            desk.thaw()
        live(page)
        expect(page.get_by_role("region", name="Feeds").get_by_text("last heard")).to_be_hidden()
        expect(price(page)).to_have_css("opacity", "1")
        moves(page)
        shows(page, missed)


def test_a_gateway_that_starts_again_is_found_again(opening: Opening, desk: Desk) -> None:
    page = opening("/")
    live(page)
    expect(page.get_by_role("region", name="Signals").locator("li").first).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()  # all of the page's code is there
    desk.kill()
    expect(page.get_by_role("banner").get_by_text(re.compile("lost"))).to_be_visible()
    # Its memory begins anew, with fifty of each list at most: the page asks for the rest.
    with page.expect_request(re.compile("/api/signals/history")):
        live(page)
    moves(page)
    shows(page, desk.newest_signals())


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
    expect(page.locator("canvas").first).to_be_visible()
    page.keyboard.press("6")
    expect(page.get_by_role("button", name="5m", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
