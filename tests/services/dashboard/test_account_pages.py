"""The own account and everybody's: a second factor is set up, a token made once, somebody invited and banned."""

import pyotp
from playwright.sync_api import Page, expect

from libs.store.people import Role
from tests.services.dashboard.conftest import PATIENCE_MS, Desk, Opening

PASSWORD = "a long enough password"
expect.set_options(timeout=PATIENCE_MS)


def registered(opening: Opening, desk: Desk, name: str, role: Role) -> Page:
    page = opening(f"/register?code={desk.invite(role)}")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("button", name=f"{name}, {role}")).to_be_visible()
    return page


def with_second_factor(page: Page) -> None:
    """Sets it up in the page, which also proves it for five minutes."""
    page.goto("/settings", wait_until="commit")
    panel = page.get_by_role("region", name="Second factor")
    panel.get_by_label("Your password").fill(PASSWORD)
    panel.get_by_role("button", name="Set up an authenticator app").click()
    expect(panel.get_by_role("img", name="The secret as a QR code")).to_be_visible()
    app = pyotp.TOTP(panel.locator("code").first.inner_text())
    panel.get_by_label("Code of the app").fill(app.now())
    panel.get_by_role("button", name="Confirm").click()
    expect(panel.locator("li")).to_have_count(10)
    panel.get_by_role("button", name="I have kept them").click()
    expect(panel.get_by_text("in force")).to_be_visible()


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
