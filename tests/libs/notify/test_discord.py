"""Discord's webhooks against a stand-in that speaks the documented protocol: limits, pauses, and no secret in any word."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.notify import Delivered, Message, Refused, TryLater
from libs.notify import discord as module
from libs.notify.discord import DiscordWebhook, is_webhook, payload, plain_text
from tests.support.discord import DiscordStandIn, beyond_limits

WORDS = Message("BTCUSDT long 84", "because", "info", {"price": "60,000"}, "signals · e1", time_ms=1_700_000_000_000)


@pytest.fixture(name="discord")
async def _discord() -> AsyncIterator[DiscordStandIn]:
    stand_in = DiscordStandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture(name="webhook")
async def _webhook(discord: DiscordStandIn) -> AsyncIterator[DiscordWebhook]:
    channel = DiscordWebhook("desk", discord.webhook())
    yield channel
    await channel.close()


async def test_a_message_arrives_as_an_embed_with_its_picture(discord: DiscordStandIn, webhook: DiscordWebhook) -> None:
    with_picture = Message(WORDS.title, WORDS.text, "critical", WORDS.facts, WORDS.footer, b"\x89PNG", WORDS.time_ms)
    assert await webhook.send(with_picture) == Delivered()
    (got,) = discord.posted
    assert got.png == b"\x89PNG"
    assert got.embed["image"] == {"url": "attachment://chart.png"}
    assert (got.embed["title"], got.embed["description"]) == ("BTCUSDT long 84", "because")
    assert got.embed["fields"] == [{"name": "price", "value": "60,000", "inline": True}]
    assert got.embed["timestamp"] == "2023-11-14T22:13:20+00:00"
    assert got.payload["allowed_mentions"] == {"parse": []}, "nobody is pinged by what a market says"


async def test_a_pause_is_as_long_as_discord_says(discord: DiscordStandIn, webhook: DiscordWebhook) -> None:
    discord.pause(7.35)
    assert await webhook.send(WORDS) == TryLater("Discord asks for a pause", 7.35)
    discord.refuse(429, {"not": "ours"}, **{"Retry-After": "12"})
    assert await webhook.send(WORDS) == TryLater("Discord asks for a pause", 12.0)
    discord.refuse(429, {"retry_after": "soon"})
    assert await webhook.send(WORDS) == TryLater("Discord asks for a pause", None)
    assert await webhook.send(WORDS) == Delivered()


@pytest.mark.parametrize("status", [500, 502, 503, 408])
async def test_trouble_at_discord_is_for_later(discord: DiscordStandIn, webhook: DiscordWebhook, status: int) -> None:
    discord.refuse(status)
    found = await webhook.send(WORDS)
    assert isinstance(found, TryLater)
    assert not found.unknown


async def test_a_webhook_that_is_gone_keeps_its_messages(discord: DiscordStandIn) -> None:
    gone = DiscordWebhook("desk", discord.webhook().replace("secret", "other"))
    found = await gone.send(WORDS)
    await gone.close()
    assert isinstance(found, TryLater), "its file may be corrected"
    assert found.after_seconds == 600.0


async def test_what_discord_never_takes_is_refused(discord: DiscordStandIn, webhook: DiscordWebhook) -> None:
    discord.refuse(400, {"message": "Invalid Form Body", "code": 50035})
    found = await webhook.send(WORDS)
    assert isinstance(found, Refused)
    assert "Invalid Form Body" in found.why


async def test_a_picture_that_is_refused_does_not_cost_the_message(
    discord: DiscordStandIn, webhook: DiscordWebhook
) -> None:
    discord.refuse(413, {"message": "Request entity too large"})
    assert await webhook.send(Message("t", "x", "info", png=b"large")) == Delivered()
    assert discord.posted[0].png is None


async def test_what_is_critical_goes_as_plain_text_where_discord_takes_no_more(
    discord: DiscordStandIn, webhook: DiscordWebhook
) -> None:
    grave = Message("stop is missing", "@everyone look", "critical", {"symbol": "BTCUSDT"}, "alerts · e1", b"\x89PNG")
    for _ in range(2):
        discord.refuse(400, {"message": "Invalid Form Body", "code": 50035})
    assert await webhook.send(grave) == Delivered()
    assert discord.posted[0].payload == {
        "content": "stop is missing\n@everyone look\nsymbol: BTCUSDT\nalerts · e1",
        "allowed_mentions": {"parse": []},
    }
    for _ in range(3):
        discord.refuse(400)
    assert isinstance(await webhook.send(grave), Refused)
    assert len(plain_text(Message("t" * 100, "x" * 5000, "critical"))["content"]) == 2000  # type: ignore[arg-type]


async def test_nobody_there_is_surely_not_sent_and_silence_is_not_known(
    discord: DiscordStandIn, webhook: DiscordWebhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.2)
    discord.hang = asyncio.Event()
    silent = await webhook.send(WORDS)
    assert isinstance(silent, TryLater)
    assert silent.unknown
    discord.hang.set()
    await discord.stop()
    monkeypatch.undo()
    another = DiscordWebhook("desk", discord.webhook())
    nobody = await another.send(WORDS)
    await another.close()
    assert isinstance(nobody, TryLater)
    assert not nobody.unknown
    assert "secret" not in f"{silent} {nobody} {webhook!r}"


text_ = st.text(max_size=5000)


@settings(deadline=None)
@given(text_, text_, st.dictionaries(st.text(max_size=400), st.text(max_size=2000), max_size=40), text_)
def test_whatever_is_said_fits_into_discords_limits(title: str, text: str, facts: dict[str, str], footer: str) -> None:
    assert beyond_limits(payload(Message(title or "t", text, "info", facts, footer))) is None


def test_names_are_no_markdown() -> None:
    found = payload(Message("cvd_momentum *up*", "a|b", "info", {"take_profit_1": "~5"}))
    assert found["embeds"] == [
        {
            "title": r"cvd\_momentum \*up\*",
            "color": 0x4C8DFF,
            "description": r"a\|b",
            "fields": [{"name": r"take\_profit\_1", "value": r"\~5", "inline": True}],
        }
    ]


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("https://discord.com/api/webhooks/123/abc-DEF_1", True),
        ("https://discordapp.com/api/v10/webhooks/123/abc", True),
        ("http://127.0.0.1:1/api/webhooks/1/x", True),
        ("http://example.com/api/webhooks/1/x", False),
        ("https://discord.com/api/webhooks/123", False),
        ("json://localhost/api/webhooks/1/x", False),
    ],
)
def test_which_addresses_are_webhooks(url: str, is_one: bool) -> None:
    assert is_webhook(url) == is_one
