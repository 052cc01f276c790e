"""What no factor may do: know at E what happened after E. A market is changed after an instant; opinions up to it must not move.

Run over discovery by tests/libs/trading/engine/test_look_ahead.py, so a new factor is tested at once.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

import msgspec
import numpy as np

from libs.contracts.event import Event
from libs.contracts.market import (
    FeedState,
    FeedStatusChanged,
    LiquidationObserved,
    MarketIndicatorObserved,
    MarkPriceObserved,
)
from libs.contracts.timeline import PlacedEvent
from libs.indicators.log import TradeRows
from libs.indicators.settings import KernelSettings
from libs.trading.engine.columns import ColumnEngine
from libs.trading.factor import Omitted, opinion
from libs.trading.factors import all_factors
from libs.trading.inputs import FEED_OF_INPUT, TRADE_FEED

SYMBOL = "BTCUSDT"
START_MS = 1_717_977_600_000
HOUR_MS = 3_600_000
HOURS = 9
END_MS = START_MS + HOURS * HOUR_MS
TRADES = 9_000
GRID_MS = 15_000
Opinions = dict[tuple[int, str], float | str]
_KINDS = {
    "open_interest": ("open_interest", 5),
    "global_long_short_account_ratio": ("long_short_ratio", 5),
    "coinbase_premium": ("premium_percent", 1),
}
"""Kinds of indicators with their field and how many minutes lie between two values."""


@dataclass(frozen=True, slots=True)
class Log:
    """A symbol's trades, and the events beside them in the order of their places."""

    trades: TradeRows
    events: tuple[PlacedEvent, ...]


def market(seed: int) -> Log:
    """Nine hours in which every factor comes to have opinions. Places of slow inputs are up to three minutes before or after
    the instants that they describe: the log may know of a future, and must not use it."""
    dice = np.random.default_rng(seed)
    drift = np.repeat(dice.normal(0, 1, TRADES // 90), 90)
    price = 600_000 + np.cumsum(dice.normal(0, 30, TRADES) + 6 * drift).astype(np.int64)
    trades = TradeRows(
        symbol=SYMBOL,
        price_decimals=1,
        quantity_decimals=3,
        agg_id=np.arange(TRADES, dtype=np.int64),
        time=np.sort(dice.integers(START_MS, END_MS, TRADES)),
        price=np.maximum(1_000, price),
        quantity=np.maximum(1, (dice.pareto(1.6, TRADES) * 500)).astype(np.int64),
        buyer_is_maker=(dice.random(TRADES) > 0.5 + 0.2 * np.tanh(drift)).astype(np.uint8),
    )
    placed = [PlacedEvent(START_MS - 5_000, feed(name, "live", START_MS - 5_000)) for name in feeds()]
    for event in _events(dice):
        placed.append(PlacedEvent(event.event_time_ms + int(dice.integers(-180_000, 180_000)), event))
    return Log(trades, tuple(sorted(placed, key=lambda item: item.effective_at_ms)))


def feeds() -> list[str]:
    """Every feed that an evaluation looks at."""
    return sorted({TRADE_FEED, *FEED_OF_INPUT.values()})


def feed(name: str, state: FeedState, at_ms: int) -> FeedStatusChanged:
    """A report of a feed's state."""
    return FeedStatusChanged(
        event_id=f"{name}:{state}:{at_ms}",
        event_time_ms=at_ms,
        feed=name,
        symbol=SYMBOL,
        state=state,
        detail="",
        last_event_time_ms=at_ms,
    )


def _events(dice: np.random.Generator) -> list[Event]:
    found: list[Event] = []
    for minute in range(HOURS * 60):
        at_ms = START_MS + minute * 60_000 + int(dice.integers(0, 60_000))
        for kind, (_, minutes) in _KINDS.items():
            if minute % minutes == 0:
                found.append(_indicator(kind, at_ms, float(dice.uniform(0.5, 1.5))))
        for second in range(0, 60, 20):
            found.append(_mark(at_ms + second * 1_000, float(dice.uniform(-1, 1))))
        found.append(_liquidation(at_ms, bool(dice.random() < 0.5), int(dice.integers(1, 900))))
    return found


def _indicator(kind: str, at_ms: int, size: float) -> MarketIndicatorObserved:
    values = {_KINDS[kind][0]: Decimal(f"{size * (0.05 if kind == 'coinbase_premium' else 1):.6f}")}
    return MarketIndicatorObserved(
        event_id=f"{kind}:{at_ms}:{size}",
        event_time_ms=at_ms,
        symbol=SYMBOL,
        kind=kind,  # type: ignore[arg-type]
        period=None,
        values=values,
        source="test",
    )


def _mark(at_ms: int, lean: float) -> MarkPriceObserved:
    return MarkPriceObserved(
        event_id=f"mark:{at_ms}:{lean}",
        event_time_ms=at_ms,
        symbol=SYMBOL,
        mark_price=Decimal(f"{60_000 + 50 * lean:.1f}"),
        index_price=Decimal(60_000),
        estimated_settle_price=None,
        mark_price_average=None,
        funding_rate=Decimal(f"{0.0001 + 0.0003 * lean:.8f}"),
        next_funding_time_ms=0,
    )


def _liquidation(at_ms: int, long: bool, size: int) -> LiquidationObserved:
    return LiquidationObserved(
        event_id=f"{at_ms}:{long}:{size}",
        event_time_ms=at_ms,
        symbol=SYMBOL,
        side="SELL" if long else "BUY",
        quantity=Decimal(size) / 100,
        average_price=Decimal(60_000),
        order_price=Decimal(60_000),
        last_filled_quantity=Decimal(size) / 100,
        trade_time_ms=at_ms,
        status="FILLED",
    )


def opinions(log: Log, until_ms: int = END_MS) -> Opinions:
    """Every factor's opinion, or the code of its omission, at every evaluation up to an instant."""
    engine = ColumnEngine(KernelSettings(), SYMBOL, every=True)
    engine.place(log.events)
    found: Opinions = {}
    for evaluation in engine.advance(log.trades, (), END_MS).evaluations:
        now_ms = evaluation.situation.row.evaluation_time_ms
        if now_ms > until_ms:
            break
        for name, factor in all_factors().items():
            said = opinion(factor, evaluation.situation)
            found[now_ms, name] = said.code if isinstance(said, Omitted) else said
    return found


def changed_after(log: Log, now_ms: int, seed: int) -> Log:
    """Another future: trades at E and later, and everything beside them that describes an instant after E or comes after E."""
    dice = np.random.default_rng(seed)
    trades, later = log.trades, log.trades.time >= now_ms
    count = int(later.sum())
    price, quantity, sold = trades.price.copy(), trades.quantity.copy(), trades.buyer_is_maker.copy()
    price[later] = np.maximum(1, price[later] + dice.integers(-90_000, 90_000, count))
    quantity[later] = dice.integers(1, 10_000_000, count)
    sold[later] = dice.integers(0, 2, count)
    events = []
    for item in log.events:
        if not _after(item, now_ms):
            events.append(item)
        elif dice.random() < 0.8:  # some are not there at all
            events.append(item._replace(event=_other(item.event, dice)))
    return Log(replace(trades, price=price, quantity=quantity, buyer_is_maker=sold), tuple(events))


def _after(item: PlacedEvent, now_ms: int) -> bool:
    """Whether it describes an instant after E, or E does not know of it yet (see `ColumnEngine`)."""
    event = item.event
    instant = event.trade_time_ms if isinstance(event, LiquidationObserved) else event.event_time_ms
    return instant > now_ms or item.effective_at_ms >= now_ms - 1


def _other(event: Event, dice: np.random.Generator) -> Event:
    if isinstance(event, MarketIndicatorObserved):
        return _indicator(event.kind, event.event_time_ms, float(dice.uniform(0.01, 9)))
    if isinstance(event, MarkPriceObserved):
        return _mark(event.event_time_ms, float(dice.uniform(-20, 20)))
    if isinstance(event, LiquidationObserved):
        return _liquidation(event.trade_time_ms, bool(dice.random() < 0.5), int(dice.integers(1, 9_000_000)))
    if isinstance(event, FeedStatusChanged):
        return msgspec.structs.replace(event, state="down")
    return event


def it_has_opinions(name: str, known: Opinions) -> None:
    """Else the suite would show nothing."""
    said = [value for (_, factor), value in known.items() if factor == name and not isinstance(value, str)]
    assert len(said) > 100, name
    assert len(set(said)) > 20 or all_factors()[name].role == "scale", name


def it_follows_its_inputs(name: str, known: Opinions, other: Opinions) -> None:
    """Another market gives other opinions: what does not depend on the future does depend on something."""
    assert any(known[place] != value for place, value in other.items() if place[1] == name and place in known), name


def nothing_after_counts(name: str, known: Opinions, changed: Opinions) -> None:
    """The opinions of one factor up to the change."""
    differing = [place for place, value in changed.items() if place[1] == name and known[place] != value]
    assert not differing, f"{name} at {differing[0]}: {known[differing[0]]} became {changed[differing[0]]}"
