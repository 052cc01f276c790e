"""Coming in and going: registering, logging in, the access that is renewed unseen, and the session that has ended."""

import re

from playwright.sync_api import Page, expect

from tests.services.dashboard.conftest import Desk, Opening
from tests.services.dashboard.people import PASSWORD, registered


def log_out(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"{name}, trader").click()
    page.get_by_role("menuitem", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_who_has_an_invite_registers_leaves_and_comes_back_to_where_they_were(opening: Opening, desk: Desk) -> None:
    page = registered(opening, desk, "ada", "trader")
    log_out(page, "ada")
    page.goto("/history", wait_until="commit")
    expect(page).to_have_url(re.compile(r"/login\?next=%2Fhistory"))
    page.get_by_label("Name").fill("ada")
    page.get_by_label(re.compile("^Password")).fill("not the password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label(re.compile("^Password")).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(re.compile("/history$"))
    expect(page.get_by_role("button", name="ada, trader")).to_be_visible()


def test_an_access_that_has_ended_is_renewed_unseen(opening: Opening, desk: Desk) -> None:
    page = registered(opening, desk, "grace", "trader")
    page.context.clear_cookies(name="perpstream_access")
    with page.expect_response(lambda answer: answer.url.endswith("/api/auth/refresh") and answer.status == 200):
        page.reload(wait_until="commit")
    expect(page.get_by_role("button", name="grace, trader")).to_be_visible()
    expect(page.get_by_role("banner").get_by_text("live", exact=True)).to_be_visible()


def test_a_demonstration_does_not_sign_in_again_who_has_just_left(opening: Opening, desk: Desk) -> None:
    page = registered(opening, desk, "joan", "trader")
    log_out(page, "joan")
    page.reload(wait_until="commit")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    page.get_by_role("button", name="look around as the local viewer").click()
    expect(page.get_by_text("signed in as local viewer")).to_be_visible()


def test_passwords_that_differ_are_said_before_anything_is_sent(opening: Opening, desk: Desk) -> None:
    page = opening("/register")
    page.get_by_label("Invite").fill("AAAA-BBBB-CCCC")
    page.get_by_label("Name").fill("mary")
    page.get_by_label(re.compile("^Password")).fill(PASSWORD)
    page.get_by_label("The same again").fill("another password than that")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("alert")).to_have_text("the two passwords differ")
