"""What the reading routes are asked about: a database with known rows of everything, and the routes over it."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from libs.contracts.codec import encode
from libs.contracts.control import StrategyActivated
from libs.contracts.signals import IndicatorComputed
from libs.contracts.trading import ExecutorReported, PositionChanged, RiskStateChanged
from libs.kit.clock import ManualClock
from libs.kit.durations import HOUR_MS, MINUTE_MS
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import Engine, create_engine, read_session, write_session
from libs.store.live import PostgresBooks
from libs.store.log_places import ActivationPlace, write_activations
from libs.store.market_facts import Placed, write_market_facts
from libs.store.paper import EquityPoint, KeptPaper, PaperAccount, PaperRows, PaperTrade, packed, write_paper
from libs.store.partitions import create_partitions, months_between
from libs.store.signals import Stored, write_signals
from libs.store.trades import write_trades
from libs.streaming.records import Record
from libs.trading.execution.books import LiveEvent, Page, Statement, StatementLine
from libs.trading.execution.config import LiveConfig
from services.gateway.api import GROUPS
from services.gateway.audit import router as audit_router
from services.gateway.problems import install
from services.gateway.shared import Gateway
from tests.golden.samples import EVENTS
from tests.libs.store.live_trades import COMMAND, NOW_MS, TRADE, replaced
from tests.libs.store.test_trade_bars import rows as trade_rows
from tests.services.recorder.test_recorder import scored
from tests.services.recorder.timelines import START_MS, liquidation, mark_price
from tests.support.asgi import ask

TRADES_FROM_MS = START_MS // HOUR_MS * HOUR_MS
PAPER_NOW = dt.datetime(2024, 8, 8, 12, tzinfo=dt.UTC)
STRATEGIES = ("v51", "v52")
PAPER_TRADES = 300
CLOSED = replaced(
    TRADE,
    trade_id="signal-8",
    state="closed",
    strategy="v60",
    symbol="ETHUSDT",
    orders=(),
    fills=(),
    exit_reason="stop",
)


def paper_trade(number: int) -> PaperTrade:
    """One of two strategies and three symbols; what it made follows from its number."""
    net = Decimal((number * 37) % 101 - 50) / 10
    began = PAPER_NOW - dt.timedelta(minutes=13 * number)
    return PaperTrade(
        trade_id=f"paper-{number:04d}",
        signal_id=f"signal-{number}",
        strategy=STRATEGIES[number % 2],
        symbol=("BTCUSDT", "ETHUSDT", "SOLUSDT")[number % 3],
        state="closed" if number % 7 else "not_taken",
        market_time=PAPER_NOW,
        reason=("stop", "take_profit_2", "hold")[number % 3],
        signal_time=began,
        entry_time=began,
        exit_time=began + dt.timedelta(minutes=number % 70 + 1),
        gross=net + 1,
        fees=Decimal("0.6"),
        slippage=Decimal("0.3"),
        funding=Decimal("0.1"),
        net=net,
        net_r=float(net) / 10,
        adverse_r=-0.2,
        favourable_r=0.4,
    )


async def fill_paper(engine: Engine) -> None:
    """Closed trades, accounts, and an equity point a minute for a day."""
    found = PaperRows({trade.trade_id: trade for trade in map(paper_trade, range(PAPER_TRADES))})
    for name in STRATEGIES:
        found.accounts[name] = PaperAccount(
            strategy=name,
            starting_balance=Decimal(10_000),
            risk_per_trade=Decimal(100),
            balance=Decimal("10010.5"),
            unrealised=Decimal("-0.5"),
            open_positions=0,
            day=PAPER_NOW.date(),
            day_realised=Decimal(1),
            day_over=False,
            level="normal",
            break_until=None,
            market_time=PAPER_NOW,
        )
        for minute in range(1440):
            at = PAPER_NOW - dt.timedelta(minutes=minute)
            found.equity.append(EquityPoint(name, at, 10_000.0 - minute, 0, 0.0))
    async with write_session(engine) as session:
        await write_paper(session, None, KeptPaper(0, "log", PAPER_NOW, await packed(b"x")), found)


async def fill_live(engine: Engine) -> None:
    """An open and a closed trade with orders, fills, events, a statement and two versions of the configuration."""
    books = PostgresBooks(engine, "main")
    lease = await books.acquire("one")
    assert lease is not None
    happened = [LiveEvent(f"e{n}", "seen", NOW_MS + n, {"n": n}, "t1" if n else None) for n in range(3)]
    line = StatementLine("REALIZED_PNL", "BTCUSDT", Decimal("1.25"), "USDT", NOW_MS, 5, "7", "")
    statement = Statement(NOW_MS - MINUTE_MS, NOW_MS + MINUTE_MS, [line])
    await books.write(lease, Page([TRADE, CLOSED], happened, [COMMAND], {}, LiveConfig(version=1), statement=statement))
    await books.write(lease, Page(config=LiveConfig(version=2, max_positions=9)))


async def fill_market(engine: Engine) -> None:
    """Trades of two symbols, mark prices, forced orders, features, signals, settled funding and an activation."""
    async with write_session(engine) as session:
        await create_partitions(session, months_between(START_MS, START_MS))
    features = next(event for event in EVENTS if isinstance(event, IndicatorComputed))
    evaluations = [
        msgspec.structs.replace(features, event_id=f"f{n}", event_time_ms=START_MS + n * 15_000, symbol="BTCUSDT")
        for n in range(30)
    ]
    async with write_session(engine) as session:
        await write_trades(session, [trade_rows("BTCUSDT", 1, (2, 3)), trade_rows("ETHUSDT", 2, (2, 3))])
        prices = [Placed(mark_price(n), START_MS) for n in range(200)]
        await write_market_facts(session, [*prices, *(Placed(liquidation(n), START_MS) for n in range(1, 20))])
        stored = [Stored(event, encode(event).value, "") for event in evaluations]
        stored += [Stored(event, encode(event).value, "") for event in map(scored, range(12))]
        await write_signals(session, stored)
        definition = msgspec.Raw(b'{"name": "v51", "version": 1, "threshold": 75}')
        word = StrategyActivated(
            event_id="word-1",
            event_time_ms=0,
            strategy="v51",
            version=1,
            enabled=True,
            definition=definition,
            activated_by="test",
        )
        for partition in range(2):
            await write_activations(session, "log", [ActivationPlace(word, partition, 3, {"BTCUSDT": 1})])
        await session.raw.execute(
            "INSERT INTO funding_rates SELECT s, timestamptz '2024-08-01Z' + n * interval '8 hours' + interval '3 ms',"
            " (n - 5) * 0.00001, 8 FROM unnest(ARRAY['BTCUSDT', 'ETHUSDT']) AS s, generate_series(0, 20) AS n"
        )
        await session.raw.execute(
            "INSERT INTO market_indicators (event_id, symbol, kind, event_time, values, source, funding_rate)"
            " SELECT 'funding-' || n, 'BTCUSDT', 'funding_rate', timestamptz '2024-08-01Z' + n * interval '8 hours', '{}', 'x',"
            " 0.0001 FROM generate_series(18, 20) AS n"
        )
        await session.raw.execute(
            "INSERT INTO klines SELECT 'BTCUSDT', '1m', timestamptz '2024-08-01Z' + n * interval '1 minute', 1, 3, 1, 2, 10, 20,"
            " 4, CASE WHEN n % 2 = 0 THEN 6 END, NULL FROM generate_series(0, 99) AS n"
        )


async def fill(url: str) -> None:
    """Everything that is asked for."""
    engine = create_engine(DatabaseSettings(database_url=url))
    await migrate.upgrade(engine)
    await fill_market(engine)
    await fill_paper(engine)
    await fill_live(engine)
    await engine.dispose()


@pytest.fixture(scope="module")
def filled(module_database_url: str) -> str:
    """A database with everything in it."""
    asyncio.run(fill(module_database_url))
    return module_database_url


def told(shared: Gateway, event: Any, at_ms: int) -> None:
    """A record of the event reaches the gateway's memory."""
    coded = encode(event)
    shared.words.take(Record("topic", 0, 0, None, coded.value, dict(coded.headers), at_ms))


@pytest.fixture
async def shared(filled: str) -> AsyncIterator[Gateway]:
    """What the routes share; guard and executor of the account have spoken a second ago."""
    engine = create_engine(DatabaseSettings(database_url=filled))
    made = Gateway(engine, engine, ("BTCUSDT", "ETHUSDT"))
    made.live.clock = made.words.clock = ManualClock(NOW_MS)
    for event in EVENTS:
        if isinstance(event, RiskStateChanged | ExecutorReported | PositionChanged):
            told(made, event, NOW_MS - 1000)
    yield made
    await engine.dispose()


@pytest.fixture
def api(shared: Gateway) -> FastAPI:
    """The reading routes without the question of who asks, which other tests put."""
    application = FastAPI()
    application.state.gateway = shared
    for group in GROUPS:
        if group is not audit_router:
            application.include_router(group)
    install(application)
    return application


async def sql(shared: Gateway, statement: str, **parameters: object) -> list[tuple[Any, ...]]:
    async with read_session(shared.engine) as session:
        return [tuple(row) for row in (await session.connection.execute(text(statement), parameters)).all()]


async def good(api: FastAPI, url: str) -> Any:
    answer = await ask(api, url)
    assert answer.status == 200, answer.body
    return answer.json


def decimals(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Numbers out of texts, so that 1.0 is 1.00."""
    return [tuple(None if row[name] is None else Decimal(str(row[name])) for name in names) for row in rows]
