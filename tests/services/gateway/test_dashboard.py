"""The page's files: compressed as browsers take them, kept as long as their names allow, and only where the page has a path."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import uvicorn
from yarl import URL

from services.gateway.api import create_api
from services.gateway.app import http_config, listen
from services.gateway.dashboard import PATHS, Site, accepted_encodings
from services.gateway.settings import GatewaySettings
from tests.services.processes import eventually

ASSET = "assets/index-Ab12.js"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, as it came: nothing is unpacked."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Browser:
    """Asks a gateway over real HTTP."""

    url: str
    session: aiohttp.ClientSession

    async def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """One request of exactly this path; a header's name is written with _ for -."""
        sent = {"Accept-Encoding": ""} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, URL(self.url + path, encoded=True), headers=sent) as answer:
            named = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, named, await answer.read())


async def is_started(server: uvicorn.Server) -> bool:
    return server.started


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[Browser]:
    listener = listen(GatewaySettings(gateway_port=0))
    server = uvicorn.Server(http_config(create_api(None, site=site)))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    host, port = listener.getsockname()[:2]
    try:
        await eventually(lambda: is_started(server), 60, lambda: "the gateway is not up")
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            yield Browser(f"http://{host}:{port}", session)
    finally:
        server.should_exit = True
        await running


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A build of three files; the script also compressed."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Perpstream</title>")
    (folder / "favicon.svg").write_text("<svg/>")
    for name, content in ((ASSET, b"plain"), (f"{ASSET}.br", b"brotli"), (f"{ASSET}.gz", b"gzip")):
        (folder / name).write_bytes(content)
    (tmp_path / "secret.js").write_text("not ours to give")
    return folder


@pytest.fixture
async def browser(built: Path) -> AsyncIterator[Browser]:
    async with serving(Site(built)) as opened:
        yield opened


async def test_each_path_of_the_page_is_the_page_and_no_other_one(browser: Browser) -> None:
    for path in json.loads(PATHS.read_text()):
        answer = await browser.ask("/".join("5f3a" if part.startswith(":") else part for part in path.split("/")))
        assert answer.status == 200, path
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["cache-control"] == "no-cache"
    for path in ("/no-such-page", "/signals/a/b", "/index.html", "/paths.json", "/assets/", "/api/no-such-thing"):
        assert (await browser.ask(path)).status == 404, path
    assert (await browser.ask("/favicon.svg")).headers["content-type"] == "image/svg+xml"
    assert (await browser.ask("/", "POST")).status == 405
    head = await browser.ask("/", "HEAD")
    assert (head.status, head.body) == (200, b"")


async def test_files_with_a_digest_are_kept_for_ever_in_the_smallest_form(browser: Browser) -> None:
    for accepted, encoding, body in (
        ("gzip, deflate, br", "br", b"brotli"),
        ("gzip", "gzip", b"gzip"),
        ("br;q=0, gzip;q=0.5", "gzip", b"gzip"),
        ("", None, b"plain"),
    ):
        answer = await browser.ask(f"/{ASSET}", Accept_Encoding=accepted)
        assert answer.body == body
        assert answer.headers.get("content-encoding") == encoding
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "Accept-Encoding"


async def test_what_the_browser_has_is_not_sent_again_until_it_is_built_anew(browser: Browser, built: Path) -> None:
    known = (await browser.ask("/signals")).headers["etag"]
    assert (await browser.ask("/signals", If_None_Match=known)).status == 304
    (built / "index.html").write_text("<!doctype html><title>another build</title>")
    again = await browser.ask("/", If_None_Match=known)
    assert (again.status, b"another build" in again.body) == (200, True)


@pytest.mark.parametrize(
    "name",
    ["..%2f..%2fsecret.js", "%2e%2e/%2e%2e/secret.js", ".hidden.js", "index-Ab12.js.br", "index-Ab12.js.map", "no.js"],
)
async def test_nothing_else_of_the_disk_is_served(browser: Browser, name: str) -> None:
    answer = await browser.ask(f"/assets/{name}")
    assert answer.status == 404
    assert b"not ours" not in answer.body


async def test_without_a_build_the_page_says_so_and_the_api_is_there(tmp_path: Path) -> None:
    async with serving(Site(tmp_path / "nowhere")) as browser:
        answer = await browser.ask("/")
        assert answer.status == 503
        assert b"make dashboard" in answer.body
        assert (await browser.ask("/api/openapi.json")).status == 200
        assert (await browser.ask("/assets/index.js")).status == 404


def test_what_an_accept_encoding_header_takes() -> None:
    assert accepted_encodings("gzip;q=1.0, BR , zstd;q=0") == {"gzip", "br"}
    assert "br" not in accepted_encodings("br;q=0.0")
