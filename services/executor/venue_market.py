"""What the order venue says of its contracts: their limits and states, looked at now and then, and their prices as they come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from libs.exchanges import StreamBatch, Subscription
from libs.exchanges.account import Account
from libs.exchanges.errors import VenueError
from libs.exchanges.filters import symbol_filters
from libs.exchanges.pictures import QUOTE_ASSETS
from libs.exchanges.session import SessionOptions
from libs.exchanges.session_group import SessionGroup
from libs.exchanges.venue import known_instruments
from libs.exchanges.worth import minute_of, price_in, worth_by_minute
from libs.kit.errors import BadMessage, TryAgain
from libs.kit.logging import get_logger
from libs.trading.execution.admission import Quote
from libs.trading.filters import SymbolFilters

REFRESH_SECONDS = 600.0
RETRY_SECONDS = 5.0
FEED = "order_price"
TRADING = "TRADING"
_LOGGER = get_logger("executor.market")


@dataclass(slots=True)
class VenueMarket:
    """The port's `Market`, and the `StreamHandler` of its mark prices."""

    account: Account
    sessions: SessionGroup
    quote_assets: frozenset[str] = QUOTE_ASSETS
    _symbols: list[str] = field(default_factory=list)
    _filters: dict[str, SymbolFilters] = field(default_factory=dict)
    _statuses: dict[str, str] = field(default_factory=dict)
    _quotes: dict[str, Quote] = field(default_factory=dict)

    @property
    def symbols(self) -> Sequence[str]:
        return self._symbols

    def filters(self, symbol: str) -> SymbolFilters | None:
        return self._filters.get(symbol) if self._statuses.get(symbol) == TRADING else None

    def statuses(self) -> Mapping[str, str]:
        return self._statuses

    def quote(self, symbol: str) -> Quote | None:
        return self._quotes.get(symbol)

    async def worth(self, asset: str, at_ms: int) -> Decimal | None:
        """The close of that minute. Raises `VenueError`."""
        return price_in(await worth_by_minute(self.account.market_data, asset, at_ms, at_ms), minute_of(at_ms))

    async def add(self, symbols: Sequence[str]) -> None:
        """Follow these too. Raises `TryAgain` while the venue does not answer."""
        fresh = [symbol for symbol in symbols if symbol not in self._symbols]
        try:
            found = await known_instruments(self.account.market_data, fresh)
        except VenueError as error:
            raise TryAgain(str(error), RETRY_SECONDS) from None
        for symbol, instrument in found.items():
            try:
                self._filters[symbol] = symbol_filters(instrument)
            except BadMessage as error:
                _LOGGER.warning("a symbol cannot be traded", symbol=symbol, why=str(error))
                continue
            self._statuses[symbol] = instrument.status
            self._symbols.append(symbol)
        if found:
            wanted = Subscription(mark_prices=tuple(found))
            self.sessions.add(self.account.streams.session(wanted, self, SessionOptions(FEED)))

    async def remove(self, symbols: Sequence[str]) -> None:
        """They are not entered any more; what is open goes on being heard."""
        self._symbols = [symbol for symbol in self._symbols if symbol not in symbols]

    async def refresh(self) -> None:
        """Look at limits and states again until cancelled."""
        while True:
            await self.account.clock.sleep(REFRESH_SECONDS * self.account.clock.speed)
            try:
                found = await known_instruments(self.account.market_data, tuple(self._filters))
            except VenueError as error:
                _LOGGER.warning("the venue does not tell its contracts", why=str(error))
                continue
            # One that is told no more does not trade any more.
            self._statuses = dict.fromkeys(self._statuses, "GONE") | {name: one.status for name, one in found.items()}
            for name, one in found.items():
                try:
                    self._filters[name] = symbol_filters(one)
                except BadMessage as error:
                    _LOGGER.warning("a symbol cannot be traded", symbol=name, why=str(error))
                    self._statuses[name] = "UNREADABLE"

    def on_connecting(self) -> None:
        """Prices are as old as they are."""

    def on_lines(self, lines: frozenset[int]) -> None:
        """A copy is the same price."""

    def on_open(self) -> None:
        """The first price comes within a second."""

    def on_close(self, reason: str, silent: bool) -> None:
        """Prices grow old, and an old one is no price."""

    def on_batch(self, batch: StreamBatch) -> None:
        for mark in batch.mark_prices:
            try:
                price = Decimal(mark.mark_price)
            except InvalidOperation:
                continue
            if price.is_finite() and price > 0 and self.account.clock.believes(mark.event_time):
                self._quotes[mark.symbol] = Quote(price, mark.event_time)
