"""Timelines for tests, made by the sequencer's own core, so that their headers are the real ones."""

import random
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
import numpy as np

from libs.contracts.codec import encode
from libs.contracts.control import StrategyActivated
from libs.contracts.event import Event
from libs.contracts.market import (
    AggTradeFrame,
    FeedState,
    FeedStatusChanged,
    Hole,
    MarketIndicatorObserved,
    MarkPriceObserved,
    TradesBootstrapped,
)
from libs.contracts.topics import AGGTRADE, FEEDSTATUS, INDICATOR, MARKPRICE, STRATEGY_CONTROL, TIMELINE, Topic
from libs.streaming.records import Record
from services.sequencer.core import SequencerCore
from tests.services.frame_factory import Envelope, Row, make_frame

START_MS = 1_717_977_600_000


@dataclass
class TimelineFactory:
    """Appends source events to one timeline partition of one."""

    core: SequencerCore = field(default_factory=lambda: SequencerCore(0, 1))
    records: list[Record] = field(default_factory=list)
    beats: int = 0

    def fence(self) -> None:
        """A new owner takes the partition."""
        self._append_own(self.core.fence("test"))
        assert self.core.follow(self.records[-1])

    def beat(self) -> None:
        """A heartbeat."""
        self._append_own(self.core.heartbeat(self.beats))
        self.beats += 1

    def copy(self, topic: Topic, event: Event) -> None:
        """The next record of a source."""
        offset = self.core.position(topic.name, 0) + 1
        value, headers = encode(event)
        copied = self.core.copy(Record(topic.name, 0, offset, b"", value, dict(headers), 0))
        assert copied is not None
        self._append(copied.value, dict(copied.headers))

    def garbage(self, value: bytes = b"\x00", headers: dict[str, bytes] | None = None) -> None:
        """What somebody else wrote there."""
        self._append(value, headers or {})

    def _append_own(self, event: Event) -> None:
        value, headers = encode(event)
        self._append(value, dict(headers))

    def _append(self, value: bytes, headers: dict[str, bytes]) -> None:
        self.records.append(Record(TIMELINE.name, 0, len(self.records), b"0", value, headers, len(self.records)))


def random_frames(seed: int, symbols: list[str], frames: int, step_ms: int = 700) -> list[AggTradeFrame]:
    """Frames of a few trades each, some with a hole; time moves by up to `step_ms` a frame, now and then by minutes."""
    dice, now, next_id = random.Random(seed), START_MS, dict.fromkeys(symbols, 0)
    last_ms = dict.fromkeys(symbols, START_MS)
    made = []
    for number in range(frames):
        start = now
        now += dice.randrange(1, step_ms) + (90_000 if dice.random() < 0.01 else 0)
        rows, holes = [], []
        for symbol in dice.sample(symbols, dice.randint(0, len(symbols))):
            if dice.random() < 0.02:
                missing = next_id[symbol] + dice.randint(0, 9)
                holes.append(Hole(symbol, next_id[symbol], missing, last_ms[symbol], start, "test"))
                next_id[symbol] = missing + 1
            for time_ms in sorted(dice.randrange(start, now) for _ in range(dice.randint(1, 6))):
                price, quantity = 5_000_000 + dice.randrange(-500, 500), dice.randint(1, 9_000)
                rows.append(Row(symbol, next_id[symbol], price, quantity, time_ms, dice.random() < 0.5))
                next_id[symbol] += 1
                last_ms[symbol] = time_ms
        made.append(make_frame(Envelope(0, sequence=number), rows, dict.fromkeys(symbols, now - 1), tuple(holes)))
    return made


def open_interest(symbol: str, time_ms: int, value: str) -> MarketIndicatorObserved:
    """One value of open interest."""
    return MarketIndicatorObserved(
        event_id=f"oi:{symbol}:{time_ms}",
        event_time_ms=time_ms,
        symbol=symbol,
        kind="open_interest",
        period=None,
        values={"open_interest": Decimal(value)},
        source="test",
    )


def mark_price(symbol: str, time_ms: int, mark: int) -> MarkPriceObserved:
    """Mark price against an index of 10,000."""
    return MarkPriceObserved(
        event_id=f"mark:{symbol}:{time_ms}",
        event_time_ms=time_ms,
        symbol=symbol,
        mark_price=Decimal(mark),
        index_price=Decimal(10_000),
        estimated_settle_price=None,
        mark_price_average=None,
        funding_rate=None,
        next_funding_time_ms=0,
    )


def feed_report(symbol: str, state: FeedState, at_ms: int, since_ms: int, name: str = "trades") -> FeedStatusChanged:
    """The state of a feed, told at an instant."""
    return FeedStatusChanged(
        event_id=f"{name}:{symbol}:{state}:{at_ms}",
        event_time_ms=at_ms,
        feed=name,
        symbol=symbol,
        state=state,
        detail="",
        last_event_time_ms=at_ms,
        since_ms=since_ms,
    )


def activation(threshold: float, *, enabled: bool = True, interval: str = "15s", version: int = 1) -> StrategyActivated:
    """A strategy that looks at the basis alone."""
    definition = {
        "name": "basis_only",
        "version": version,
        "evaluation_interval": interval,
        "threshold": threshold,
        "cooldown_seconds": 40,
        "atr_percentile_band": {"low": 0.0, "high": 1.0},
        "bracket": {"take_profit_1_atr": 1.0, "take_profit_2_atr": 2.0, "stop_loss_atr": 1.0},
        "factors": {"basis": {"weight": 1.0}},
    }
    return StrategyActivated(
        event_id=f"activation:{version}:{threshold}:{enabled}",
        event_time_ms=0,
        strategy="basis_only",
        version=version,
        enabled=enabled,
        definition=msgspec.Raw(msgspec.json.encode(definition)),
        activated_by="test",
    )


def bootstrap(symbol: str, seed: int) -> TradesBootstrapped:
    """Four hours of minutes and forty of candles, closed at the start of the frames."""
    dice = random.Random(seed)
    minutes = [(START_MS - 60_000 * n, 1_000, dice.randint(0, 1_000), 5_000_000_000) for n in range(240, 0, -1)]
    candles = []
    for n in range(480, 0, -1):
        low = 5_000_000 - dice.randint(0, 2_000)
        candles.append((START_MS - 300_000 * n, 5_000_000, 5_000_000 + dice.randint(0, 2_000), low, 5_000_000))
    return TradesBootstrapped(
        event_id=f"bootstrap:{symbol}",
        event_time_ms=START_MS,
        symbol=symbol,
        price_decimals=2,
        quantity_decimals=3,
        producer="trade_ingest/0",
        epoch=1,
        minute_bars=np.array(minutes, "<i8").tobytes(),
        candle_bars=np.array(candles, "<i8").tobytes(),
    )


def mixed_timeline(seed: int, symbols: list[str], frames: int) -> TimelineFactory:
    """Frames with slow inputs (some of them ahead of the trades), heartbeats, a change of owner and some garbage between them."""
    dice, timeline = random.Random(seed), TimelineFactory()
    timeline.fence()
    timeline.copy(STRATEGY_CONTROL, activation(30))
    for symbol in symbols:
        timeline.copy(AGGTRADE, bootstrap(symbol, seed))
    states: dict[tuple[str, str], tuple[FeedState, int]] = {}
    for frame in random_frames(seed, symbols, frames):
        timeline.copy(AGGTRADE, frame)
        if dice.random() < 0.3:
            key, at_ms = (dice.choice(symbols), dice.choice(("trades", "mark_price"))), frame.event_time_ms
            if dice.random() < 0.3 or key not in states:
                states[key] = (dice.choice(("live", "live", "silent", "stale", "halted", "down")), at_ms)
            timeline.copy(FEEDSTATUS, feed_report(key[0], states[key][0], at_ms, states[key][1], key[1]))
        if dice.random() < 0.2:
            symbol = dice.choice(symbols)
            at_ms = frame.event_time_ms + dice.choice((-5_000, 0, 0, 40_000))
            timeline.copy(MARKPRICE, mark_price(symbol, at_ms, dice.randint(9_990, 10_010)))
        if dice.random() < 0.01:
            timeline.copy(STRATEGY_CONTROL, activation(dice.choice((10, 60)), version=len(timeline.records)))
        if dice.random() < 0.2:
            symbol = dice.choice(symbols)
            at_ms = frame.event_time_ms + dice.choice((-5_000, 0, 0, 40_000))
            timeline.copy(INDICATOR, open_interest(symbol, at_ms, str(dice.randint(1000, 2000))))
        if dice.random() < 0.05:
            timeline.beat()
        if dice.random() < 0.01:
            timeline.garbage()
        if dice.random() < 0.01:
            timeline.fence()
    return timeline
