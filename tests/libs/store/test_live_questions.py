"""What is told of live trades: those that are open, those of a range, and everything of one."""

from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncEngine

from libs.store.instants import instant
from libs.store.live import PostgresBooks
from libs.store.live_questions import (
    LiveRange,
    command_audit,
    config_history,
    leases,
    live_events_of,
    live_trades_of,
    open_live_trades,
    trade_story,
    trades_by_prefix,
)
from libs.trading.execution.books import LiveEvent, Page
from libs.trading.execution.config import LiveConfig
from tests.libs.store.live_trades import COMMAND, NOW_MS, TRADE, replaced

CLOSED = replaced(TRADE, trade_id="t2", state="closed", strategy="v60", symbol="ETHUSDT", orders=(), fills=())
EVENTS = [LiveEvent(f"e{n}", "seen", NOW_MS + n, {"n": n}, "t1" if n else None) for n in range(3)]


async def written(engine: AsyncEngine) -> None:
    for account in ("main", "other"):
        books = PostgresBooks(engine, account)
        lease = await books.acquire("one")
        assert lease is not None
        trades = [replaced(trade, account=account) for trade in (TRADE, CLOSED)]
        await books.write(lease, Page(trades, EVENTS, [COMMAND], {}, LiveConfig(version=1)))
        await books.write(lease, Page(config=LiveConfig(version=2, max_positions=9)))
        if account == "other":
            await books.release(lease)


async def test_every_question_answers_of_one_account_or_of_all(engine: AsyncEngine) -> None:
    await written(engine)
    assert [(row.account, row.trade_id) for row in await open_live_trades(engine)] == [("main", "t1"), ("other", "t1")]
    [mine] = await open_live_trades(engine, "main")
    assert (mine.state, mine.entry_price, mine.hold_until) == ("open", Decimal("100.1"), instant(NOW_MS + 4_200_000))
    asked = LiveRange(account="main")
    assert {row.trade_id for row in await live_trades_of(engine, asked)} == {"t1", "t2"}
    for narrowed in (LiveRange(strategy="v60"), LiveRange(symbol="ETHUSDT"), LiveRange(state="closed")):
        assert [row.trade_id for row in await live_trades_of(engine, narrowed)] == ["t2", "t2"]
    assert len(await live_trades_of(engine, LiveRange(most=3))) == 3
    assert await live_trades_of(engine, LiveRange(stop=instant(NOW_MS - 10**10))) == []
    assert [row.event_id for row in await live_events_of(engine, asked)] == ["e2", "e1", "e0"]
    versions = [(row.version, row.document["max_positions"]) for row in await config_history(engine, "main")]
    assert versions == [(2, 9), (1, 3)]
    [audited] = await command_audit(engine, "main")
    assert (audited.issuer, audited.command, audited.arguments) == ("anna", "close", {"symbol": "BTCUSDT"})
    assert [(row.account, row.is_held) for row in await leases(engine)] == [("main", True), ("other", False)]


async def test_a_short_id_finds_its_trade_and_no_sign_in_it_is_a_pattern(engine: AsyncEngine) -> None:
    await written(engine)
    assert [row.trade_id for row in await trades_by_prefix(engine, "main", "t")] == ["t1", "t2"]
    assert len(await trades_by_prefix(engine, None, "t1")) == 2
    for pattern in ("%", "_1", "\\"):
        assert await trades_by_prefix(engine, "main", pattern) == []


async def test_the_story_of_a_trade_is_all_that_is_kept_of_it(engine: AsyncEngine) -> None:
    await written(engine)
    [mine] = await open_live_trades(engine, "main")
    story = await trade_story(engine, mine)
    assert [(step["state"], step["time_ms"]) for step in story.history] == [
        ("entering", NOW_MS - 20),
        ("open", NOW_MS),
    ]
    assert [(order.leg, order.status, order.trigger_price) for order in story.orders] == [
        ("entry", "filled", None),
        ("stop", "submitting", Decimal("98.1")),
    ]
    assert [(fill.venue_trade_id, fill.price, fill.filled_by) for fill in story.fills] == [
        (7, Decimal("100.10"), "executor")
    ]
    assert [event.event_id for event in story.events] == ["e1", "e2"]
