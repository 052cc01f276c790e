"""Everything that money needs, as processes of their own: broker, database, simulated venue, executor and guard."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from infra.local.ports import free_port
from libs.contracts.codec import decode
from libs.contracts.commands import CommandIssued, CommandName, CommandTarget, command_id, signed_bytes
from libs.contracts.partitioning import partition_of
from libs.contracts.signals import SignalScored
from libs.contracts.topics import COMMAND, EXECUTOR, SIGNAL_SCORED
from libs.contracts.trading import ExecutorReported
from libs.kit.clock import SystemClock
from libs.kit.keys import PersonalKey, TrustedFolder, new_key
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, read_session
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader
from libs.streaming.tail import read_tail
from tests.services.processes import ServiceProcess, eventually, lacking
from tests.support.servers import Broker, Database

PARTITIONS, ACCOUNT = 4, "main"
PATIENCE_SECONDS, START_SECONDS = 60.0, 300.0
MARKET_SERVICES = ("trade_ingest", "sequencer", "recorder")
"""They carry the market from the venue through the topics to PostgreSQL, beside what is measured."""
_KEY = {"key": "bench", "secret": "b" * 64}
_OFF = (
    "data_freshness", "data_completeness", "engine_silent", "daily_loss_r", "daily_loss_usd", "drawdown",
    "consecutive_losses", "slippage", "too_many_orders",
)  # fmt: skip
"""Rules of parts that do not run here, and those that hundreds of trades opened only to be closed would break."""


@dataclass
class MoneyHouse:
    """One installation. `services` by name; `url` is the venue's."""

    bootstrap: str
    url: str
    folder: Path
    engine: AsyncEngine
    producer: EventProducer
    http: aiohttp.ClientSession
    key: PersonalKey
    services: dict[str, ServiceProcess] = field(default_factory=dict)

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Of a question."""
        async with read_session(self.engine) as session:
            return [tuple(row) for row in (await session.connection.execute(text(statement))).all()]

    async def until_trades(self, trades: Sequence[str], condition: str) -> None:
        """Until all of these are so."""
        among = f"SELECT trade_id, state, reason FROM live_trades WHERE trade_id IN ({', '.join(map(repr, trades))})"
        rest: list[tuple[Any, ...]] = []

        async def reached() -> bool:
            there, reached = await self.rows(among), await self.rows(f"{among} AND {condition}")
            rest[:] = [row for row in there if row not in reached]
            return len(reached) == len(trades)

        await eventually(reached, PATIENCE_SECONDS, lambda: f"not {condition}: {rest}{self.logs()}")

    def logs(self) -> str:
        """The ends of all logs, for a bench that does not get on."""
        return "".join(f"\n--- {name}\n{one.log.read_text()[-1500:]}" for name, one in self.services.items())

    async def until_ready(self, names: Iterable[str]) -> None:
        """Until each says so."""
        for name in names:
            port = int(self.services[name].environment["PERPSTREAM_HEALTH_PORT"])

            async def ready(port: int = port) -> bool:
                return await lacking(port) == {}

            await eventually(ready, START_SECONDS, self.logs)

    async def until_entries(self) -> None:
        """Until the executor's newest report allows them."""
        newest: list[str] = []
        asked_ms = SystemClock().now_ms()

        async def allowed() -> bool:
            found = await read_tail(self.bootstrap, EXECUTOR.name, 0, 1)
            event = decode(found[-1].value, found[-1].headers, EXECUTOR.events) if found else None
            assert event is None or isinstance(event, ExecutorReported)
            newest[:] = ["no report"] if event is None else event.reasons
            return event is not None and event.event_time_ms > asked_ms and event.entries_allowed

        await eventually(allowed, PATIENCE_SECONDS, lambda: f"{newest}{self.logs()}")

    async def say(self, signals: Sequence[SignalScored]) -> None:
        """Publish them all at once, and wait for the broker."""
        sent = [
            await self.producer.send(SIGNAL_SCORED, one, key=one.symbol, partition=partition_of(one.symbol, PARTITIONS))
            for one in signals
        ]
        await asyncio.gather(*sent)

    async def command(self, target: CommandTarget, name: CommandName, **arguments: str) -> str:
        """Sign one and publish it, and wait for the broker; its id."""
        now_ms, nonce = SystemClock().now_ms(), f"{time.time_ns():032x}"
        said = CommandIssued(
            event_id=command_id(self.key.name, nonce),
            event_time_ms=now_ms,
            account=ACCOUNT,
            target=target,
            command=name,
            arguments=arguments,
            reason="a benchmark",
            issued_by=self.key.name,
            issued_at_ms=now_ms,
            expires_at_ms=now_ms + 50_000,
            nonce=nonce,
            signature="",
        )
        signed = msgspec.structs.replace(said, signature=self.key.sign(signed_bytes(said)))
        await (await self.producer.send(COMMAND, signed, key=ACCOUNT, partition=0))
        return said.event_id

    async def appended(self, topic: str) -> dict[str, int]:
        """When the broker had each event of a topic, ms, by the event's id."""
        found: dict[str, int] = {}
        async with LogReader(self.bootstrap) as log:
            for number in await log.partitions(topic):
                async for batch in log.range(topic, number, 0, await log.end(topic, number)):
                    found |= {msgspec.json.decode(one.value or b"{}")["event_id"]: one.timestamp_ms for one in batch}
        return found

    async def marks(self) -> dict[str, Decimal]:
        """Mark prices by symbol."""
        return {one["symbol"]: Decimal(one["markPrice"]) for one in await self.get("/fapi/v1/premiumIndex")}

    async def get(self, path: str) -> Any:
        """Of the venue."""
        async with self.http.get(self.url + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def transfer(self, amount: Decimal) -> None:
        """Money comes, or goes below zero."""
        async with self.http.post(
            f"{self.url}/sim/faults", json={"kind": "transfer", "amount": f"{amount:f}"}
        ) as answer:
            assert answer.status == 201, await answer.text()

    def ledger(self) -> Iterator[dict[str, Any]]:
        """Everything that happened at the venue, in order."""
        for path in (self.folder / "venue" / "trading.1.jsonl", self.folder / "venue" / "trading.jsonl"):
            if path.exists():
                with path.open() as lines:
                    yield from (json.loads(line) for line in lines)


@contextmanager
def servers(folder: Path) -> Iterator[tuple[str, str]]:
    """A broker's address and a database's."""
    (folder / "postgres").mkdir()
    broker, database = Broker(folder / "kafka"), Database(folder / "postgres")
    broker.start()
    database.start()
    try:
        yield broker.bootstrap, database.create_database()
    finally:
        database.stop()
        broker.stop()


@asynccontextmanager
async def money_house(
    where: tuple[str, str], folder: Path, symbols: Sequence[str], rate: float
) -> AsyncIterator[MoneyHouse]:
    """An installation in an empty folder on a broker and a database, with executor and guard ready to trade."""
    bootstrap, database_url = where
    await ensure_topics(bootstrap, PARTITIONS)
    engine = create_engine(DatabaseSettings(database_url=database_url))
    await migrate.upgrade(engine)
    producer = EventProducer(bootstrap, service="bench")
    await producer.start()
    key = new_key(folder / "keys", "bench")
    TrustedFolder(folder / "trusted").trust(key.public)
    _write_files(folder)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    given = _environment(folder, bootstrap, database_url, url) | {"PERPSTREAM_SYMBOLS": ",".join(symbols)}
    venue = {
        "PERPSTREAM_SIM_PORT": str(port),
        "PERPSTREAM_SIM_STATE_DIR": str(folder / "venue"),
        "PERPSTREAM_SIM_SYMBOLS": ",".join(symbols),
        "PERPSTREAM_SIM_RATE": f"{rate:g}",
        "PERPSTREAM_SIM_ACCOUNTS": str(folder / "accounts.json"),
        # Hundreds of trades in minutes are more questions than a venue answers; a desk makes them in a day.
        "PERPSTREAM_SIM_WEIGHT_LIMIT": "1000000",
    }
    try:
        async with aiohttp.ClientSession() as http:
            house = MoneyHouse(bootstrap, url, folder, engine, producer, http, key)
            await start(house, ("exchange_simulator",), given | venue)
            await start(house, ("executor", "risk_guard"), given)
            yield house
    finally:
        for one in reversed(house.services.values()):
            if one.running:
                one.kill()
        await producer.stop()
        await engine.dispose()


async def start(house: MoneyHouse, names: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Begin services, with the environment of the others if none is given, and wait until they are ready."""
    for name in names:
        if name not in house.services:
            given = environment or house.services["executor"].environment
            own = {**given, "PERPSTREAM_HEALTH_PORT": str(free_port())}
            house.services[name] = ServiceProcess(name, own, house.folder / f"{name}.log")
        house.services[name].start()
    await house.until_ready(names)


def _write_files(folder: Path) -> None:
    """The account's key, the venue's account of it, and the guard's limits."""
    home = folder / "accounts" / ACCOUNT
    home.mkdir(parents=True)
    (home / "key.json").write_text(json.dumps(_KEY))
    (home / "key.json").chmod(0o600)
    account = {"name": ACCOUNT, "balances": {"USDT": "10000"}, "keys": [_KEY]}
    (folder / "accounts.json").write_text(json.dumps([account]))
    (folder / "limits.json").write_text(json.dumps({"rules": {name: {} for name in _OFF}}))


def _environment(folder: Path, bootstrap: str, database_url: str, url: str) -> dict[str, str]:
    return {
        "PERPSTREAM_KAFKA_BOOTSTRAP": bootstrap,
        "PERPSTREAM_MARKET_PARTITIONS": str(PARTITIONS),
        "PERPSTREAM_DATABASE_URL": database_url,
        "PERPSTREAM_EXECUTION_MODE": "demo",
        "PERPSTREAM_ACCOUNT_DIR": str(folder / "accounts"),
        "PERPSTREAM_COMMAND_KEYS": str(folder / "trusted"),
        "PERPSTREAM_INSTALLATION_FILE": str(folder / "installation"),
        "PERPSTREAM_REQUESTS_DIR": str(folder / "requests"),
        "PERPSTREAM_RISK_STATE_DIR": str(folder / "guard"),
        "PERPSTREAM_RISK_LIMITS": str(folder / "limits.json"),
        "PERPSTREAM_AUDIT_DIR": str(folder / "audit"),
        "PERPSTREAM_BINANCE_REST_URL": url,
        "PERPSTREAM_BINANCE_WEBSOCKET_URL": url.replace("http", "ws", 1),
        "PERPSTREAM_BINANCE_SPOT_REST_URL": url,
        "PERPSTREAM_COINBASE_REST_URL": url,
    }
