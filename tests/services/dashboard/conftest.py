"""The page in a real browser on a real stack: one `perpstream up` with its simulator, and an account there, for all files."""

import asyncio
import datetime as dt
import json
import os
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from libs.kit.settings import DatabaseSettings
from libs.store.audit import Actor
from libs.store.engine import create_engine, write_session
from libs.store.people import Role
from libs.store.people_admin import By, make_invite
from services.console.web_page import ensure_page, find_npm
from tests.e2e.stack import Stack
from tests.support.browser import browser as opened_browser

PATIENCE_MS = 120_000
"""How long a page may take on a machine that does ten other things; what is waited for is always a condition."""
DESKTOP, WALL, PHONE = (1440, 900), (1920, 1080), (390, 844)
T = TypeVar("T")
SYMBOLS = ("BTCUSDT", "ETHUSDT")
_KEY = {"key": "k" * 64, "secret": "s" * 64}


def apart(work: Coroutine[Any, Any, T]) -> T:
    """Run it in a thread of its own: this one's loop is the browser's."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@dataclass(frozen=True, slots=True)
class Desk:
    """A running stack, and what a test may do to its gateway."""

    url: str
    stack: Stack

    def freeze(self) -> None:
        """The gateway says nothing more, and its connections stay: as when a cable is pulled."""
        os.kill(self.stack.pid_of("gateway"), signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.stack.pid_of("gateway"), signal.SIGCONT)

    def kill(self) -> None:
        """The gateway is gone at once; its supervisor starts another one."""
        os.kill(self.stack.pid_of("gateway"), signal.SIGKILL)

    def newest_signals(self) -> list[str]:
        """Ids of the last ones that are stored, newest first, whether the gateway answers or not."""

        async def asked() -> list[str]:
            connection = await asyncpg.connect(self.stack.database_url())
            try:
                found = await connection.fetch("SELECT event_id FROM signal_logs ORDER BY event_time DESC LIMIT 5")
                return [row["event_id"] for row in found]
            finally:
                await connection.close()

        return apart(asked())

    def invite(self, role: Role) -> str:
        """The code of a new invite."""

        async def make() -> str:
            url = self.stack.database_url().replace("postgresql://", "postgresql+asyncpg://", 1)
            engine = create_engine(DatabaseSettings(database_url=url), connections=1)
            by = By(Actor("the operator"), dt.datetime.fromtimestamp(time.time(), dt.UTC))
            try:
                async with write_session(engine) as session:
                    return (await make_invite(session, role, dt.timedelta(hours=1), by)).code
            finally:
                await engine.dispose()

        return apart(make())


def _settings(folder: Path) -> dict[str, str]:
    """An account at the simulator and its key here, and nothing of whoever runs the tests."""
    home = folder / "accounts" / "main"
    home.mkdir(parents=True)
    account = {"name": "main", "balances": {"USDT": "10000"}, "keys": [_KEY]}
    for path, content in ((home / "key.json", _KEY), (folder / "accounts.json", [account])):
        path.write_text(json.dumps(content))
        path.chmod(0o600)
    return {
        "PERPSTREAM_EXECUTION_MODE": "demo",
        "PERPSTREAM_ACCOUNT_DIR": str(folder / "accounts"),
        "PERPSTREAM_SIM_ACCOUNTS": str(folder / "accounts.json"),
        "PERPSTREAM_SIM_RATE": "10",
        "PERPSTREAM_KEYS_DIR": str(folder / "keys"),
        "PERPSTREAM_AUDIT_DIR": str(folder / "audits"),
        "PERPSTREAM_INSTALLATION_FILE": str(folder / "installation"),
        "PERPSTREAM_CHANNELS_DIR": str(folder / "channels"),
        "PERPSTREAM_DISCORD_BOT_FILE": str(folder / "bot"),
    }


@pytest.fixture(scope="package")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    said: list[str] = []
    assert ensure_page(find_npm(), said.append), said
    folder = tmp_path_factory.mktemp("desk")
    stack = Stack(folder / "state")
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in _settings(folder).items():
                patch.setenv(name, value)
            stack.up("--symbols", ",".join(SYMBOLS))
        url = stack.run_file().gateway_url
        assert url is not None
        yield Desk(url, stack)
    finally:
        stack.down()


@pytest.fixture(scope="package")
def chromium(desk: Desk) -> Iterator[Browser]:
    """After the stack: while the browser is open, this thread runs a loop, in which no other folder's test could run its own."""
    with opened_browser() as found:
        yield found


Opening = Callable[..., Page]


@pytest.fixture
def opening(chromium: Browser, desk: Desk) -> Iterator[Opening]:
    """Opens a path in a browser of its own: nobody is signed in there, nothing is cached. A script's error fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def refused(said: ConsoleMessage) -> None:
        # What the server answers stands there too: a refusal, or that it was away, which tests do on purpose.
        if said.type == "error" and "Failed to load resource" not in said.text and "WebSocket" not in said.text:
            errors.append(said.text)

    def opened(path: str, size: tuple[int, int] = DESKTOP, scheme: str = "dark") -> Page:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            base_url=desk.url,
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", refused)
        page.goto(path, wait_until="commit", timeout=PATIENCE_MS)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


@contextmanager
def looked_at(page: Page, folder: Path, name: str) -> Iterator[None]:
    """Keeps a picture of the page as it was in the end, whether the test is content or not."""
    try:
        yield
    finally:
        page.screenshot(path=folder / f"{name}.png")
