"""What the timeline has said beside trades, per symbol: latest values, liquidations and open interest over windows.

Everything is in log order: a value counts from its place on, whatever its own instant is.
"""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from libs.contracts.market import FeedStatusChanged, LiquidationObserved, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.signals import SlowInput

MINUTE_MS = 60_000
LIQUIDATION_WINDOW_MS = 5 * MINUTE_MS
OPEN_INTEREST_WINDOW_MS = 30 * MINUTE_MS
# The field of `MarketIndicatorObserved.values` that stands for the kind.
_FIELD_OF_KIND = {
    "open_interest": "open_interest",
    "global_long_short_account_ratio": "long_short_ratio",
    "top_long_short_account_ratio": "long_short_ratio",
    "top_long_short_position_ratio": "long_short_ratio",
    "taker_long_short_ratio": "buy_sell_ratio",
    "coinbase_premium": "premium_percent",
    "funding_rate": "funding_rate",
}
_PERCENT = Decimal(100)
_CHANGE_DIGITS = Decimal("0.00000001")


class Reading(NamedTuple):
    """A value and the instant it describes (ms)."""

    value: Decimal
    as_of_ms: int


class Liquidation(NamedTuple):
    """A forced order's notional (quote units); `long` when a long was closed."""

    time_ms: int
    long: bool
    notional: Decimal


@dataclass(slots=True)
class SymbolInputs:
    """The slow inputs of one symbol at a place of the log.

    `liquidations_since_ms` is since when the liquidation feed has received without a break; None while it does not.
    """

    latest: dict[str, Reading] = field(default_factory=dict)
    liquidations: deque[Liquidation] = field(default_factory=deque)
    open_interest: deque[Reading] = field(default_factory=deque)
    liquidations_since_ms: int | None = None

    def take_indicator(self, event: MarketIndicatorObserved) -> None:
        """Keep the newest instant of a kind; an older one that arrives later changes nothing."""
        value = event.values.get(_FIELD_OF_KIND[event.kind])
        if value is None:
            return
        known = self.latest.get(event.kind)
        if known is not None and known.as_of_ms > event.event_time_ms:
            return
        reading = Reading(value, event.event_time_ms)
        self.latest[event.kind] = reading
        if event.kind == "open_interest":
            self._remember_open_interest(reading)

    def take_mark_price(self, event: MarkPriceObserved) -> None:
        """Mark and index price, and the running funding estimate where the venue gives one."""
        at = event.event_time_ms
        known = self.latest.get("mark_price")
        if known is not None and known.as_of_ms > at:
            return
        self.latest["mark_price"] = Reading(event.mark_price, at)
        self.latest["index_price"] = Reading(event.index_price, at)
        if event.funding_rate is not None:
            self.latest["estimated_funding_rate"] = Reading(event.funding_rate, at)

    def take_liquidation(self, event: LiquidationObserved) -> None:
        """Add a forced order to the rolling sums (lower bounds: the venue samples)."""
        notional = event.quantity * event.average_price
        self.liquidations.append(Liquidation(event.trade_time_ms, event.side == "SELL", notional))

    def take_feed(self, event: FeedStatusChanged) -> None:
        """Without a liquidation feed that receives, no liquidations is not a fact but ignorance."""
        if "liquidation" not in event.feed:
            return
        if event.state != "receiving":
            self.liquidations_since_ms = None
        elif self.liquidations_since_ms is None:
            self.liquidations_since_ms = event.event_time_ms

    def at(self, evaluation_ms: int) -> dict[str, Reading]:
        """Every input known at the evaluation by name; drops what has left its window.

        Liquidation sums are known only when the feed received throughout their window: a part of it would look like calm.
        """
        found = dict(self.latest)
        start = evaluation_ms - LIQUIDATION_WINDOW_MS
        while self.liquidations and self.liquidations[0].time_ms < start:
            self.liquidations.popleft()
        if self.liquidations_since_ms is not None and self.liquidations_since_ms <= start:
            for name, long in (("long_liquidations", True), ("short_liquidations", False)):
                inside = (item.notional for item in self.liquidations if item.long == long and item.time_ms >= start)
                found[name] = Reading(sum(inside, Decimal(0)), evaluation_ms)
        change = self._open_interest_change()
        if change is not None:
            found["open_interest_change_percent"] = change
        return found

    def _remember_open_interest(self, reading: Reading) -> None:
        history = self.open_interest
        if history and history[-1].as_of_ms == reading.as_of_ms:
            history[-1] = reading
            return
        history.append(reading)
        while len(history) > 2 and history[1].as_of_ms <= reading.as_of_ms - OPEN_INTEREST_WINDOW_MS:
            history.popleft()

    def _open_interest_change(self) -> Reading | None:
        """Percent over half an hour, from the newest value at least that old; None while the history is shorter."""
        if len(self.open_interest) < 2:
            return None
        old, new = self.open_interest[0], self.open_interest[-1]
        if new.as_of_ms - old.as_of_ms < OPEN_INTEREST_WINDOW_MS or old.value <= 0:
            return None
        return Reading(((new.value / old.value - 1) * _PERCENT).quantize(_CHANGE_DIGITS), new.as_of_ms)


def as_events(readings: dict[str, Reading], evaluation_ms: int) -> tuple[SlowInput, ...]:
    """The inputs as they stand in the indicator event, by name."""
    return tuple(
        SlowInput(name=name, value=reading.value, as_of_ms=reading.as_of_ms, age_ms=evaluation_ms - reading.as_of_ms)
        for name, reading in sorted(readings.items())
    )
