"""How soon each reading route answers at a steady pace of requests (a table): `bench_gateway [TRADES INDICATORS SECONDS PACE]`.

The full size is 10,000,000 trades, 1,000,000 indicator rows, 100,000 explained signals and 200 requests a second, load generator
on the same processors.
Each route is asked with its default parameters; `fresh` asks another question each time, so that no answer is kept for it.
A line ends with the large tables that were read through meanwhile, by whomever, as PostgreSQL has counted.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import psutil

from infra.local.ports import free_port
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, write_session
from libs.store.partitions import create_partitions, months_between
from libs.streaming.admin import ensure_topics
from services.gateway.openapi import document
from tests.bench.bench_execution import folders
from tests.bench.money_house import servers
from tests.services.processes import ServiceProcess

BEGAN_MS = 1_722_470_400_000
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT")
GIVEN = {"symbol": "BTCUSDT"}
FRESH = {"/api/kline": "limit", "/api/trades/summary": "limit", "/api/snapshots": "limit", "/api/indicators": "limit"}
_TRADES = """
INSERT INTO agg_trades SELECT $1, n, timestamptz '2024-08-01Z' + n * interval '800 milliseconds',
  60000 + (n % 997) * 0.1, (1 + n % 101) * 0.001, n * 2, n * 2 + 1, n % 2 = 0, NULL FROM generate_series(1, $2::int8) AS n
"""
_META = """
INSERT INTO agg_trades_meta SELECT symbol, min(agg_id), max(agg_id), count(*), min(trade_time), max(trade_time), 0, 0, 0
FROM agg_trades GROUP BY symbol
"""
_FEATURES = """
INSERT INTO signal_indicators (symbol, event_time, event_id, interval_ms, price, size_coverage, last_agg_id, trades_late,
  trades_missing, content)
SELECT $1, timestamptz '2024-08-01Z' + n * interval '15 seconds', $1 || n, 15000, 60000, 1, n, 0, 0,
  '{"slow_inputs": [], "scores": []}' FROM generate_series(1, $2::int8) AS n
"""
_SIGNALS = """
INSERT INTO signal_logs SELECT $1 || n, 'v5' || 1 + n % 2, 1, $1, timestamptz '2024-08-01Z' + n * interval '15 seconds', 47.4, 45,
  'short', CASE WHEN n % 40 = 0 THEN 'emitted' ELSE 'refused' END, 'cooldown', 'a sentence', 60000, 90, 59900, 59800, 60100, NULL,
  $3::jsonb FROM generate_series(1, $2::int8) AS n
"""
_EXPLAINED = Path("tests/golden/messages/signal.scored.v1/signal_scored.1.with_coverage.json").read_text()
_LARGE_ROWS = 10_000
_READ_THROUGH = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE n_live_tup > $1"


@dataclass(frozen=True, slots=True)
class Load:
    """How much there is, and how it is asked."""

    trades: int
    indicators: int
    seconds: float
    pace: float

    @property
    def signals(self) -> int:
        """Explained ones, of a tenth of the indicator rows."""
        return self.indicators // 10


async def fill(url: str, load: Load) -> None:
    """The rows before the bars' migration, which makes the bars from them; everything analysed."""
    engine = create_engine(DatabaseSettings(database_url=url))
    await migrate.upgrade(engine, "0010")
    async with write_session(engine) as session:
        span_ms = load.trades // len(SYMBOLS) * 800
        await create_partitions(session, months_between(BEGAN_MS, BEGAN_MS + span_ms + 1))
    for symbol in SYMBOLS:
        async with write_session(engine) as session:
            await session.raw.execute("SET LOCAL statement_timeout = 0")
            await session.raw.execute(_TRADES, symbol, load.trades // len(SYMBOLS))
            await session.raw.execute(_FEATURES, symbol, load.indicators // len(SYMBOLS))
            await session.raw.execute(_SIGNALS, symbol, load.signals // len(SYMBOLS), _EXPLAINED)
    async with write_session(engine) as session:
        await session.raw.execute("SET LOCAL statement_timeout = 0")
        await session.raw.execute(_META)
    await migrate.upgrade(engine)
    await engine.dispose()
    # Otherwise it is done while we measure: a range of pages that is summed up for a BRIN index counts as a table read through.
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute("VACUUM (ANALYZE)")
    await connection.close()


class ReadThrough:
    """Which large tables, or parts of them, were read through since the last look. A look of its own reads none."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._counted: dict[str, int] = {}

    async def since_last_look(self) -> str:
        """Their names. Connections tell their counts once a second: what the last second did may come with the next look."""
        engine = create_engine(DatabaseSettings(database_url=self._url))
        async with write_session(engine) as session:
            rows = await session.raw.fetch(_READ_THROUGH, _LARGE_ROWS)
        await engine.dispose()
        counted = {row["relname"]: row["seq_scan"] for row in rows}
        times = {name: count - self._counted.get(name, 0) for name, count in counted.items()}
        self._counted = counted
        return ", ".join(f"{name} {count} times" for name, count in sorted(times.items()) if count)


def questions() -> list[str]:
    """Each GET route with what it must be given."""
    found = []
    for path, methods in sorted(json.loads(document())["paths"].items()):
        described = methods.get("get")
        if (
            described is None
            or "{" in path
            or path.startswith("/api/auth")
            or "administer" in str(described.get("security"))
        ):
            continue
        needed = [
            one["name"] for one in described.get("parameters", ()) if one.get("required") and one["in"] == "query"
        ]
        if all(name in GIVEN for name in needed):
            found.append("?".join(filter(None, (path, "&".join(f"{name}={GIVEN[name]}" for name in needed)))))
    return found


async def ask_steadily(session: aiohttp.ClientSession, urls: Sequence[str], load: Load) -> tuple[list[float], int]:
    """Seconds of each answer, begun at the pace whatever the others do, and how many were not 200."""
    took: list[float] = []
    bad = 0

    async def one(url: str, due: float) -> None:
        nonlocal bad
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        async with session.get(url) as answer:
            await answer.read()
            bad += answer.status != 200
        took.append(time.perf_counter() - due)

    began = time.perf_counter() + 0.05
    count = int(load.seconds * load.pace)
    await asyncio.gather(*(one(urls[number % len(urls)], began + number / load.pace) for number in range(count)))
    return sorted(took), bad


async def measure(url: str, load: Load, tables: ReadThrough) -> None:
    """A line a route."""
    asked_for = {"given_to": "program"}
    async with (
        aiohttp.ClientSession(base_url=url) as session,
        session.post("/api/auth/local", json=asked_for) as signed_in,
    ):
        token = (await signed_in.json())["tokens"]["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(base_url=url, headers=headers) as session:
        asked = [(one, [one]) for one in questions()]
        asked += [
            (f"{path} (fresh)", [f"{path}?symbol=BTCUSDT&{name}={n}" for n in range(100, 400)])
            for path, name in FRESH.items()
        ]
        for name, urls in asked:
            await ask_steadily(session, urls[:1], Load(0, 0, 0.2, 10))
            took, bad = await ask_steadily(session, urls, load)
            shares = [took[min(len(took) - 1, int(len(took) * share))] * 1e3 for share in (0.5, 0.95, 0.99)]
            told = f"{name:<40s} p50 {shares[0]:7.1f}  p95 {shares[1]:7.1f}  p99 {shares[2]:7.1f} ms  not 200: {bad}"
            through = await tables.since_last_look()
            print(f"{told}  read through: {through}" if through else told, flush=True)


def main() -> None:
    given = [float(word) for word in sys.argv[1:5]]
    trades, indicators, seconds, pace = given if len(given) == 4 else (10_000_000, 1_000_000, 10, 200)
    load = Load(int(trades), int(indicators), seconds, pace)
    with folders() as (for_servers, folder), servers(for_servers) as (bootstrap, url):
        port = free_port()
        asyncio.run(fill(url, load))
        asyncio.run(ensure_topics(bootstrap, 1))
        environment = {
            "PERPSTREAM_KAFKA_BOOTSTRAP": bootstrap,
            "PERPSTREAM_DATABASE_URL": url,
            "PERPSTREAM_GATEWAY_PORT": str(port),
            "PERPSTREAM_GATEWAY_LOCAL_VIEWER": "true",
            "PERPSTREAM_GATEWAY_STATE_DIR": str(folder / "gateway"),
            "PERPSTREAM_GATEWAY_REQUESTS_PER_SECOND": "100000",
        }
        process = ServiceProcess("gateway", environment, folder / "log")
        process.start()
        try:
            asyncio.run(observe(f"http://127.0.0.1:{port}", url, load))
        finally:
            process.stop()


async def observe(gateway_url: str, database_url: str, load: Load) -> None:
    """The table, between two lines about the machine."""
    await _when_ready(gateway_url)
    tables = ReadThrough(database_url)
    await tables.since_last_look()
    print(f"{load.trades} trades, {load.indicators} indicator rows, {load.pace:g} requests/s; load average {_busy()}")
    await measure(gateway_url, load, tables)
    print(f"load average {_busy()}")


def _busy() -> str:
    """Of the machine, over a minute."""
    return f"{psutil.getloadavg()[0]:.1f}"


async def _when_ready(url: str) -> None:
    async with aiohttp.ClientSession(base_url=url) as session:
        for _ in range(1200):
            try:
                async with session.get("/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise TimeoutError("the gateway did not become ready")


if __name__ == "__main__":
    main()
