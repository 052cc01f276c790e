"""What an account trades against: the book around the last trade, and what of it an order takes or is given."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from services.exchange_simulator.books import book_after
from services.exchange_simulator.market import Funding, MarkPrice, TradeColumns, TradeWindow
from services.exchange_simulator.symbols import SymbolRules
from services.exchange_simulator.trading.filters import step_of, tick_of
from services.exchange_simulator.trading.orders import Side

# Lots per level grow with the distance, as books do; many levels are more than anybody takes.
_LEVELS = 4_000
_TOUCHED_SHARE = 2


class Prices(Protocol):
    """What trading asks of the market (see `MarketSource`)."""

    @property
    def symbols(self) -> tuple[str, ...]: ...
    @property
    def rules(self) -> Mapping[str, SymbolRules]: ...
    def newest_trades(self, symbol: str, limit: int, now_ms: int) -> TradeColumns: ...
    def window(self, after_ms: int, until_ms: int, wanted: Sequence[int]) -> TradeWindow: ...
    def mark_price(self, symbol: str, now_ms: int) -> MarkPrice: ...
    def fundings(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> list[Funding]: ...


class Level(NamedTuple):
    """A price of the book and how much stands there."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """The book after a trade: best bid and ask with their quantities, and the seed of what stands behind them."""

    bid: Level
    ask: Level
    seed: int
    tick: Decimal

    def best(self, side: Side) -> Decimal:
        """The price that a taker of this side gets first."""
        return self.ask.price if side == "BUY" else self.bid.price

    def levels(self, side: Side) -> Iterator[Level]:
        """What a taker of this side meets, best first."""
        first, direction = (self.ask, 1) if side == "BUY" else (self.bid, -1)
        for number in range(_LEVELS):
            price = first.price + direction * number * self.tick
            if price <= 0:
                return
            lots = 1 + (self.seed + number * 7919) % 5
            yield Level(price, first.quantity * (lots * number + 1))


def quote_after(trades: TradeColumns, rules: SymbolRules) -> Quote:
    """The book after the last of `trades`, as bookTicker shows it."""
    shown = book_after(trades, rules)
    bid = Level(Decimal(shown.bid), Decimal(shown.bid_quantity))
    ask = Level(Decimal(shown.ask), Decimal(shown.ask_quantity))
    return Quote(bid, ask, int(trades.ids[-1]), tick_of(rules))


class Stretch(NamedTuple):
    """Trades of one symbol in event order, in the symbol's units."""

    trades: TradeColumns
    rules: SymbolRules

    @property
    def times(self) -> NDArray[np.int64]:
        return self.trades.event_ms

    def price(self, row: int) -> Decimal:
        return Decimal(int(self.trades.prices[row])).scaleb(-self.rules.price_decimals)

    def units(self, price: Decimal) -> int:
        """A price in the symbol's units; tick sizes are whole ones."""
        return int(price.scaleb(self.rules.price_decimals))

    def quote(self, row: int) -> Quote:
        return quote_after(self.trades.slice(row, row + 1), self.rules)

    def first(self, above: bool, price: Decimal, start: int) -> int | None:
        """The first row from `start` on at or above `price`, or at or below it."""
        prices, bound = self.trades.prices[start:], self.units(price)
        hits = prices >= bound if above else prices <= bound
        row = int(np.argmax(hits)) if len(hits) else 0
        return start + row if len(hits) and hits[row] else None

    def given(self, side: Side, price: Decimal, row: int) -> Decimal | None:
        """How much of a resting order this trade may fill: None (all of it) where it goes through the price, at a touch half of
        it, because others stood there before."""
        here, at = int(self.trades.prices[row]), self.units(price)
        if (here < at) if side == "BUY" else (here > at):
            return None
        quantity = Decimal(int(self.trades.quantities[row])).scaleb(-self.rules.quantity_decimals)
        step = step_of(self.rules)
        return max(step, quantity / _TOUCHED_SHARE // step * step)
