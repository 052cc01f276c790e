"""The notifier as a process on a real Kafka and a real PostgreSQL, against Discord's stand-in: killed, left alone, told anew."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from infra.local.ports import free_port
from libs.contracts.topics import ALERT, EXECUTOR, RISK_STATE
from libs.contracts.trading import AlertRaised, ExecutorReported, LiveTradeChanged, RiskStateChanged
from libs.kit.clock import SystemClock
from libs.kit.keys import TrustedFolder, new_key
from libs.store.audit import AuditFilter, audit_rows
from libs.store.engine import read_session
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from libs.trading.commands import RISK_REDUCING, Pause
from services.notifier.bot.answers import StoredAnswers
from services.notifier.bot.wishes import meant
from tests.golden.samples import sample
from tests.services.notifier.conftest import alert
from tests.services.processes import ServiceProcess, beside, eventually, lacking
from tests.support.discord import GUILD, TOKEN, DiscordStandIn, member
from tests.support.obeying_service import ObeyingService

PATIENCE = 180.0
TRADERS, VIEWERS = "8001", "8002"


@dataclass
class Running:
    """A notifier with the files that it reads."""

    discord: DiscordStandIn
    folder: Path
    engine: AsyncEngine
    bootstrap: str
    process: ServiceProcess
    port: int
    producer: EventProducer
    numbers: int = field(default=0)

    def secret(self, name: str, content: str) -> None:
        """A file that only its owner may read."""
        self.folder.mkdir(exist_ok=True)
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(content)

    async def raise_alerts(self, *alerts: AlertRaised) -> None:
        for one in alerts:
            await (await self.producer.send(ALERT, one, key=one.event_id, partition=0))

    async def until(self, condition: Callable[[], bool | Awaitable[bool]], what: str) -> None:
        async def holds() -> bool:
            found = condition()
            return found if isinstance(found, bool) else await found

        await eventually(holds, PATIENCE, lambda: f"{what}\n{self.process.log.read_text()[-4000:]}")

    async def until_ready(self) -> None:
        async def ready() -> bool:
            return await lacking(self.port) == {}

        await self.until(ready, "the notifier is ready")

    async def states(self) -> dict[str, str]:
        """The state of each notice, by its event."""
        async with read_session(self.engine) as session:
            rows = await session.connection.execute(text("SELECT event_id, state FROM notices"))
            return {row.event_id: row.state for row in rows}

    async def until_sent(self, count: int) -> None:
        async def sent() -> bool:
            return sum(state == "sent" for state in (await self.states()).values()) >= count

        await self.until(sent, f"{count} notices are marked as sent")


@pytest.fixture
async def running(empty_kafka: str, engine: AsyncEngine, database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    """A notifier that is not started yet, with one channel."""
    await ensure_topics(empty_kafka, 1)
    discord, port = DiscordStandIn(), free_port()
    await discord.start()
    url, _, database = database_url.rpartition("/")
    password = url.partition("://")[2].partition(":")[2].partition("@")[0]
    (tmp_path / "password").write_text(password)
    environment = {
        "PERPSTREAM_KAFKA_BOOTSTRAP": empty_kafka,
        "PERPSTREAM_DATABASE_URL": f"{url.replace(f':{password}@', '@')}/{database}",
        "PERPSTREAM_DATABASE_PASSWORD_FILE": str(tmp_path / "password"),
        "PERPSTREAM_HEALTH_PORT": str(port),
        "PERPSTREAM_CHANNELS_DIR": str(tmp_path / "channels"),
        "PERPSTREAM_DISCORD_BOT_FILE": str(tmp_path / "channels" / "discord-bot.json"),
        "PERPSTREAM_NOTIFIER_RULES": str(tmp_path / "rules.json"),
        "PERPSTREAM_NOTIFIER_KEYS_DIR": str(tmp_path / "keys"),
    }
    (tmp_path / "rules.json").write_text('{"rules": [{"name": "alerts", "on": "alert"}]}')
    process = ServiceProcess("notifier", environment, tmp_path / "log")
    producer = EventProducer(empty_kafka, service="test")
    await producer.start()
    made = Running(discord, tmp_path / "channels", engine, empty_kafka, process, port, producer)
    yield made
    if process.running:
        process.kill()
    await producer.stop()
    await discord.stop()


async def test_without_a_channel_it_waits_in_little_memory_and_begins_with_the_first(running: Running) -> None:
    running.process.start()
    await running.until_ready()
    used = psutil.Process(running.process.pid).memory_full_info().uss / 2**20
    assert used < 60, f"{used:.0f} MB"
    running.secret("desk.url", running.discord.webhook())
    await running.until(lambda: "assigned" in running.process.log.read_text(), "it reads topics")
    await running.raise_alerts(alert(1))
    await running.until(lambda: running.discord.titles() == ["alert 1"], "the alert is told")
    assert running.process.stop() == 0
    assert "secret-token" not in running.process.log.read_text()


async def test_killed_between_sending_and_marking_it_tells_again_and_says_so(running: Running) -> None:
    running.secret("desk.url", running.discord.webhook())
    running.discord.hang = asyncio.Event()
    running.process.start()
    await running.until_ready()
    await running.raise_alerts(alert(1), alert(2))
    await running.until(lambda: running.discord.asked == 1, "the first message is under way")
    running.process.kill()
    running.discord.hang.set()
    running.process.start()
    await running.until_sent(2)
    told = [(one.embed["title"], "repetition" in one.embed["footer"]["text"]) for one in running.discord.posted]
    assert sorted({title for title, _ in told}) == ["alert 1", "alert 2"]
    assert ("alert 1", True) in told, "whoever may have heard it already is told so"


async def test_while_discord_is_dead_nothing_else_waits_and_no_alert_is_lost(running: Running) -> None:
    running.secret("desk.url", running.discord.webhook())
    running.process.start()
    await running.until_ready()
    await running.raise_alerts(alert(0))
    await running.until_sent(1)
    await running.discord.stop()
    await running.raise_alerts(*(alert(number) for number in range(1, 40)))

    async def written() -> bool:
        return len(await running.states()) == 40

    await running.until(written, "the outbox has them while nobody takes them")
    running.process.kill()
    running.process.start()
    await running.until_ready()
    await running.discord.start()
    await running.until_sent(40)
    told = {line for one in running.discord.posted for line in [one.embed["title"], *_lines(one.embed)]}
    assert told >= {f"alert {number}" for number in range(40)}


async def test_a_broken_file_of_rules_leaves_the_old_ones_and_says_so(running: Running) -> None:
    running.secret("desk.url", running.discord.webhook())
    running.process.start()
    await running.until_ready()
    rules = running.folder.parent / "rules.json"
    rules.write_text('{"rules": [{"name": "alerts", "on": "alerts"}]}')

    async def says_so() -> bool:
        return "rules.0.on" in ((await lacking(running.port)) or {}).get("rules", "")

    await running.until(says_so, "readiness names the place")
    await running.raise_alerts(alert(1))
    await running.until(lambda: running.discord.titles() == ["alert 1"], "the old rules count")
    rules.write_text('{"rules": [{"name": "alerts", "on": "alert", "title": "new: {title}"}]}')
    await running.until_ready()
    await running.raise_alerts(alert(2))
    await running.until(lambda: running.discord.titles() == ["alert 1", "new: alert 2"], "the new rules count")


async def test_a_pause_is_kept_and_the_message_comes_after_it(running: Running) -> None:
    running.secret("desk.url", running.discord.webhook())
    running.discord.pause(1.5)
    running.process.start()
    await running.until_ready()
    await running.raise_alerts(alert(1))
    await running.until(lambda: running.discord.titles() == ["alert 1"], "the alert is told after the pause")
    assert running.discord.asked == 2
    assert "repetition" not in running.discord.posted[0].embed["footer"]["text"]


async def test_a_trader_pauses_from_discord_and_the_guard_obeys_what_the_key_may(
    running: Running, tmp_path: Path
) -> None:
    trusted = TrustedFolder(tmp_path / "trusted")
    trusted.trust(new_key(tmp_path / "keys", "notifier").public, RISK_REDUCING)
    guard = ObeyingService(running.bootstrap, trusted, "risk_guard")
    bot = {
        "token": TOKEN,
        "server": GUILD,
        "roles": {TRADERS: "trader", VIEWERS: "viewer"},
        "api": f"{running.discord.url}/api/v10",
    }
    running.secret("discord-bot.json", json.dumps(bot))
    discord = running.discord
    async with beside(guard.run()):
        await guard.listening.wait()
        running.process.start()
        await running.until(lambda: len(discord.commands) == 10, "the slash commands are known to the server")
        await running.until(lambda: discord.bot_online, "the bot is online")
        asked = await discord.slash("pause", member=member("11", "ada", TRADERS))
        await running.until(lambda: len(discord.answers_to(asked)) == 2, "the bot asks for a confirmation")
        question = discord.answers_to(asked)[1]["data"]
        assert discord.answers_to(asked)[0]["data"]["flags"] == 64, "only the asker sees it"
        (confirm, _) = question["components"][0]["components"]
        pressed = await discord.press(confirm["custom_id"], member=member("11", "ada", TRADERS), payload=question)
        await running.until(lambda: len(discord.answers_to(pressed)) == 2, "the bot says what became of it")
        assert discord.answers_to(pressed)[1]["data"]["content"] == "pause is done"
        assert guard.obeyed == [Pause()]
        async with read_session(running.engine) as session:
            audited = [
                (row.who, row.action, row.after and row.after["step"])
                for row in await audit_rows(session, AuditFilter())
            ]
        assert audited == [("Discord: ada (11)", "command.pause", step) for step in ("answered", "confirmed", "asked")]
        refused = await discord.slash("pause", member=member("12", "eve", VIEWERS))
        await running.until(lambda: len(discord.answers_to(refused)) == 2, "the viewer is answered")
        assert "no role" in discord.answers_to(refused)[1]["data"]["content"]
        elsewhere = await discord.slash("pause", member=member("11", "ada", TRADERS), guild="9999")
        await running.until(lambda: len(discord.answers_to(elsewhere)) == 2, "another server is answered")
        assert "no role" in discord.answers_to(elsewhere)[1]["data"]["content"]
        looked = await discord.slash("status", member=member("12", "eve", VIEWERS))
        await running.until(lambda: len(discord.answers_to(looked)) == 2, "the status is told")
        assert "risk guard: silent" in discord.answers_to(looked)[1]["data"]["content"]
    os.kill(running.process.pid, signal.SIGTERM)
    assert running.process.wait(30) == 0
    assert TOKEN not in running.process.log.read_text()
    assert guard.obeyed == [Pause()]


async def test_how_things_stood_is_known_while_guard_and_executor_speak(running: Running) -> None:
    clock = SystemClock()
    answers = StoredAnswers("main", running.bootstrap, running.engine, clock)
    wanted = [meant(command, {"symbol": "BTCUSDT"}, "main", 0) for command in ("pause", "lock", "close", "flatten")]
    assert [await answers.before(one) for one in wanted] == [None] * 4
    guard, executor, trade = sample(RiskStateChanged), sample(ExecutorReported), sample(LiveTradeChanged)
    assert isinstance(guard, RiskStateChanged)
    assert isinstance(executor, ExecutorReported)
    assert isinstance(trade, LiveTradeChanged)
    held = tuple(replace(trade, symbol=symbol, quantity_left=Decimal("0.5")) for symbol in ("BTCUSDT", "ETHUSDT"))
    for topic, event in (
        (RISK_STATE, replace(guard, account="main", paused=True, locks={"BTCUSDT": 7})),
        (EXECUTOR, replace(executor, account="main", held=held)),
    ):
        await (await running.producer.send(topic, event, key="main", partition=0))
    size = f"{trade.direction} 0.5"
    assert [await answers.before(one) for one in wanted] == [
        {"paused": True},
        {"locked_until_ms": 7},
        {"held": {"BTCUSDT": size}},
        {"held": {"BTCUSDT": size}},
    ]
    everything = meant("flatten", {}, "main", 0)
    assert await answers.before(everything) == {"held": {"BTCUSDT": size, "ETHUSDT": size}}
    nowhere = StoredAnswers("main", f"127.0.0.1:{free_port()}", running.engine, clock)
    assert await nowhere.before(everything) is None


def _lines(embed: dict[str, str]) -> list[str]:
    return [line.removeprefix("• ") for line in embed.get("description", "").splitlines()]
