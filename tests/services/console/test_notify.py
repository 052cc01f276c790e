"""`perpstream notify`: a test message, channels and how they fare, the outbox, sending again, and whether rules are right."""

import asyncio
import datetime as dt
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, write_session
from libs.store.notices import ChannelFares, NoticeRow, channel_fares, notices_done, put_notices
from tests.services.console.running import call_console
from tests.support.discord import DiscordStandIn

NOW = dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)


@pytest.fixture(name="discord")
def _discord() -> Iterator[DiscordStandIn]:
    """In a loop of its own: the command has one, too."""
    stand_in, loop = DiscordStandIn(), asyncio.new_event_loop()
    loop.run_until_complete(stand_in.start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield stand_in
    asyncio.run_coroutine_threadsafe(stand_in.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def channel(folder: Path, name: str, url: str, mode: int = 0o600) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.url").touch(mode=mode)
    (folder / f"{name}.url").write_text(url)
    (folder / f"{name}.url").chmod(mode)


def test_a_test_message_arrives_or_says_why_not(tmp_path: Path, discord: DiscordStandIn) -> None:
    channel(tmp_path, "desk", discord.webhook())
    channel(tmp_path, "open", discord.webhook("sesame"), 0o644)
    variables = {"PERPSTREAM_CHANNELS_DIR": str(tmp_path)}
    done = call_console("notify", "test", "desk", "--severity", "critical", **variables)
    assert (done.returncode, done.stdout) == (0, "desk (discord) has taken the message\n")
    assert discord.titles() == ["Perpstream can reach you"]
    discord.pause(30)
    refused = call_console("notify", "test", "desk", **variables)
    assert (refused.returncode, "asks for a pause" in refused.stderr) == (1, True)
    assert "mode 644" in call_console("notify", "test", "open", **variables).stderr
    unknown = call_console("notify", "test", "phone", **variables)
    assert (unknown.returncode, "there is no channel phone; there are: desk" in unknown.stderr) == (1, True)
    assert "secret-token" not in refused.stderr + unknown.stderr


def test_rules_are_right_or_the_place_is_named(tmp_path: Path) -> None:
    variables = {"PERPSTREAM_CHANNELS_DIR": str(tmp_path / "none")}
    assert call_console("notify", "rules", "check", **variables).returncode == 0
    file = tmp_path / "rules.json"
    file.write_text('{"rules": [{"name": "a", "on": "risk", "channels": ["phone"]}]}')
    found = call_console("notify", "rules", "check", str(file), "--json", **variables)
    assert json.loads(found.stdout) == {"file": str(file), "rules": ["a"], "missing_channels": ["phone"]}
    file.write_text('{"rules": [{"name": "a", "on": "risks"}]}')
    wrong = call_console("notify", "rules", "check", str(file), **variables)
    assert (wrong.returncode, "rules.0.on" in wrong.stderr) == (2, True)


async def _fill(url: str) -> None:
    engine = create_engine(DatabaseSettings(database_url=url))
    await migrate.upgrade(engine)
    rows = [
        NoticeRow(
            notice_id=f"{name}00000000",
            event_id=name,
            channel="desk",
            rule="alerts",
            kind="alert",
            severity="critical",
            group_key="",
            title=f"title of {name}",
            content={},
            event_time=NOW,
            made_at=NOW,
            due_at=NOW,
            expires_at=None,
        )
        for name in ("aaaa", "aabb", "cccc")
    ]
    async with write_session(engine) as session:
        await put_notices(session, rows)
    await notices_done(engine, ["aaaa00000000", "aabb00000000"], "dead", NOW, "refused by the channel")
    await channel_fares(engine, ChannelFares("desk", 4, NOW, None, "nobody there", NOW))
    await engine.dispose()


def test_what_waits_and_what_is_dead_is_shown_and_sent_again(database_url: str, tmp_path: Path) -> None:
    asyncio.run(_fill(database_url))
    password = urlsplit(database_url).password or ""
    (tmp_path / "password").write_text(password)
    channel(tmp_path / "channels", "desk", "https://discord.com/api/webhooks/1/sesame")
    variables = {
        "PERPSTREAM_CHANNELS_DIR": str(tmp_path / "channels"),
        "PERPSTREAM_DATABASE_URL": database_url.replace(f":{password}@", "@"),
        "PERPSTREAM_DATABASE_PASSWORD_FILE": str(tmp_path / "password"),
        "PERPSTREAM_STATE_DIR": str(tmp_path / "state"),
    }
    shown = call_console("notify", "outbox", "--state", "dead", **variables)
    assert "title of aaaa" in shown.stdout
    assert "title of cccc" not in shown.stdout
    fares = call_console("notify", "channels", "--json", **variables)
    (line,) = json.loads(fares.stdout)
    assert (fares.returncode, line["waiting"], line["dead"]) == (1, 1, 2)
    assert line["state"] == "fails since 11-29 12:00:00: nobody there"
    both = call_console("notify", "resend", "aa", **variables)
    assert (both.returncode, "several dead messages" in both.stderr) == (1, True)
    assert call_console("notify", "resend", "aaaa", **variables).stdout == "1 message will be sent again\n"
    assert call_console("notify", "resend", "--all", **variables).stdout == "1 message will be sent again\n"
    assert call_console("notify", "resend", **variables).returncode == 2
    (first, *_) = json.loads(call_console("notify", "outbox", "--json", **variables).stdout)
    assert first["state"] == "waiting"
    assert "remove desk.url first" in call_console("notify", "forget", "desk", **variables).stderr
    (tmp_path / "channels" / "desk.url").unlink()
    assert "its file is gone: critical messages wait" in call_console("notify", "channels", **variables).stdout
    forgotten = call_console("notify", "forget", "desk", **variables)
    assert forgotten.stdout == "desk is forgotten, and 3 messages for it given up\n"
    assert "nobody knows a channel phone" in call_console("notify", "forget", "phone", **variables).stderr
