"""Asks an application in this process, without a server: what many questions about answers need, and nothing else."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(application: FastAPI, url: str, **headers: str) -> Answer:
    """GET of a path with its query; a header's name is written with _ for -."""
    path, _, query = url.partition("?")
    sent: list[dict[str, Any]] = []
    given = [
        (b"host", b"localhost"),
        *((name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()),
    ]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": quote(path).encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": given,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }

    asked = iter(({"type": "http.request", "body": b"", "more_body": False},))

    async def receive() -> dict[str, Any]:
        # Whoever listens on waits for our hanging up, which never comes.
        return next(asked, None) or await asyncio.get_running_loop().create_future()

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return Answer(start["status"], {name.decode(): text.decode() for name, text in start["headers"]}, body)
