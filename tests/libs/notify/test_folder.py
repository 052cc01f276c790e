"""The folder of channels: one file one channel, only its owner's to read, and no address in any word."""

from pathlib import Path

import pytest
from aiohttp import web

from libs.kit.errors import ConfigurationError
from libs.notify import Delivered, Message, TryLater
from libs.notify.folder import channel_of, read_channels, seen
from libs.notify.other_ways import AppriseChannel
from tests.support.discord import DiscordStandIn


def write(folder: Path, name: str, text: str, mode: int = 0o600) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(mode)


def test_each_file_is_a_channel_and_others_are_named_with_their_trouble(tmp_path: Path) -> None:
    write(tmp_path, "desk.url", "https://discord.com/api/webhooks/1/sesame\n")
    write(tmp_path, "mail.url", "mailto://ada:sesame@example.com")
    write(tmp_path, "open.url", "json://localhost/sesame", 0o640)
    write(tmp_path, "empty.url", " \n")
    write(tmp_path, "words.url", "two words sesame")
    write(tmp_path, "Not A Name.url", "json://localhost/sesame")
    write(tmp_path, "readme.txt", "no channel")
    found = read_channels(tmp_path)
    assert {name: one.kind for name, one in found.channels.items()} == {"desk": "discord", "mail": "mailto"}
    assert found.broken.keys() == {"open", "empty", "words", "Not A Name"}
    assert "mode 640" in found.broken["open"]
    assert "sesame" not in f"{found}"


def test_a_folder_that_is_not_there_has_no_channels(tmp_path: Path) -> None:
    assert read_channels(tmp_path / "none").channels == {}
    assert seen(tmp_path / "none") == {}


def test_a_url_that_apprise_does_not_know_says_so_without_it(tmp_path: Path) -> None:
    channel = channel_of("desk", "nonsense://sesame")
    assert isinstance(channel, AppriseChannel)
    with pytest.raises(ConfigurationError, match="none that Apprise understands") as found:
        channel.check()
    assert "sesame" not in str(found.value)


async def test_a_plain_webhook_gets_words_and_trouble_is_for_later() -> None:
    got: list[dict[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        got.append(await request.json())
        return web.Response(status=200 if len(got) == 1 else 500)

    stand_in = DiscordStandIn()
    application = web.Application()
    application.add_routes([web.post("/hook", take)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", stand_in.port).start()
    channel = channel_of("hook", f"json://127.0.0.1:{stand_in.port}/hook")
    try:
        message = Message(
            "risk of main: circuit break", "daily loss", "critical", {"today": "-6.0 R"}, "e1", b"\x89PNG"
        )
        assert await channel.send(message) == Delivered()
        assert (got[0]["title"], got[0]["type"]) == ("risk of main: circuit break", "failure")
        assert got[0]["message"] == "daily loss\ntoday: -6.0 R\ne1"
        assert isinstance(await channel.send(message), TryLater)
    finally:
        await channel.close()
        await runner.cleanup()
