"""The broker and the database of many runs: emptied between them, killed and started again within them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from sqlalchemy import text

from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import Engine, create_engine, read_session, write_session
from libs.streaming.admin import ensure_topics
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import Trade
from tests.support.servers import Broker, Database

PARTITIONS = 2
_CONFIG = text(
    "INSERT INTO live_config (account, version, document, changed_by, reason)"
    " VALUES (:account, :version, CAST(:document AS jsonb), 'chaos', 'of this run')"
)


@dataclass
class Servers:
    """`broker_lock`, `database_lock`: while one is away nobody else kills it. `empty`: URL of a database with all tables, for
    copies."""

    folder: Path
    broker: Broker = field(init=False)
    database: Database = field(init=False)
    empty: str = field(init=False)
    broker_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    database_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.broker, self.database = Broker(self.folder / "kafka"), Database(self.folder / "postgres")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Both up, until the end; one after the other in a process, which can make tables in one place at a time only."""
        await asyncio.to_thread(self.broker.start)
        try:
            await asyncio.to_thread(self.database.start)
            try:
                self.empty = await asyncio.to_thread(self.database.create_database)
                engine = create_engine(DatabaseSettings(database_url=self.empty))
                await migrate.upgrade(engine)
                await engine.dispose()
                yield
            finally:
                await asyncio.to_thread(self.database.stop)
        finally:
            await asyncio.to_thread(self.broker.stop)

    @asynccontextmanager
    async def fresh(self, account: str, config: LiveConfig) -> AsyncIterator["Books"]:
        """Empty topics, and a database of this run's own with that configuration."""
        await asyncio.to_thread(self.broker.delete_all_topics)
        await ensure_topics(self.broker.bootstrap, PARTITIONS)
        url = await asyncio.to_thread(self.database.create_database, self.empty)
        engine = create_engine(DatabaseSettings(database_url=url))
        try:
            async with write_session(engine) as session:
                row = {"account": account, "version": config.version, "document": config.model_dump_json()}
                await session.connection.execute(_CONFIG, row)
            yield Books(url, engine)
        finally:
            await engine.dispose()
            await asyncio.to_thread(self.database.drop_database, url)

    async def lose_broker(self, seconds: float) -> None:
        """kill -9, and a start that much later."""
        async with self.broker_lock:
            await asyncio.to_thread(self.broker.kill)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.broker.start)

    async def lose_database(self, seconds: float) -> None:
        """kill -9 to all of its processes, and a start that much later."""
        async with self.database_lock:
            await asyncio.to_thread(self.database.kill)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.database.start)


@dataclass(frozen=True)
class Books:
    """What the executors of a run have written."""

    url: str
    engine: Engine

    async def documents(self) -> dict[str, Trade]:
        """The trades by id. Raises `UnreachableError` while the database is away."""
        async with read_session(self.engine) as session:
            found = await session.connection.execute(text("SELECT document::text FROM live_trades"))
            trades = [msgspec.json.decode(document, type=Trade) for document in found.scalars()]
        return {trade.trade_id: trade for trade in trades}
