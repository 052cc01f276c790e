"""What becomes known of a trade late, perhaps when it is over: funding that the statement tells, and what fees were worth."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from libs.exchanges.errors import VenueError
from libs.exchanges.worth import Rests
from libs.kit.logging import get_logger
from libs.trading.execution.books import Page
from libs.trading.execution.document import Trade
from libs.trading.execution.facts import Fact, FeeValued
from libs.trading.execution.folds import fold
from libs.trading.execution.sums import unvalued_fees
from services.executor.desk import Desk
from services.executor.pages import Pages
from services.executor.telling import Teller

MOST_KEPT = 500
LOOK_SECONDS = 5.0
REST_SECONDS, LONGEST_REST_SECONDS = 60.0, 3600.0
"""An asset whose worth nobody tells is asked for again after so long, and ever later."""
Worth = Callable[[str, int], Awaitable[Decimal | None]]
"""What one unit of an asset was worth at a time (ms), quote units; None where nobody can tell."""
_LOGGER = get_logger("executor.afterwards")


@dataclass(slots=True)
class Afterwards:
    """`over`: trades that have ended lately, by id; `trades`: those that have not."""

    pages: Pages
    teller: Teller
    desk_of: Callable[[str], Desk]
    trades: Callable[[], Mapping[str, Trade]]
    worth: Worth | None = None
    over: dict[str, Trade] = field(default_factory=dict)
    _rests: Rests = field(default_factory=lambda: Rests(REST_SECONDS, LONGEST_REST_SECONDS))
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    def keep(self, trade: Trade) -> None:
        """It has ended."""
        if trade.fills:
            self.over[trade.trade_id] = trade
        while len(self.over) > MOST_KEPT:
            del self.over[next(iter(self.over))]

    def holders(self, symbol: str, at_ms: int) -> list[Trade]:
        """Whoever held the symbol then."""
        found = [*self.trades().values(), *self.over.values()]
        return [trade for trade in found if trade.symbol == symbol and _held_at(trade, at_ms)]

    async def learn(self, trade_id: str, fact: Fact) -> None:
        """A fact of an open trade goes to its desk; one that is over is written again, where it says something new."""
        if (trade := self.trades().get(trade_id)) is not None:
            if fold(trade, fact) is trade:
                return
            # In the books when this returns: whoever tells it tells it only once. It may have ended meanwhile.
            await self.desk_of(trade.symbol).change(trade_id, [fact], Page())
            if trade_id in self.trades():
                return
        async with self._one_at_a_time:
            before = self.over.get(trade_id)
            after = fold(before, fact) if before is not None else None
            if after is not None and after is not before:
                await self.pages.write(Page(trades=(after,)), self.teller.tell(before, after).told)
                self.over[trade_id] = after

    async def run(self) -> None:
        """Value fees in other assets, until cancelled."""
        clock = self.pages.clock
        while self.worth is not None:
            for trade in [*self.trades().values(), *self.over.values()]:
                await self._value(trade, self.worth)
            await clock.sleep(LOOK_SECONDS * clock.speed)

    async def _value(self, trade: Trade, worth: Worth) -> None:
        for fill in unvalued_fees(trade):
            asset, now = fill.fee_asset, self.pages.clock.monotonic()
            if not self._rests.is_due(asset, now):
                continue
            price, why = None, "nobody trades it"
            try:
                price = await worth(asset, fill.time_ms)
            except VenueError as error:
                why = str(error)
            if price is None:
                rest = self._rests.missed(asset, now)
                _LOGGER.warning("a fee cannot be valued now", asset=asset, why=why, again_after=rest)
                continue
            self._rests.told(asset)
            await self.learn(trade.trade_id, FeeValued(fill.trade_id, fill.fee * price))


def _held_at(trade: Trade, at_ms: int) -> bool:
    begun, ended = trade.times.first_fill_ms, max((fill.time_ms for fill in trade.fills), default=0)
    return bool(begun) and begun <= at_ms and (not trade.is_final or at_ms <= ended)
