"""Accounts as people make them in the page: registered with an invite, and with a second factor."""

import re

import pyotp
from playwright.sync_api import Page, expect

from libs.store.people import Role
from tests.services.dashboard.conftest import PATIENCE_MS, Desk, Opening

PASSWORD = "a long enough password"
expect.set_options(timeout=PATIENCE_MS)


def registered(opening: Opening, desk: Desk, name: str, role: Role) -> Page:
    """A page in which somebody new has just come in."""
    page = opening(f"/register?code={desk.invite(role)}")
    page.get_by_label("Name").fill(name)
    page.get_by_label(re.compile("^Password")).fill(PASSWORD)
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
