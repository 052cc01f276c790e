"""Stored data on a fresh broker again: sequencer and recorder make the same rows of it in another database."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.contracts.market import Hole, LiquidationObserved, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.timeline import PlacedHole
from libs.contracts.topics import AGGTRADE
from libs.kit.errors import UserError
from libs.store.engine import write_session
from libs.store.gaps import write_gaps
from libs.store.market_facts import Placed, write_market_facts
from libs.store.migrate import upgrade
from libs.streaming.admin import ensure_topics
from services.console.data_replay import Wanted, publish
from services.console.history.importing import ImportOptions
from tests.services.console.archive_files import trade_line, trade_lines, write_file
from tests.services.console.history_database import import_all, opened_engine, rows_of
from tests.services.processes import ServiceProcess, eventually
from tests.services.recorder.timelines import START_MS, liquidation, mark_price
from tests.services.signal_engine.timelines import open_interest
from tests.support.servers import Database

PATIENCE_SECONDS = 120.0
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
START, STOP = dt.datetime(2024, 8, 7, tzinfo=dt.UTC), dt.datetime(2024, 8, 9, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
EVERYTHING = Wanted([], START, STOP, slow_inputs=True, anyway=False)
CONTENTS = (
    "SELECT symbol, agg_id, trade_time, price, quantity, first_trade_id, last_trade_id, buyer_is_maker, effective_time"
    " FROM agg_trades ORDER BY symbol, agg_id",
    "SELECT symbol, first_id, last_id, row_count, missing_count, late_count FROM agg_trades_meta ORDER BY symbol",
    "SELECT symbol, first_missing_id, last_missing_id, from_time, to_time, cause FROM market_data_gaps ORDER BY symbol",
    "SELECT event_id, symbol, side, trade_time, event_time, quantity, average_price, status FROM liquidation_events"
    " ORDER BY event_id",
    'SELECT event_id, symbol, kind, period, event_time, "values"::text, available_at, raw::text FROM market_indicators'
    " ORDER BY event_id",
    "SELECT symbol, event_time, mark_price, index_price, funding_rate, next_funding_time, basis_percent FROM rate_snapshots"
    " ORDER BY event_time",
)


@pytest.fixture
async def engine(database_url: str, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """Three symbols over midnight with a hole and a late trade in band, and slow inputs beside them."""
    async with opened_engine(database_url) as engine:
        lines = trade_lines(0, 12_000)
        paths = [write_file(tmp_path / f"{name}-aggTrades-2024-08.csv", lines) for name in SYMBOLS[:2]]
        last = [
            *trade_lines(100, 50),
            *trade_lines(160, 500),
            trade_line(660).replace(str(START_MS + 66), str(START_MS + 60)),
        ]
        paths.append(write_file(tmp_path / "SOLUSDT-aggTrades-2024-08.csv", last))
        await import_all(engine, paths, ImportOptions(allow_gaps=True))
        async with write_session(engine) as session:
            late = "UPDATE agg_trades SET effective_time = trade_time + interval '5 ms' WHERE symbol = 'SOLUSDT' AND agg_id = 660"
            await session.raw.execute(late)
            await session.raw.execute("UPDATE agg_trades_meta SET late_count = 1 WHERE symbol = 'SOLUSDT'")
            await session.raw.execute("DELETE FROM market_data_gaps")
            hole = Hole("SOLUSDT", 150, 159, START_MS + 14, START_MS + 16, "rest_no_longer_has_it")
            await write_gaps(session, [PlacedHole(-1, hole)])
            facts: list[LiquidationObserved | MarkPriceObserved | MarketIndicatorObserved] = [
                *map(liquidation, range(1, 4)),
                *map(mark_price, range(3)),
                open_interest("BTCUSDT", START_MS, "12.5"),
            ]
            await write_market_facts(session, [Placed(fact, START_MS) for fact in facts])
        yield engine


async def test_a_replay_gives_the_same_rows(
    engine: AsyncEngine, empty_kafka: str, own_postgres: Database, tmp_path: Path
) -> None:
    await ensure_topics(empty_kafka, 2)
    async with opened_engine(own_postgres.url) as other:
        await upgrade(other)
        done = await publish(engine, empty_kafka, EVERYTHING)
        assert (done.trades, done.holes, done.slow_inputs) == (24_551, 1, 7)
        environment = {
            "PERPSTREAM_KAFKA_BOOTSTRAP": empty_kafka,
            "PERPSTREAM_MARKET_PARTITIONS": "2",
            "PERPSTREAM_DATABASE_URL": own_postgres.url,
        }
        services = [ServiceProcess(name, environment, tmp_path / f"{name}.log") for name in ("sequencer", "recorder")]
        for service in services:
            service.start()

        async def same() -> bool:
            return all([await rows_of(engine, text) == await rows_of(other, text) for text in CONTENTS])

        try:
            await eventually(same, PATIENCE_SECONDS, lambda: (tmp_path / "recorder.log").read_text()[-2000:])
        finally:
            for service in services:
                service.stop()
        assert await rows_of(other, "SELECT count(*) FROM agg_trades_conflicts") == [(0,)]


async def test_topics_in_use_are_left_alone_unless_told(engine: AsyncEngine, empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 1)
    hour = EVERYTHING._replace(symbols=["SOLUSDT"], slow_inputs=False)
    done = await publish(engine, empty_kafka, hour)
    assert (done.trades, done.slow_inputs) == (551, 0)
    with pytest.raises(UserError, match=f"{AGGTRADE.name} is being written by a live ingest.*--anyway"):
        await publish(engine, empty_kafka, hour)
    assert (await publish(engine, empty_kafka, hour._replace(anyway=True))).trades == 551


async def test_nothing_stored_is_said(engine: AsyncEngine, empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 1)
    with pytest.raises(UserError, match=r"nothing is stored of XRPUSDT .*known symbols: BTCUSDT, ETHUSDT, SOLUSDT"):
        await asyncio.wait_for(publish(engine, empty_kafka, EVERYTHING._replace(symbols=["XRPUSDT"])), 30)
    with pytest.raises(UserError, match="no trade is stored"):
        await asyncio.wait_for(publish(engine, empty_kafka, EVERYTHING._replace(start=STOP, stop=STOP + DAY)), 30)
