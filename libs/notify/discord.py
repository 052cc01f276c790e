"""Discord's webhooks: rich embeds with a picture, and what its answers mean.

Facts: Discord's developer documentation, "Execute Webhook", "Embed Limits", "Rate Limits" (429 with `retry_after` in seconds).
"""

import asyncio
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp

from libs.kit.hosts import is_loopback
from libs.notify import SEND_SECONDS, Delivered, Message, Outcome, Refused, Severity, TryLater

_PATH = re.compile(r"/api(/v\d+)?/webhooks/\d+/[\w-]+")
_MARKDOWN = re.compile(r"([\\*_~`|])")
_COLOURS: dict[Severity, int] = {"info": 0x4C8DFF, "warning": 0xF5A623, "critical": 0xE5484D}
_TITLE, _TEXT, _FIELDS, _NAME, _VALUE, _FOOTER, _ALL = 256, 4096, 25, 256, 1024, 2048, 6000
_CONTENT = 2000
_BROKEN = (401, 403, 404)
# A webhook that is gone may be made anew, or its file be corrected: nothing is thrown away for that.
_BROKEN_SECONDS = 600.0
_PICTURE = "chart.png"


def is_webhook(url: str) -> bool:
    """Whether this is the address of a Discord webhook; without TLS only on this machine. Raises `ValueError`, which
    quotes the address, for what is no URL."""
    parts = urlsplit(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    return safe and _PATH.fullmatch(parts.path) is not None


@dataclass(slots=True)
class DiscordWebhook:
    """One webhook; its address is a secret."""

    name: str
    url: str = field(repr=False)
    kind: str = "discord"
    _session: aiohttp.ClientSession | None = field(default=None, init=False, repr=False)

    async def send(self, message: Message) -> Outcome:
        """See `Channel`. What Discord does not take goes without its picture, and what is critical then as plain text, before it
        is given up."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                outcome = await self._post(payload(message, with_picture=message.png is not None), message.png)
                if isinstance(outcome, Refused) and message.png is not None:
                    outcome = await self._post(payload(message))
                if isinstance(outcome, Refused) and message.severity == "critical":
                    outcome = await self._post(plain_text(message))
                return outcome
        except TimeoutError:
            return TryLater(f"no answer within {SEND_SECONDS:g} s", unknown=True)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, body: dict[str, object], png: bytes | None = None) -> Outcome:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SEND_SECONDS))
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("payload_json", json.dumps(body), content_type="application/json")
        if png is not None:
            form.add_field("files[0]", png, filename=_PICTURE, content_type="image/png")
        try:
            # It answers once the message exists, and not before.
            async with self._session.post(f"{self.url}?wait=true", data=form, allow_redirects=False) as answer:
                return _outcome(answer.status, answer.headers.get("Retry-After"), await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            unsent = isinstance(error, aiohttp.ClientConnectorError)
            # The error's own text may hold the address.
            return TryLater(f"Discord does not answer: {type(error).__name__}", unknown=not unsent)


def payload(message: Message, *, with_picture: bool = False) -> dict[str, object]:
    """The body of the request: one embed, cut to Discord's limits, which pings nobody."""
    embed: dict[str, object] = {
        "title": cut(_plain(message.title), _TITLE),
        "color": _COLOURS[message.severity],
    }
    left = _ALL - len(str(embed["title"]))
    footer = cut(message.footer, min(_FOOTER, 200))
    left -= len(footer)
    text = cut(_plain(message.text), min(_TEXT, left))
    left -= len(text)
    fields = []
    for name, value in list(message.facts.items())[:_FIELDS]:
        shown = {"name": cut(_plain(name), _NAME) or "-", "value": cut(_plain(value), _VALUE) or "-", "inline": True}
        left -= len(str(shown["name"])) + len(str(shown["value"]))
        if left < 0:
            break
        fields.append(shown)
    if text:
        embed["description"] = text
    if fields:
        embed["fields"] = fields
    if footer:
        embed["footer"] = {"text": footer}
    if message.time_ms is not None:
        embed["timestamp"] = datetime.fromtimestamp(message.time_ms / 1000, UTC).isoformat()
    if with_picture:
        embed["image"] = {"url": f"attachment://{_PICTURE}"}
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def plain_text(message: Message) -> dict[str, object]:
    """The body of the request without anything but words: the title is there whatever else is cut off."""
    facts = (f"{name}: {value}" for name, value in message.facts.items())
    words = "\n".join(filter(None, (message.title, message.text, *facts, message.footer)))
    return {"content": cut(words, _CONTENT), "allowed_mentions": {"parse": []}}


def _plain(text: str) -> str:
    """Shown as it is: names of factors are no italics."""
    return _MARKDOWN.sub(r"\\\1", text)


def cut(text: str, most: int) -> str:
    """The text, with an ellipsis where it is longer than that."""
    return text if len(text) <= most else f"{text[: max(0, most - 1)]}…"


def _outcome(status: int, retry_after: str | None, body: bytes) -> Outcome:
    if status in (200, 204):
        return Delivered()
    if status == 429:
        return TryLater("Discord asks for a pause", _seconds(retry_after, body))
    if status in _BROKEN:
        return TryLater(f"the webhook does not exist any more, or is not ours (HTTP {status})", _BROKEN_SECONDS)
    if 400 <= status < 500 and status != 408:
        return Refused(f"Discord does not take this message (HTTP {status}): {_reason(body)}")
    return TryLater(f"Discord has trouble (HTTP {status})", _seconds(retry_after, b"{}"))


def _seconds(header: str | None, body: bytes) -> float | None:
    """The body is exact, the header rounded; whatever is no time is none."""
    try:
        said = json.loads(body)
        found = said.get("retry_after") if isinstance(said, dict) else None
        seconds = float(found if found is not None else header or "")
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 0.0), 86_400.0) if seconds == seconds else None


def _reason(body: bytes) -> str:
    try:
        said = json.loads(body)
    except ValueError:
        return "no reason given"
    return cut(str(said.get("message", "no reason given")) if isinstance(said, dict) else "no reason given", 200)
