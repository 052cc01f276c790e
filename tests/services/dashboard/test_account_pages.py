"""The own account and everybody's: a second factor is set up, a token made once, somebody invited and banned."""

from playwright.sync_api import expect

from tests.services.dashboard.conftest import Desk, Opening
from tests.services.dashboard.people import PASSWORD, registered, with_second_factor


def test_a_second_factor_is_set_up_and_a_token_is_shown_once(opening: Opening, desk: Desk) -> None:
    page = registered(opening, desk, "hedy", "trader")
    with_second_factor(page)
    tokens = page.get_by_role("region", name="API tokens", exact=True).first
    tokens.get_by_role("button", name="New token").click()
    tokens.get_by_label("Name").fill("a script")
    tokens.get_by_label("Your password").fill(PASSWORD)
    tokens.get_by_role("button", name="Make the token").click()
    expect(tokens.get_by_text("shown this once")).to_be_visible()
    expect(tokens.get_by_role("button", name="Revoke a script")).to_be_visible()
    page.reload(wait_until="commit")
    expect(tokens.get_by_role("button", name="Revoke a script")).to_be_visible()
    expect(tokens.get_by_text("shown this once")).to_be_hidden()
    tokens.get_by_role("button", name="Revoke a script").click()
    expect(tokens.get_by_text("No token")).to_be_visible()


def test_an_administrator_invites_somebody_and_bans_them(opening: Opening, desk: Desk) -> None:
    other = registered(opening, desk, "emmy", "viewer")
    page = registered(opening, desk, "rosa", "admin")
    page.goto("/users", wait_until="commit")
    page.get_by_role("button", name="Invite somebody").click()
    expect(page.get_by_text("you have none")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    with_second_factor(page)
    page.goto("/users", wait_until="commit")
    page.get_by_role("button", name="Invite somebody").click()
    expect(page.get_by_text("/register?code=")).to_be_visible()
    page.get_by_role("button", name="Ban … emmy").click()
    page.get_by_role("button", name="Ban emmy: all sessions end").click()
    expect(page.get_by_text("emmy is out")).to_be_visible()
    expect(other).to_have_url(f"{desk.url}/login?next=%2F")
