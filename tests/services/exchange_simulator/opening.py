"""A synthetic market from its start on, through the engine's core as the live way brings it there: bars, slow inputs, trades."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from libs.contracts.codec import decode_as
from libs.contracts.control import StrategyActivated
from libs.contracts.market import (
    AggTradeFrame,
    IndicatorKind,
    MarketIndicatorObserved,
    MarkPriceObserved,
    SymbolSlice,
    TradesBootstrapped,
)
from libs.contracts.signals import IndicatorComputed, SignalScored
from libs.contracts.topics import AGGTRADE, INDICATOR, MARKPRICE, STRATEGY_CONTROL
from libs.indicators.settings import KernelSettings
from services.exchange_simulator.klines import opens_before
from services.exchange_simulator.market import TradeColumns
from services.exchange_simulator.synthetic.source import SyntheticMarket, SyntheticMarketPlan
from services.signal_engine.core import EngineCore
from services.trade_ingest.bootstrap import CANDLE_BARS, MINUTE_BARS
from tests.services.signal_engine.timelines import TimelineFactory

STRATEGIES = Path(__file__).parents[3] / "strategies"
STEP_MS = 15_000
MINUTE_MS = 60_000


class Heard(NamedTuple):
    """What the engine said up to the end: evaluations and signals, each in log order."""

    indicators: list[IndicatorComputed]
    signals: list[SignalScored]


def listen(plan: SyntheticMarketPlan, joined_ms: int, until_ms: int) -> Heard:
    """Services that begin at `joined_ms` know the bars before the open minute, then take every trade told until `until_ms`."""
    market, timeline = SyntheticMarket(plan), TimelineFactory()
    timeline.fence()
    for path in sorted(STRATEGIES.glob("v*.json")):
        timeline.copy(STRATEGY_CONTROL, _activation(path))
    first_ms = joined_ms // MINUTE_MS * MINUTE_MS
    for symbol in plan.symbols:
        timeline.copy(AGGTRADE, _bars(market, symbol, first_ms))
        for fact in _history(market, symbol, joined_ms):
            timeline.copy(INDICATOR, fact)
    for number, end_ms in enumerate(range(first_ms + STEP_MS, until_ms + STEP_MS, STEP_MS)):
        for symbol in plan.symbols:
            timeline.copy(INDICATOR, _premium(market, symbol, end_ms))
            timeline.copy(MARKPRICE, _mark(market, symbol, end_ms))
        timeline.copy(AGGTRADE, _frame(market, number, end_ms))
    out = EngineCore(KernelSettings()).process(timeline.records)
    assert not out.refused
    return Heard(
        [decode_as(IndicatorComputed, output.encoded.value) for output in out.indicators],
        [decode_as(SignalScored, output.encoded.value) for output in out.signals],
    )


def _activation(path: Path) -> StrategyActivated:
    return StrategyActivated(
        event_id=path.stem, event_time_ms=0, strategy=path.stem, version=1, enabled=True,
        definition=msgspec.Raw(path.read_bytes()), activated_by="test",
    )  # fmt: skip


def _bars(market: SyntheticMarket, symbol: str, until_ms: int) -> TradesBootstrapped:
    rules = market.rules[symbol]
    minutes = market.bars(symbol, "1m", opens_before(until_ms - 1, "1m", MINUTE_BARS), until_ms + 1000)
    candles = market.bars(symbol, "5m", opens_before(until_ms - 1, "5m", CANDLE_BARS), until_ms + 1000)
    minute_rows = [(b.open_ms, b.volume, b.taker_volume, b.quote) for b in minutes]
    candle_rows = [(b.open_ms, b.open, b.high, b.low, b.close) for b in candles if b.close_ms < until_ms]
    return TradesBootstrapped(
        event_id=f"bars:{symbol}", event_time_ms=until_ms, symbol=symbol, price_decimals=rules.price_decimals,
        quantity_decimals=rules.quantity_decimals, producer="test", epoch=1,
        minute_bars=np.array(minute_rows, "<i8").tobytes(), candle_bars=np.array(candle_rows, "<i8").tobytes(),
    )  # fmt: skip


def _fact(symbol: str, kind: IndicatorKind, time_ms: int, value: tuple[str, float]) -> MarketIndicatorObserved:
    return MarketIndicatorObserved(
        event_id=f"{kind}:{symbol}:{time_ms}", event_time_ms=time_ms, symbol=symbol, kind=kind, period=None,
        values={value[0]: Decimal(str(round(value[1], 8)))}, source="test",
    )  # fmt: skip


def _history(market: SyntheticMarket, symbol: str, now_ms: int) -> Iterator[MarketIndicatorObserved]:
    for back in range(12, -1, -1):
        facts = market.positioning(symbol, now_ms // 300_000 * 300_000 - back * 300_000)
        assert facts is not None
        share = facts.global_long
        yield _fact(symbol, "open_interest", facts.time_ms, ("open_interest", facts.open_interest))
        yield _fact(symbol, "global_long_short_account_ratio", facts.time_ms, ("long_short_ratio", share / (1 - share)))


def _premium(market: SyntheticMarket, symbol: str, time_ms: int) -> MarketIndicatorObserved:
    facts = market.part(symbol).facts
    percent = (facts.coinbase_price(time_ms) / facts.spot_price(time_ms) - 1) * 100
    return _fact(symbol, "coinbase_premium", time_ms, ("premium_percent", percent))


def _mark(market: SyntheticMarket, symbol: str, time_ms: int) -> MarkPriceObserved:
    mark = market.mark_price(symbol, time_ms)
    return MarkPriceObserved(
        event_id=f"mark:{symbol}:{time_ms}", event_time_ms=time_ms, symbol=symbol, mark_price=Decimal(mark.mark),
        index_price=Decimal(mark.index), estimated_settle_price=None, mark_price_average=None,
        funding_rate=Decimal(mark.rate), next_funding_time_ms=mark.next_funding_ms,
    )  # fmt: skip


def _frame(market: SyntheticMarket, number: int, end_ms: int) -> AggTradeFrame:
    """Every symbol's trades of the step that ends at `end_ms`; the watermark is its last millisecond."""
    parts: list[TradeColumns] = []
    slices = []
    for symbol in market.symbols:
        rows = market.trades_between(symbol, end_ms - STEP_MS, end_ms - 1, end_ms + 1000)
        rules = market.rules[symbol]
        edges = (int(rows.ids[0]), int(rows.ids[-1])) if len(rows) else (-1, -1)
        slices.append(SymbolSlice(symbol, rules.price_decimals, rules.quantity_decimals, len(rows), *edges, end_ms - 1))
        parts.append(rows)
    rows = TradeColumns.concatenate([part for part in parts if len(part)])
    index = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return AggTradeFrame(
        event_id=f"test:1:{number}", event_time_ms=end_ms - 1, partition=0, producer="test", epoch=1, sequence=number,
        received_us=0, slices=tuple(slices), symbol_index=index.astype("<u2").tobytes(), agg_id=rows.ids.tobytes(),
        price=rows.prices.tobytes(), quantity=rows.quantities.tobytes(), first_trade_id=rows.first_ids.tobytes(),
        last_trade_id=rows.last_ids.tobytes(), trade_time=rows.trade_ms.tobytes(),
        buyer_is_maker=rows.maker.astype("u1").tobytes(),
    )  # fmt: skip
