"""The folder of channels: one file one channel, only its owner's to read, and no address in any word."""

import asyncio
import threading
import traceback
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from libs.kit.errors import ConfigurationError
from libs.notify import Delivered, Message, TryLater, other_ways
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


@pytest.mark.parametrize(
    "url",
    [
        "mailtos://me:ses[ame@mail.example.com",
        "mailtos://me:s[esam]e@mail.example.com",
        "mailtos://me:sesame\u2100@mail.example.com",
        "https://discord.com]/api/webhooks/1/sesame",
    ],
)
def test_an_address_that_nobody_can_read_ends_nothing_and_is_told_nobody(tmp_path: Path, url: str) -> None:
    write(tmp_path, "mail.url", url)
    write(tmp_path, "phone.url", "json://localhost/x")
    found = read_channels(tmp_path)
    assert found.channels.keys() == {"phone"}, "the others are there all the same"
    assert found.broken.keys() == {"mail"}
    with pytest.raises(ConfigurationError, match="holds no URL") as raised:
        channel_of("mail", url)
    told = f"{found} {''.join(traceback.format_exception(raised.value))} {AppriseChannel('mail', url).kind}"
    assert not any(part in told for part in ("ses", "same", "esam", "\u2100"))


def test_a_file_that_goes_while_the_folder_is_looked_at_hides_no_other(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path, f"{name}.url", "json://localhost/x")
    for number in range(8):
        (tmp_path / f"gone{number}.url").symlink_to(tmp_path / "nothing")
    assert seen(tmp_path).keys() == {"a.url", "b.url", "c.url"}


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


async def test_a_service_that_hangs_costs_one_thread_and_nobody_else_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    release = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Never silent for as long as a time limit of a socket, and never at an end."""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        while not release.is_set():
            writer.write(b"x")
            with suppress(TimeoutError):
                await asyncio.wait_for(release.wait(), 0.1)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    hangs = AppriseChannel("hangs", f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}/x")
    nobody = AppriseChannel("works", "json://127.0.0.1:9/x")
    message = Message("risk", "words", "critical")
    try:
        nobody_there = await nobody.send(message)
        before = threading.active_count()
        monkeypatch.setattr(other_ways, "SEND_SECONDS", 0.2)
        for _ in range(50):
            outcome = await asyncio.wait_for(hangs.send(message), 5)
            assert isinstance(outcome, TryLater)
            assert outcome.unknown, "the first attempt may still arrive"
        assert threading.active_count() == before + 1
        monkeypatch.undo()
        assert await asyncio.wait_for(nobody.send(message), 10) == nobody_there
        await asyncio.wait_for(asyncio.get_running_loop().getaddrinfo("localhost", 9), 5)
        assert hangs._sending is not None
        release.set()
        await asyncio.wrap_future(hangs._sending)
        again = await hangs.send(message)
        assert isinstance(again, TryLater)
        assert not again.unknown, "it is asked anew once the thread has ended"
    finally:
        release.set()
        server.close()
