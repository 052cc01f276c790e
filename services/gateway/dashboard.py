"""The web page: what `make dashboard` has built, each file in the form in which it was compressed then.

The page itself is asked for anew each time (its name stays), what it loads never again (its names are digests). Only the page's
own paths are answered with it, so that a wrong path is still not found.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

DASHBOARD = Path(__file__).parents[1] / "dashboard"
PATHS = DASHBOARD / "paths.json"
BUILT = DASHBOARD / "dist"
PAGE = "index.html"
_AT_THE_ROOT = ("favicon.svg", "scheme.js")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
FOR_EVER = "public, max-age=31536000, immutable"
ASK_ANEW = "no-cache"
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Perpstream</title>
<h1>The web page has not been built</h1>
<p>Run <code>make dashboard</code> in Perpstream's folder, then load this page again.</p>
<p>The API is here all the same: <a href="/docs">its description</a>.</p></html>
"""


def page_paths() -> list[str]:
    """The paths that are pages, as routes: `/signals/:signalId` is `/signals/{signalId}`."""
    return [re.sub(r":(\w+)", r"{\1}", path) for path in json.loads(PATHS.read_text())]


def accepted_encodings(header: str) -> frozenset[str]:
    """What an Accept-Encoding header takes; `;q=0` refuses."""
    parts = [part.partition(";") for part in header.lower().split(",")]
    return frozenset(name.strip() for name, _, weight in parts if not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight))


@dataclass(frozen=True, slots=True)
class Site:
    """A folder with a build."""

    folder: Path = BUILT

    def file(self, request: Request, name: str, caching: str) -> Response:
        """A file in the smallest form that the browser takes. Raises `HTTPException` 404."""
        kind = _TYPES.get(Path(name).suffix)
        if kind is None:
            raise HTTPException(404)
        taken = accepted_encodings(request.headers.get("accept-encoding", ""))
        for encoding, suffix in (*(each for each in _ENCODINGS if each[0] in taken), (None, "")):
            path = self.folder / f"{name}{suffix}"
            if path.is_file():
                return _answer(request, path, {"Cache-Control": caching, "Content-Type": kind}, encoding)
        raise HTTPException(404)

    def page(self, request: Request) -> Response:
        """The page, or one that says that there is none yet."""
        if not (self.folder / PAGE).is_file():
            return HTMLResponse(_NOT_BUILT, 503, {"Cache-Control": "no-store"})
        return self.file(request, PAGE, ASK_ANEW)


BUILT_SITE = Site()


def _answer(request: Request, path: Path, headers: dict[str, str], encoding: str | None) -> Response:
    about = path.stat()
    headers |= {"ETag": f'"{about.st_mtime_ns:x}-{about.st_size:x}"', "Vary": "Accept-Encoding"}
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(path.read_bytes(), headers=headers)


def dashboard_router(site: Site) -> APIRouter:
    """The routes of the page; its files are read in threads, not between the answers of the API."""
    router = APIRouter(include_in_schema=False)

    def page(request: Request) -> Response:
        return site.page(request)

    def asset(request: Request, name: str) -> Response:
        if _NAME.fullmatch(name) is None:
            raise HTTPException(404)
        return site.file(request, f"assets/{name}", FOR_EVER)

    def at_the_root(request: Request) -> Response:
        return site.file(request, request.url.path.removeprefix("/"), ASK_ANEW)

    for path in page_paths():
        router.add_api_route(path, page, methods=["GET", "HEAD"])
    router.add_api_route("/assets/{name}", asset, methods=["GET", "HEAD"])
    for name in _AT_THE_ROOT:
        router.add_api_route(f"/{name}", at_the_root, methods=["GET", "HEAD"])
    return router
