"""What the reading routes answer, beside the same rows by SQL: the real application and database, without a server."""

import asyncio
import csv
import datetime as dt
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
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
from libs.store.instants import instant
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
from tests.support.asgi import Answer, ask

TRADES_FROM_MS = START_MS // HOUR_MS * HOUR_MS
PAPER_NOW = dt.datetime(2024, 8, 8, 12, tzinfo=dt.UTC)
STRATEGIES = ("v51", "v52")
PAPER_TRADES = 300
CLOSED = replaced(
    TRADE, trade_id="t2", state="closed", strategy="v60", symbol="ETHUSDT", orders=(), fills=(), exit_reason="stop"
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


LISTS = (
    ("/api/snapshots?symbol=BTCUSDT", "SELECT count(*) FROM rate_snapshots WHERE symbol = 'BTCUSDT'", "event_time_ms"),
    ("/api/indicators?symbol=BTCUSDT", "SELECT count(*) FROM signal_indicators", "event_time_ms"),
    ("/api/market-indicators?symbol=BTCUSDT", "SELECT count(*) FROM market_indicators", "event_id"),
    ("/api/liquidations/raw?symbol=BTCUSDT", "SELECT count(*) FROM liquidation_events", "event_id"),
    ("/api/paper/trades?", "SELECT count(*) FROM paper_trades", "trade_id"),
    ("/api/paper/trades?strategy=v52", "SELECT count(*) FROM paper_trades WHERE strategy = 'v52'", "trade_id"),
    ("/api/live/trades?", "SELECT count(*) FROM live_trades", "trade_id"),
    ("/api/live/orders?", "SELECT count(*) FROM live_orders", "client_order_id"),
    ("/api/live/events?", "SELECT count(*) FROM live_events", "event_id"),
)


@pytest.mark.parametrize(("url", "counted", "key"), LISTS)
async def test_pages_of_a_list_are_all_of_it_once_and_so_is_its_file(
    api: FastAPI, shared: Gateway, url: str, counted: str, key: str
) -> None:
    [(count,)] = await sql(shared, counted)
    assert count > 0
    size = max(1, count // 3)
    seen: list[Any] = []
    cursor = ""
    while True:
        page = await good(api, f"{url}&limit={min(size, 500)}{cursor}")
        seen += [row[key] for row in page["rows"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == count
    file = await ask(api, url, accept="text/csv")
    assert file.headers["content-type"].startswith("text/csv")
    written = list(csv.DictReader(io.StringIO(file.body.decode())))
    assert [row[key] for row in written] == [str(value) for value in seen]


async def test_rows_that_come_while_somebody_pages_move_nothing(api: FastAPI, shared: Gateway) -> None:
    first = await good(api, "/api/snapshots?symbol=ETHUSDT&limit=1")
    assert first == {"rows": [], "next_cursor": None}
    async with write_session(shared.engine) as session:
        await write_market_facts(session, [Placed(mark_price(n, symbol="ETHUSDT"), START_MS) for n in range(4)])
    page = await good(api, "/api/snapshots?symbol=ETHUSDT&limit=2")
    async with write_session(shared.engine) as session:
        await write_market_facts(session, [Placed(mark_price(9, symbol="ETHUSDT"), START_MS)])
    rest = await good(api, f"/api/snapshots?symbol=ETHUSDT&limit=500&cursor={page['next_cursor']}")
    times = [row["event_time_ms"] for row in [*page["rows"], *rest["rows"]]]
    assert times == [START_MS + 2000 * n for n in (3, 2, 1, 0)]


@pytest.mark.parametrize(
    "cursor",
    [
        "%21%21",
        "bnVsbA",
        "WzFd",
        "WzEsMl0",
        "WyJhIiwiYiJd",
        "WzEsICJhIl0",
        "WzEuMCwiYSJd",
        "W3RydWUsImEiXQ",
        "WzEsIgAiXQ",
    ],
)
async def test_a_cursor_of_somebody_elses_is_refused(api: FastAPI, cursor: str) -> None:
    answer = await ask(api, f"/api/liquidations/raw?symbol=BTCUSDT&cursor={cursor}")
    assert (answer.status, answer.json["detail"]) == (400, "cursor is not one that this API gave out")


SPANS = st.tuples(st.integers(-HOUR_MS, 3 * HOUR_MS), st.integers(0, 2 * HOUR_MS))
CANDLES = """
SELECT (extract(epoch FROM date_bin(make_interval(secs => :seconds), trade_time, timestamptz 'epoch')) * 1000)::int8,
  (array_agg(price ORDER BY agg_id))[1], max(price), min(price), (array_agg(price ORDER BY agg_id DESC))[1], sum(quantity),
  sum(price * quantity), coalesce(sum(quantity) FILTER (WHERE NOT buyer_is_maker), 0)
FROM agg_trades WHERE symbol = 'BTCUSDT' AND trade_time >= :start AND trade_time < :end GROUP BY 1 ORDER BY 1
"""


@settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(span=SPANS, interval=st.sampled_from((("15s", 15), ("1m", 60), ("5m", 300), ("1h", 3600), ("1d", 86_400))))
async def test_candles_of_any_span_agree_with_sql(
    api: FastAPI, shared: Gateway, span: tuple[int, int], interval: tuple[str, int]
) -> None:
    start, end = TRADES_FROM_MS + span[0], TRADES_FROM_MS + span[0] + span[1]
    truth = await sql(shared, CANDLES, seconds=interval[1], start=instant(start), end=instant(end))
    url = f"symbol=BTCUSDT&interval={interval[0]}&from={start}&to={end}&limit=1500"
    found = (await good(api, f"/api/trades/summary?{url}"))["rows"]
    names = ("open_time_ms", "open", "high", "low", "close", "volume", "quote_volume", "buy_volume")
    assert decimals(found, *names) == [tuple(map(Decimal, row)) for row in truth]
    drawn = (await good(api, f"/api/kline?{url}&with=cvd,vwap"))["candles"]
    deltas = np.cumsum([2 * row[7] - row[5] for row in truth]).tolist()
    assert [Decimal(row["cvd"]) for row in drawn] == deltas
    for row, (*_, volume, quote, _bought) in zip(drawn, truth, strict=True):
        assert abs(Decimal(row["vwap"]) * volume / quote - 1) < Decimal("1e-11")


async def test_candles_of_mark_prices_and_of_archives(api: FastAPI) -> None:
    drawn = await good(api, "/api/kline?symbol=BTCUSDT&source=rates&with=cvd,vwap")
    assert drawn["source"] == "rates"
    last = drawn["candles"][-1]
    assert last["close"] == str(mark_price(199).mark_price)
    assert (last["volume"], last["cvd"], last["vwap"]) == (None, None, None)
    kept = (await good(api, "/api/kline?symbol=BTCUSDT&source=klines&with=cvd,vwap&limit=3"))["candles"]
    assert [(row["close"], row["volume"]) for row in kept] == [("2", "10")] * 3
    assert [row["cvd"] for row in kept] == [None] * 3, "from the first unknown one on, the sum is unknown"
    assert [row["vwap"] for row in kept] == ["2"] * 3


async def test_funding_is_one_history_and_its_sums_are_those_of_its_rates(api: FastAPI, shared: Gateway) -> None:
    told_rates = (await good(api, "/api/history?from=1722470400000&to=1723075200000"))["rows"]
    of_bitcoin = [row for row in told_rates if row["symbol"] == "BTCUSDT"]
    assert [Decimal(row["rate"]) for row in of_bitcoin] == [Decimal(n - 5).scaleb(-5) for n in range(18)] + [
        Decimal("0.0001")
    ] * 3
    shared.live.clock = ManualClock(START_MS)
    stats = await good(api, "/api/stats")
    [bitcoin, ether] = stats["symbols"]
    assert stats["missing"] == []
    rates = [Decimal(row["rate"]) for row in of_bitcoin if row["time_ms"] >= stats["from_ms"]]
    assert (bitcoin["settlements"], Decimal(bitcoin["total"])) == (len(rates), sum(rates))
    assert (Decimal(bitcoin["lowest"]), Decimal(bitcoin["highest"])) == (min(rates), max(rates))
    year = await good(api, "/api/stats/ytd")
    assert year["from_ms"] == 1_704_067_200_000
    mean = Decimal(year["symbols"][1]["mean"])
    assert abs(Decimal(year["symbols"][1]["annualised"]) - mean * 3 * 365) < Decimal("1e-9")
    assert ether["symbol"] == year["symbols"][1]["symbol"] == "ETHUSDT"
    file = await ask(api, "/api/history?symbol=ETHUSDT&from=1722470400000&to=1723075200000&format=csv")
    assert file.body.decode().splitlines()[0] == "symbol,time_ms,rate"


async def test_a_signal_is_explained_with_what_became_of_it(api: FastAPI) -> None:
    story = await good(api, "/api/signals/signal-6")
    assert (story["event_id"], story["symbol"], story["gate"]["passed"]) == ("signal-6", "BTCUSDT", True)
    assert story["inputs"] == {"cvd_5m": "12.5"}
    assert story["coverage"] == {"5m": 1.0}
    assert (story["before_id"], story["after_id"]) == ("signal-5", "signal-7")
    assert story["evaluation"]["event_time_ms"] == story["event_time_ms"]
    assert story["configuration"]["activated_by"] == "test"
    assert [row["trade_id"] for row in story["paper_trades"]] == ["paper-0006"]
    ambiguous, missing = await ask(api, "/api/signals/signal-1"), await ask(api, "/api/signals/nothing")
    assert ambiguous.status == 200, "an id that is whole is meant, although others begin like it"
    assert (missing.status, missing.json["detail"]) == (404, "there is no signal nothing")
    several = await ask(api, "/api/signals/signal")
    assert (several.status, "several" in several.json["detail"]) == (400, True)


async def test_the_newest_signal_of_each_strategy_and_symbol(api: FastAPI) -> None:
    latest = (await good(api, "/api/signals/latest"))["signals"]
    assert [(row["strategy"], row["symbol"], row["event_id"]) for row in latest] == [("v51", "BTCUSDT", "signal-11")]
    file = await ask(api, "/api/signals/history?format=csv")
    assert len(file.body.decode().splitlines()) == 13


async def test_paper_accounts_and_curves(api: FastAPI) -> None:
    accounts = (await good(api, "/api/paper/summary"))["accounts"]
    assert [(row["strategy"], row["equity"]) for row in accounts] == [("v51", "10010.0"), ("v52", "10010.0")]
    assert (await good(api, "/api/paper/positions"))["rows"] == []
    curve = await good(api, "/api/paper/equity?strategy=v51&points=100&from=1723032000000")
    assert 50 <= len(curve["rows"]) <= 101
    assert curve["rows"][-1]["equity"] == 10_000.0, "the newest point is there"
    assert {row["strategy"] for row in curve["rows"]} == {"v51"}


@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    hours=st.tuples(st.integers(0, 70), st.integers(0, 70)),
    by=st.sampled_from(("day", "week", "month", "strategy", "symbol", "reason")),
    strategy=st.sampled_from((None, "v51", "v52")),
)
async def test_profit_and_statistics_of_any_span_are_those_of_its_trades(
    api: FastAPI, hours: tuple[int, int], by: str, strategy: str | None
) -> None:
    start, stop = (PAPER_NOW - dt.timedelta(hours=max(hours)), PAPER_NOW - dt.timedelta(hours=min(hours)))
    chosen = [
        trade
        for trade in map(paper_trade, range(PAPER_TRADES))
        if trade.state == "closed" and trade.exit_time is not None and start <= trade.exit_time < stop
        and strategy in (None, trade.strategy)
    ]  # fmt: skip
    span = f"from={int(start.timestamp()) * 1000}&to={int(stop.timestamp()) * 1000}"
    named = f"&strategy={strategy}" if strategy else ""
    profit = await good(api, f"/api/profit?books=paper&by={by}&{span}{named}")
    total = profit["total"]
    assert total["trades"] == len(chosen) == sum(row["trades"] for row in profit["rows"])
    for name in ("net", "gross", "fees", "slippage", "funding"):
        assert Decimal(total[name]) == sum((getattr(trade, name) for trade in chosen), Decimal(0))
    stats = {row["strategy"]: row for row in (await good(api, f"/api/paper/stats?{span}{named}"))["rows"]}
    for name in {trade.strategy for trade in chosen}:
        nets = [
            trade.net or Decimal(0)
            for trade in sorted(chosen, key=lambda one: (one.exit_time, one.trade_id))
            if trade.strategy == name
        ]
        made, peak, fall = Decimal(0), Decimal(0), Decimal(0)
        for net in nets:
            made += net
            peak = max(peak, made)
            fall = max(fall, peak - made)
        assert (stats[name]["trades"], Decimal(stats[name]["net"])) == (len(nets), sum(nets))
        assert Decimal(stats[name]["deepest_fall"]) == fall
        assert stats[name]["won"] == sum(net > 0 for net in nets)


async def test_an_account_in_one_look(api: FastAPI, shared: Gateway) -> None:
    summary = await good(api, "/api/live/summary")
    assert (summary["mode"], summary["executor"]["silent"], summary["guard"]["age_ms"]) == ("demo", False, 1000)
    assert summary["entries_allowed"] is False
    assert summary["open_trades"] == 1
    shared.words.clock = ManualClock(NOW_MS + 60_000)
    shared.answers.forget()
    later = await good(api, "/api/live/summary")
    assert later["executor"]["silent"] is later["guard"]["silent"] is True
    assert "the risk guard is silent" in later["reasons"]
    [account] = (await good(api, "/api/risk"))["accounts"]
    assert (account["entries_allowed"], account["level"], account["break_number"]) == (False, "warning", 2)
    assert "the risk guard is silent" in account["reasons"]


async def test_positions_stand_beside_their_trades(api: FastAPI) -> None:
    [position] = (await good(api, "/api/live/positions"))["rows"]
    assert (position["symbol"], position["quantity"], position["trade_id"]) == ("BTCUSDT", "-0.020", "t1")
    assert position["protected"] is True


async def test_what_may_trade_and_its_versions(api: FastAPI) -> None:
    config = await good(api, "/api/live/config")
    assert (config["version"], config["document"]["max_positions"]) == (2, 9)
    assert [row["version"] for row in (await good(api, "/api/live/config/history"))["rows"]] == [2, 1]
    unknown = await ask(api, "/api/live/config?account=mian")
    assert (unknown.status, unknown.json["detail"]) == (400, "mian is no account here; known accounts: main")


async def test_everything_of_a_live_trade(api: FastAPI, shared: Gateway) -> None:
    story = await good(api, "/api/live/trades/t1")
    assert [order["client_order_id"] for order in story["orders"]] == ["p1-entry", "p1-stop"]
    assert [fill["venue_trade_id"] for fill in story["fills"]] == [7]
    assert [event["event_id"] for event in story["events"]] == ["e1", "e2"]
    missing = await ask(api, "/api/live/trades/t9")
    assert (missing.status, missing.json["detail"]) == (404, "account main has no trade t9")
    balance = await good(api, "/api/live/balance")
    assert [(row["kind"], row["amount"]) for row in balance["stated_today"]] == [("REALIZED_PNL", "1.25")]
    assert balance["balance"] is None, "no rule has measured it"
    curve = (await good(api, "/api/live/equity"))["rows"]
    truth = await sql(shared, "SELECT trade_id FROM live_trades WHERE state = 'closed' AND exit_time IS NOT NULL")
    assert [row["trade_id"] for row in curve] == [row[0] for row in truth]
    assert (await good(api, "/api/profit"))["total"]["trades"] == len(curve)


async def test_commands_and_alarms_are_one_history(api: FastAPI, shared: Gateway) -> None:
    for number, event in enumerate(EVENTS):
        told(shared, event, number)
    lines = (await good(api, "/api/risk/history"))["rows"]
    assert [(line["kind"], line["who"], line["what"], line["outcome"]) for line in lines] == [
        ("command", "ada", "lock", "accepted")
    ]
    assert (await good(api, "/api/risk/history?to=1"))["rows"] == []


async def test_strategies_and_their_words(api: FastAPI) -> None:
    [row] = (await good(api, "/api/strategies"))["rows"]
    assert (row["strategy"], row["version"], row["enabled"], row["latest_signal_ms"]) == (
        "v51",
        1,
        True,
        START_MS + 11 * 15_000,
    )
    assert row["definition"]["threshold"] == 75
    assert [word["event_id"] for word in (await good(api, "/api/strategies/v51/history"))["rows"]] == ["word-1"]
    assert (await ask(api, "/api/strategies/v99/history")).status == 404


async def test_the_installation_answers_without_anybody_beside_it(api: FastAPI) -> None:
    server = await good(api, "/api/server")
    assert server["services"] == []
    assert server["database"]["revision"] == migrate.head_revision()
    assert "agg_trades" in {table["name"] for table in server["database"]["largest"]}
    assert server["machine"]["disk_free_bytes"] > 0


async def test_an_answer_is_kept_as_long_as_it_says(api: FastAPI, shared: Gateway) -> None:
    first: Answer = await ask(api, "/api/stats")
    assert first.headers["cache-control"] == "private, max-age=60"
    again = await ask(api, "/api/stats", if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert (await ask(api, "/api/stats/ytd")).headers["cache-control"] == "private, max-age=3600"


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("/api/snapshots", 422, "symbol: Field required"),
        ("/api/snapshots?symbol=NOPE", 400, "NOPE is unknown here"),
        ("/api/indicators?symbol=BTCUSDT&from=2&to=1", 400, "from (2) is later than to (1)"),
        ("/api/paper/trades?state=won", 422, "state: Input should be"),
        ("/api/kline?symbol=BTCUSDT&with=volume", 422, "with: String should match"),
        ("/api/kline?symbol=BTCUSDT&source=ticks", 422, "source: Input should be"),
        ("/api/history?from=0", 400, "more than 400 days"),
        ("/api/profit?by=hour", 422, "by: Input should be"),
        ("/api/snapshots?symbol=BTCUSDT&format=xml", 422, "format: Input should be"),
        ("/api/signals/%20", 422, "signal_id: String should match"),
    ],
)
async def test_a_wrong_question_gets_one_sentence(api: FastAPI, url: str, status: int, words: str) -> None:
    answer = await ask(api, url)
    assert answer.status == status
    assert words in answer.json["detail"]
