"""Paper rows and state: written together or not at all, once however often, by one writer."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import OffsetConflict
from libs.store.engine import read_session, write_session
from libs.store.paper import (
    EquityPoint,
    KeptPaper,
    PaperAccount,
    PaperRows,
    PaperTrade,
    load_paper,
    packed,
    write_paper,
)

NOW = dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)
TRADE = PaperTrade(
    trade_id="t1",
    signal_id="s1",
    strategy="v51",
    symbol="BTCUSDT",
    state="open",
    market_time=NOW,
    quantity=Decimal("0.5"),
)
ACCOUNT = PaperAccount(
    strategy="v51",
    starting_balance=Decimal(10_000),
    risk_per_trade=Decimal(100),
    balance=Decimal("9999.5"),
    unrealised=Decimal(0),
    open_positions=1,
    day=NOW.date(),
    day_realised=Decimal("-0.5"),
    day_over=False,
    level="normal",
    break_until=None,
    market_time=NOW,
)


def rows(*trades: PaperTrade) -> PaperRows:
    found = PaperRows({trade.trade_id: trade for trade in trades}, {"v51": ACCOUNT})
    found.equity.append(EquityPoint("v51", NOW, 9999.5, 1, 50.0))
    return found


async def write(engine: AsyncEngine, old: int | None, state: bytes, found: PaperRows) -> int:
    async with write_session(engine) as session:
        return await write_paper(session, old, KeptPaper(0, "log", NOW, await packed(state)), found)


async def all_rows(engine: AsyncEngine, statement: str) -> list[tuple[object, ...]]:
    async with read_session(engine) as session:
        return [tuple(row) for row in (await session.connection.execute(text(statement))).all()]


async def test_state_and_rows_are_written_together_by_one_writer(engine: AsyncEngine) -> None:
    assert await load_paper(engine) is None
    assert await write(engine, None, b"one", rows(TRADE)) == 1
    assert await write(engine, 1, b"two", rows(replace(TRADE, quantity=Decimal("0.4")))) == 2
    for old in (None, 1):
        with pytest.raises(OffsetConflict, match="another paper trader"):
            await write(engine, old, b"other", rows(replace(TRADE, quantity=Decimal(9))))
    kept = await load_paper(engine)
    assert kept is not None
    assert (kept.number, kept.generation, kept.state) == (2, "log", b"two")
    assert await all_rows(engine, "SELECT trade_id, quantity FROM paper_trades") == [("t1", Decimal("0.4"))]
    assert await all_rows(engine, "SELECT strategy, balance FROM paper_accounts") == [("v51", Decimal("9999.5"))]
    assert await all_rows(engine, "SELECT equity, open_positions FROM paper_equity") == [(9999.5, 1)]


async def test_a_trade_that_has_ended_stays_ended(engine: AsyncEngine) -> None:
    closed = replace(TRADE, state="closed", net=Decimal("1.25"), fills=[{"reason": "entry", "price": "100.10"}])
    other = replace(TRADE, trade_id="t2", signal_id="s2", state="ordered")
    await write(engine, None, b"", rows(closed, other))
    await write(engine, 1, b"", rows(TRADE, replace(other, state="not_taken", reason="stop_passed")))
    assert await all_rows(engine, "SELECT state, reason FROM paper_trades WHERE trade_id = 't2'") == [
        ("not_taken", "stop_passed")
    ]
    assert await all_rows(engine, "SELECT state, net, fills->0->>'price' FROM paper_trades WHERE trade_id = 't1'") == [
        ("closed", Decimal("1.25"), "100.10")
    ]
    await write(engine, 2, b"", rows(replace(closed, net=Decimal("1.5"))))
    assert await all_rows(engine, "SELECT state, net FROM paper_trades WHERE trade_id = 't1'") == [
        ("closed", Decimal("1.5"))
    ]


async def test_a_state_that_was_not_packed_is_refused(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await write_paper(session, None, KeptPaper(0, "log", NOW, b"raw"), PaperRows())
    with pytest.raises(ValueError, match="not a packed state"):
        await load_paper(engine)
