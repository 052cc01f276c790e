"""Leverage and margin type of symbols, as the venue has them and as they are configured; set before an entry, not during one."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from libs.exchanges.errors import VenueError
from libs.exchanges.trading import FeeRates, SymbolTerms, TradingVenue
from libs.kit.logging import get_logger
from libs.trading.execution.config import LiveConfig

USUAL_FEES = FeeRates(taker=Decimal("0.0005"), maker=Decimal("0.0002"))
"""The venue's rates without a discount: what is counted with until the account's own are known."""
_LOGGER = get_logger("executor.terms")


@dataclass(slots=True)
class Terms:
    """`known`: what was read or told last, by symbol; `fees`: the account's rates, where the venue has told them."""

    venue: TradingVenue
    known: dict[str, SymbolTerms] = field(default_factory=dict)
    fees: dict[str, FeeRates] = field(default_factory=dict)

    def fees_of(self, symbol: str) -> FeeRates:
        """What a fill costs: the account's rates, or the usual ones, which are no less."""
        return self.fees.get(symbol, USUAL_FEES)

    async def read_fees(self, symbol: str) -> None:
        """Ask. Raises `VenueError`; what was known stays."""
        self.fees[symbol] = await self.venue.fee_rates(symbol)

    def fits(self, symbol: str, config: LiveConfig) -> bool:
        """Whether the symbol is known to be as configured."""
        found = self.known.get(symbol)
        wanted = (config.leverage_of(symbol), config.margin_type_of(symbol))
        return found is not None and (found.leverage, found.margin_type) == wanted

    async def read(self, symbol: str) -> SymbolTerms:
        """Ask. Raises `VenueError`."""
        self.known[symbol] = await self.venue.symbol_terms(symbol)
        return self.known[symbol]

    async def bring(self, symbol: str, config: LiveConfig) -> bool:
        """Make the symbol as configured; whether it is. What an open position forbids stays as it is."""
        if self.fits(symbol, config):
            return True
        try:
            found = await self.read(symbol)
            if found.margin_type != config.margin_type_of(symbol):
                await self.venue.set_margin_type(symbol, config.margin_type_of(symbol))
            if found.leverage != config.leverage_of(symbol):
                await self.venue.set_leverage(symbol, config.leverage_of(symbol))
            await self.read(symbol)
        except VenueError as error:
            _LOGGER.warning("leverage and margin type cannot be set", symbol=symbol, why=str(error))
            return False
        return self.fits(symbol, config)

    def told(self, symbol: str, leverage: int) -> None:
        """Somebody has changed it."""
        if symbol in self.known:
            self.known[symbol] = replace(self.known[symbol], leverage=leverage)
