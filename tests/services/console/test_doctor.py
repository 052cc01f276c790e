"""`perpstream doctor trading` says what is in order at an account and what is not; its exit code says whether all is."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine
from libs.store.live import PostgresBooks
from libs.streaming.admin import ensure_topics
from libs.trading.execution.books import Page
from libs.trading.execution.config import LiveConfig
from tests.services.console.running import run_console
from tests.services.exchange_simulator.running import Running, running
from tests.services.exchange_simulator.trader import trader

SYMBOLS = ("BTCUSDT", "ETHUSDT")


@pytest.fixture(scope="module")
def books(module_database_url: str) -> str:
    """An empty database of this version."""

    async def work() -> None:
        engine = create_engine(DatabaseSettings(database_url=module_database_url))
        await migrate.upgrade(engine)
        await engine.dispose()

    asyncio.run(work())
    return module_database_url


def write_key(folder: Path, venue: Running, name: str = "main") -> Path:
    path = folder / "accounts" / name / "key.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"key": venue.api_key.key, "secret": venue.api_key.secret}))
    path.chmod(0o600)
    return path


@asynccontextmanager
async def simulator(folder: Path) -> AsyncIterator[Running]:
    async with running(folder / "simulator", symbols=SYMBOLS, rate=60.0) as venue:
        write_key(folder, venue)
        yield venue


async def doctor(
    venue: Running, folder: Path, books: str, *arguments: str, **more: str
) -> "subprocess.CompletedProcess[str]":
    variables = {
        "PERPSTREAM_STATE_DIR": "/nowhere",
        "PERPSTREAM_DATABASE_URL": books,
        "PERPSTREAM_BINANCE_REST_URL": venue.url,
        "PERPSTREAM_BINANCE_WEBSOCKET_URL": venue.url.replace("http", "ws"),
        "PERPSTREAM_BINANCE_SPOT_REST_URL": venue.url,
        "PERPSTREAM_COINBASE_REST_URL": venue.url,
        "PERPSTREAM_ACCOUNT_DIR": str(folder / "accounts"),
        "PERPSTREAM_INSTALLATION_FILE": str(folder / "installation"),
        "PERPSTREAM_REQUESTS_DIR": str(folder / "requests"),
        "PERPSTREAM_SYMBOLS": ",".join(SYMBOLS),
        "PERPSTREAM_EXECUTION_MODE": "demo",
        **more,
    }
    return await asyncio.to_thread(run_console, "doctor", "trading", *arguments, **variables)


async def states(venue: Running, folder: Path, books: str, *arguments: str, **more: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and each check's state and sentence."""
    done = await doctor(venue, folder, books, "--json", *arguments, **more)
    assert done.stdout, done.stderr
    return done.returncode, {one["name"]: one for one in json.loads(done.stdout)["checks"]}


async def test_a_fresh_account_is_in_order_but_for_what_a_person_decides(tmp_path: Path, books: str) -> None:
    async with simulator(tmp_path) as venue:
        done = await doctor(venue, tmp_path, books)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "main (demo): in order" in done.stdout
        code, found = await states(venue, tmp_path, books)
        assert code == 0
        warned = {name for name, one in found.items() if one["state"] != "passed"}
        assert warned == {"key_rights", "terms", "strategies"}
        assert max(len(line) for line in done.stdout.splitlines()) <= 100


async def test_what_is_wrong_with_the_account_is_named(tmp_path: Path, books: str) -> None:
    async with simulator(tmp_path) as venue:
        await trader(venue).buy("0.010")
        await venue.fault("outside_settings", multi_assets=True)
        code, found = await states(venue, tmp_path, books)
        assert code == 1
        failed = {name for name, one in found.items() if one["state"] == "failed"}
        assert failed == {"single_asset_mode", "reconciliation", "terms"}
        assert "foreign_position" in found["reconciliation"]["sentence"]


async def test_without_the_database_the_account_is_looked_at_all_the_same(tmp_path: Path) -> None:
    nobody = "postgresql+asyncpg://perpstream@127.0.0.1:9/perpstream"
    async with simulator(tmp_path) as venue:
        code, found = await states(venue, tmp_path, nobody)
        assert code == 1
        assert [name for name, one in found.items() if one["state"] == "failed"] == ["reconciliation"]
        assert found["reconciliation"]["sentence"].startswith(
            "whether the account agrees with the books is not known: "
        )


async def test_production_waits_for_its_owner(tmp_path: Path, books: str) -> None:
    async with simulator(tmp_path) as venue:
        where = {
            "PERPSTREAM_ORDER_REST_URL": venue.url,
            "PERPSTREAM_ORDER_WEBSOCKET_URL": venue.url.replace("http", "ws"),
            "PERPSTREAM_ORDER_SPOT_REST_URL": venue.url,
        }
        _, found = await states(venue, tmp_path, books, "--mode", "production", **where)
        assert found["production"]["state"] == "failed"
        (tmp_path / "accounts/main/production.enabled").write_text("main\n")
        code, found = await states(venue, tmp_path, books, "--mode", "production", **where)
        assert (code, found["production"]["state"]) == (0, "passed")


async def test_on_paper_and_without_a_key_one_line_says_what_to_do(tmp_path: Path, books: str) -> None:
    async with simulator(tmp_path) as venue:
        paper = await doctor(venue, tmp_path, books, PERPSTREAM_EXECUTION_MODE="paper")
        assert (paper.returncode, paper.stdout) == (2, "")
        assert "on paper there is no account at a venue" in paper.stderr
        nobody = await doctor(venue, tmp_path, books, "--account", "other")
        assert nobody.returncode == 2
        assert nobody.stderr.count("\n") == 1
        assert "the file of the API key cannot be read" in nobody.stderr


async def keep(database_url: str, config: LiveConfig) -> None:
    engine = create_engine(DatabaseSettings(database_url=database_url), connections=1)
    try:
        await migrate.upgrade(engine)
        found = PostgresBooks(engine, "main")
        lease = await found.acquire("executor")
        assert lease is not None
        await found.write(lease, Page(config=config))
    finally:
        await engine.dispose()


@pytest.mark.integration
async def test_names_of_the_configuration_that_mean_nothing_are_told_as_such(
    tmp_path: Path, database_url: str, empty_kafka: str
) -> None:
    """A strategy that nobody has is no strategy that may trade, and a symbol of `live set` stands in no variable."""
    await ensure_topics(empty_kafka, 1)
    await keep(database_url, LiveConfig(version=1, strategies=("nosuch",), symbols=("BTCUSDT", "BTCUSDD")))
    async with simulator(tmp_path) as venue:
        more = {"PERPSTREAM_KAFKA_BOOTSTRAP": empty_kafka}
        done = await doctor(venue, tmp_path, database_url, **more)
        assert (done.returncode, done.stderr) == (1, ""), done.stderr
        assert "strategies in force" in done.stdout
        assert "PERPSTREAM_SYMBOLS" not in done.stdout
        _, found = await states(venue, tmp_path, database_url, **more)
        assert found["strategies_in_force"]["state"] == "failed"
        assert found["strategies_in_force"]["sentence"].startswith("nosuch: no strategy has this name")
        assert "perpstream live set strategies=" in found["strategies_in_force"]["todo"]
        assert found["filters"]["state"] == "warning"
        assert found["filters"]["sentence"].startswith("the venue has no symbol BTCUSDD: did you mean BTCUSDT")
        silent = {"PERPSTREAM_KAFKA_BOOTSTRAP": "127.0.0.1:9"}
        done = await doctor(venue, tmp_path, database_url, **silent)
        assert (done.returncode, done.stderr) == (1, ""), done.stderr
        assert "which strategies are in force is not known" in done.stdout
