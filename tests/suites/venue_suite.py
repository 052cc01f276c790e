"""What every adapter of the venue port must show; a new venue passes this before a service uses it."""

import pytest

from libs.contracts.market import IndicatorKind
from libs.exchanges import MOST_HISTORY_PERIODS, RATIO_KINDS, HistorySpan, MarketData
from libs.kit.errors import UserError

MINUTE_MS = 60_000
PERIOD_MS = 5 * MINUTE_MS
DAY_MS = 24 * 60 * MINUTE_MS


async def market_data_suite(market: MarketData, symbol: str) -> None:
    """Ask everything that ingest asks, and hold the answers against the port's promises."""
    now = await market.server_time()
    instrument = (await market.instruments([symbol]))[symbol]
    assert instrument.price_decimals >= 0
    assert instrument.quantity_decimals >= 0
    with pytest.raises(UserError, match=f"{symbol[:-1]}X"):
        await market.instruments([f"{symbol[:-1]}X"])
    await _trades(market, symbol, now)
    bars = await market.klines(symbol, "1m", now - 10 * MINUTE_MS, now - MINUTE_MS, 10)
    assert [bar.open_time for bar in bars] == sorted({bar.open_time for bar in bars})
    assert all(bar.open_time % MINUTE_MS == 0 and bar.close_time == bar.open_time + MINUTE_MS - 1 for bar in bars)
    for kind in RATIO_KINDS:
        values = await market.ratio_history(symbol, kind, "5m", 5)
        assert [value.time for value in values] == sorted({value.time for value in values})
        assert all(value.kind == kind and value.time % (5 * MINUTE_MS) == 0 and value.time <= now for value in values)
    history = await market.open_interest_history(symbol, "5m", 5)
    assert len(history) == 5
    assert float((await market.open_interest(symbol)).values["open_interest"]) > 0
    for kind in ("open_interest", *RATIO_KINDS):
        await _history(market, symbol, kind, now)
    settled = await market.funding_rates(symbol, 3)
    older = await market.indicator_history(symbol, "funding_rate", None, HistorySpan(settled[0].time, settled[-1].time))
    assert older == settled[1:], "a span begins behind its start and ends with its end"
    assert all(rate.time % 1000 == 0 for rate in settled)
    assert float((await market.ticker(symbol)).price) > 0
    await _all_symbols(market, symbol)


async def _all_symbols(market: MarketData, symbol: str) -> None:
    """What is asked without a symbol."""
    statuses = await market.statuses()
    assert statuses[symbol] == (await market.instruments([symbol]))[symbol].status == "TRADING"
    newest = (await market.newest_agg_trades(symbol, 1))[-1]
    price = (await market.last_prices())[symbol]
    assert price.product == symbol
    assert newest.trade_time <= price.time <= await market.server_time(), (
        "the time of the last price, not of the answer"
    )


async def _history(market: MarketData, symbol: str, kind: IndicatorKind, now: int) -> None:
    """A page anywhere in thirty days has each instant of its span once, with what the venue sent."""
    for days in (0, 29):
        end = (now - days * DAY_MS) // PERIOD_MS * PERIOD_MS - PERIOD_MS
        start = end - MOST_HISTORY_PERIODS * PERIOD_MS if days == 0 else end - 7 * PERIOD_MS
        values = await market.indicator_history(symbol, kind, "5m", HistorySpan(start, end))
        assert [value.time for value in values] == list(range(start + PERIOD_MS, end + 1, PERIOD_MS))
        assert all(value.kind == kind and value.period == "5m" and value.raw[:1] == b"{" for value in values)
    with pytest.raises(ValueError, match="more than"):
        await market.indicator_history(symbol, kind, "5m", HistorySpan(start - MOST_HISTORY_PERIODS * PERIOD_MS, end))


async def _trades(market: MarketData, symbol: str, now: int) -> None:
    newest = (await market.newest_agg_trades(symbol, 5))[-1]
    page = await market.agg_trades_from(symbol, newest.agg_id - 20, 10)
    assert [trade.agg_id for trade in page] == list(range(newest.agg_id - 20, newest.agg_id - 10)), (
        "fromId is inclusive"
    )
    assert all(trade.symbol == symbol and trade.event_time == 0 for trade in page)
    span = await market.agg_trades_between(symbol, now - MINUTE_MS, now, 50)
    assert [trade.agg_id for trade in span] == sorted({trade.agg_id for trade in span})
    assert all(now - MINUTE_MS <= trade.trade_time <= now for trade in span), "both ends are inclusive"
    assert await market.agg_trades_from(symbol, newest.agg_id + 1_000_000, 10) == []
