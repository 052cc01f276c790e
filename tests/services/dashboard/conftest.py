"""The page in a real browser, served by a gateway process with a real database and a real broker that hold known facts."""

import asyncio
import datetime as dt
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from infra.local.ports import free_port
from libs.contracts.topics import MARKPRICE
from libs.kit.settings import DatabaseSettings
from libs.store.audit import Actor
from libs.store.engine import create_engine, write_session
from libs.store.people import Role
from libs.store.people_admin import By, make_invite
from libs.streaming.producer import EventProducer
from services.console.web_page import ensure_page, find_npm
from tests.services.gateway.conftest import Caller, fill
from tests.services.processes import ServiceProcess
from tests.services.recorder.timelines import mark_price
from tests.support.browser import browser as opened_browser
from tests.support.servers import Broker

PATIENCE_MS = 120_000
"""How long a page may take on a machine that does ten other things; what is waited for is always a condition."""
DESKTOP, PHONE = (1440, 900), (390, 844)


@dataclass(frozen=True, slots=True)
class Desk:
    """A gateway that pages are opened on, and what a test may do to it."""

    url: str
    process: ServiceProcess
    database_url: str
    bootstrap: str

    def freeze(self) -> None:
        """It says nothing more, and its connections stay: as when a cable is pulled."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def restart(self) -> None:
        self.process.kill()
        self.process.start()
        Caller(self.url, self.bootstrap).wait_ready()

    def tell_price(self, number: int) -> None:
        """A newer mark price of the first symbol."""

        async def tell() -> None:
            producer = EventProducer(self.bootstrap, service="test")
            await producer.start()
            await producer.send(MARKPRICE, mark_price(number), key="BTCUSDT", partition=0)
            await producer.stop()

        asyncio.run(tell())

    def invite(self, role: Role) -> str:
        """The code of a new invite."""

        async def make() -> str:
            engine = create_engine(DatabaseSettings(database_url=self.database_url), connections=1)
            by = By(Actor("the operator"), dt.datetime.fromtimestamp(time.time(), dt.UTC))
            try:
                async with write_session(engine) as session:
                    return (await make_invite(session, role, dt.timedelta(hours=1), by)).code
            finally:
                await engine.dispose()

        return asyncio.run(make())


@pytest.fixture(scope="module")
def desk(session_broker: Broker, module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    said: list[str] = []
    assert ensure_page(find_npm(), said.append), said
    session_broker.delete_all_topics()
    asyncio.run(fill(module_database_url, session_broker.bootstrap))
    port = free_port()
    environment = {
        "PERPSTREAM_KAFKA_BOOTSTRAP": session_broker.bootstrap,
        "PERPSTREAM_DATABASE_URL": module_database_url,
        "PERPSTREAM_GATEWAY_PORT": str(port),
        "PERPSTREAM_GATEWAY_LOCAL_VIEWER": "true",
        "PERPSTREAM_GATEWAY_STATE_DIR": str(tmp_path_factory.mktemp("gateway-state")),
    }
    process = ServiceProcess("gateway", environment, tmp_path_factory.mktemp("gateway") / "log")
    process.start()
    opened = Desk(f"http://127.0.0.1:{port}", process, module_database_url, session_broker.bootstrap)
    Caller(opened.url, opened.bootstrap).wait_ready()
    yield opened
    opened.thaw()
    process.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with opened_browser() as found:
        yield found


Opening = Callable[..., Page]


@pytest.fixture
def opening(chromium: Browser, desk: Desk) -> Iterator[Opening]:
    """Opens a path in a browser of its own: nobody is signed in there, nothing is cached. A script's error fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def refused(said: ConsoleMessage) -> None:
        if "Content Security Policy" in said.text:
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
