"""The executor's books: who may write, what stands after a kill, and that a page is written whole, once, or not at all."""

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import UnreachableError
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, read_session, write_session
from libs.store.live import PostgresBooks, UnreadableBooks
from libs.trading.execution.books import ConfigTaken, Lease, LeaseLost, LiveEvent, NonceTaken, Page
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import OurOrder
from tests.libs.store.live_trades import COMMAND, NOW_MS, TRADE, replaced
from tests.services.processes import eventually
from tests.support.servers import Database

PLACE = ("signal.scored.v1", 3)
EVENT = LiveEvent("e1", "entered", NOW_MS, {"price": Decimal("100.10"), "why": "score 82"}, "t1")


def books(engine: AsyncEngine, account: str = "main", monotonic: Callable[[], float] = lambda: 1000.0) -> PostgresBooks:
    return PostgresBooks(engine, account, monotonic=monotonic)


async def held(found: PostgresBooks, owner: str = "one") -> Lease:
    lease = await found.acquire(owner)
    assert lease is not None
    return lease


async def lapse(engine: AsyncEngine) -> None:
    """As if the lease's time had passed on the database's clock."""
    async with write_session(engine) as session:
        await session.raw.execute("UPDATE live_lease SET expires_at = clock_timestamp() - interval '1 ms'")


async def rows(engine: AsyncEngine, statement: str) -> list[tuple[Any, ...]]:
    async with read_session(engine) as session:
        return [tuple(row) for row in (await session.connection.execute(text(statement))).all()]


async def waits_for_a_lock(engine: AsyncEngine) -> bool:
    return await rows(engine, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted") == [(True,)]


async def test_a_page_comes_back_whole_at_the_next_start(engine: AsyncEngine) -> None:
    lease = await held(books(engine))
    config = LiveConfig(version=1, strategies=("v51",), risk_per_trade=Decimal("12.50"))
    page = Page([TRADE], [EVENT], [COMMAND], {PLACE: 42}, config)
    await books(engine).write(lease, page)
    await lapse(engine)
    kept = await books(engine).load(await held(books(engine), "two"))
    assert kept.trades == [TRADE]
    assert kept.config == config
    assert kept.offsets == {PLACE: 42}
    assert kept.nonces == {COMMAND.nonce: COMMAND.expires_ms}
    assert kept.ended == frozenset()
    assert await books(engine).has_trade("t1")
    assert not await books(engine).has_trade("t2")


async def test_a_second_owner_gets_no_lease_and_writes_nothing_until_the_first_is_over(engine: AsyncEngine) -> None:
    first, second = books(engine), books(engine)
    lease = await held(first)
    assert await second.acquire("two") is None
    with pytest.raises(LeaseLost):
        await second.write(Lease("main", "two", lease.epoch + 1, 2000.0), Page([TRADE]))
    await first.release(lease)
    assert (await held(second, "two")).epoch == lease.epoch + 1
    for call in (first.write(lease, Page([TRADE])), first.load(lease), first.renew(lease)):
        with pytest.raises(LeaseLost, match="one may not trade"):
            await call
    await first.release(lease)
    assert await second.acquire("three") is None, "whose lease is lost already lets nobody in"
    assert not await first.has_trade("t1")


async def test_an_owner_that_slept_over_its_lease_writes_nothing_even_if_nobody_took_it(engine: AsyncEngine) -> None:
    paused = books(engine)
    lease = await held(paused)
    await lapse(engine)
    for call in (paused.write(lease, Page([TRADE])), paused.renew(lease), paused.load(lease)):
        with pytest.raises(LeaseLost):
            await call
    assert not await paused.has_trade("t1")


async def test_a_lease_is_over_here_no_later_than_in_the_database(engine: AsyncEngine) -> None:
    seconds = iter((50.0, 53.0))
    found = books(engine, monotonic=lambda: next(seconds))
    lease = await held(found)
    assert lease.until == 60.0
    assert (await found.renew(lease)).until == 63.0
    left = await rows(engine, "SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM live_lease")
    assert 8 < left[0][0] <= 10


async def test_accounts_do_not_meet(engine: AsyncEngine) -> None:
    main, other = books(engine), books(engine, "other")
    lease, others = await held(main), await held(other)
    await main.write(lease, Page([TRADE], [EVENT], [COMMAND], {PLACE: 1}, LiveConfig(version=1)))
    await other.write(others, Page([replaced(TRADE, account="other")], [EVENT], [COMMAND], {PLACE: 9}))
    assert (await main.load(lease)).offsets == {PLACE: 1}
    kept = await other.load(others)
    assert (kept.offsets, kept.config, [trade.account for trade in kept.trades]) == ({PLACE: 9}, None, ["other"])
    with pytest.raises(ValueError, match="another account than main"):
        await main.write(lease, Page([replaced(TRADE, account="other")]))


async def test_nothing_of_a_page_stands_when_one_part_fails(engine: AsyncEngine) -> None:
    found = books(engine)
    lease = await held(found)
    await found.write(lease, Page(obeyed=[COMMAND], config=LiveConfig(version=1)))
    other = replaced(COMMAND, result="another")
    for page, error in (
        (Page([TRADE], [EVENT], [other], {PLACE: 5}), NonceTaken),
        (Page([TRADE], [EVENT], (), {PLACE: 5}, LiveConfig(version=1, max_positions=9)), ConfigTaken),
    ):
        with pytest.raises(error):
            await found.write(lease, page)
    async with write_session(engine) as session:
        await session.raw.execute("ALTER TABLE live_offsets ADD CONSTRAINT broken CHECK (next_offset < 5)")
    with pytest.raises(Exception, match="broken"):
        await found.write(lease, Page([TRADE], [EVENT], (), {PLACE: 5}))
    kept = await found.load(lease)
    assert (kept.trades, kept.offsets) == ([], {})
    assert await rows(engine, "SELECT count(*) FROM live_events") == [(0,)]
    assert kept.config == LiveConfig(version=1)


async def test_the_same_page_again_is_no_change(engine: AsyncEngine) -> None:
    found = books(engine)
    lease = await held(found)
    page = Page([TRADE], [EVENT], [COMMAND], {PLACE: 5}, LiveConfig(version=1))
    await found.write(lease, page)
    before = await found.load(lease)
    await found.write(lease, page)
    assert await found.load(lease) == before
    tables = ("live_trades", "live_orders", "live_fills", "live_events", "live_commands", "live_config")
    counted = [await rows(engine, f"SELECT count(*) FROM {table}") for table in tables]
    assert counted == [[(1,)], [(2,)], [(1,)], [(1,)], [(1,)], [(1,)]]


async def test_of_a_trade_that_comes_twice_the_later_one_counts(engine: AsyncEngine) -> None:
    found = books(engine)
    lease = await held(found)
    await found.write(lease, Page([TRADE, replaced(TRADE, state="closed", exit_reason="stop")]))
    kept = await found.load(lease)
    assert (kept.trades, kept.ended) == ([], frozenset({"t1"}))


async def test_columns_say_what_the_document_says(engine: AsyncEngine) -> None:
    found = books(engine)
    await found.write(await held(found), Page([TRADE]))
    assert await rows(
        engine,
        "SELECT state, direction, entry_price, quantity_left, fees, pnl_quote, pnl_r, slippage_bps, fees_unvalued,"
        " extract(epoch FROM entry_time)::int8 * 1000, document->>'quantity' FROM live_trades",
    ) == [
        (
            "open",
            "long",
            Decimal("100.1"),
            Decimal("0.5"),
            Decimal("0.02"),
            Decimal("-0.02"),
            Decimal("-0.02"),
            Decimal(10),
            0,
            NOW_MS,
            "0.5",
        )
    ]
    assert await rows(engine, "SELECT client_order_id, leg, status FROM live_orders ORDER BY leg") == [
        ("p1-entry", "entry", "filled"),
        ("p1-stop", "stop", "submitting"),
    ]
    assert await rows(engine, "SELECT venue_trade_id, filled_by, fee, fee_asset, fee_quote FROM live_fills") == [
        (7, "executor", Decimal("0.02"), "USDT", Decimal("0.02"))
    ]


async def test_a_configuration_says_who_changed_it_and_every_version_stays(engine: AsyncEngine) -> None:
    found = books(engine)
    lease = await held(found)
    await found.write(lease, Page(config=LiveConfig(version=1)))
    change = replaced(COMMAND, nonce="n2", command="change_config")
    await found.write(lease, Page(obeyed=[change], config=LiveConfig(version=2, max_positions=7)))
    kept = (await found.load(lease)).config
    assert kept is not None
    assert (kept.version, kept.max_positions) == (2, 7)
    assert await rows(engine, "SELECT version, changed_by, reason, command_id FROM live_config ORDER BY version") == [
        (1, "executor", "", None),
        (2, "anna", "too slow", "c1"),
    ]


async def test_expired_nonces_are_not_carried_along_but_never_taken_again(engine: AsyncEngine) -> None:
    found = books(engine)
    lease = await held(found)
    old = replaced(COMMAND, expires_ms=1_700_000_000_000)
    await found.write(lease, Page(obeyed=[old]))
    assert (await found.load(lease)).nonces == {}
    with pytest.raises(NonceTaken, match="n1"):
        await found.write(lease, Page(obeyed=[replaced(old, time_ms=old.time_ms + 1)]))


async def test_a_nonce_that_is_over_by_the_servers_clock_alone_is_still_known(engine: AsyncEngine) -> None:
    found = books(engine)
    lease = await held(found)
    lately = replaced(COMMAND, expires_ms=int(time.time() * 1000) - 30_000)
    await found.write(lease, Page(obeyed=[lately]))
    assert (await found.load(lease)).nonces == {lately.nonce: lately.expires_ms}


async def test_trades_of_which_late_news_may_come_are_told_at_a_start(engine: AsyncEngine) -> None:
    found = books(engine)
    lease = await held(found)
    unvalued = replaced(TRADE.fills[0], fee_asset="BNB", fee_quote=None, trade_id=8)
    closed = [replaced(TRADE, trade_id=name, state="closed", orders=(), fills=()) for name in ("new", "old")]
    paid = replaced(TRADE, trade_id="unvalued", state="closed", orders=(), fills=(unvalued,))
    await found.write(lease, Page([*closed, paid]))
    async with write_session(engine) as session:
        await session.raw.execute(
            "UPDATE live_trades SET updated_at = now() - interval '2 days' WHERE trade_id <> 'new'"
        )
    kept = await found.load(lease)
    assert {trade.trade_id for trade in kept.lately} == {"new", "unvalued"}
    assert kept.trades == []
    assert kept.ended == {"new", "old", "unvalued"}


async def test_what_this_version_cannot_read_stops_it(engine: AsyncEngine) -> None:
    found = books(engine)
    lease = await held(found)
    await found.write(lease, Page([TRADE]))
    async with write_session(engine) as session:
        await session.raw.execute("UPDATE live_trades SET document = document - 'state'")
    with pytest.raises(UnreadableBooks, match="the trade t1 in the executor's books cannot be read"):
        await found.load(lease)


async def test_texts_of_a_venue_that_no_column_takes_are_cleaned(engine: AsyncEngine) -> None:
    found = books(engine)
    lease = await held(found)
    strange = OurOrder(
        client_id="p1-x", leg="stop", generation=0, side="SELL", quantity=None, status="rejected", reason="a\0b \\u0000"
    )
    await found.write(lease, Page([replaced(TRADE, orders=(strange,), reason="\0")]))
    [kept] = (await found.load(lease)).trades
    assert (kept.reason, kept.orders[0].reason) == ("", "ab \\u0000")


async def test_a_database_that_is_away_is_said_so_and_its_books_are_there_afterwards(own_postgres: Database) -> None:
    engine = create_engine(DatabaseSettings(database_url=own_postgres.url))
    await migrate.upgrade(engine)
    found = books(engine)
    lease = await held(found)
    await found.write(lease, Page([TRADE]))
    own_postgres.kill()
    for call in (found.write(lease, Page()), found.renew(lease), found.load(lease), found.acquire("x")):
        with pytest.raises(UnreachableError):
            await call
    own_postgres.start()
    assert (await found.load(await found.renew(lease))).trades == [TRADE]
    await engine.dispose()


async def test_a_database_that_hangs_is_one_that_is_away(
    own_postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.store.live._PATIENCE_SECONDS", 0.5)
    engine = create_engine(DatabaseSettings(database_url=own_postgres.url))
    await migrate.upgrade(engine)
    found = books(engine)
    lease = await held(found)
    server = psutil.Process(own_postgres.pid)
    processes = [server, *server.children(recursive=True)]
    for process in processes:
        process.suspend()
    for call in (found.write(lease, Page([TRADE])), found.load(lease)):
        with pytest.raises(UnreachableError, match="does not answer"):
            await call
    for process in processes:
        process.resume()
    await found.write(lease, Page([TRADE]))
    assert (await found.load(lease)).trades == [TRADE]
    await engine.dispose()


async def test_a_page_that_waits_for_its_predecessor_is_refused_when_the_lease_went(engine: AsyncEngine) -> None:
    """A page and a new owner at once: one comes after the other, and the new owner has what was written before."""
    found = books(engine)
    lease = await held(found)
    async with write_session(engine) as session:
        await session.raw.execute("SELECT 1 FROM live_lease WHERE account = 'main' FOR UPDATE")
        await session.raw.execute("UPDATE live_lease SET epoch = epoch + 1, owner = 'two' WHERE account = 'main'")
        waiting = asyncio.create_task(found.write(lease, Page([TRADE])))
        await eventually(lambda: waits_for_a_lock(engine), 10, lambda: "the page does not wait for the lease's row")
    with pytest.raises(LeaseLost):
        await waiting
    assert not await found.has_trade("t1")
