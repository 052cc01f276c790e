"""The synthetic market is a function of seed and time: cut, restarted or asked in another order, it says the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.exchange_simulator.klines import INTERVALS, bar_open, next_open, opens_before
from services.exchange_simulator.market import TradeColumns
from services.exchange_simulator.symbols import generated_symbols
from services.exchange_simulator.synthetic.source import SyntheticMarket, SyntheticMarketPlan

SYMBOLS = ("BTCUSDT", "ETHUSDT")
START_MS = 1_763_712_030_000
HORIZON_MS = 3 * 3_600_000


def market(rate: float = 40.0, seed: int = 3) -> SyntheticMarket:
    """A fresh market that has answered nothing yet."""
    return SyntheticMarket(SyntheticMarketPlan(seed, SYMBOLS, rate, START_MS))


SHARED = market()
FAST = market(rate=3000.0)


def same(left: TradeColumns, right: TradeColumns) -> bool:
    """Whether two tables hold the same rows."""
    return all(np.array_equal(a, b) for a, b in zip(left.columns(), right.columns(), strict=True))


@given(st.integers(-HORIZON_MS, HORIZON_MS), st.integers(1, 180_000), st.integers(0, 180_000))
@settings(max_examples=60, deadline=None)
def test_any_cut_of_time_gives_the_same_trades(offset: int, length: int, cut: int) -> None:
    start, end = START_MS + offset, START_MS + offset + length
    middle = min(start + cut, end)
    whole = SHARED.trades_between("BTCUSDT", start, end, end + 1000)
    parts = [
        SHARED.trades_between("BTCUSDT", start, middle, end + 1000),
        SHARED.trades_between("BTCUSDT", middle + 1, end, end + 1000),
    ]
    assert same(whole, TradeColumns.concatenate([part for part in parts if len(part)]) if len(whole) else whole)
    assert np.all(np.diff(whole.ids) == 1)
    assert np.all(np.diff(whole.trade_ms) >= 0)
    assert np.all(np.diff(whole.event_ms) >= 0)
    assert np.all(whole.last_ids >= whole.first_ids)
    assert np.all(whole.first_ids[1:] > whole.last_ids[:-1])


@pytest.mark.parametrize("rate", [40.0, 3000.0])
@pytest.mark.parametrize("offset_ms", [-86_400_000, -61_000, 0, 59_000, 3_600_000])
def test_a_restarted_market_sends_the_same_bytes(rate: float, offset_ms: int) -> None:
    after = START_MS + offset_ms
    first, second = market(rate), market(rate)
    second.newest_trades("ETHUSDT", 10, after + 500_000)  # asked something else before
    left, right = first.window(after, after + 4000, (0, 1)), second.window(after, after + 4000, (0, 1))
    assert len(left.trades) > 20
    assert same(left.trades, right.trades)
    assert np.array_equal(left.symbol_index, right.symbol_index)


@given(st.lists(st.integers(1, 900), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_windows_split_anywhere_tell_everything_once(steps: list[int]) -> None:
    after = START_MS + 55_000
    wanted = frozenset(
        {"btcusdt@markPrice@1s", "!forceOrder@arr", "btcusdt@kline_1m", "ethusdt@bookTicker", "!markPrice@arr"}
    )
    until = after + sum(steps)
    whole = SHARED.window(after, until, (0, 1)).trades
    events = SHARED.side_events(after, until, wanted)
    parts, split_events, place = [], [], after
    for step in steps:
        parts.append(SHARED.window(place, place + step, (0, 1)).trades)
        split_events += SHARED.side_events(place, place + step, wanted)
        place += step
    assert same(whole, TradeColumns.concatenate(parts))
    assert sorted(events, key=repr) == sorted(split_events, key=repr)


@given(st.integers(-HORIZON_MS, HORIZON_MS), st.integers(1, 1000))
@settings(max_examples=40, deadline=None)
def test_an_id_leads_to_its_own_row(offset: int, limit: int) -> None:
    now = START_MS + HORIZON_MS + 120_000
    for source in (SHARED, FAST):
        some = source.trades_between("ETHUSDT", START_MS + offset, START_MS + offset + 30_000, now)
        wanted = int(some.ids[len(some) // 2])
        found = source.trades_from_id("ETHUSDT", wanted, limit, now)
        assert int(found.ids[0]) == wanted
        assert len(found) == limit
        assert same(found.slice(0, 1), some.slice(len(some) // 2, len(some) // 2 + 1))


def test_nothing_is_answered_before_it_is_told() -> None:
    now = START_MS + 10_000
    for trades in (SHARED.newest_trades("BTCUSDT", 50, now), SHARED.trades_between("BTCUSDT", now - 9000, now, now)):
        assert int(trades.event_ms.max()) <= now
    told = SHARED.window(now - 5000, now, (0,)).trades
    assert same(told, SHARED.newest_trades("BTCUSDT", len(told), now))


@pytest.mark.parametrize("interval", ["1m", "5m", "1h"])
@pytest.mark.parametrize("source", [SHARED, FAST], ids=["slow", "fast"])
def test_klines_are_the_sum_of_their_trades(interval: str, source: SyntheticMarket) -> None:
    now = START_MS + 47_123
    for bar in source.bars("BTCUSDT", interval, opens_before(now, interval, 4), now):
        trades = source.trades_between("BTCUSDT", bar.open_ms, bar.close_ms, now)
        bought = ~trades.maker
        assert (bar.open, bar.close) == (trades.prices[0], trades.prices[-1])
        assert (bar.high, bar.low) == (trades.prices.max(), trades.prices.min())
        assert bar.volume == trades.quantities.sum()
        assert bar.quote == (trades.prices * trades.quantities).sum()
        assert bar.taker_volume == trades.quantities[bought].sum()
        assert bar.taker_quote == (trades.prices * trades.quantities)[bought].sum()
        assert bar.count == (trades.last_ids - trades.first_ids + 1).sum()
        assert (bar.first_id, bar.last_id) == (trades.first_ids[0], trades.last_ids[-1])


@given(st.integers(1_500_000_000_000, 1_900_000_000_000), st.sampled_from(INTERVALS))
@settings(max_examples=200)
def test_every_instant_lies_in_exactly_one_kline(time_ms: int, interval: str) -> None:
    start = bar_open(time_ms, interval)
    assert start <= time_ms < next_open(start, interval)
    assert bar_open(next_open(start, interval), interval) == next_open(start, interval)
    assert bar_open(start, interval) == start


def test_the_rate_is_kept_for_few_and_for_many_symbols() -> None:
    many = SyntheticMarket(SyntheticMarketPlan(1, generated_symbols(60), 3000.0, START_MS))
    after = START_MS + 60_000
    counts = [len(many.window(after + s * 1000, after + s * 1000 + 1000, range(60)).trades) for s in range(20)]
    assert 1500 * 20 < sum(counts) < 6000 * 20
    assert np.std(counts) > 0


def test_the_market_has_trends_bursts_tails_and_cascades() -> None:
    now = START_MS + HORIZON_MS
    trades = SHARED.trades_between("BTCUSDT", START_MS, now, now)
    signed = np.where(trades.maker, -trades.quantities, trades.quantities)
    per_five_minutes = np.array([signed[(trades.trade_ms - START_MS) // 300_000 == k].sum() for k in range(36)])
    volume = np.array([trades.quantities[(trades.trade_ms - START_MS) // 300_000 == k].sum() for k in range(36)])
    share = per_five_minutes / volume
    assert (share > 0.15).sum() >= 4
    assert (share < -0.15).sum() >= 4
    gaps = np.diff(trades.trade_ms)
    assert np.mean(gaps <= 5) > 0.15  # bursts: a Poisson process of this rate has about one in ten
    assert np.percentile(trades.quantities, 99.9) > 20 * np.median(trades.quantities)
    forced = SHARED.side_events(START_MS, now, frozenset({"btcusdt@forceOrder"}))
    assert len(forced) > 30
    assert min(np.diff([event.event_ms for event in forced])) >= 1000


def test_symbols_move_together() -> None:
    now = START_MS
    closes = {}
    for symbol in SYMBOLS:
        bars = SHARED.bars(symbol, "15m", opens_before(now, "15m", 160), now)
        closes[symbol] = np.diff(np.log([bar.close for bar in bars]))
    correlation = np.corrcoef(closes["BTCUSDT"], closes["ETHUSDT"])[0, 1]
    assert 0.3 < correlation < 0.98


def test_further_perpetuals_change_nothing_of_the_others_and_trade_as_much_however_many_there_are() -> None:
    few, many = (
        SyntheticMarket(SyntheticMarketPlan(3, SYMBOLS, 40.0, START_MS, further))
        for further in (("XRPUSDT",), ("ADAUSDT", "SOLUSDT", "XRPUSDT"))
    )
    assert few.symbols == (*SYMBOLS, "XRPUSDT")
    span = (START_MS - 60_000, START_MS + 60_000, START_MS + 120_000)
    for symbol in SYMBOLS:
        assert same(SHARED.trades_between(symbol, *span), many.trades_between(symbol, *span))
    further = few.trades_between("XRPUSDT", *span)
    assert same(further, many.trades_between("XRPUSDT", *span))
    assert len(further) > len(SHARED.trades_between("BTCUSDT", *span)) / 3
