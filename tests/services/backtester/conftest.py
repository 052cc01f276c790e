"""What tests of the backtester share: the recorder's installation, and a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.services.recorder.conftest import installation
from tests.support.browser import browser

__all__ = ["installation"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened
