"""What is public at the order venue, as the guard wants it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from libs.exchanges import MarketData
from libs.exchanges.budget import Priority
from libs.exchanges.decimals import finite_decimal
from libs.exchanges.errors import MalformedAnswer
from libs.exchanges.flatten_orders import market_lot
from libs.exchanges.venue import known_instruments
from libs.exchanges.worth import worth_by_minute
from libs.kit.clock import Clock
from libs.kit.errors import BadMessage
from services.risk_guard.ports import SymbolRules

ASK_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class VenueMarket:
    """`OrderMarket` over the venue's public questions, asked from the guard's reserve."""

    market_data: MarketData
    clock: Clock

    async def last_prices(self) -> Mapping[str, Decimal]:
        found = await self._asking().last_prices()
        return {symbol: _number(ticker.price) for symbol, ticker in found.items()}

    async def clock_skew_ms(self) -> Decimal:
        """By the middle of the round trip."""
        reading = await self._asking().read_clock()
        now_ms, answered = self.clock.now_ms(), time.monotonic()
        since_ms = int((answered - (reading.asked + reading.answered) / 2) * 1000)
        return Decimal(now_ms - since_ms - reading.venue_ms)

    async def worth(self, asset: str, since_ms: int, until_ms: int) -> Mapping[int, Decimal]:
        return await worth_by_minute(self._asking(), asset, since_ms, until_ms)

    async def rules(self, symbols: Sequence[str]) -> Mapping[str, SymbolRules]:
        if not symbols:
            return {}
        found = await known_instruments(self._asking(), symbols)
        try:
            return {
                symbol: SymbolRules(finite_decimal(one.tick_size), market_lot(one)) for symbol, one in found.items()
            }
        except BadMessage as error:
            raise MalformedAnswer(str(error)) from None

    def _asking(self) -> MarketData:
        return self.market_data.at(Priority.GUARD, ASK_PATIENCE_SECONDS)


def _number(text: str) -> Decimal:
    try:
        return finite_decimal(text)
    except BadMessage as error:
        raise MalformedAnswer(str(error)) from None
