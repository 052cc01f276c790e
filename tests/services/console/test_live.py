"""What may trade, on the command line: shown as it is, changed from what one has seen, and told with who changed it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from libs.kit.keys import TrustedFolder, new_key
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine
from libs.store.live import PostgresBooks
from libs.streaming.admin import ensure_topics
from libs.trading.commands import ChangeConfig
from libs.trading.execution.books import Page
from libs.trading.execution.config import LiveConfig, SymbolOverride
from libs.trading.execution.config_change import changed_config
from services.console.live_change import Names, doubts
from tests.libs.store.live_trades import COMMAND
from tests.services.console.running import call_console
from tests.support.obeying_service import ObeyingService

HERE = Names(frozenset({"v51", "v52"}), frozenset({"BTCUSDT", "ETHUSDT"}))


async def keep(database_url: str, config: LiveConfig) -> None:
    """What an executor writes when ada has changed something."""
    engine = create_engine(DatabaseSettings(database_url=database_url), connections=1)
    try:
        books = PostgresBooks(engine, "main")
        lease = await books.acquire(f"executor {config.version}")
        assert lease is not None
        said = replace(COMMAND, nonce=f"n{config.version}", command="change_config", issuer="ada", reason="a try")
        await books.write(lease, Page(obeyed=[said], config=config))
        await books.release(lease)
    finally:
        await engine.dispose()


@pytest.fixture(name="executor")
async def _executor(
    empty_kafka: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ObeyingService]:
    await ensure_topics(empty_kafka, 1)
    engine = create_engine(DatabaseSettings(database_url=database_url), connections=1)
    await migrate.upgrade(engine)
    await engine.dispose()
    trusted = TrustedFolder(tmp_path / "trusted")
    trusted.trust(new_key(tmp_path / "mine", "ada").public)
    for name, value in {
        "KAFKA_BOOTSTRAP": empty_kafka,
        "DATABASE_URL": database_url,
        "KEYS_DIR": str(tmp_path / "mine"),
        "STATE_DIR": str(tmp_path / "state"),
    }.items():
        monkeypatch.setenv(f"PERPSTREAM_{name}", value)
    service = ObeyingService(empty_kafka, trusted, "executor")
    running = asyncio.create_task(service.run())
    await service.listening.wait()
    yield service
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_a_name_that_nobody_here_knows_is_told_with_those_that_there_are() -> None:
    config = LiveConfig(
        strategies=("v51", "v15"), symbols=("BTCUSDT",), blacklist=("ETHUSD",), overrides={"XUSDT": SymbolOverride()}
    )
    assert doubts(config, HERE) == [
        "v15: not in force (there are v51, v52)",
        "ETHUSD, XUSDT: not followed (there are BTCUSDT, ETHUSDT)",
    ]
    assert doubts(LiveConfig(strategies=("v52",), blacklist=("ETHUSDT",)), HERE) == []


def test_a_hold_that_the_guard_ends_before_is_told() -> None:
    assert doubts(LiveConfig(strategies=("v52",), hold_minutes=70), HERE) == []
    [line] = doubts(LiveConfig(strategies=("v52",), hold_minutes=120), HERE)
    assert "the guard closes after 71 min" in line


@pytest.mark.integration
async def test_a_change_is_of_the_version_that_was_seen_and_history_tells_who_made_it(
    executor: ObeyingService, database_url: str
) -> None:
    shown = await asyncio.to_thread(call_console, "live", "show")
    assert "account main, as shipped: no strategy trades" in shown.stdout
    never = await asyncio.to_thread(call_console, "live", "history")
    assert (never.returncode, never.stdout) == (0, "as shipped: no strategy trades\n")
    more = ("live", "set", "strategies=v51,v52", "risk_per_trade=20")
    assert ((await asyncio.to_thread(call_console, *more)).returncode, executor.obeyed) == (2, [])
    done = await asyncio.to_thread(call_console, *more, "--yes")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "change_config is done")
    assert done.stdout.splitlines()[-2:] == ["  strategies: none → v51,v52", "  risk_per_trade: 10 → 20"]
    assert "v51, v52: not in force (there are none)" in done.stderr, "said, and done all the same"
    [first] = executor.obeyed
    assert first == ChangeConfig(0, {"strategies": "v51,v52", "risk_per_trade": "20"})
    assert isinstance(first, ChangeConfig)
    one = changed_config(LiveConfig(), first)
    await keep(database_url, one)
    setting = ("live", "set", "overrides.BTCUSDT.leverage=3", "strategies=", "--yes")
    assert (await asyncio.to_thread(call_console, *setting)).returncode == 0
    second = executor.obeyed[1]
    assert second == ChangeConfig(1, {"overrides.BTCUSDT.leverage": "3", "strategies": ""})
    assert isinstance(second, ChangeConfig)
    await keep(database_url, changed_config(one, second))
    shown = await asyncio.to_thread(call_console, "live", "show", "--json")
    facts = json.loads(shown.stdout)
    assert (facts["version"], facts["strategies"], facts["overrides"]["BTCUSDT"]["leverage"]) == (2, [], 3)
    rows = json.loads((await asyncio.to_thread(call_console, "live", "history", "--json")).stdout)
    assert [(row["version"], row["changed_by"], row["reason"], row["changes"]) for row in rows] == [
        (2, "ada", "a try", {"strategies": ["v51,v52", ""], "overrides.BTCUSDT.leverage": ["none", "3"]}),
        (1, "ada", "a try", {"strategies": ["", "v51,v52"], "risk_per_trade": ["10", "20"]}),
    ]
    told = (await asyncio.to_thread(call_console, "live", "history")).stdout
    assert "risk_per_trade: 10 → 20 a try" in " ".join(told.split())


@pytest.mark.integration
@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ("leverage=500", "leverage must be at most 125"),
        ("hope=1", "hope is no setting"),
        ("version=9", "version is no"),
        ("overrides.BTCUSDT=3", "a symbol has risk_per_trade"),
    ],
)
async def test_a_change_that_cannot_count_is_not_even_sent(executor: ObeyingService, change: str, hint: str) -> None:
    done = await asyncio.to_thread(call_console, "live", "set", change)
    assert (done.returncode, hint in done.stderr, executor.obeyed) == (2, True, [])
