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
    written_before,
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


async def test_what_was_open_when_the_accounts_began_anew_is_abandoned(engine: AsyncEngine) -> None:
    ordered = replace(TRADE, trade_id="t2", state="ordered", history=[{"state": "signalled", "time_ms": 1}])
    done = replace(TRADE, trade_id="t3", state="closed")
    await write(engine, None, b"", rows(TRADE, ordered, done))
    again = replace(TRADE, trade_id="t4")
    async with write_session(engine) as session:
        await write_paper(session, 1, KeptPaper(0, "another log", NOW, await packed(b"")), rows(again))
    assert await all_rows(engine, "SELECT trade_id, state, reason FROM paper_trades ORDER BY trade_id") == [
        ("t1", "abandoned", "accounts_begun_anew"),
        ("t2", "abandoned", "accounts_begun_anew"),
        ("t3", "closed", None),
        ("t4", "open", None),
    ]
    told = await all_rows(engine, "SELECT history FROM paper_trades WHERE trade_id = 't2'")
    assert told == [
        ([{"state": "signalled", "time_ms": 1}, {"state": "abandoned", "time_ms": NOW.timestamp() * 1000}],)
    ]
    # A log that tells of the same signal again brings its trade back.
    async with write_session(engine) as session:
        await write_paper(session, 2, KeptPaper(0, "another log", NOW, await packed(b"")), rows(TRADE))
    assert await all_rows(engine, "SELECT state, reason FROM paper_trades WHERE trade_id IN ('t1', 't4')") == [
        ("open", None),
        ("open", None),
    ]


async def test_a_state_that_was_deleted_abandons_too(engine: AsyncEngine) -> None:
    await write(engine, None, b"", rows(TRADE))
    async with write_session(engine) as session:
        await session.raw.execute("DELETE FROM paper_state")
    await write(engine, None, b"", rows())
    assert await all_rows(engine, "SELECT state FROM paper_trades") == [("abandoned",)]


async def test_only_the_same_state_at_the_next_number_was_written_before(engine: AsyncEngine) -> None:
    kept = KeptPaper(0, "log", NOW, await packed(b"mine"))
    async with write_session(engine) as session:
        assert await written_before(session, None, kept) is None
        assert await write_paper(session, None, kept, rows(TRADE)) == 1
    async with write_session(engine) as session:
        assert await written_before(session, None, kept) == 1
        assert await written_before(session, 1, kept) is None
        assert await written_before(session, None, replace(kept, state=await packed(b"other"))) is None


async def test_a_state_that_was_not_packed_is_refused(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await write_paper(session, None, KeptPaper(0, "log", NOW, b"raw"), PaperRows())
    with pytest.raises(ValueError, match="not a packed state"):
        await load_paper(engine)
