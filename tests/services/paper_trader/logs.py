"""What a stack would have written: a timeline a partition, and the engine's signals and evaluations of it, as records."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from libs.contracts.codec import decode
from libs.contracts.control import StrategyActivated
from libs.contracts.market import AggTradeFrame, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.topics import AGGTRADE, INDICATOR, MARKPRICE, SIGNAL_INDICATOR, SIGNAL_SCORED, STRATEGY_CONTROL
from libs.indicators.settings import KernelSettings
from libs.streaming.records import Record
from services.signal_engine.core import EngineCore, Output
from tests.services.signal_engine.timelines import (
    START_MS,
    TimelineFactory,
    bootstrap,
    mark_price,
    random_frames,
)

# Both partitions end about here: neither is left behind.
END_MS = START_MS + 55 * 60_000
SETTLED_MS = START_MS + 25 * 60_000
SYMBOLS = (("BTCUSDT", "ETHUSDT"), ("XRPUSDT",))
# The records begin so long after the time of the first trades that every symbol has been seen.
BEGIN_MS = START_MS + 60_000


@dataclass(frozen=True)
class PartitionLog:
    """The records of the three topics of one partition number."""

    timeline: list[Record]
    signals: list[Record]
    evaluations: list[Record]


def strategy(
    name: str, threshold: float = 30, *, hold_minutes: int = 3, bracket: float = 0.1, **ways: object
) -> StrategyActivated:
    """A strategy that looks at the basis alone, with brackets (in ATR) that trades of these logs reach; `ways`: how they work."""
    levels = {"take_profit_1_atr": bracket, "take_profit_2_atr": 2 * bracket, "stop_loss_atr": 2 * bracket}
    definition = {
        "name": name,
        "version": 1,
        "evaluation_interval": "15s",
        "threshold": threshold,
        "cooldown_seconds": 30,
        "hold_minutes": hold_minutes,
        "atr_percentile_band": {"low": 0.0, "high": 1.0},
        "bracket": levels | ways,
        "factors": {"basis": {"weight": 1.0}},
    }
    return StrategyActivated(
        event_id=f"activation:{name}",
        event_time_ms=0,
        strategy=name,
        version=1,
        enabled=True,
        definition=msgspec.Raw(msgspec.json.encode(definition)),
        activated_by="test",
    )


STRATEGIES = (strategy("basis_fast"), strategy("basis_slow", hold_minutes=12, bracket=0.25))
BY_MARK = (
    strategy("basis_fast", working_type="mark"),
    strategy("basis_slow", hold_minutes=12, bracket=0.25, working_type="mark", trailing_atr=3.0),
)
"""The same with stops by the mark price: logs of these have mark prices near the trades, with extremes."""


def places(log: PartitionLog, time_ms: int) -> tuple[int, int, int]:
    """How many records of timeline, signals and evaluations were written before the market's time reached an instant."""
    frames = [
        place
        for place, record in enumerate(log.timeline)
        if isinstance(event := decode(record.value, record.headers), AggTradeFrame) and event.event_time_ms >= time_ms
    ]
    others = [
        sum(decode(record.value, record.headers).event_time_ms < time_ms for record in records)
        for records in (log.signals, log.evaluations)
    ]
    return min(frames, default=len(log.timeline)), others[0], others[1]


def settled(symbol: str, time_ms: int, rate: str) -> MarketIndicatorObserved:
    """A settled funding rate, with a mark price."""
    return MarketIndicatorObserved(
        event_id=f"funding:{symbol}:{time_ms}",
        event_time_ms=time_ms,
        symbol=symbol,
        kind="funding_rate",
        period=None,
        values={"funding_rate": Decimal(rate), "mark_price": Decimal(50_000)},
        source="test",
    )


def timeline(
    seed: int, symbols: Sequence[str], frames: int, strategies: Sequence[StrategyActivated]
) -> TimelineFactory:
    """Trades with mark prices that make a basis strategy signal now and then, both ways."""
    made, is_near = TimelineFactory(), any(b'"mark"' in bytes(each.definition) for each in strategies)
    made.fence()
    for strategy in strategies:
        made.copy(STRATEGY_CONTROL, strategy)
    for symbol in symbols:
        made.copy(AGGTRADE, bootstrap(symbol, seed))
    paid = False
    for number, frame in enumerate(random_frames(seed, list(symbols), frames)):
        if frame.event_time_ms > END_MS:
            break
        made.copy(AGGTRADE, frame)
        symbol = symbols[number % len(symbols)]
        premium = 30 if number // 40 % 2 else -30
        if number % 5 == 0:
            told = mark_price(symbol, frame.event_time_ms, 10_000 + premium)
            if is_near:
                told = near_trades(told, random.Random(seed + number))
            made.copy(MARKPRICE, msgspec.structs.replace(told, next_funding_time_ms=SETTLED_MS))
        if frame.event_time_ms > SETTLED_MS + 20_000 and not paid:
            paid = True
            for each in symbols:
                made.copy(INDICATOR, settled(each, SETTLED_MS + 3, "0.0001"))
        if number % 20 == 0:
            made.beat()
    return made


def near_trades(told: MarkPriceObserved, chance: random.Random) -> MarkPriceObserved:
    """The same premium over an index about where the trades are, with extremes, a little late or early."""
    mark = Decimal(50_000) + Decimal(chance.randrange(-4_000, 4_000)).scaleb(-3)
    return msgspec.structs.replace(
        told,
        event_time_ms=told.event_time_ms + chance.choice((-1_500, 0, 0, 400)),
        mark_price=mark,
        index_price=(mark * 10_000 / told.mark_price).quantize(Decimal("0.01")),
        lowest_mark_price=mark - Decimal(chance.randrange(4_000)).scaleb(-3),
        highest_mark_price=mark + Decimal(chance.randrange(4_000)).scaleb(-3),
    )


def log_of(made: TimelineFactory) -> PartitionLog:
    """With what the engine says of it."""
    out = EngineCore(KernelSettings()).process(made.records)
    return PartitionLog(
        made.records, _records(SIGNAL_SCORED.name, out.signals), _records(SIGNAL_INDICATOR.name, out.indicators)
    )


def logs(seed: int, frames: int = 2_500, strategies: Sequence[StrategyActivated] = STRATEGIES) -> list[PartitionLog]:
    """Two partitions over the same span of time."""
    return [log_of(timeline(seed + n, symbols, frames, strategies)) for n, symbols in enumerate(SYMBOLS)]


def _records(topic: str, outputs: Sequence[Output]) -> list[Record]:
    return [
        Record(topic, 0, offset, output.symbol.encode(), output.encoded.value, dict(output.encoded.headers), 0)
        for offset, output in enumerate(outputs)
    ]
