"""Slow facts are idempotent in any order; the main questions use an index."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.contracts.codec import encode
from libs.contracts.market import FeedStatusChanged, LiquidationObserved, MarketIndicatorObserved
from libs.contracts.signals import IndicatorComputed, SignalScored, SlowInput
from libs.contracts.topics import LIQUIDATION
from libs.store import queries
from libs.store.engine import read_session, write_session
from libs.store.instants import instant, milliseconds
from libs.store.market_facts import Placed, write_market_facts
from libs.store.signals import Stored, write_signals
from libs.store.trades import Conflict
from tests.golden.samples import EVENTS
from tests.services.recorder.test_recorder import scored
from tests.services.recorder.timelines import START_MS, liquidation, mark_price


@given(st.integers(0, 253_402_300_799_999))
def test_instants_are_exact(time_ms: int) -> None:
    assert milliseconds(instant(time_ms)) == time_ms


async def _all(engine: AsyncEngine, statement: str) -> list[tuple[Any, ...]]:
    async with read_session(engine) as session:
        return [tuple(row) for row in (await session.connection.execute(text(statement))).all()]


@pytest.mark.parametrize("window_ms", [60_000, 300_000, 3_600_000])
async def test_liquidation_windows_do_not_depend_on_order_or_repetition(engine: AsyncEngine, window_ms: int) -> None:
    numbers = (1, 2, 61, 62, 63, 299, 300, 301, 3_599, 3_601, 7_300)
    events = [Placed(liquidation(number, side="BUY" if number % 3 == 0 else "SELL"), START_MS) for number in numbers]
    late = events[4:5]
    for batch in (events[5:], events[:4], late, events, events[::-1]):
        async with write_session(engine) as session:
            await write_market_facts(session, batch)
    truth: dict[tuple[str, int], list[tuple[Decimal, Decimal]]] = {}
    for event, _, _ in events:
        assert isinstance(event, LiquidationObserved)
        start = event.trade_time_ms // window_ms * window_ms
        liquidated = "long" if event.side == "SELL" else "short"
        truth.setdefault((liquidated, start), []).append((event.quantity, event.quantity * event.average_price))
    rows = await _all(
        engine,
        "SELECT liquidated, window_start, event_count, quantity, notional, largest_notional FROM liquidation_agg"
        f" WHERE window_ms = {window_ms}",
    )
    found = {(liquidated, milliseconds(start)): values for liquidated, start, *values in rows}
    assert found == {
        window: [len(items), sum(q for q, _ in items), sum(n for _, n in items), max(n for _, n in items)]
        for window, items in truth.items()
    }


async def test_a_sum_of_a_sample_says_so_where_it_is_read(engine: AsyncEngine) -> None:
    for table in ("liquidation_events", "liquidation_agg"):
        [(comment,)] = await _all(engine, f"SELECT obj_description('{table}'::regclass)")
        assert "lower bound" in comment
    assert "lower bound" in LIQUIDATION.meaning
    assert "lower\n    bounds" in (LiquidationObserved.__doc__ or "")


async def test_indicators_and_feed_states_are_kept_once(engine: AsyncEngine) -> None:
    indicator = MarketIndicatorObserved(
        event_id="oi-1",
        event_time_ms=START_MS,
        symbol="BTCUSDT",
        kind="open_interest",
        period=None,
        values={"open_interest": Decimal("81234.567")},
        source="rest",
    )
    state = FeedStatusChanged(
        event_id="feed-1",
        event_time_ms=START_MS,
        feed="agg_trade",
        symbol="BTCUSDT",
        state="silent",
        detail="30 s without an event",
        last_event_time_ms=-1,
    )
    for added in (1, 0):
        async with write_session(engine) as session:
            written = await write_market_facts(session, [Placed(indicator, -1), Placed(state, 5)])
        assert written == {"market_indicators": added, "feed_status": added}
    assert await _all(engine, "SELECT values ->> 'open_interest', effective_at FROM market_indicators") == [
        ("81234.567", None)
    ]
    assert await _all(engine, "SELECT state, last_event_time FROM feed_status") == [("silent", None)]


async def test_known_values_of_slow_inputs_have_columns_and_the_payload_stands_beside_them(engine: AsyncEngine) -> None:
    premium = MarketIndicatorObserved(
        event_id="premium-1",
        event_time_ms=START_MS,
        symbol="BTCUSDT",
        kind="coinbase_premium",
        period=None,
        values={
            "premium_percent": Decimal("-0.01250000"),
            "coinbase_price": Decimal("60001.10"),
            "venue_price": Decimal("60008.6"),
            "spot": Decimal(1),
            "coinbase_time_ms": Decimal(START_MS - 250),
            "venue_time_ms": Decimal(START_MS - 17),
        },
        source="binance",
        available_ms=START_MS + 120,
        raw={"coinbase.price": "60001.10", "venue.T": START_MS - 17, "venue.m": True, "x": None},
    )
    fetched = msgspec.structs.replace(
        premium,
        event_id="premium-2",
        values={"coinbase_time_ms": Decimal("1e30"), "venue_time_ms": Decimal("-5"), "unheard_of": Decimal(3)},
        available_ms=None,
        availability_assumed=True,
        raw=None,
    )
    async with write_session(engine) as session:
        assert await write_market_facts(session, [Placed(premium, 1), Placed(fetched, 1)]) == {"market_indicators": 2}
    columns = (
        "premium_percent, coinbase_price, venue_price, coinbase_time, venue_time, available_at, availability_assumed"
    )
    first, second = await _all(engine, f"SELECT {columns} FROM market_indicators ORDER BY event_id")
    times = (instant(START_MS - 250), instant(START_MS - 17), instant(START_MS + 120))
    assert first == (Decimal("-0.0125"), Decimal("60001.1"), Decimal("60008.6"), *times, False)
    assert second == (None, None, None, None, None, None, True)
    assert await _all(engine, "SELECT raw, values ->> 'unheard_of' FROM market_indicators ORDER BY event_id") == [
        (premium.raw, None),
        (None, "3"),
    ]


async def test_the_basis_of_a_rate_is_a_column(engine: AsyncEngine) -> None:
    rate = msgspec.structs.replace(mark_price(1), basis_percent=Decimal("-0.00250000"))
    async with write_session(engine) as session:
        await write_market_facts(session, [Placed(rate, -1), Placed(mark_price(2), -1)])
    assert await _all(engine, "SELECT basis_percent FROM rate_snapshots ORDER BY event_time") == [
        (Decimal("-0.0025"),),
        (None,),
    ]


async def test_latest_rates_are_the_newest_of_each_symbol(engine: AsyncEngine) -> None:
    rates = [mark_price(number, symbol=symbol) for number in (3, 1, 2) for symbol in ("BTCUSDT", "ETHUSDT")]
    async with write_session(engine) as session:
        await write_market_facts(session, [Placed(rate, -1) for rate in rates])
    async with read_session(engine) as session:
        found = await queries.latest_rates(session, ["BTCUSDT", "NOPE"])
        before = await queries.latest_rates(session, ["BTCUSDT"], START_MS + 5999)
    assert {symbol: rate.event_time_ms for symbol, rate in found.items()} == {"BTCUSDT": START_MS + 6000}
    assert before["BTCUSDT"].event_time_ms == START_MS + 4000


def stored(event: IndicatorComputed | SignalScored, offset: int = 0) -> Stored:
    return Stored(event, encode(event).value, f"signals:0:{offset}")


async def _write(engine: AsyncEngine, *events: Stored) -> list[Conflict]:
    async with write_session(engine) as session:
        return (await write_signals(session, events)).conflicts


async def test_other_content_of_a_known_signal_is_kept_aside_once_with_its_place(engine: AsyncEngine) -> None:
    other = stored(scored(1, "other"), 7)
    assert await _write(engine, stored(scored(1))) == []
    assert await _write(engine, other, stored(scored(2)), other) == [Conflict("signal_logs", "signal-1", expected=True)]
    assert await _write(engine, other, stored(scored(1))) == []
    assert await _all(
        engine,
        "SELECT table_name, event_id, symbol, event_time, content ->> 'sentence', log_place FROM signal_conflicts",
    ) == [("signal_logs", "signal-1", "BTCUSDT", instant(START_MS + 15_000), "other", "signals:0:7")]
    assert await _all(engine, "SELECT DISTINCT sentence FROM signal_logs") == [("CVD rises in all windows",)]


async def test_nothing_of_a_conflict_stays_when_its_transaction_does_not_commit(engine: AsyncEngine) -> None:
    await _write(engine, stored(scored(1)))
    async with write_session(engine) as session:
        assert (await write_signals(session, [stored(scored(1, "other"))])).conflicts
        await session.connection.rollback()
    assert await _all(engine, "SELECT * FROM signal_conflicts") == []


_SLOW = SlowInput(name="mark_price", value=Decimal(7), as_of_ms=1, age_ms=2)
_ROW = next(event for event in EVENTS if isinstance(event, IndicatorComputed))
_SIGNAL = scored(1)


@pytest.mark.parametrize(
    ("first", "changes", "expected"),
    [
        (_ROW, {"slow_inputs": (_SLOW,)}, True),
        (_ROW, {"slow_inputs": (_SLOW,), "scores": ()}, True),
        (_ROW, {"slow_inputs": (_SLOW,), "price": Decimal(1)}, False),
        (_ROW, {"last_agg_id": 1}, False),
        (_SIGNAL, {"score": 12.0, "inputs": {"cvd_5m": Decimal("12.5"), "mark_price": Decimal(7)}}, True),
        (_SIGNAL, {"score": 12.0}, False),
        (_SIGNAL, {"state": "refused", "reason": "cooldown"}, True),
        (_SIGNAL, {"inputs": {"cvd_5m": Decimal("12.6"), "mark_price": Decimal(7)}}, False),
        (_SIGNAL, {"price": Decimal(1), "inputs": {"cvd_5m": Decimal("12.5"), "mark_price": Decimal(7)}}, False),
    ],
)
async def test_only_other_features_are_a_defect(
    engine: AsyncEngine, first: IndicatorComputed | SignalScored, changes: dict[str, object], expected: bool
) -> None:
    await _write(engine, stored(first))
    found = await _write(engine, stored(msgspec.structs.replace(first, **changes)))
    assert [conflict.expected for conflict in found] == [expected]
    assert await _all(engine, "SELECT event_id FROM signal_conflicts") == [(first.event_id,)]


async def _plan(engine: AsyncEngine, statement: str, parameters: dict[str, Any]) -> str:
    async with read_session(engine) as session:
        # With a handful of rows the planner would rightly read the table; the question is whether an index fits at all.
        await session.connection.execute(text("SET LOCAL enable_seqscan = off"))
        rows = await session.connection.execute(text(f"EXPLAIN {statement}"), parameters)
        return "\n".join(rows.scalars())


async def test_signal_history_walks_an_index_in_its_order(engine: AsyncEngine) -> None:
    for wanted, index in (
        (queries.SignalFilter(), "signal_logs_event_time_event_id_idx"),
        (queries.SignalFilter(symbol="BTCUSDT", before=(START_MS, "x")), "signal_logs_symbol_event_time_event_id_idx"),
        (queries.SignalFilter(strategy="v51", start_ms=START_MS), "signal_logs_strategy_event_time_event_id_idx"),
    ):
        statement, parameters = queries.signal_statement(wanted)
        plan = await _plan(engine, statement, parameters)
        assert f"Index Scan Backward using {index}" in plan
        assert "Sort" not in plan
