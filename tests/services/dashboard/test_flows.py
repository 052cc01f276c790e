"""What people do on the account and with backtests, from the click to what the services made of it."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.services.dashboard.conftest import Desk, Opening
from tests.services.dashboard.people import registered, with_second_factor


def sheet(page: Page, button: str, title: str) -> Locator:
    """Press what opens it."""
    page.get_by_role("button", name=button).click()
    found = page.get_by_role("dialog", name=title)
    expect(found).to_be_visible()
    return found


def carried_out(found: Locator) -> None:
    """The answer came, it was obeyed, and the sheet is closed."""
    expect(found.get_by_text("Done.")).to_be_visible()
    found.get_by_role("button", name="Close").last.click()
    expect(found).to_be_hidden()


def test_an_administrator_changes_what_may_trade_and_sees_it_in_the_history(opening: Opening, desk: Desk) -> None:
    page = registered(opening, desk, "olga", "admin")
    with_second_factor(page)
    page.goto("/live?tab=config", wait_until="commit")
    panel = page.get_by_role("region", name="What may trade")
    positions = panel.get_by_label("Positions at once")
    expect(positions).not_to_have_value("")
    meant = str(int(positions.input_value()) + 1)
    positions.fill(meant)
    panel.get_by_role("button", name="Change…").click()
    found = page.get_by_role("dialog", name="Change what may trade")
    found.get_by_label("To confirm, type").fill("change")
    found.get_by_label("Reason").fill("one more of them")
    found.get_by_role("button", name="Change it").click()
    carried_out(found)
    expect(positions).to_have_value(meant)
    expect(panel.get_by_text("one more of them")).to_be_visible()


def test_a_trader_pauses_with_a_word_and_resumes_with_the_second_factor(opening: Opening, desk: Desk) -> None:
    page = registered(opening, desk, "karl", "trader")
    page.keyboard.press("Control+k")
    page.get_by_placeholder("Page, symbol or action").fill("pause entries")
    page.keyboard.press("Enter")
    found = page.get_by_role("dialog", name="Pause")
    said = found.get_by_role("button", name="Pause entries")
    expect(said).to_be_disabled()
    found.get_by_label("To confirm, type").fill("pause")
    said.click()
    carried_out(found)
    expect(page.get_by_role("banner").get_by_text("paused")).to_be_visible()
    found = sheet(page, "Resume…", "Resume")
    expect(found.get_by_text("and you have none")).to_be_visible()
    page.keyboard.press("Escape")
    with_second_factor(page)
    page.goto("/live", wait_until="commit")
    found = sheet(page, "Resume…", "Resume")
    found.get_by_role("button", name="Resume entries").click()
    carried_out(found)
    expect(page.get_by_role("button", name="Pause…")).to_be_visible()


def test_a_position_that_was_entered_by_hand_is_flattened_with_a_word(opening: Opening, desk: Desk) -> None:
    page = registered(opening, desk, "ines", "trader")
    with_second_factor(page)
    page.goto("/live", wait_until="commit")
    found = sheet(page, "Enter…", "Enter by hand")
    found.get_by_label("Symbol").select_option("ETHUSDT")
    mark = found.get_by_title("Mark price, USDT")
    expect(mark).to_have_text(re.compile(r"mark [\d\s]+\.\d"))
    price = float(re.sub(r"[^\d.]", "", mark.inner_text()))
    found.get_by_label(re.compile("^Stop")).fill(f"{price * 0.99:.2f}")
    found.get_by_label("To confirm, type").fill("long ETHUSDT")
    found.get_by_role("button", name="Enter long at market").click()
    carried_out(found)
    positions = page.get_by_role("region", name="Positions", exact=True).first
    expect(positions.get_by_role("row", name=re.compile("ETHUSDT"))).to_be_visible()
    found = sheet(page, "Flatten all…", "Flatten everything")
    found.get_by_label("To confirm, type").fill("flatten all")
    found.get_by_role("button", name="Flatten at market").click()
    carried_out(found)
    expect(positions.get_by_text("The account is flat")).to_be_visible()
    page.get_by_role("tab", name="Commands").click()
    expect(page.get_by_role("region", name="Commands and alarms").get_by_text("flatten").first).to_be_visible()


def test_a_trader_starts_a_backtest_and_reads_its_report(opening: Opening, desk: Desk) -> None:
    page = registered(opening, desk, "nora", "trader")
    page.goto("/backtests", wait_until="commit")
    page.get_by_role("button", name="New backtest").click()
    # Until a whole minute of trades is stored, nothing can be replayed; then the form is there by itself.
    page.get_by_role("button", name="Start the backtest").click()
    expect(page).to_have_url(re.compile(r"/backtests/[\w-]+$"))
    expect(page.get_by_text("done", exact=True).first).to_be_visible()
    expect(page.get_by_role("link", name="The whole report, with every formula")).to_be_visible()
    page.goto("/backtests", wait_until="commit")
    expect(page.get_by_role("region", name="Backtests", exact=True).first.get_by_text("nora")).to_be_visible()
