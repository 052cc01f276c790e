"""One plausible event of each type, and the command that commits golden messages for topics that have none yet.

`python -m tests.golden.samples` writes only missing files: a committed golden message is never rewritten, because it stands
for records that are already in somebody's log.
"""

import base64
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from libs.contracts.codec import encode
from libs.contracts.control import StrategyActivated
from libs.contracts.event import Event
from libs.contracts.identity import digest, indicator_id, liquidation_id, signal_id
from libs.contracts.market import (
    AggTradeFrame,
    FeedStatusChanged,
    Hole,
    IndicatorHistoryCompleted,
    LiquidationObserved,
    MarketIndicatorObserved,
    MarkPriceObserved,
    SymbolSlice,
    TradeGapChanged,
    TradesBootstrapped,
)
from libs.contracts.signals import (
    FactorContribution,
    IndicatorComputed,
    SignalScored,
    SlowInput,
    StrategyScore,
    WindowFeatures,
)
from libs.contracts.timeline import (
    HEADER_EFFECTIVE_AT,
    HEADER_EPOCH,
    HEADER_SOURCE,
    TimelineFenced,
    TimelineHeartbeat,
)
from libs.contracts.topics import SEQUENCED, TIMELINE, TOPICS, Topic
from libs.contracts.trading import (
    PaperTradeChanged,
)
from tests.golden.control_samples import CONTROL_SAMPLES, MIDNIGHT
from tests.golden.trading_samples import TRADING_SAMPLES

FOLDER = Path(__file__).parent / "messages"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _column(kind: str, *values: int) -> bytes:
    return np.array(values, kind).tobytes()


FRAME = AggTradeFrame(
    event_id="trade_ingest/0:3:17",
    event_time_ms=MIDNIGHT + 1_250,
    partition=1,
    producer="trade_ingest/0",
    epoch=3,
    sequence=17,
    received_us=(MIDNIGHT + 1_262) * 1000,
    slices=(
        SymbolSlice("BTCUSDT", 1, 3, 3, 2_331_590_001, 2_331_590_006, MIDNIGHT + 1_249),
        SymbolSlice("ETHUSDT", 2, 3, 1, 1_501_000_400, 1_501_000_400, MIDNIGHT + 1_187),
        SymbolSlice("SOLUSDT", 3, 0, 0, -1, -1, MIDNIGHT + 200),
    ),
    holes=(Hole("BTCUSDT", 2_331_590_002, 2_331_590_004, MIDNIGHT + 900, MIDNIGHT + 1_240, "retention"),),
    symbol_index=_column("<u2", 0, 1, 0, 0),
    agg_id=_column("<i8", 2_331_590_001, 1_501_000_400, 2_331_590_005, 2_331_590_006),
    price=_column("<i8", 551_200, 234_501, 551_201, 551_199),
    quantity=_column("<i8", 12, 1_500, 3, 250),
    first_trade_id=_column("<i8", 5_200_000_100, 4_100_000_050, 5_200_000_107, 5_200_000_108),
    last_trade_id=_column("<i8", 5_200_000_102, 4_100_000_050, 5_200_000_107, 5_200_000_112),
    trade_time=_column("<i8", MIDNIGHT + 900, MIDNIGHT + 1_188, MIDNIGHT + 1_240, MIDNIGHT + 1_250),
    buyer_is_maker=_column("u1", 0, 1, 1, 0),
    late_row=_column("<u4", 0),
    late_time=_column("<i8", MIDNIGHT + 950),
)

EVENTS: tuple[Event, ...] = (
    FRAME,
    TradesBootstrapped(
        event_id="bootstrap:BTCUSDT:3",
        event_time_ms=MIDNIGHT,
        symbol="BTCUSDT",
        price_decimals=1,
        quantity_decimals=3,
        producer="trade_ingest/0",
        epoch=3,
        minute_bars=_column(
            "<i8", MIDNIGHT - 120_000, 15_500, 8_000, 8_543_600_000, MIDNIGHT - 60_000, 9_100, 4_000, 5_015_920_000
        ),
        candle_bars=_column("<i8", MIDNIGHT - 300_000, 551_000, 551_900, 550_800, 551_200),
    ),
    LiquidationObserved(
        event_id=liquidation_id("BTCUSDT", "SELL", MIDNIGHT + 700, "0.014", "55119.9"),
        event_time_ms=MIDNIGHT + 700,
        symbol="BTCUSDT",
        side="SELL",
        quantity=Decimal("0.014"),
        average_price=Decimal("55119.9"),
        order_price=Decimal("54910.20"),
        last_filled_quantity=Decimal("0.014"),
        trade_time_ms=MIDNIGHT + 700,
        status="FILLED",
    ),
    MarketIndicatorObserved(
        event_id=digest("market_indicator", "BTCUSDT", "open_interest", MIDNIGHT),
        event_time_ms=MIDNIGHT,
        symbol="BTCUSDT",
        kind="open_interest",
        period="5m",
        values={"open_interest": Decimal("74520.312")},
        source="binance:openInterestHist",
    ),
    IndicatorHistoryCompleted(
        event_id=digest("indicator_history", "BTCUSDT", "open_interest", "5m", MIDNIGHT),
        event_time_ms=MIDNIGHT,
        symbol="BTCUSDT",
        kind="open_interest",
        period="5m",
        complete_until_ms=MIDNIGHT,
    ),
    MarkPriceObserved(
        event_id=digest("mark_price", "BTCUSDT", MIDNIGHT + 2_000),
        event_time_ms=MIDNIGHT + 2_000,
        symbol="BTCUSDT",
        mark_price=Decimal("55118.40000000"),
        index_price=Decimal("55140.12340000"),
        estimated_settle_price=Decimal("55139.00000000"),
        mark_price_average=None,
        funding_rate=Decimal("0.00010000"),
        next_funding_time_ms=MIDNIGHT + 8 * 3_600_000,
    ),
    FeedStatusChanged(
        event_id=digest("feed_status", "aggTrade", "BTCUSDT", "silent", MIDNIGHT + 30_000),
        event_time_ms=MIDNIGHT + 30_000,
        feed="aggTrade",
        symbol="BTCUSDT",
        state="silent",
        detail="no message for 30 s",
        last_event_time_ms=MIDNIGHT,
    ),
    TradeGapChanged(
        event_id=digest("trade_gap", "BTCUSDT", 3_123_456_790, 3_123_456_801, "filled"),
        event_time_ms=MIDNIGHT + 31_000,
        symbol="BTCUSDT",
        first_missing_id=3_123_456_790,
        last_missing_id=3_123_456_801,
        from_ms=MIDNIGHT + 29_000,
        to_ms=MIDNIGHT + 30_500,
        cause="disconnected",
        outcome="filled",
        found_ms=MIDNIGHT + 30_510,
        closed_ms=MIDNIGHT + 31_000,
    ),
    *CONTROL_SAMPLES,
    TimelineFenced(event_id="fence:1:4", event_time_ms=MIDNIGHT, partition=1, epoch=4, owner="sequencer-0"),
    TimelineHeartbeat(
        event_id="heartbeat:1:4:881",
        event_time_ms=MIDNIGHT + 1_250,
        partition=1,
        epoch=4,
        positions={"control.strategy.v1:0": 1, "market.aggtrade.v1:1": 880, "market.markprice.v1:1": 41},
        watermarks={"BTCUSDT": MIDNIGHT + 1_249, "ETHUSDT": MIDNIGHT + 1_187},
        frame_epochs={"trade_ingest/0": 3},
        last_ids={"BTCUSDT": 2_331_590_006, "ETHUSDT": 1_501_000_400},
    ),
    IndicatorComputed(
        event_id=indicator_id("BTCUSDT", MIDNIGHT + 15_000),
        event_time_ms=MIDNIGHT + 15_000,
        symbol="BTCUSDT",
        interval_ms=15_000,
        effective_at_ms=MIDNIGHT + 15_003,
        price=Decimal("55119.9"),
        windows=(
            WindowFeatures(
                window="5m",
                cvd=Decimal("-12.345"),
                volume=Decimal("230.118"),
                notional=Decimal("12684000.5021"),
                vwap=Decimal("55119.2"),
                coverage=1.0,
            ),
            WindowFeatures(
                window="30m",
                cvd=Decimal("40.002"),
                volume=Decimal("1500.000"),
                notional=Decimal("82680000.0000"),
                vwap=Decimal("55120.0"),
                coverage=1.0,
            ),
            WindowFeatures(
                window="4h",
                cvd=Decimal("0.000"),
                volume=Decimal("0.000"),
                notional=Decimal("0.0000"),
                vwap=None,
                coverage=0.25,
            ),
        ),
        large_p95=Decimal("41000.0000"),
        large_p99=None,
        large_buy_p95=Decimal("120000.0000"),
        large_sell_p95=Decimal("305000.0000"),
        large_buy_p99=Decimal("0.0000"),
        large_sell_p99=Decimal("0.0000"),
        size_coverage=0.01,
        atr=Decimal("48.35"),
        atr_percentile=0.625,
        slow_inputs=(SlowInput(name="open_interest", value=Decimal("74520.312"), as_of_ms=MIDNIGHT, age_ms=15_000),),
        scores=(StrategyScore(strategy="v51", version=1, score=71.5, threshold=60.0, direction="short"),),
        last_agg_id=2_331_590_950,
        trades_late=1,
        trades_missing=3,
    ),
    SignalScored(
        event_id=signal_id("v51", 1, "BTCUSDT", MIDNIGHT + 15_000),
        event_time_ms=MIDNIGHT + 15_000,
        strategy="v51",
        version=1,
        symbol="BTCUSDT",
        score=71.5,
        threshold=60.0,
        direction="short",
        state="emitted",
        reason=None,
        sentence="Short BTCUSDT at 55119.9: score 71.5 of 60, CVD falls in 5m while price stands under VWAP.",
        price=Decimal("55119.9"),
        atr=Decimal("48.35"),
        take_profit_1=Decimal("55071.6"),
        take_profit_2=Decimal("55023.2"),
        stop_loss=Decimal("55168.3"),
        hold_until_ms=MIDNIGHT + 15_000 + 70 * 60_000,
        contributions=(
            FactorContribution(factor="cvd_5m", value=-0.75, weight=40.0, contribution=-30.0),
            FactorContribution(factor="large_flow", value=0.0, weight=0.0, contribution=0.0, omitted="coverage 0.01"),
        ),
        inputs={"atr": Decimal("48.35"), "cvd_5m": Decimal("-12.345"), "large_p99": None},
        coverage={"30m": 1.0, "4h": 0.25, "5m": 1.0},
    ),
    PaperTradeChanged(
        event_id=digest("paper", "p1", "opened"),
        event_time_ms=MIDNIGHT + 15_000,
        position_id="p1",
        signal_id=signal_id("v51", 1, "BTCUSDT", MIDNIGHT + 15_000),
        strategy="v51",
        symbol="BTCUSDT",
        direction="short",
        state="opened",
        exit_reason=None,
        price=Decimal("55119.9"),
        quantity=Decimal("0.020"),
        pnl_quote=Decimal("0"),
        pnl_r=Decimal("0"),
    ),
    *TRADING_SAMPLES,
)


def sample(kind: type[Event]) -> Event:
    """The sample of one event type; `StopIteration` when nobody has written one."""
    return next(event for event in EVENTS if type(event) is kind)


def golden_path(topic: Topic, kind: type[Event]) -> Path:
    """Where the golden message of an event type on a topic stands."""
    return FOLDER / topic.name / f"{kind.SCHEMA.replace('/', '.')}.json"


def expected(event: Event) -> Any:
    """The event as plain JSON data (bytes as base64, decimals as text), for comparison with a golden message."""
    raw = msgspec.json.encode(event)
    return msgspec.json.decode(raw)


def _timeline_headers(kind: type[Event]) -> list[tuple[str, bytes]]:
    for topic in SEQUENCED:
        if kind in topic.events:
            source = f"{topic.name}:1:880"
            return [
                (HEADER_SOURCE, source.encode()),
                (HEADER_EPOCH, b"4"),
                (HEADER_EFFECTIVE_AT, str(MIDNIGHT + 1_249).encode()),
            ]
    if kind is StrategyActivated:
        return [(HEADER_SOURCE, b"control.strategy.v1:0:1"), (HEADER_EPOCH, b"4"), (HEADER_EFFECTIVE_AT, b"-1")]
    return []


def message(topic: Topic, event: Event) -> dict[str, Any]:
    """A golden message: what Kafka carries, and what it must decode to."""
    encoded = encode(event, traceparent=TRACEPARENT, observed_at_ms=MIDNIGHT + 20_000)
    headers = [*encoded.headers, *(_timeline_headers(type(event)) if topic is TIMELINE else [])]
    text = event.CONTENT_TYPE == "application/json"
    value = encoded.value.decode() if text else base64.b64encode(encoded.value).decode()
    return {
        "topic": topic.name,
        "headers": {name: content.decode() for name, content in headers},
        "value" if text else "value_base64": value,
        "expected": expected(event),
    }


def main() -> int:
    """Write the golden messages that are missing; existing ones stay as they are."""
    for topic in TOPICS:
        for kind in topic.events:
            path = golden_path(topic, kind)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(message(topic, sample(kind)), indent=2, ensure_ascii=False) + "\n")
                print(f"wrote {path.relative_to(FOLDER)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
